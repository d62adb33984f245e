"""Statuses, their arrows, job types: data without logic."""

from django.db.models import TextChoices


class InstanceStatus(TextChoices):
    """What an instance is, in this API's words; Novita's own word is kept beside it."""

    CREATING = "creating"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    MIGRATING = "migrating"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    FAILED = "failed"


_S = InstanceStatus

TRANSITIONS: dict[InstanceStatus, frozenset[InstanceStatus]] = {
    _S.CREATING: frozenset({_S.STARTING, _S.FAILED, _S.TERMINATING}),
    _S.STARTING: frozenset(
        {_S.RUNNING, _S.STOPPING, _S.STOPPED, _S.TERMINATED, _S.FAILED, _S.TERMINATING}
    ),
    _S.RUNNING: frozenset(
        {_S.STOPPING, _S.STOPPED, _S.STARTING, _S.MIGRATING, _S.TERMINATED, _S.FAILED}
        | {_S.TERMINATING}
    ),
    _S.STOPPING: frozenset({_S.STOPPED, _S.TERMINATED, _S.TERMINATING}),
    _S.STOPPED: frozenset({_S.STARTING, _S.MIGRATING, _S.TERMINATED, _S.FAILED, _S.TERMINATING}),
    _S.MIGRATING: frozenset({_S.RUNNING, _S.STOPPED, _S.TERMINATED, _S.FAILED, _S.TERMINATING}),
    _S.TERMINATING: frozenset({_S.TERMINATED}),
    _S.TERMINATED: frozenset(),
    _S.FAILED: frozenset({_S.TERMINATING}),
}

# From terminated, and for one reason only: Novita shows alive what was concluded to be gone. Apart
# from the other arrows, since nobody waits for these.
COMEBACKS: frozenset[InstanceStatus] = frozenset(
    {_S.STARTING, _S.RUNNING, _S.STOPPING, _S.STOPPED, _S.MIGRATING, _S.TERMINATING}
)


def reachable_from(status: str) -> frozenset[str]:
    """Where arrows lead from a status, over any number of steps; itself only over some."""
    found: set[InstanceStatus] = set()
    ahead = set(TRANSITIONS[InstanceStatus(status)])
    while ahead:
        found |= ahead
        ahead = {to for each in ahead for to in TRANSITIONS[each]} - found
    return frozenset(found)


PENDING_STATUSES = (_S.CREATING, _S.STARTING)
# On their way to another status at Novita: looked at every few seconds.
MOVING_STATUSES = (_S.STARTING, _S.STOPPING, _S.MIGRATING)
# Where they stay until somebody acts: looked at by the reconciler.
SETTLED_STATUSES = (_S.RUNNING, _S.STOPPED)
ENDED_STATUSES = (_S.TERMINATED, _S.FAILED)


class Action(TextChoices):
    """What a caller may have done at Novita to an instance that exists there."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


class OnStartFailure(TextChoices):
    """What becomes of the GPU of an instance that fails while it starts.

    keep: it goes on costing until somebody ends the instance, but stays watched.
    """

    TERMINATE = "terminate"
    KEEP = "keep"


class EndingWish(TextChoices):
    """Who wanted a GPU at Novita to be deleted. Not having seen it is no such wish."""

    CALLER = "caller"
    LIMIT = "limit"
    FAILED_START = "failed_start"
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"


class OrphanPolicy(TextChoices):
    """What becomes of a GPU that carries our signature and that no row knows."""

    REPORT = "report"
    ADOPT = "adopt"
    TERMINATE = "terminate"


class OrphanState(TextChoices):
    """seen -> adopted or ended by the policy, or -> gone when it leaves by itself."""

    SEEN = "seen"
    ADOPTED = "adopted"
    ENDED = "ended"
    GONE = "gone"


class BillingMode(TextChoices):
    """How Novita charges: spot may be reclaimed, at about half the price."""

    SPOT = "spot"
    ON_DEMAND = "onDemand"


class CreateStep(TextChoices):
    """The cursor of creation; each step is one job run and is persisted before the next.

    choose: an offer is looked for; nothing was sent. post: ``posted_at`` is committed, the create
    may have been sent. look_up: its outcome is unknown; the upstream list is searched for our
    name. placed: the upstream id is known.
    """

    CHOOSE = "choose"
    POST = "post"
    LOOK_UP = "look_up"
    PLACED = "placed"


class DeliveryStatus(TextChoices):
    """Where a webhook delivery stands: pending until delivered or, attempts used up, failed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class FailureCode(TextChoices):
    """Why an instance failed, stable for programs to branch on."""

    PRODUCT_NOT_FOUND = "PRODUCT_NOT_FOUND"
    NO_OPTIMAL_PRODUCT = "NO_OPTIMAL_PRODUCT"
    TEMPLATE_NOT_FOUND = "TEMPLATE_NOT_FOUND"
    REGISTRY_AUTH_NOT_FOUND = "REGISTRY_AUTH_NOT_FOUND"
    PROBE_PORT_NOT_PUBLISHED = "PROBE_PORT_NOT_PUBLISHED"
    STARTUP_TIMEOUT = "STARTUP_TIMEOUT"
    STARTUP_FAILED = "STARTUP_FAILED"
    INSUFFICIENT_RESOURCE = "INSUFFICIENT_RESOURCE"
    UPSTREAM_REJECTED = "UPSTREAM_REJECTED"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    PRICE_ABOVE_CAP = "PRICE_ABOVE_CAP"
    BALANCE_NOT_ENOUGH = "BALANCE_NOT_ENOUGH"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    IMAGE_REJECTED = "IMAGE_REJECTED"
    CUDA_VERSION_INCOMPATIBLE = "CUDA_VERSION_INCOMPATIBLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class WaitCode(TextChoices):
    """Why a create waits. Nobody's request is at fault: it goes on when the reason has passed."""

    NOVITA_UNREACHABLE = "NOVITA_UNREACHABLE"
    NOVITA_EDGE = "NOVITA_EDGE"
    NOVITA_KEY_REFUSED = "NOVITA_KEY_REFUSED"
    BALANCE_NOT_ENOUGH = "BALANCE_NOT_ENOUGH"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    CATALOGUE_UNREADABLE = "CATALOGUE_UNREADABLE"
    CREATE_REFUSED = "CREATE_REFUSED"
    CREATE_IN_DOUBT = "CREATE_IN_DOUBT"
    HELD_BACK = "HELD_BACK"
    JOBS_PAUSED = "JOBS_PAUSED"


