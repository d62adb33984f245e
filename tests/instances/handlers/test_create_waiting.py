"""A create that nobody's request is to blame for waits, says why, and goes on by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client

from instances.database_clock import database_now
from instances.models import Instance, UpstreamGate
from instances.novita.errors import (
    AuthenticationFailed,
    BalanceNotEnough,
    Blame,
    EdgeAnswered,
    InsufficientResource,
    InvalidRequest,
    NotFound,
    NovitaConnectionError,
    NovitaError,
    NovitaRefused,
    NovitaServerError,
    QuotaExceeded,
    RateLimited,
    TemplateNotFound,
    UnreadableAnswer,
)
from instances.novita.types import RegistryAuth
from jobs.models import Job
from tests.fakes import PRODUCT, FakeNovita
from tests.instances.handlers.conftest import Service, age, events
from tests.instances.handlers.creating import create, job

pytestmark = pytest.mark.django_db

KEY = AuthenticationFailed("401 UNAUTHORIZED: invalid api key", status=401, reason="UNAUTHORIZED")
MONEY = BalanceNotEnough("400 BALANCE_NOT_ENOUGH: top up", status=400, reason="BALANCE_NOT_ENOUGH")
QUOTA = QuotaExceeded(
    "400 CREATE_INSTANCE_LIMIT: limit (a limit of the account, or its balance is too low)",
    status=400,
    reason="CREATE_INSTANCE_LIMIT",
)
EDGE = EdgeAnswered("something in front of Novita answered 403: an HTML page", status=403)
EDGE_WRITE = EdgeAnswered(
    "something in front of Novita answered 403: an HTML page", status=403, is_outcome_unknown=True
)
REFUSED = NovitaConnectionError("connection refused", is_sent=False, is_outcome_unknown=False)
DOWN = NovitaServerError("500", status=500)
FORM = UnreadableAnswer("200: no list", status=200)
BUSY = RateLimited("429 RATE_LIMIT_EXCEEDED", status=429, retry_after=7)
ODD = NovitaRefused("418 TEAPOT", status=418, reason="TEAPOT")


def set_free(service: Service) -> None:
    """What made everybody pause is over."""
    UpstreamGate.objects.update(
        paused_until=None, creates_retry_at=None, creates_probe_until=None, reads_refused_at=None
    )


def pause() -> timedelta:
    return job().run_at - database_now()


CATALOGUE = ["list_clusters", "get_template", "list_products", "list_registry_auths"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KEY, "NOVITA_KEY_REFUSED"),
        (EDGE, "NOVITA_EDGE"),
        (DOWN, "NOVITA_UNREACHABLE"),
        (REFUSED, "NOVITA_UNREACHABLE"),
        (FORM, "CATALOGUE_UNREADABLE"),
        (BUSY, "RATE_LIMITED"),
        (ODD, "CREATE_REFUSED"),
    ],
)
@pytest.mark.parametrize("endpoint", CATALOGUE)
def test_what_creation_reads_first_may_fail_for_a_while(
    service: Service, novita: FakeNovita, endpoint: str, error: NovitaError, code: str
) -> None:
    novita.templates["tpl-1"] = replace(novita.templates["tpl-1"], image_auth_id="a")
    novita.auths.append(RegistryAuth("a", "acme"))
    novita.fail(endpoint, error)
    instance = create(service, service.create())
    assert (instance.status, instance.wait_code) == ("creating", code)
    assert instance.waiting_since is not None
    assert str(error) in instance.wait_message
    set_free(service)
    instance = create(service, instance, times=3)
    assert (instance.status, instance.wait_code, instance.waiting_since) == ("starting", "", None)


CERTAIN = [
    (KEY, "NOVITA_KEY_REFUSED", 5),
    (MONEY, "BALANCE_NOT_ENOUGH", 2),
    (QUOTA, "QUOTA_EXCEEDED", 2),
    (REFUSED, "NOVITA_UNREACHABLE", 2),
    (BUSY, "RATE_LIMITED", 7),
    (ODD, "CREATE_REFUSED", 2),
]


@pytest.mark.parametrize(("error", "code", "seconds"), CERTAIN)
def test_a_create_that_was_certainly_not_made_waits_and_is_sent_again(
    service: Service, novita: FakeNovita, error: NovitaError, code: str, seconds: float
) -> None:
    novita.fail("create_instance", error)
    instance = create(service, service.create(), times=2)
    assert (instance.status, instance.create_step, instance.wait_code) == (
        *("creating", "choose", code),
    )
    assert instance.posted_at is None
    assert abs(pause() - timedelta(seconds=seconds)) < timedelta(seconds=1.5)
    assert instance.refused_offers == {}
    set_free(service)
    instance = create(service, instance, times=2)
    assert (instance.status, instance.wait_code) == ("starting", "")
    assert len(novita.created) == 1


@pytest.mark.parametrize(("error", "code", "seconds"), CERTAIN)
def test_the_start_deadline_bounds_a_wait_and_the_failure_names_its_cause(
    service: Service, novita: FakeNovita, error: NovitaError, code: str, seconds: float
) -> None:
    novita.fail("create_instance", error, times=99)
    instance = create(service, service.create(), times=2)
    age(instance, start_deadline_at=timedelta(hours=1))
    set_free(service)
    instance = create(service, instance)
    failures = {
        "BALANCE_NOT_ENOUGH": "BALANCE_NOT_ENOUGH",
        "QUOTA_EXCEEDED": "QUOTA_EXCEEDED",
        "RATE_LIMITED": "STARTUP_TIMEOUT",
    }
    assert instance.status == "failed"
    assert instance.error_code == failures.get(code, "UPSTREAM_UNAVAILABLE")
    assert str(error) in instance.error_message
    assert "waited since" in instance.error_message
    assert novita.created == []


def test_money_is_asked_for_with_growing_pauses_of_a_minute_at_most(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", MONEY, times=9)
    instance = create(service, service.create(), times=2)
    pauses = []
    for waited in (0, 8, 20, 90, 400):
        Instance.objects.update(waiting_since=database_now() - timedelta(seconds=waited))
        create(service, instance)
        pauses.append(round(pause().total_seconds()))
    assert pauses == [2, 4, 10, 45, 60]
    Instance.objects.update(start_deadline_at=database_now() + timedelta(seconds=10))
    create(service, instance)
    assert pause() < timedelta(seconds=11)


@pytest.mark.parametrize("error", [MONEY, QUOTA])
def test_balance_and_quota_name_each_other(
    service: Service, novita: FakeNovita, error: NovitaError
) -> None:
    novita.fail("create_instance", error)
    instance = create(service, service.create(), times=2)
    assert "balance" in instance.wait_message
    assert "limit" in instance.wait_message


def test_one_event_tells_a_wait_however_often_it_is_looked_at(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", MONEY, times=5)
    novita.fail("create_instance", QUOTA, times=5)
    instance = create(service, service.create(), times=11)
    assert events(instance) == ["instance.creating", "instance.waiting", "instance.waiting"]
    told = [each.data["code"] for each in instance.events.filter(type="instance.waiting")]
    assert told == ["BALANCE_NOT_ENOUGH", "QUOTA_EXCEEDED"]


def test_the_api_shows_a_wait_and_its_end(
    service: Service, novita: FakeNovita, api: Client
) -> None:
    novita.fail("create_instance", KEY)
    instance = create(service, service.create(), times=2)
    shown = api.get(f"/api/instances/{instance.public_id}").json()["waiting"]
    assert shown["code"] == "NOVITA_KEY_REFUSED"
    assert shown["since"].endswith("Z")
    (listed,) = api.get("/api/instances").json()["instances"]
    assert listed["waiting"] == shown
    set_free(service)
    create(service, instance, times=2)
    assert "waiting" not in api.get(f"/api/instances/{instance.public_id}").json()


def test_one_that_is_ended_waits_no_more(service: Service, novita: FakeNovita) -> None:
    novita.fail("create_instance", KEY)
    instance = create(service, service.create(), times=2)
    instance = service.ask("terminate", instance)
    assert (instance.status, instance.wait_code) == ("terminated", "")


# A wave of creates while the key is refused


def test_while_the_key_is_refused_no_create_is_sent_and_each_says_why(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    novita.calls.clear()
    novita.fail("list_clusters", KEY, times=99)
    service.run("probe_upstream")
    UpstreamGate.objects.update(reads_refused_at=database_now(), creates_retry_at=database_now())
    wave = [service.create() for _ in range(8)]
    service.run("create_instance", times=4)
    for instance in wave:
        instance.refresh_from_db()
        assert (instance.status, instance.wait_code) == ("creating", "NOVITA_KEY_REFUSED")
    assert "create_instance" not in novita.calls
    UpstreamGate.objects.update(reads_refused_at=None)
    service.run("create_instance", times=2)
    assert {each.status for each in Instance.objects.exclude(pk__lt=wave[0].pk)} == {"starting"}


def test_a_key_refused_for_creates_alone_costs_one_create_at_a_time(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    novita.calls.clear()
    novita.fail("create_instance", KEY, times=6)
    wave = [service.create() for _ in range(6)]
    service.run("create_instance")
    service.run("create_instance", times=5)
    assert novita.calls == ["create_instance"] * 6
    held = Instance.objects.filter(wait_code="NOVITA_KEY_REFUSED", status="creating")
    assert held.count() == len(wave)
    UpstreamGate.objects.update(creates_retry_at=database_now())
    service.run("create_instance")
    assert novita.calls == ["create_instance"] * 7
    service.run("create_instance")
    assert {each.status for each in Instance.objects.filter(pk__gte=wave[0].pk)} == {"starting"}


# Doubt


@pytest.mark.parametrize(
    "error",
    [
        EDGE_WRITE,
        UnreadableAnswer("200: no id", status=200, is_outcome_unknown=True),
        NovitaServerError("499 UNKNOWN: context canceled", status=499, is_outcome_unknown=True),
        RateLimited("429", status=429, is_outcome_unknown=True),
        InvalidRequest("400 NEW_WORD", status=400, is_outcome_unknown=True),
    ],
)
@pytest.mark.parametrize("acts", [True, False])
def test_an_answer_that_proves_nothing_is_looked_up(
    service: Service, novita: FakeNovita, error: NovitaError, acts: bool
) -> None:
    novita.fail("create_instance", error, acts=acts)
    instance = create(service, service.create(), times=2)
    assert (instance.create_step, instance.wait_code) == ("look_up", "CREATE_IN_DOUBT")
    assert "<" not in instance.wait_message
    UpstreamGate.objects.update(paused_until=None)
    instance = create(service, instance)
    if acts:
        assert (instance.status, instance.wait_code) == ("starting", "")
        assert len(novita.created) == 1
        return
    age(instance, posted_at=timedelta(minutes=5))
    instance = create(service, instance, times=5)
    assert (instance.status, len(novita.created)) == ("starting", 1)


# Blame


@pytest.mark.parametrize(
    "error",
    [
        InsufficientResource("409 INSUFFICIENT_RESOURCE", status=409),
        InsufficientResource("429 INSUFFICIENT_RESOURCE", status=429, retry_after=60),
        InsufficientResource("503 INSUFFICIENT_RESOURCE", status=503),
        NotFound("400 PRODUCT_NOT_FOUND", status=400),
        InvalidRequest("400 VALIDATOR_PARAM: rootfs", status=400, belongs_to=Blame.OFFER),
    ],
)
def test_a_refusal_of_the_offer_leads_to_the_next_one_at_once(
    service: Service, novita: FakeNovita, error: NovitaError
) -> None:
    novita.products.append(replace(PRODUCT, id="dearer", spot_price_e5_usd=36_000))
    novita.fail("create_instance", error)
    instance = create(service, service.create(), times=2)
    assert pause() < timedelta(seconds=1)
    assert set(instance.refused_offers) == {"prod-a"}
    instance = create(service, instance)
    assert (instance.status, instance.product_id) == ("starting", "dearer")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            NotFound("400 IMAGE_NOT_FOUND", reason="IMAGE_NOT_FOUND", belongs_to=Blame.REQUEST),
            "IMAGE_REJECTED",
        ),
        (
            InvalidRequest(
                "400 IMAGE_TOO_LARGE", reason="IMAGE_TOO_LARGE", belongs_to=Blame.REQUEST
            ),
            "IMAGE_REJECTED",
        ),
        (
            InvalidRequest(
                "400 CUDA_VERSION_INCOMPATIBLE",
                reason="CUDA_VERSION_INCOMPATIBLE",
                belongs_to=Blame.REQUEST,
            ),
            "CUDA_VERSION_INCOMPATIBLE",
        ),
        (InvalidRequest("400 INVALID_COMMAND_PARAM", status=400), "UPSTREAM_REJECTED"),
        (TemplateNotFound("400 TEMPLATE_IS_PRIVATE", status=400), "TEMPLATE_NOT_FOUND"),
    ],
)
def test_a_refusal_of_the_request_fails_it_at_once_and_asks_no_other_offer(
    service: Service, novita: FakeNovita, error: NovitaError, code: str
) -> None:
    novita.products.append(replace(PRODUCT, id="dearer", spot_price_e5_usd=36_000))
    novita.fail("create_instance", error, times=9)
    instance = create(service, service.create(), times=2)
    assert (instance.status, instance.error_code) == ("failed", code)
    assert str(error) in instance.error_message
    assert novita.calls.count("create_instance") == 1


@pytest.mark.parametrize("error", [DOWN, KEY, InvalidRequest("400 VALIDATOR_PARAM", status=400)])
def test_a_look_at_the_price_that_fails_refuses_no_offer_and_no_request(
    service: Service, novita: FakeNovita, error: NovitaError
) -> None:
    service.placed()
    novita.fail("list_products", error)
    instance = create(service, service.create(max_price_per_hour_e5_usd=100_000))
    assert (instance.status, instance.refused_offers) == ("creating", {})
    assert instance.wait_code
    set_free(service)
    assert create(service, instance, times=2).status == "starting"


def test_an_offer_that_never_gets_a_sure_answer_is_left_for_another(
    service: Service, novita: FakeNovita
) -> None:
    novita.products.append(replace(PRODUCT, id="dearer", spot_price_e5_usd=36_000))
    novita.fail("create_instance", EDGE_WRITE, times=2)
    instance = create(service, service.create(), times=2)
    for _ in range(2):
        age(instance, posted_at=timedelta(minutes=5))
        instance = create(service, instance, times=4)
    assert instance.unanswered_offers == {"prod-a": 2}
    instance = create(service, instance, times=2)
    assert (instance.status, instance.product_id) == ("starting", "dearer")


def test_the_only_offer_is_asked_for_again_though_it_gave_no_sure_answer(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", ODD, times=4)
    instance = create(service, service.create(), times=6)
    assert (instance.status, instance.unanswered_offers) == ("starting", {"prod-a": 4})


def test_the_jobs_of_waiting_creates_lose_no_attempt(service: Service, novita: FakeNovita) -> None:
    novita.fail("create_instance", MONEY, times=50)
    create(service, service.create(), times=20)
    assert Job.objects.get(type="create_instance").attempts <= 1
