"""create_instance: exactly one GPU, although an answer or the worker was lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.clock import database_now
from instances.domain.types import Cause
from instances.models import Instance, UpstreamEnding
from instances.monitoring.absence import conclude
from jobs.engine.claim import Claimer
from jobs.models import Job
from tests.conftest import MonotonicClock
from tests.instances.conftest import Configure
from tests.instances.handlers.conftest import Service, age, events
from tests.instances.handlers.creates import PAST_SETTLE_TIME, create, load, lost
from tests.support.engine import DrivenExecutor, make_due
from tests.support.fakes import DOWN, TIMED_OUT, FakeNovita

pytestmark = pytest.mark.django_db


# The answer was lost


def test_a_create_that_acted_is_found_and_adopted(service: Service, novita: FakeNovita) -> None:
    instance = create(service, lost(service, novita, acts=True))
    assert (instance.status, instance.upstream_id) == ("starting", "up-1")
    assert len(novita.created) == 1
    assert events(instance) == [
        *("instance.creating", "instance.create_ambiguous", "instance.starting"),
    ]


def test_a_create_that_did_not_act_is_sent_once_more_when_that_is_proven(
    service: Service, novita: FakeNovita
) -> None:
    instance = lost(service, novita, acts=False)
    create(service, instance, times=6)
    assert (instance.create_step, instance.lookup_count) == ("look_up", 6)
    assert novita.created == []
    age(instance, posted_at=PAST_SETTLE_TIME)
    create(service, instance)
    assert (instance.create_step, instance.wait_code) == ("choose", "")
    create(service, instance, times=3)
    assert len(novita.created) == 1
    assert (instance.status, events(instance)[-2:]) == (
        *("starting", ["instance.create_disproved", "instance.starting"]),
    )


def test_less_than_three_lists_prove_nothing(service: Service, novita: FakeNovita) -> None:
    instance = lost(service, novita, acts=False)
    age(instance, posted_at=PAST_SETTLE_TIME)
    create(service, instance, times=2)
    assert instance.create_step == "look_up"
    create(service, instance)
    assert instance.create_step == "choose"


def test_reads_that_fail_do_not_count(service: Service, novita: FakeNovita) -> None:
    instance = lost(service, novita, acts=False)
    age(instance, posted_at=PAST_SETTLE_TIME)
    novita.fail("list_instances", DOWN, times=4)
    create(service, instance, times=4)
    assert (instance.create_step, instance.lookup_count) == ("look_up", 0)


def test_lists_before_the_settle_time_and_one_that_fails_after_it_prove_nothing(
    service: Service, novita: FakeNovita
) -> None:
    """A create may act late: only a whole look that began after all that time is a proof."""
    instance = lost(service, novita, acts=False)
    create(service, instance, times=4)
    assert instance.lookup_count >= 3
    age(instance, posted_at=PAST_SETTLE_TIME)
    novita.fail("list_instances", DOWN, times=2)
    create(service, instance, times=2)
    assert instance.create_step == "look_up"
    create(service, instance)
    assert instance.create_step == "choose"


def watched(service: Service, novita: FakeNovita) -> Instance:
    """One that runs, as Novita has shown."""
    instance = service.placed()
    novita.put("up-1", status="running")
    service.monitor(instance)
    return instance


def vanish(instance: Instance) -> None:
    """Novita has not shown it for so long that it is taken to be deleted."""
    Instance.objects.filter(pk=instance.pk).update(absence_seen_at=database_now())
    instance.refresh_from_db()
    conclude(instance, cause=Cause("worker"), now=database_now())


@pytest.mark.parametrize("seen", [0, 300, None], ids=["now", "five minutes ago", "never"])
@pytest.mark.parametrize("shows", ["nothing", "all as removed"])
def test_a_list_that_lacks_what_is_held_proves_no_absence(
    service: Service, novita: FakeNovita, shows: str, seen: int | None
) -> None:
    """Novita is blind, for however long: a create must not be sent twice because of it."""
    other = watched(service, novita)
    if seen is None:
        Instance.objects.filter(pk=other.pk).update(upstream_seen_at=None)
    else:
        age(other, upstream_seen_at=timedelta(seconds=seen))
    novita.fail("create_instance", TIMED_OUT, acts=True)
    instance = create(service, service.create())
    removed = {each: replace(item, status="removed") for each, item in novita.instances.items()}
    hidden, novita.instances = novita.instances, {} if shows == "nothing" else removed
    age(instance, posted_at=PAST_SETTLE_TIME)
    create(service, instance, times=8)
    assert (instance.create_step, len(novita.created)) == ("look_up", 2)
    novita.instances = hidden
    create(service, instance)
    assert (instance.status, len(novita.created)) == ("starting", 2)


def test_while_novita_shows_nothing_the_end_of_all_others_proves_no_absence(
    service: Service, novita: FakeNovita
) -> None:
    """Blind for so long that what ran is taken to be deleted: then there is no witness left."""
    other = watched(service, novita)
    novita.fail("create_instance", TIMED_OUT, acts=True)
    instance = create(service, service.create())
    age(instance, posted_at=PAST_SETTLE_TIME)
    hidden, novita.instances = novita.instances, {}
    vanish(other)
    create(service, instance, times=8)
    assert (instance.create_step, len(novita.created)) == ("look_up", 2)
    novita.instances = hidden
    create(service, instance)
    assert (instance.status, len(novita.created)) == ("starting", 2)


def test_what_was_really_deleted_at_novita_does_not_hold_up_a_create_for_ever(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    configure(absence_after=60.0)
    other = watched(service, novita)
    novita.fail("create_instance", TIMED_OUT, acts=False)
    instance = create(service, service.create())
    novita.instances = {}
    vanish(other)
    age(other, upstream_gone_at=timedelta(minutes=7))
    age(instance, posted_at=timedelta(minutes=8))
    create(service, instance, times=8)
    assert instance.create_step != "look_up"


def test_a_search_by_name_proves_no_absence_after_lists_that_saw(
    service: Service, novita: FakeNovita
) -> None:
    """It finds nothing while Novita is blind, and cannot show that it is."""
    watched(service, novita)
    novita.fail("create_instance", TIMED_OUT, acts=False)
    instance = create(service, service.create())
    create(service, instance, times=3)
    novita.instances = {}
    age(instance, posted_at=PAST_SETTLE_TIME)
    create(service, instance, times=6)
    assert (instance.create_step, len(novita.created)) == ("look_up", 1)


def test_a_list_that_does_not_show_it_by_name_is_read_whole(
    service: Service, novita: FakeNovita
) -> None:
    """The upstream's name filter is not to be trusted with a GPU."""
    instance = lost(service, novita, acts=True)
    hidden = novita.instances.pop("up-1")
    create(service, instance)
    novita.instances["up-1"] = hidden
    names: list[str | None] = []
    page = novita.page
    novita.page = lambda number, size, name: (names.append(name), page(number, size, name))[1]
    create(service, instance)
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
    create(service, instance, times=3)
    assert instance.lookup_count == 3
    age(instance, posted_at=PAST_SETTLE_TIME)
    create(service, instance)
    assert instance.create_step == "choose"


