"""deliver_webhooks: sends the pending messages of a lane, in order."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.clock import database_now
from jobs.handler import CompletedCall, Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, GiveUp, Outcome
from webhooks import lanes, policy
from webhooks.handlers import results
from webhooks.handlers.letters import Letter, Mail, Posted, headers_of, post_all
from webhooks.lanes import Lane
from webhooks.models import BacklogPolicy, Delivery, DeliveryStatus, Endpoint
from webhooks.owner import owner
from webhooks.services import sending
from webhooks.signing import keys_of

# Most messages of a lane in one run of its job.
LETTERS = 10
_NO_LANE = "the job's payload names no lane (endpointId, subject)"


class DeliverWebhooks(Handler[Mail, Sequence[Posted]]):
    """One live job for each lane with pending messages. The job ends when none is pending, or when
    its endpoint receives nothing: the messages then wait until the endpoint is enabled.
    """

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[Mail] | Resolved]:
        # A copy of the database has the original's messages: they must not be sent twice.
        if held := owner().paused(jobs):
            return held
        by_lane = {lane: job for job in jobs if (lane := Lane.of_job(job)) is not None}
        lost = {job.pk: GiveUp(_NO_LANE) for job in jobs if Lane.of_job(job) is None}
        found = lanes.first_pending(list(by_lane), LETTERS)
        now = database_now()
        parts: list[WorkItem[Mail] | Resolved] = [Resolved(lost)] if lost else []
        for lane, job in by_lane.items():
            wanted = _wanted(found.get(lane, []), now)
            if wanted:
                parts.append(WorkItem([job], _mail(lane, wanted, now)))
            else:
                parts.append(Resolved({job.pk: Done()}))
        return parts

    def call(self, work: Mail) -> Sequence[Posted]:
        return post_all(work)

    def record_usage(self, calls: Sequence[tuple[Mail, Sequence[Posted]]]) -> None:
        attempts = [posted for _, made in calls for posted in made]
        delivered = sum(posted.result.is_delivered for posted in attempts)
        owner().count_attempts({"delivered": delivered, "refused": len(attempts) - delivered})

    def apply(
        self, jobs: Sequence[Job], work: Mail, result: Sequence[Posted]
    ) -> Mapping[int, Outcome]:
        return self.apply_all([CompletedCall(jobs, work, result)])

    def apply_all(
        self, calls: Sequence[CompletedCall[Mail, Sequence[Posted]]]
    ) -> Mapping[int, Outcome]:
        return results.apply(calls, database_now())

    def is_cancellable(self, job: Job) -> bool:
        return True

    def on_cancel(self, job: Job) -> None:
        """Cancel what the lane has pending; each message can be redelivered."""
        if (lane := Lane.of_job(job)) is not None:
            sending.cancel_all(lane.pending())


def _wanted(deliveries: Sequence[Delivery], now: datetime) -> Sequence[Delivery]:
    """The deliveries to send now; those that a newer one replaces are skipped in the database."""
    if not deliveries:
        return ()
    endpoint = deliveries[0].endpoint
    if not _receives(endpoint, deliveries[0]):
        return ()
    if endpoint.on_backlog != BacklogPolicy.LATEST or deliveries[0].is_replay:
        return deliveries
    return _without_superseded(deliveries[0], now) or deliveries


def _receives(endpoint: Endpoint, delivery: Delivery) -> bool:
    """Test messages are sent to disabled endpoints as well."""
    if endpoint.deleted_at is not None:
        return False
    return endpoint.is_enabled or delivery.type == "webhook.test"


def _without_superseded(first: Delivery, now: datetime) -> Sequence[Delivery]:
    """Skip all messages of the lane but the newest that have waited for ``policy.latest_after``."""
    lane = Lane.of(first).pending()
    newest = lane.order_by("-message_id").values_list("message_id", flat=True).first()
    old = lane.filter(message_id__lt=newest, message__created_at__lt=now - policy.latest_after())
    Delivery.objects.filter(pk__in=old.order_by().values("pk")).update(
        status=DeliveryStatus.SKIPPED, ended_at=now, next_attempt_at=None
    )
    rest = lane.select_related("message", "endpoint", "endpoint__project")
    return list(rest.order_by("message_id")[:LETTERS])


def _mail(lane: Lane, deliveries: Sequence[Delivery], now: datetime) -> Mail:
    """Uses the present URL, so that a correction applies to pending messages."""
    endpoint = deliveries[0].endpoint
    return Mail(
        lane=lane,
        letters=[
            Letter(each.pk, each.message.public_id, each.message.body.encode())
            for each in deliveries
        ],
        url=str(endpoint.url),
        headers=headers_of(endpoint.headers, str(endpoint.basic_auth)),
        secrets=keys_of(endpoint, now),
        sent_at=now,
    )
