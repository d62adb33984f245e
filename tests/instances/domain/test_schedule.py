"""Looks come due together, and no more often than the call budget bears."""

from datetime import UTC, datetime, timedelta

from instances.domain.schedule import next_observation
from instances.novita import limiter
from tests.instances.conftest import Configure

NOW = datetime(2026, 11, 22, 10, 0, 3, tzinfo=UTC)


def test_observations_fall_on_a_grid_common_to_all(configure: Configure) -> None:
    configure(instance_poll_interval=10.0)
    assert next_observation(NOW) == next_observation(NOW + timedelta(seconds=6))
    assert next_observation(NOW) == datetime(2026, 11, 22, 10, 0, 10, tzinfo=UTC)


def test_a_pause_within_the_interval_changes_nothing(configure: Configure) -> None:
    configure(instance_poll_interval=10.0)
    assert next_observation(NOW, pause=timedelta(seconds=9)) == next_observation(NOW)


def test_a_longer_pause_moves_the_observation_along_the_grid(configure: Configure) -> None:
    configure(instance_poll_interval=1.0)
    assert next_observation(NOW, pause=timedelta(seconds=5)) == NOW + timedelta(seconds=5)


def test_an_observation_of_many_calls_leaves_half_of_the_budget_to_others(
    configure: Configure,
) -> None:
    configure(novita_rate_limit=300)
    assert limiter.fair_pause(12) == timedelta(seconds=6)
