"""create_instance: exactly one GPU, whatever is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db.models import F

from instances import upstream
from instances.handlers.create import CreateInstance
from instances.models import CachedProduct, CachedTemplate, Instance, UpstreamEnding, UpstreamGate
from instances.novita.errors import (
    AuthenticationFailed,
    InsufficientResource,
    InvalidRequest,
    NovitaConnectionError,
)
from instances.novita.types import RegistryAuth, TemplatePort, Tool
from jobs import leasing
from jobs.claim import Claimer
from jobs.models import Job
from jobs.registry import Unit
from tests.engine import DrivenRunner, make_due
from tests.fakes import CLUSTER, DOWN, PRODUCT, TEMPLATE, TIMED_OUT, TOO_MANY, FakeNovita
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import Service, age, events

pytestmark = pytest.mark.django_db

SETTLED = timedelta(minutes=5)
SOLD_OUT = InsufficientResource("400 INSUFFICIENT_RESOURCE", status=400)


def run(service: Service, instance: Instance, *, times: int = 1) -> Instance:
    service.run("create_instance", times=times)
    instance.refresh_from_db()
    return instance


def job() -> Job:
    return Job.objects.get(type="create_instance")


def lost(service: Service, novita: FakeNovita, *, acts: bool) -> Instance:
    """An instance whose create got no answer."""
    novita.fail("create_instance", TIMED_OUT, acts=acts)
    instance = run(service, service.create(), times=2)
    assert (instance.status, instance.create_step) == ("creating", "look_up")
    return instance


# The straight way


def test_a_wish_is_fetched_for_posted_and_watched(service: Service, novita: FakeNovita) -> None:
    instance = run(service, service.create(gpu_num=2))
    assert novita.calls == ["list_clusters", "get_template", "list_products"]
    assert instance.create_step == "choose"
    run(service, instance)
    assert (instance.status, instance.create_step, instance.upstream_id) == (
        *("starting", "placed", "up-1"),
    )
    (request,) = novita.created
    assert (request.name, request.product_id, request.gpu_num) == (
        *(instance.upstream_name, "prod-a", 2),
    )
    assert (request.image_url, request.ports, request.cluster_id, request.billing_mode) == (
        *(TEMPLATE.image, "80/http", CLUSTER.id, "spot"),
    )
    assert upstream.mark().reference_in(request.name) == instance.reference
    assert instance.price_e5_usd == PRODUCT.spot_price_e5_usd
    assert instance.placement["chosen"]["productId"] == "prod-a"
    assert events(instance) == ["instance.creating", "instance.starting"]
    assert job().status == "completed"
    assert Job.objects.get(type="monitor_instance").subject == instance.public_id


def test_a_second_wish_is_posted_from_the_cache(service: Service, novita: FakeNovita) -> None:
    service.placed()
    novita.calls.clear()
    run(service, service.create())
    assert novita.calls == ["create_instance"]


def test_those_who_want_the_same_share_one_fetch(service: Service, novita: FakeNovita) -> None:
    for _ in range(5):
        service.create()
    service.run("create_instance", times=2)
    assert novita.calls.count("list_products") == 1
    assert len(novita.created) == 5
    assert len({request.name for request in novita.created}) == 5


def test_one_process_fetches_while_the_others_wait(service: Service, novita: FakeNovita) -> None:
    instance = service.create()
    (unit,) = _load(job())
    assert isinstance(unit, Unit)
    run(service, instance)
    assert novita.calls == []
    assert job().status == "pending"


def _load(job: Job) -> list[object]:
    return [part for part in CreateInstance().load([job]) if isinstance(part, Unit)]


def test_the_cheapest_offer_is_taken(service: Service, novita: FakeNovita) -> None:
    novita.products.append(replace(PRODUCT, id="cheap", spot_price_e5_usd=1))
    service.placed()
    assert novita.created[0].product_id == "cheap"


# The answer was lost


def test_a_create_that_acted_is_found_and_adopted(service: Service, novita: FakeNovita) -> None:
    instance = run(service, lost(service, novita, acts=True))
    assert (instance.status, instance.upstream_id) == ("starting", "up-1")
    assert len(novita.created) == 1
    assert events(instance) == [
        *("instance.creating", "instance.create_ambiguous", "instance.starting"),
    ]


def test_a_create_that_did_not_act_is_sent_once_more_when_that_is_proven(
    service: Service, novita: FakeNovita
) -> None:
    instance = lost(service, novita, acts=False)
    run(service, instance, times=6)
    assert (instance.create_step, instance.lookup_count) == ("look_up", 6)
    assert novita.created == []
    age(instance, posted_at=SETTLED)
    run(service, instance)
    assert instance.create_step == "choose"
    run(service, instance, times=3)
    assert len(novita.created) == 1
    assert (instance.status, events(instance)[-2:]) == (
        *("starting", ["instance.create_disproved", "instance.starting"]),
    )


def test_less_than_three_looks_prove_nothing(service: Service, novita: FakeNovita) -> None:
    instance = lost(service, novita, acts=False)
    age(instance, posted_at=SETTLED)
    run(service, instance, times=2)
    assert instance.create_step == "look_up"
    run(service, instance)
    assert instance.create_step == "choose"


def test_looks_that_fail_do_not_count(service: Service, novita: FakeNovita) -> None:
    instance = lost(service, novita, acts=False)
    age(instance, posted_at=SETTLED)
    novita.fail("list_instances", DOWN, times=4)
    run(service, instance, times=4)
    assert (instance.create_step, instance.lookup_count) == ("look_up", 0)


def test_looks_before_the_settle_time_and_one_that_fails_after_it_prove_nothing(
    service: Service, novita: FakeNovita
) -> None:
    """A create may act late: only a whole look that began after all that time is a proof."""
    instance = lost(service, novita, acts=False)
    run(service, instance, times=4)
    assert instance.lookup_count >= 3
    age(instance, posted_at=SETTLED)
    novita.fail("list_instances", DOWN, times=2)
    run(service, instance, times=2)
    assert instance.create_step == "look_up"
    run(service, instance)
    assert instance.create_step == "choose"


def test_a_list_that_does_not_show_it_by_name_is_read_whole(
    service: Service, novita: FakeNovita
) -> None:
    """The upstream's name filter is not to be trusted with a GPU."""
    instance = lost(service, novita, acts=True)
    hidden = novita.instances.pop("up-1")
    run(service, instance)
    novita.instances["up-1"] = hidden
    names: list[str | None] = []
    page = novita.page
    novita.page = lambda number, size, name: (names.append(name), page(number, size, name))[1]
    run(service, instance)
    assert instance.status == "starting"
    assert names == [None]


