"""Errors of the services and domain rules; the API translates them into its own errors.
Why an instance became `failed` is a ``FailureCode`` (enums.py).

InstanceError
├── IllegalTransition     the status does not allow the action
├── CreatedAgainAlready   the failed request was already created again
├── VersionMismatch       the instance has changed since the caller read it
├── NotAsked              no decision to end this instance's GPU exists
├── InstanceLimitReached  the project has reached its limit of live instances
└── RequestRejected       the request exceeds the project's limits
"""

from collections.abc import Mapping


class InstanceError(Exception):
    """Base of the errors of this app. ``code`` is stable for programs."""

    code = "INSTANCE_ERROR"


class IllegalTransition(InstanceError):
    """The action is not allowed in the instance's status."""

    code = "INVALID_STATE"

    def __init__(self, public_id: str, from_status: str, to_status: str, verb: str = "") -> None:
        cannot = f"cannot {verb} now" if verb else f"cannot become {to_status}"
        super().__init__(f"Instance {public_id} is {from_status} and {cannot}.")
        self.from_status = from_status
        self.to_status = to_status


class NotAsked(InstanceError):
    """Bug in this program: an ending was begun for a GPU that nobody decided to end."""

    code = "NOT_ASKED"

    def __init__(self, public_id: str, status: str) -> None:
        super().__init__(f"Instance {public_id} is {status}: nothing asked to terminate its GPU.")


class CreatedAgainAlready(InstanceError):
    """The failed request was already created again; only that newer instance can be repeated."""

    code = "INVALID_STATE"

    def __init__(self, public_id: str, made: str) -> None:
        super().__init__(f"Instance {public_id} was already created again, as {made}.")


class VersionMismatch(InstanceError):
    """The instance does not have the version that the caller's precondition asks for."""

    code = "PRECONDITION_FAILED"

    def __init__(self, public_id: str) -> None:
        super().__init__(
            f"Instance {public_id} does not match If-Match or If-None-Match: it has changed, or the"
            " ETag was never its own. Read it again before changing it."
        )


class InstanceLimitReached(InstanceError):
    """The project has reached its limit of live instances."""

    code = "INSTANCE_LIMIT_REACHED"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This project has reached its limit of {limit} live instances. "
            "Terminate one, or ask an operator for a higher limit."
        )


class RequestRejected(InstanceError):
    """The request exceeds the limits of the project; ``errors`` is keyed by request field."""

    code = "VALIDATION_ERROR"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors
