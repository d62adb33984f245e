"""Enumerations of this app, and the allowed changes of an instance's status."""

from django.db.models import TextChoices


class InstanceStatus(TextChoices):
    """Status of an instance in this API's words; Novita's word is in ``upstream_status``."""

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

# Allowed only out of terminated, when Novita shows an instance alive that was concluded to be gone.
# Not part of TRANSITIONS, so that a wait for a status does not count on them.
COMEBACKS: frozenset[InstanceStatus] = frozenset(
    {_S.STARTING, _S.RUNNING, _S.STOPPING, _S.STOPPED, _S.MIGRATING, _S.TERMINATING}
)


def reachable_from(status: str) -> frozenset[str]:
    """All statuses reachable from this one in one step or more, by TRANSITIONS."""
    found: set[InstanceStatus] = set()
    ahead = set(TRANSITIONS[InstanceStatus(status)])
    while ahead:
        found |= ahead
        ahead = {to for each in ahead for to in TRANSITIONS[each]} - found
    return frozenset(found)


PENDING_STATUSES = (_S.CREATING, _S.STARTING)
# About to change at Novita: observed every INSTANCE_POLL_INTERVAL seconds.
TRANSITIONAL_STATUSES = (_S.STARTING, _S.STOPPING, _S.MIGRATING)
# Stable until somebody acts: observed by the reconciler.
STEADY_STATUSES = (_S.RUNNING, _S.STOPPED)
ENDED_STATUSES = (_S.TERMINATED, _S.FAILED)


class Action(TextChoices):
    """Power action on an instance that exists at Novita."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


class OnStartFailure(TextChoices):
    """Policy for the GPU of an instance that fails while it starts.

    keep: the GPU is not deleted. It costs money and is observed until the instance is terminated.
    """

    TERMINATE = "terminate"
    KEEP = "keep"


class EndingDecision(TextChoices):
    """Origin of a decision to delete a GPU at Novita. Absence from a list is none of them."""

    CALLER = "caller"
    LIMIT = "limit"
    FAILED_START = "failed_start"
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"


class OrphanPolicy(TextChoices):
    """Policy for orphans: GPUs with this installation's signature and no instance row."""

    REPORT = "report"
    ADOPT = "adopt"
    TERMINATE = "terminate"


class OrphanState(TextChoices):
    """State of an orphan: seen -> adopted or ended by the policy; seen -> gone if it disappears."""

    SEEN = "seen"
    ADOPTED = "adopted"
    ENDED = "ended"
    GONE = "gone"


class BillingMode(TextChoices):
    """Novita's billing modes. A spot GPU costs about half and Novita may take it back."""

    SPOT = "spot"
    ON_DEMAND = "onDemand"


class CreateStep(TextChoices):
    """Persisted progress of a create; each step is saved before the next one begins.

    choose: no offer is chosen and nothing was sent. post: ``posted_at`` is committed and the create
    may have been sent. look_up: the outcome is unknown; Novita's list is searched for the name.
    placed: Novita's id is known.
    """

    CHOOSE = "choose"
    POST = "post"
    LOOK_UP = "look_up"
    PLACED = "placed"


class DeliveryStatus(TextChoices):
    """Status of a webhook delivery: pending -> delivered, or failed after the last attempt."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class FailureCode(TextChoices):
    """Why an instance failed. Stable: programs may branch on it."""

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
    """Why a create waits. The request is not at fault; the create continues when it can."""

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
    """Why a product does not fit a request."""

    NOT_IN_REGION = "NOT_IN_REGION"
    NOT_IN_BILLING_MODE = "NOT_IN_BILLING_MODE"
    SOLD_OUT = "SOLD_OUT"
    PRICE_ABOVE_CAP = "PRICE_ABOVE_CAP"
    ROOTFS_SIZE = "ROOTFS_SIZE"
    REFUSED = "REFUSED"


class StatusReason(TextChoices):
    """Why an instance is in its status without a request from its caller."""

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
    # Reported by Novita; the status does not change.
    STARTUP_TROUBLE = "STARTUP_TROUBLE"
    NOVITA_REPORTS = "NOVITA_REPORTS"
    UNKNOWN_STATUS = "UNKNOWN_STATUS"
    LEAVING = "LEAVING"


class JobType(TextChoices):
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
    RECORD_UNDELIVERED = "record_undelivered"
