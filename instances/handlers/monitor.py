"""monitor_instance: observes instances in transition until they run, stop, fail or time out.

Hundreds of instances share a few pages of a list. Lists lack the connect blocks, so a running
instance is read once by id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.conf import settings

from core.clock import database_now
from instances import monitoring
from instances.domain.enums import TRANSITIONAL_STATUSES, InstanceStatus
from instances.domain.schedule import next_observation
from instances.handlers import migrations, probing
from instances.handlers.probing import Probe
from instances.models import Instance
from instances.models.locking import instances_of, locked_instances
from instances.monitoring import Observation
from instances.novita import client_factory, limiter, listing_profile
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from instances.novita.listing_profile import ListingProfile
from jobs.failpoints import failpoint
from jobs.handler import CompletedCall, Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Again, Done, Outcome
from upstream.call_records import CallRecord
from upstream.client import NovitaClient
from upstream.errors import InstanceNotFound, NovitaError
from upstream.types import UpstreamJob

# Up to this many, or up to the number of pages, instances are read by id: no more calls and more
# facts.
FEW = 2
# Gets by id in a run with a list, for instances that the list lacks.
SINGLE_READS = 5
OTHER_ACCOUNT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MonitorWork:
    """Novita's ids to observe, longest unseen first.

    ``is_listing``: all by one list, filtered by ``search_word`` if given; else each by id.
    ``must_get``: a list has already shown it running.
    """

    upstream_ids: tuple[str, ...]
    permit: Permit
    is_listing: bool = False
    search_word: str = ""
    must_get: bool = False
    request_id: str = ""
    probe: Probe | None = None
    migrating_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """Observations by Novita's id; an id without one was not observed, which proves nothing.

    ``probes``: error of each readiness probe, "" if it passed. ``failed_moves``: Novita's failed
    migration jobs.
    """

    calls: Sequence[CallRecord]
    observations: Mapping[str, Observation] = field(default_factory=dict)
    probes: Mapping[str, str] = field(default_factory=dict)
    failed_moves: Mapping[str, UpstreamJob] = field(default_factory=dict)
    profile: ListingProfile | None = None


class MonitorInstance(Handler[MonitorWork, MonitorResult]):
    """One list for all pending instances, one get by id for each that runs."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[MonitorWork] | Resolved]:
        instances = instances_of(jobs)
        pending: list[Job] = []
        arrived: list[Job] = []
        outcomes: dict[int, Outcome] = {}
        for job in jobs:
            instance = instances.get(job.subject)
            if instance is None or not monitoring.is_monitored(instance):
                outcomes[job.pk] = Done()
            elif instance.upstream_account != settings.CONFIG.upstream_account:
                outcomes[job.pk] = Again(OTHER_ACCOUNT)
            else:
                (arrived if instance.upstream_status == "running" else pending).append(job)
        return [
            Resolved(outcomes),
            *_list(pending, instances),
            *_get_each(arrived, instances),
        ]

    def call(self, work: MonitorWork) -> MonitorResult:
        client = client_factory.client(work.permit, request_id=work.request_id)
        result = _list_and_get(client, work) if work.is_listing else _get_and_probe(client, work)
        moves = migrations.failed_moves(client, work.migrating_ids)
        return replace(result, failed_moves=moves)

    def record_usage(self, calls: Sequence[tuple[MonitorWork, MonitorResult]]) -> None:
        limiter.report((work.permit, result.calls) for work, result in calls)

    def apply(
        self, jobs: Sequence[Job], work: MonitorWork, result: MonitorResult
    ) -> Mapping[int, Outcome]:
        return self.apply_all([CompletedCall(jobs, work, result)])

    def apply_all(
        self, calls: Sequence[CompletedCall[MonitorWork, MonitorResult]]
    ) -> Mapping[int, Outcome]:
        """Apply all results under one lock of the instances, taken in the common order."""
        instances = locked_instances(job for call in calls for job in call.jobs)
        now = database_now()
        outcomes: dict[int, Outcome] = {}
        changed: list[Instance] = []
        seen: list[Instance] = []
        for call in calls:
            next_at = next_observation(now, pause=limiter.fair_pause(len(call.result.calls)))
            for job in call.jobs:
                instance = instances[job.subject]
                observation = call.result.observations.get(instance.upstream_id)
                observed = monitoring.observe(
                    instance,
                    observation,
                    job=job,
                    now=now,
                    next_at=next_at,
                    is_last_resort=call.work.must_get,
                    unusable=call.result.probes.get(instance.upstream_id),
                    failed_move=call.result.failed_moves.get(instance.upstream_id),
                )
                outcomes[job.pk] = observed.outcome
                changed += [instance] if observed.is_to_be_saved else []
                has_seen = observation is not None and not observation.is_gone
                seen += [instance] if has_seen else []
            if call.result.profile is not None:
                listing_profile.learn(call.result.profile)
        monitoring.save_observations(changed, seen, now=now)
        failpoint("monitor.before_commit")
        return outcomes

    def on_give_up(self, job: Job, error: str) -> None:
        """Fail a first start: without a monitor job, it would be starting and charged for ever."""
        instance = Instance.objects.select_for_update().filter(public_id=job.subject).first()
        is_starting = instance is not None and instance.status == InstanceStatus.STARTING
        if instance is not None and is_starting and instance.ready_at is None:
            monitoring.fail_unmonitored(instance, error, job=job, now=database_now())

    def is_redrivable(self, job: Job) -> bool:
        return Instance.objects.filter(
            public_id=job.subject, status__in=TRANSITIONAL_STATUSES
        ).exists()


