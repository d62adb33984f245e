"""What can go wrong when a verb is used; interfaces translate these into their own words.

InstanceError
└── IllegalTransition   the status has no such arrow
"""


class InstanceError(Exception):
    """Base of this boundary. ``code`` is stable for programs."""

    code = "INSTANCE_ERROR"


class IllegalTransition(InstanceError):
    """The verb makes no sense in the instance's status."""

    code = "INVALID_STATE"

    def __init__(self, public_id: str, from_status: str, to_status: str) -> None:
        super().__init__(f"Instance {public_id} is {from_status} and cannot become {to_status}.")
        self.from_status = from_status
        self.to_status = to_status
