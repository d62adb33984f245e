"""Errors of webhook services, each with the code that the API shows."""

from collections.abc import Mapping


class WebhookError(Exception):
    """The action is not possible in the present state."""

    code = "WEBHOOK_REFUSED"


class EndpointInvalid(WebhookError):
    """Values of an endpoint are not acceptable; ``errors`` by the API's field name."""

    code = "VALIDATION_ERROR"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


class SubjectUnknown(WebhookError):
    """The project has no such instance."""

    code = "INSTANCE_NOT_FOUND"


class TooManyEndpoints(WebhookError):
    """The project has as many endpoints as it may."""

    code = "WEBHOOK_LIMIT_REACHED"


class TooManyReplays(WebhookError):
    """As many replays of the endpoint run as may."""

    code = "REPLAY_LIMIT_REACHED"


class BelongsToInstance(WebhookError):
    """The endpoint of a ``webhookUrl`` is removed by removing that."""

    code = "BELONGS_TO_INSTANCE"


class RotationRefused(WebhookError):
    """The secret cannot be rotated now."""

    code = "ROTATION_IN_PROGRESS"


class SigningSecretRefused(WebhookError):
    """The endpoint has no secret of its own."""

    code = "SIGNS_WITH_PROJECT_SECRET"


class NotDeliverable(WebhookError):
    """The delivery or endpoint cannot be sent to."""

    code = "ENDPOINT_DISABLED"