def crowd(novita: FakeNovita, count: int, *, longest_page: int, has_filter: bool = True) -> None:
    """Foreign instances, listed before ours by a server with short pages."""
    ours = dict(novita.instances)
    novita.instances.clear()
    for number in range(count):
        novita.put(f"foreign-{number}", name=f"foreign-{number}", status="running")
    novita.instances |= ours
    page = novita.page
    novita.page = lambda number, size, name: page(
        number, min(size, longest_page), name if has_filter else None
    )


def test_in_a_crowded_account_a_name_filter_seen_to_work_proves_absence(
    service: Service, novita: FakeNovita
) -> None:
    """Else whoever has more instances than the budget can list waits for ever."""
    instance = lost(service, novita, acts=False)
    crowd(novita, 1000, longest_page=5)
    run(service, instance, times=3)
    assert instance.lookup_count == 3
    age(instance, posted_at=SETTLED)
    run(service, instance)
    assert instance.create_step == "choose"


def test_without_a_name_filter_a_list_too_long_to_read_proves_nothing(
    service: Service, novita: FakeNovita
) -> None:
    instance = lost(service, novita, acts=False)
    crowd(novita, 1000, longest_page=5, has_filter=False)
    age(instance, posted_at=SETTLED)
    run(service, instance, times=4)
    assert (instance.create_step, instance.lookup_count) == ("look_up", 0)


