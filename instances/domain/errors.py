"""What can go wrong when a verb is used; interfaces translate these into their own words.

InstanceError
├── IllegalTransition     the status has no such arrow
├── CreatedAgainAlready   a failed request was made once more already
├── VersionMismatch       it changed since the caller looked at it
├── NotAsked              nobody wanted the GPU of this instance to end
├── InstanceLimitReached  the project has as many live instances as it may
└── RequestRejected           the request asks for more than its project may have
"""

from collections.abc import Mapping


class InstanceError(Exception):
    """Base of this boundary. ``code`` is stable for programs."""

    code = "INSTANCE_ERROR"


class IllegalTransition(InstanceError):
    """The verb makes no sense in the instance's status."""

    code = "INVALID_STATE"

    def __init__(self, public_id: str, from_status: str, to_status: str, verb: str = "") -> None:
        cannot = f"cannot {verb} now" if verb else f"cannot become {to_status}"
        super().__init__(f"Instance {public_id} is {from_status} and {cannot}.")
        self.from_status = from_status
        self.to_status = to_status


class NotAsked(InstanceError):
    """A mistake in this program: a GPU is deleted only if somebody or something asked for it."""

    code = "NOT_ASKED"

    def __init__(self, public_id: str, status: str) -> None:
        super().__init__(f"Instance {public_id} is {status}: nobody asked for the end of its GPU.")


class CreatedAgainAlready(InstanceError):
    """The failed request was made once more already; that one may be created again in turn."""

    code = "INVALID_STATE"

    def __init__(self, public_id: str, made: str) -> None:
        super().__init__(f"Instance {public_id} was created again already, as {made}.")


class VersionMismatch(InstanceError):
    """It is no longer, or never was, what the caller believes to change."""

    code = "PRECONDITION_FAILED"

    def __init__(self, public_id: str) -> None:
        super().__init__(
            f"Instance {public_id} is not, or no longer, what If-Match and If-None-Match ask for; "
            "read it again before changing it."
        )


class InstanceLimitReached(InstanceError):
    """The project has as many live instances as it may."""

    code = "INSTANCE_LIMIT_REACHED"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This project may have {limit} live instances at a time, and has them. "
            "Delete one, or ask an operator for more."
        )


class RequestRejected(InstanceError):
    """The request asks for more than its project may have; ``errors`` by the request's fields."""

    code = "VALIDATION_ERROR"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors
