"""Doubt and blame: what each answer to a create leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.clock import database_now
from instances.models import UpstreamGate
from jobs.models import Job
from tests.instances.handlers.conftest import Service, age
from tests.instances.handlers.creates import create, job
from tests.instances.handlers.failures import DOWN, EDGE_WRITE, KEY, MONEY, ODD, set_free
from tests.support.fakes import PRODUCT, FakeNovita
from upstream.errors import (
    Blame,
    InsufficientResource,
    InvalidRequest,
    NotFound,
    NovitaError,
    NovitaServerError,
    RateLimited,
    TemplateNotFound,
    UnreadableAnswer,
)

pytestmark = pytest.mark.django_db


def pause() -> timedelta:
    return job().run_at - database_now()


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
def test_an_answer_that_proves_nothing_is_recovered(
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
def test_a_price_check_that_fails_refuses_no_offer_and_no_request(
    service: Service, novita: FakeNovita, error: NovitaError
) -> None:
    service.placed()
    novita.fail("list_products", error)
    instance = create(service, service.create(max_price_per_hour_e5_usd=100_000))
    assert (instance.status, instance.refused_offers) == ("creating", {})
    assert instance.wait_code
    set_free()
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