def _list(
    jobs: Sequence[Job], instances: Mapping[str, Instance]
) -> Sequence[WorkItem[MonitorWork] | Resolved]:
    if not jobs:
        return []
    known = listing_profile.recall()
    pages = max(known.pages, _pages_of_ours())
    is_few = len(jobs) <= max(pages, FEW)
    migrating_ids = migrations.to_ask_about(
        (instances[job.subject] for job in jobs), database_now()
    )
    calls = len(jobs) if is_few else pages + 1 + SINGLE_READS
    permit = limiter.reserve(
        calls + migrations.calls_for(migrating_ids),
        CallClass.WATCH,
        at_least=1 if is_few else 2,
    )
    if not permit.is_granted:
        return [Resolved({job.pk: Again(permit.wait) for job in jobs})]
    longest_unseen = sorted((instances[job.subject] for job in jobs), key=_last_seen)
    work = MonitorWork(
        tuple(instance.upstream_id for instance in longest_unseen),
        permit,
        is_listing=not is_few,
        search_word=client_factory.name_signer().search_word if known.has_name_filter else "",
        migrating_ids=migrating_ids,
    )
    return [WorkItem(jobs, work)]


def _last_seen(instance: Instance) -> datetime:
    return instance.upstream_seen_at or instance.created_at


def _pages_of_ours() -> int:
    """Pages of a list filtered by our search word: running instances are in it, too."""
    account = settings.CONFIG.upstream_account
    ours = Instance.objects.not_ended().filter(upstream_account=account).exclude(upstream_id="")
    return ours.count() // listing_profile.PAGE_SIZE + 1


def _get_each(
    jobs: Sequence[Job], instances: Mapping[str, Instance]
) -> Sequence[WorkItem[MonitorWork] | Resolved]:
    """One get by id each, as the budget allows.

    The others become running without the connect blocks, so that their webhook does not wait, and
    are read later.
    """
    permit = limiter.reserve(len(jobs), CallClass.WATCH, at_least=1) if jobs else Permit(0)
    parts: list[WorkItem[MonitorWork] | Resolved] = []
    for number, job in enumerate(jobs):
        instance = instances[job.subject]
        mine = Permit(1 if number < permit.calls else 0)
        work = MonitorWork(
            (instance.upstream_id,),
            mine,
            must_get=True,
            request_id=job.request_id,
            probe=probing.probe_of(instance),
        )
        parts.append(WorkItem([job], work))
    return parts


def _get_and_probe(client: NovitaClient, work: MonitorWork) -> MonitorResult:
    observations = _get(client, work.upstream_ids) if work.permit.calls else {}
    probes = probing.ask(work.probe, work.upstream_ids, observations)
    return MonitorResult(client.calls, observations, probes)


def _get(client: NovitaClient, upstream_ids: Sequence[str]) -> dict[str, Observation]:
    observations: dict[str, Observation] = {}
    for upstream_id in upstream_ids:
        try:
            seen = client.get_instance(upstream_id)
            observations[upstream_id] = Observation(seen, has_details=True)
        except InstanceNotFound:
            observations[upstream_id] = Observation(None)
        except NovitaError as error:
            # Unknown otherwise, until the next observation; the limiter gets the error.
            if error.refuses_the_id:
                observations[upstream_id] = Observation(None, is_refused=True)
    return observations


def _list_and_get(client: NovitaClient, work: MonitorWork) -> MonitorResult:
    """One list, then gets by id for instances that it lacks."""
    try:
        listing = client.list_all_instances(
            name=work.search_word or None,
            page_size=listing_profile.PAGE_SIZE,
            max_pages=max(work.permit.calls - SINGLE_READS - 1, 1),
        )
    except NovitaError:
        return MonitorResult(client.calls)
    taught = listing_profile.taught_by(
        listing,
        calls=len(client.calls),
        expected=work.upstream_ids,
        was_filtered=bool(work.search_word),
    )
    listed = {each: listing.instances.get(each) for each in work.upstream_ids}
    observations = {each: Observation(seen) for each, seen in listed.items() if seen is not None}
    missing = [each for each in work.upstream_ids if each not in observations]
    by_id = _get(client, missing[: work.permit.calls - len(client.calls)])
    return MonitorResult(client.calls, observations | by_id, profile=taught)