def test_without_a_name_filter_a_list_too_long_to_read_proves_nothing(
    service: Service, novita: FakeNovita
) -> None:
    instance = lost(service, novita, acts=False)
    crowd(novita, 1000, longest_page=5, has_filter=False)
    age(instance, posted_at=PAST_SETTLE_TIME)
    create(service, instance, times=4)
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
    create(service, instance)
    assert instance.upstream_id == "up-2"
    (ending,) = UpstreamEnding.objects.all()
    assert (ending.upstream_id, ending.instance) == ("up-1", instance)
    assert Job.objects.filter(type="terminate_instance", status="pending").count() == 1


def test_what_is_gone_already_is_not_adopted(service: Service, novita: FakeNovita) -> None:
    instance = lost(service, novita, acts=True)
    novita.put("up-1", status="removed")
    create(service, instance)
    assert instance.create_step == "look_up"


def test_a_name_that_only_resembles_ours_is_not_adopted(
    service: Service, novita: FakeNovita
) -> None:
    instance = lost(service, novita, acts=False)
    novita.put("foreign", name=instance.upstream_name + "-2", status="running")
    create(service, instance)
    assert instance.upstream_id == ""


def test_under_another_account_it_waits_for_the_right_key(
    service: Service, novita: FakeNovita, configure: Configure
) -> None:
    instance = lost(service, novita, acts=True)
    novita.calls.clear()
    configure(novita_api_base_url="https://elsewhere.example.com")
    create(service, instance, times=3)
    assert (instance.create_step, novita.calls) == ("look_up", [])


def test_absence_is_proven_among_many_pages_of_others(service: Service, novita: FakeNovita) -> None:
    """A search that ran out of calls proves nothing, but says how many the next one needs."""
    instance = lost(service, novita, acts=False)
    age(instance, posted_at=PAST_SETTLE_TIME)
    for number in range(900):
        novita.put(f"foreign-{number}", name=f"foreign-{number}")
    create(service, instance, times=5)
    assert "instance.create_disproved" in events(instance)
    assert len(novita.created) == 1


# Crashes


def test_a_crash_between_the_intent_and_the_answer_never_posts_twice(
    service: Service, novita: FakeNovita
) -> None:
    instance = create(service, service.create())
    make_due()
    executor = DrivenExecutor(threads=1)
    executor.run_once()
    assert len(novita.created) == 1
    instance.refresh_from_db()
    assert (instance.create_step, instance.posted_at is not None) == ("post", True)
    # The process dies here: what it has heard is lost, its lease lapses.
    Job.objects.update(status="pending", lease_token=None, lease_expires_at=None)
    create(service, instance)
    assert (instance.status, len(novita.created)) == ("starting", 1)


def test_two_workers_with_the_same_row_post_once(service: Service, novita: FakeNovita) -> None:
    create(service, service.create())
    make_due()
    (row,) = (each for each in Claimer("slow").claim().jobs if each.type == "create_instance")
    Job.objects.filter(pk=row.pk).update(lease_token=(row.lease_token or 0) + 1_000_000)
    assert load(row) == []
    assert Instance.objects.get().create_step == "choose"


def test_a_create_is_not_sent_when_too_little_of_its_lease_is_left(
    service: Service, novita: FakeNovita, monotonic: MonotonicClock
) -> None:
    instance = create(service, service.create())
    monotonic.step = 60
    create(service, instance)
    assert novita.created == []
    assert (instance.create_step, instance.posted_at) == ("choose", None)
