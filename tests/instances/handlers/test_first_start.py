"""A first start on its way: progress, its price, and what is kept of one that fails."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.instances.handlers.conftest import Service, age
from tests.support.fakes import FakeNovita

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def test_a_failed_start_is_kept_where_its_owner_wants_that(
    service: Service, novita: FakeNovita
) -> None:
    instance = service.placed(on_start_failure="keep")
    novita.put("up-1", status="pulling")
    age(instance, start_deadline_at=HOUR)
    service.monitor(instance)
    assert (instance.status, instance.error_code) == ("failed", "STARTUP_TIMEOUT")
    assert (instance.is_holding, instance.endings.exists()) == (True, False)
    service.ask("terminate", instance)
    assert service.ended(instance).status == "terminated"
    assert novita.instances == {}


@pytest.mark.parametrize("policy", ["terminate", "keep"])
def test_a_price_that_rose_above_the_cap_ends_the_gpu_whatever_the_policy(
    service: Service, novita: FakeNovita, policy: str
) -> None:
    """The cap is a promise: nothing is kept above it, also not what was to be kept."""
    instance = service.placed(max_price_per_hour_e5_usd=70_000, gpu_num=2, on_start_failure=policy)
    novita.put("up-1", status="pulling", price_e5_usd=35_001)
    service.monitor(instance)
    assert (instance.status, instance.error_code) == ("failed", "PRICE_ABOVE_CAP")
    assert "0.70002 USD" in instance.error_message
    assert instance.endings.get().upstream_id == "up-1"