def test_one_whole_listing_answers_for_all_whose_answers_were_lost(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", TIMED_OUT, times=4)
    instances = [service.create() for _ in range(4)]
    service.run("create_instance", times=3)
    crowd(novita, 250, longest_page=100)
    novita.calls.clear()
    service.run("create_instance")
    assert len(novita.calls) < 10
    service.run("create_instance")
    for instance in instances:
        instance.refresh_from_db()
        assert instance.lookup_count == 3


def test_of_two_that_were_made_the_running_one_is_kept(
    service: Service, novita: FakeNovita
) -> None:
    instance = lost(service, novita, acts=True)
    name = instance.upstream_name
    novita.put("up-2", name=name, status="running")
    run(service, instance)
    assert instance.upstream_id == "up-2"
    (ending,) = UpstreamEnding.objects.all()
    assert (ending.upstream_id, ending.instance) == ("up-1", instance)
    assert Job.objects.filter(type="terminate_instance", status="pending").count() == 1


def test_what_is_gone_already_is_not_adopted(service: Service, novita: FakeNovita) -> None:
    instance = lost(service, novita, acts=True)
    novita.put("up-1", status="removed")
    run(service, instance)
    assert instance.create_step == "look_up"


def test_a_name_that_only_resembles_ours_is_not_adopted(
    service: Service, novita: FakeNovita
) -> None:
    instance = lost(service, novita, acts=False)
    novita.put("foreign", name=instance.upstream_name + "-2", status="running")
    run(service, instance)
    assert instance.upstream_id == ""


def test_under_another_account_it_waits_for_the_right_key(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    instance = lost(service, novita, acts=True)
    novita.calls.clear()
    configure(novita_api_base_url="https://elsewhere.example.com")
    run(service, instance, times=3)
    assert (instance.create_step, novita.calls) == ("look_up", [])


# Crashes


def test_a_crash_between_the_intent_and_the_answer_never_posts_twice(
    service: Service, novita: FakeNovita
) -> None:
    instance = run(service, service.create())
    make_due()
    runner = DrivenRunner(threads=1)
    (lease,) = (each for each in Claimer("dead").claim() if each.type == "create_instance")
    runner.run([(lease.job_id, lease.token)])
    assert len(novita.created) == 1
    instance.refresh_from_db()
    assert (instance.create_step, instance.posted_at is not None) == ("post", True)
    # The process dies here: what it has heard is lost, its lease lapses.
    Job.objects.update(status="pending", lease_token=None, lease_expires_at=None)
    run(service, instance)
    assert (instance.status, len(novita.created)) == ("starting", 1)


def test_two_workers_with_the_same_row_post_once(service: Service, novita: FakeNovita) -> None:
    run(service, service.create())
    make_due()
    (lease,) = (each for each in Claimer("slow").claim() if each.type == "create_instance")
    (row,) = leasing.start([(lease.job_id, lease.token)])
    Job.objects.filter(pk=row.pk).update(lease_token=lease.token + 1_000_000)
    assert _load(row) == []
    assert Instance.objects.get().create_step == "choose"


def test_a_create_is_not_sent_when_too_little_of_its_lease_is_left(
    service: Service, novita: FakeNovita, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = run(service, service.create())
    monkeypatch.setattr("instances.creation.posting.time.monotonic", _Jumping(60))
    run(service, instance)
    assert novita.created == []
    assert (instance.create_step, instance.posted_at) == ("choose", None)
    monkeypatch.undo()


class _Jumping:
    """A clock that is later by so many seconds at every look."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


# Refusals


def test_a_sold_out_offer_gives_way_to_the_next_and_then_to_failure(
    service: Service, novita: FakeNovita
) -> None:
    novita.products.append(replace(PRODUCT, id="dearer", spot_price_e5_usd=36_000))
    novita.fail("create_instance", SOLD_OUT, times=2)
    instance = run(service, service.create(), times=2)
    assert set(instance.refused_offers) == {"prod-a"}
    run(service, instance)
    assert set(instance.refused_offers) == {"prod-a", "dearer"}
    run(service, instance, times=2)
    assert (instance.status, instance.error_code) == ("failed", "INSUFFICIENT_RESOURCE")
    assert "sold out" in instance.error_message
    assert job().status == "failed"


def test_the_next_offer_is_posted_under_the_same_name(service: Service, novita: FakeNovita) -> None:
    novita.products.append(replace(PRODUCT, id="dearer", spot_price_e5_usd=36_000))
    novita.fail("create_instance", SOLD_OUT)
    instance = run(service, service.create(), times=3)
    assert (instance.status, instance.product_id) == ("starting", "dearer")
    assert instance.price_e5_usd == 36_000


@pytest.mark.parametrize(
    ("wish", "change", "code", "words"),
    [
        ({"template_id": "nope"}, {}, "TEMPLATE_NOT_FOUND", "nope"),
        ({"product_name": "H900"}, {}, "PRODUCT_NOT_FOUND", "H900"),
        ({}, {"clusters": []}, "NO_OPTIMAL_PRODUCT", "US-WEST-01"),
        ({"rootfs_size_gb": 9000}, {}, "NO_OPTIMAL_PRODUCT", "at most 500 GB"),
        (
            {},
            {"templates": {"tpl-1": replace(TEMPLATE, image_auth_id="auth-9")}},
            *("REGISTRY_AUTH_NOT_FOUND", "auth-9"),
        ),
        (
            {},
            {"products": [replace(PRODUCT, available_deploy=False)]},
            *("NO_OPTIMAL_PRODUCT", "sold out"),
        ),
    ],
)
def test_what_cannot_be_had_fails_with_its_reason(
    service: Service,
    novita: FakeNovita,
    wish: dict[str, object],
    change: dict[str, object],
    code: str,
    words: str,
) -> None:
    for name, value in change.items():
        setattr(novita, name, value)
    instance = run(service, service.create(**wish))
    assert (instance.status, instance.error_code) == ("failed", code)
    assert words in instance.error_message
    assert events(instance) == ["instance.creating", "instance.failed"]


def probe(port: int) -> dict[str, object]:
    return {"type": "tcp", "port": port, "timeoutSeconds": 5}


def test_a_probe_of_a_port_that_nothing_publishes_fails_before_a_gpu_is_bought(
    service: Service, novita: FakeNovita
) -> None:
    instance = run(service, service.create(readiness_probe=probe(8888)), times=2)
    assert (instance.status, instance.error_code) == ("failed", "PROBE_PORT_NOT_PUBLISHED")
    assert instance.error_message == (
        "The readiness probe asks port 8888, and template tpl-1 publishes 80: it would never pass."
    )
    assert (novita.created, instance.upstream_id) == ([], "")


def test_a_template_that_is_cached_without_the_port_is_read_anew_before_that_is_said(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    novita.calls.clear()
    ports = (TemplatePort("http", 80), TemplatePort("tcp", 8888))
    novita.templates["tpl-1"] = replace(TEMPLATE, ports=ports)
    instance = run(service, service.create(readiness_probe=probe(8888)), times=2)
    assert (instance.status, novita.created[1].ports) == ("starting", "80/http,8888/tcp")
    assert novita.calls.count("get_template") == 1
    novita.templates["tpl-1"] = TEMPLATE
    other = run(service, service.create(readiness_probe=probe(9999)), times=2)
    assert other.error_code == "PROBE_PORT_NOT_PUBLISHED"


@pytest.mark.parametrize("port", [80, 6006, 22])
def test_ports_tools_and_ssh_can_be_probed(service: Service, novita: FakeNovita, port: int) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, tools=(Tool("TensorBoard", 6006, "http"),))
    assert service.placed(readiness_probe=probe(port)).status == "starting"


def test_a_template_from_the_cache_does_not_grow_young_by_being_used(
    service: Service, novita: FakeNovita
) -> None:
    service.placed()
    CachedTemplate.objects.update(fetched_at=F("fetched_at") - timedelta(seconds=30))
    (before,) = CachedTemplate.objects.values_list("fetched_at", flat=True)
    run(service, service.create(product_name="H900"))
    assert CachedTemplate.objects.get().fetched_at == before


def test_known_registry_credentials_are_passed_on(service: Service, novita: FakeNovita) -> None:
    novita.templates["tpl-1"] = replace(TEMPLATE, image_auth_id="auth-9")
    novita.auths = [RegistryAuth("auth-9", "acme")]
    service.placed()
    assert novita.created[0].image_auth_id == "auth-9"


@pytest.mark.parametrize(
    "error",
    [TOO_MANY, NovitaConnectionError("refused", is_sent=False, is_outcome_unknown=False)],
)
def test_what_was_certainly_not_made_is_posted_again(
    service: Service, novita: FakeNovita, error: Exception
) -> None:
    novita.fail("create_instance", error)
    instance = run(service, service.create(), times=2)
    assert (instance.create_step, instance.posted_at) == ("choose", None)
    UpstreamGate.objects.update(paused_until=None)
    run(service, instance)
    assert (instance.status, len(novita.created)) == ("starting", 1)


@pytest.mark.parametrize("endpoint", ["list_clusters", "create_instance"])
def test_a_refusal_that_no_offer_can_help_ends_it(
    service: Service, novita: FakeNovita, endpoint: str
) -> None:
    novita.fail(endpoint, AuthenticationFailed("401 INVALID_API_KEY", status=401))
    instance = run(service, service.create(), times=2)
    assert (instance.status, instance.error_code) == ("failed", "UPSTREAM_REJECTED")
    assert "INVALID_API_KEY" in instance.error_message


def test_an_outage_while_fetching_is_waited_out(service: Service, novita: FakeNovita) -> None:
    novita.fail("list_products", DOWN)
    instance = run(service, service.create())
    assert (instance.status, job().status) == ("creating", "pending")
    run(service, instance, times=2)
    assert instance.status == "starting"


def test_what_could_not_be_created_in_time_fails(service: Service, novita: FakeNovita) -> None:
    instance = service.create()
    age(instance, start_deadline_at=timedelta(hours=1))
    run(service, instance)
    assert (instance.status, instance.error_code) == ("failed", "STARTUP_TIMEOUT")
    assert novita.calls == []


def test_a_create_job_that_gives_up_for_another_reason_fails_the_instance(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.create()
    CreateInstance().on_give_up(job(), "The worker died in each of 5 attempts.")
    instance.refresh_from_db()
    assert (instance.status, instance.error_code) == ("failed", "INTERNAL_ERROR")
    assert not CreateInstance().is_redrivable(job())


def test_a_cluster_that_is_no_longer_listed_is_not_chosen_again(
    service: Service, novita: FakeNovita
) -> None:
    """The region moves to the cluster of its name; the old id would be asked for without end."""
    service.placed()
    novita.clusters = [replace(CLUSTER, id="us-ca-6b")]
    CachedProduct.objects.all().delete()
    cache.clear()
    instance = run(service, service.create(), times=2)
    assert (instance.status, instance.cluster_id) == ("starting", "us-ca-6b")


def test_absence_is_proven_among_many_pages_of_others(service: Service, novita: FakeNovita) -> None:
    """A look that ran out of calls proves nothing, but says how many the next one needs."""
    instance = lost(service, novita, acts=False)
    age(instance, posted_at=SETTLED)
    for number in range(900):
        novita.put(f"foreign-{number}", name=f"foreign-{number}")
    run(service, instance, times=5)
    assert "instance.create_disproved" in events(instance)
    assert len(novita.created) == 1


def test_an_offer_refused_for_another_reason_is_not_called_sold_out(
    service: Service, novita: FakeNovita
) -> None:
    novita.fail("create_instance", InvalidRequest("400 VALIDATOR_PARAM: rootfs", status=400))
    instance = run(service, service.create(), times=4)
    assert (instance.status, instance.error_code) == ("failed", "UPSTREAM_REJECTED")
    assert "rootfs" in instance.error_message
