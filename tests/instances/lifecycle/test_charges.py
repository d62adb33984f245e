"""What an instance costs, against the clock of the one who sends the bill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from instances.lifecycle import charges
from instances.models import Instance
from upstream.types import UpstreamInstance

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
PRICE = 36_000


def made(**fields: Any) -> Instance:
    """Posted at noon, at 0.36 USD an hour: ten of our units a second."""
    defaults = {"gpu_num": 1, "price_e5_usd": PRICE, "created_at": NOON, "posted_at": NOON}
    return Instance(**{**defaults, **fields})


def observe(instance: Instance, at: datetime, status: str, **fields: Any) -> None:
    """As every observer does it: first the cost, then the moment of the observation."""
    charges.note(instance, UpstreamInstance("up-1", status=status, **fields), now=at)
    instance.upstream_seen_at = at


def cost(instance: Instance, at: datetime) -> int:
    return charges.cost_so_far_e5_usd(instance, at)


@pytest.mark.parametrize(
    "word", ["pending", "toCreate", "creating", "exited", "toStart", "starting", "removing"]
)
def test_nothing_is_charged_before_the_pull_nor_at_rest(word: str) -> None:
    instance = made()
    observe(instance, NOON + 10 * SECOND, word)
    assert (instance.billing_since, instance.started_at) == (None, None)
    assert cost(instance, NOON + HOUR) == 0


@pytest.mark.parametrize("word", ["pulling", "running", "toStop", "stopping", "restarting"])
def test_a_charged_word_opens_a_period_between_the_two_observations(word: str) -> None:
    instance = made()
    observe(instance, NOON + 10 * SECOND, "creating")
    observe(instance, NOON + 20 * SECOND, word)
    assert instance.billing_since == instance.started_at == NOON + 15 * SECOND
    observe(instance, NOON + HOUR, word)
    assert instance.billing_since == NOON + 15 * SECOND
    assert cost(instance, NOON + 15 * SECOND + HOUR) == PRICE


@pytest.mark.parametrize("word", ["migrating", "hibernating"])
@pytest.mark.parametrize(("before", "is_charged"), [("running", True), ("exited", False)])
def test_a_word_that_says_nothing_of_money_leaves_the_period_as_it_was(
    word: str, before: str, is_charged: bool
) -> None:
    instance = made()
    observe(instance, NOON, before)
    observe(instance, NOON + HOUR, word)
    assert (instance.billing_since is not None) is is_charged
    assert cost(instance, NOON + 2 * HOUR) == (2 * PRICE if is_charged else 0)


def test_novitas_clock_ends_a_period_where_it_tells_the_time() -> None:
    instance = made()
    observe(instance, NOON, "running")
    observe(instance, NOON + HOUR, "running")
    observe(instance, NOON + HOUR + 5 * MINUTE, "exited", last_stopped_at=NOON + HOUR + MINUTE)
    assert instance.closed_cost_e5_usd == PRICE + 600
    assert cost(instance, NOON + 9 * HOUR) == PRICE + 600


@pytest.mark.parametrize("told", [None, NOON - HOUR, NOON + 9 * HOUR])
def test_a_time_that_cannot_be_true_is_not_believed(told: datetime | None) -> None:
    instance = made()
    observe(instance, NOON, "running")
    observe(instance, NOON + HOUR, "running")
    observe(instance, NOON + HOUR + 20 * SECOND, "exited", last_stopped_at=told)
    assert instance.closed_cost_e5_usd == PRICE + 100


def test_stops_and_starts_are_periods_of_their_own() -> None:
    instance = made()
    observe(instance, NOON, "running")
    for number in (1, 3, 5):
        at = NOON + number * HOUR
        observe(instance, at, "exited", last_stopped_at=at)
        observe(instance, at + HOUR - SECOND, "exited")
        observe(instance, at + HOUR, "running", last_started_at=at + HOUR)
    assert abs(cost(instance, NOON + 7 * HOUR) - 4 * PRICE) <= 30


def test_the_first_start_alone_begins_the_life_that_is_limited() -> None:
    instance = made(max_runtime_minutes=90)
    observe(instance, NOON, "running")
    assert instance.expires_at == NOON + 90 * MINUTE
    observe(instance, NOON + HOUR, "exited", last_stopped_at=NOON + HOUR)
    observe(instance, NOON + 2 * HOUR, "running")
    assert (instance.started_at, instance.expires_at) == (NOON, NOON + 90 * MINUTE)


def test_a_new_price_counts_from_when_it_was_seen() -> None:
    instance = made(ready_at=NOON)
    observe(instance, NOON, "running", price_e5_usd=PRICE)
    observe(instance, NOON + HOUR, "running", price_e5_usd=2 * PRICE)
    assert instance.price_e5_usd == 2 * PRICE
    assert cost(instance, NOON + 2 * HOUR) == 3 * PRICE


def test_the_price_of_the_offer_is_replaced_by_the_instances_own_from_the_beginning() -> None:
    instance = made()
    observe(instance, NOON, "pulling")
    observe(instance, NOON + MINUTE, "pulling", price_e5_usd=2 * PRICE)
    assert cost(instance, NOON + HOUR) == 2 * PRICE


@pytest.mark.parametrize("price", [None, 0])
def test_an_observation_without_a_price_keeps_the_last_one(price: int | None) -> None:
    instance = made(ready_at=NOON)
    observe(instance, NOON, "running", price_e5_usd=PRICE)
    observe(instance, NOON + HOUR, "running", price_e5_usd=price)
    assert (instance.price_e5_usd, cost(instance, NOON + HOUR)) == (PRICE, PRICE)


def test_a_price_that_changes_at_rest_charges_nothing() -> None:
    instance = made(ready_at=NOON)
    observe(instance, NOON, "running")
    observe(instance, NOON + HOUR, "exited", last_stopped_at=NOON + HOUR)
    observe(instance, NOON + 2 * HOUR, "exited", price_e5_usd=9 * PRICE)
    assert cost(instance, NOON + 3 * HOUR) == PRICE


def test_all_gpus_are_charged() -> None:
    instance = made(gpu_num=8)
    observe(instance, NOON, "running")
    assert cost(instance, NOON + HOUR) == 8 * PRICE


def test_closing_twice_charges_once() -> None:
    instance = made()
    observe(instance, NOON, "running")
    charges.close(instance, NOON + HOUR)
    charges.close(instance, NOON + 2 * HOUR)
    assert cost(instance, NOON + 3 * HOUR) == PRICE


def test_a_moment_before_its_beginning_charges_nothing() -> None:
    instance = made(billing_since=NOON)
    charges.close(instance, NOON - HOUR)
    assert (cost(instance, NOON), instance.closed_cost_e5_usd) == (0, 0)


def test_what_is_suddenly_gone_is_charged_until_between_the_observations() -> None:
    instance = made()
    observe(instance, NOON, "running")
    observe(instance, NOON + HOUR, "running")
    charges.close_unseen(instance, NOON + HOUR + 20 * SECOND)
    assert cost(instance, NOON + 9 * HOUR) == PRICE + 100


@pytest.mark.parametrize("tells_times", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_it_is_within_one_percent_of_novitas_clock(seed: int, tells_times: bool) -> None:
    """Invariant I6, over random lives of hours with stops and starts, seen every ten seconds."""
    chance = Random(seed)
    changes, at, charged = [(NOON, "creating")], NOON + chance.random() * 30 * SECOND, 0.0
    for _ in range(chance.randint(1, 5)):
        pull, run = chance.random() * 40 * SECOND, MINUTE * chance.randint(30, 300)
        changes += [(at, "pulling"), (at + pull, "running"), (at + pull + run, "exited")]
        charged += (pull + run).total_seconds()
        at += pull + run + MINUTE * chance.randint(1, 60)
    instance, now = made(), NOON
    while now < at:
        now += 10 * SECOND
        since, word = max(change for change in changes if change[0] <= now)
        started = [moment for moment, name in changes if name == "running" and moment <= now]
        stopped = [moment for moment, name in changes if name == "exited" and moment <= now]
        times: dict[str, Any] = {}
        if tells_times:
            times = {
                "last_started_at": max(started, default=None),
                "last_stopped_at": max(stopped, default=None),
            }
        observe(instance, now, word, **times)
    assert since <= now
    truth = charged * PRICE / 3600
    assert abs(cost(instance, now) - truth) <= truth / 100