class Hold(TextChoices):
    """Why creates are held for the whole account at Novita; the first that applies is shown."""

    NONE = ""
    KEY_REFUSED = "key_refused"
    EDGE = "edge"
    OUTAGE = "outage"
    RATE = "rate"
    BALANCE = "balance"
    QUOTA = "quota"


class RejectionCode(TextChoices):
    """Why an offer does not fit a wish."""

    NOT_IN_REGION = "NOT_IN_REGION"
    NOT_IN_BILLING_MODE = "NOT_IN_BILLING_MODE"
    SOLD_OUT = "SOLD_OUT"
    PRICE_ABOVE_CAP = "PRICE_ABOVE_CAP"
    ROOTFS_SIZE = "ROOTFS_SIZE"
    REFUSED = "REFUSED"


class StatusReason(TextChoices):
    """Why an instance is where it is although its caller did not ask for that."""

    SPOT_RECLAIMED = "SPOT_RECLAIMED"
    ARREARS = "ARREARS"
    CRASHED = "CRASHED"
    CHANGED_AT_NOVITA = "CHANGED_AT_NOVITA"
    DELETED_AT_NOVITA = "DELETED_AT_NOVITA"
    NOT_SEEN_AT_NOVITA = "NOT_SEEN_AT_NOVITA"
    ENDING_HELD_UP = "ENDING_HELD_UP"
    INSUFFICIENT_RESOURCE = "INSUFFICIENT_RESOURCE"
    STARTUP_TIMEOUT = "STARTUP_TIMEOUT"
    UPSTREAM_REJECTED = "UPSTREAM_REJECTED"
    RUNTIME_LIMIT = "RUNTIME_LIMIT"
    ORPHANED = "ORPHANED"
    STUCK = "STUCK"
    MIGRATION_FAILED = "MIGRATION_FAILED"
    # What Novita reports while it lasts; the status stays what it is.
    STARTUP_TROUBLE = "STARTUP_TROUBLE"
    NOVITA_REPORTS = "NOVITA_REPORTS"
    UNKNOWN_STATUS = "UNKNOWN_STATUS"
    LEAVING = "LEAVING"


class JobType(TextChoices):
    """The job types of this app."""

    CREATE_INSTANCE = "create_instance"
    MONITOR_INSTANCE = "monitor_instance"
    SEND_WEBHOOK = "send_webhook"
    START_INSTANCE = "start_instance"
    STOP_INSTANCE = "stop_instance"
    RESTART_INSTANCE = "restart_instance"
    TERMINATE_INSTANCE = "terminate_instance"
    LOOK_UP_TEMPLATE = "look_up_template"
    RECONCILE = "reconcile"
    ENFORCE_LIMITS = "enforce_limits"
    REFRESH_CATALOGUE = "refresh_catalogue"
    PROBE_UPSTREAM = "probe_upstream"
    SEAL_SECRETS = "seal_secrets"
