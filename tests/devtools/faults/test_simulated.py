"""Whole lives of the service under faults, each from one seed; and bugs that they must find."""

from __future__ import annotations

import pytest

from devtools.faults.simulated import Profile, run_many, run_seed
from devtools.faults.simulated.service import Service
from devtools.faults.simulated.setup import opened
from tests.devtools.faults import mutations
from tests.devtools.faults.mutations import Mutation

# Lives that hold one incident of each kind at least.
INCIDENTS = (34, 59)

pytestmark = pytest.mark.usefixtures("virtual")

LOST_ANSWERS = Profile(kinds=("lost", "slow", "500 done"), harsh=0.7)
BLIND = Profile(is_blind=True)
IGNORED_DELETES = Profile(ignores_deletes=True)


def test_no_promise_is_broken_in_a_handful_of_lives() -> None:
    summary = run_many(1_000_000, 5)
    assert summary.broken == {}
    assert summary.runs == 5
    assert summary.instances > 5
    assert summary.faults.total() > 5


def test_incidents_are_part_of_lives_and_break_no_promise() -> None:
    """Blindness, a refused key, an edge in front: told by the stories of these seeds."""
    stories = [run_seed(seed) for seed in INCIDENTS]
    assert [report.violations for report in stories] == [[] for _ in stories]
    told = "\n".join(line for report in stories for line in report.story)
    for words in ("Novita: blind", "'refused_key': {'", "in front of Novita"):
        assert words in told


def test_a_seed_tells_the_same_story_twice() -> None:
    first, second = run_seed(3), run_seed(3)
    assert first.story == second.story
    assert (first.crashes, first.faults) == (second.crashes, second.faults)
    assert run_seed(4).story != first.story


def test_what_others_do_while_a_worker_stands_still_is_not_its_work() -> None:
    """Else a user's request lets it stand still anew, for longer than any design could stand."""
    service = Service(1)
    with opened(service, novita_rate_limit=60):
        service.hire()
        still, other = service.workers
        service._at_work.append(still)
        still.frozen_until_ms = service.clock.now_ms + 1000
        service._as_worker(other, "claim")
        assert not service.deaths.is_worker
        still.frozen_until_ms = service.clock.now_ms
        service._as_worker(other, "claim")
        assert service.deaths.is_worker
        service._at_work.clear()


@pytest.mark.parametrize(
    ("mutation", "seeds", "profile", "promise"),
    [
        (mutations.create_again_without_searching, (1, 2, 3), LOST_ANSWERS, "I1"),
        (mutations.no_fencing_token, (5, 6, 7, 8), None, "I5"),
        (mutations.no_read_after_a_delete, (10, 11, 12), IGNORED_DELETES, "I1"),
        (mutations.absence_is_a_decision, (20, 26, 28, 46, 61), BLIND, "I9"),
    ],
)
def test_a_bug_planted_on_purpose_is_found(
    mutation: Mutation, seeds: tuple[int, ...], profile: Profile | None, promise: str
) -> None:
    """By one of the seeds: another order of jobs changes the story of each."""
    assert run_seed(seeds[0], profile).violations == []
    with mutation():
        found = (text for seed in seeds for text in run_seed(seed, profile).violations)
        assert any(text.startswith(promise) for text in found)
