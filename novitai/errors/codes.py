"""All error codes of this service: one table for answers, schema and documentation.

Codes are part of the contract: programs branch on them, so a code never changes its meaning or
its status.
"""

from typing import NamedTuple

RETRY_AFTER = "Wait the seconds given in Retry-After, then send the same request again."
SAME_KEY = (
    "Send the same request again after Retry-After, with the same Idempotency-Key if it had one."
)
READ_AGAIN = "Read it again (GET) and decide by its present status."
FROM_A_LIST = (
    "Use an id from the answer to the create request or from the list. Ids of other projects are"
    " not found."
)


class Code(NamedTuple):
    """HTTP status, default message, whether the same request may succeed later, and what the
    client can do next.
    """

    status: int
    message: str
    retryable: bool = False
    suggestion: str = ""


CODES: dict[str, Code] = {
    "BAD_REQUEST": Code(400, "The request is malformed."),
    "VALIDATION_ERROR": Code(
        400,
        "The request is not valid; validationErrors lists each error.",
        suggestion="Correct the fields named in validationErrors; the unchanged request fails"
        " again.",
    ),
    "UNAUTHORIZED": Code(
        401,
        "An API key is required: Authorization: Bearer KEY.",
        suggestion="Send a key that is neither revoked nor expired; an operator can create one.",
    ),
    "FORBIDDEN": Code(
        403,
        "This request is not allowed.",
        suggestion="Use a key with the scope named in the message, or ask an operator for one.",
    ),
    "NOT_FOUND": Code(
        404,
        "This path does not exist.",
        suggestion="Compare the path with GET /api/schema; paths have no trailing slash.",
    ),
    "INSTANCE_NOT_FOUND": Code(404, "There is no such instance.", suggestion=FROM_A_LIST),
    "JOB_NOT_FOUND": Code(404, "There is no such job.", suggestion=FROM_A_LIST),
    "WEBHOOK_NOT_FOUND": Code(404, "There is no such webhook endpoint.", suggestion=FROM_A_LIST),
    "DELIVERY_NOT_FOUND": Code(404, "There is no such delivery.", suggestion=FROM_A_LIST),
    "REPLAY_NOT_FOUND": Code(404, "There is no such replay.", suggestion=FROM_A_LIST),
    "API_KEY_NOT_FOUND": Code(404, "There is no such API key.", suggestion=FROM_A_LIST),
    "METHOD_NOT_ALLOWED": Code(
        405,
        "This method is not allowed at this path.",
        suggestion="Use a method listed in the Allow header.",
    ),
    "NOT_ACCEPTABLE": Code(
        406,
        "This address answers application/json only.",
        suggestion="Send an Accept header with a media type named in the message, or no Accept"
        " header.",
    ),
    "REQUEST_TIMEOUT": Code(
        408,
        "The request did not arrive completely in time.",
        retryable=True,
        suggestion="Send the request again without pauses between its parts.",
    ),
    "EXPECTATION_FAILED": Code(
        417,
        "The Expect header asks for something that this server does not support.",
        suggestion="Send no Expect header, or Expect: 100-continue.",
    ),
    "NOT_IMPLEMENTED": Code(
        501,
        "The Transfer-Encoding of the request is not supported.",
        suggestion="Send the body with Content-Length, or chunked.",
    ),
    "CONFLICT": Code(409, "The current state does not allow this.", suggestion=READ_AGAIN),
    "INVALID_STATE": Code(409, "The instance's status does not allow this.", suggestion=READ_AGAIN),
    "INSTANCE_LIMIT_REACHED": Code(
        409,
        "The project has reached its limit of live instances.",
        suggestion="Terminate an instance, or ask an operator for a higher limit.",
    ),
    "WEBHOOK_LIMIT_REACHED": Code(
        409,
        "The project has as many webhook endpoints as it may have.",
        suggestion="Delete an endpoint, or ask an operator for a higher limit.",
    ),
    "ENDPOINT_DISABLED": Code(
        409,
        "The webhook endpoint is disabled or deleted.",
        suggestion="Enable it with PATCH /api/webhooks/{id}, then send the request again.",
    ),
    "REPLAY_LIMIT_REACHED": Code(
        409,
        "As many replays of this endpoint run as may.",
        suggestion="Wait until one has completed, or cancel one.",
    ),
    "BELONGS_TO_INSTANCE": Code(
        409,
        "The endpoint belongs to the webhookUrl of an instance.",
        suggestion="Remove the webhookUrl: PATCH /api/instances/{id}; or disable the endpoint.",
    ),
    "ROTATION_IN_PROGRESS": Code(
        409,
        "The former secret still signs.",
        suggestion="Wait until previousSecretUntil, or rotate with overlapHours 0.",
    ),
    "ROTATION_REFUSED": Code(
        409,
        "The project's signing secret cannot be rotated now.",
        suggestion="Wait until the overlap is over, or ask the operator who configured it.",
    ),
    "SIGNS_WITH_PROJECT_SECRET": Code(
        409,
        "The endpoint of a webhookUrl has no secret of its own.",
        suggestion="Rotate the project's secret: POST /api/webhooks/signing-secret/rotate.",
    ),
    "IDEMPOTENCY_KEY_IN_USE": Code(
        409,
        "A request with this Idempotency-Key is being processed.",
        retryable=True,
        suggestion=SAME_KEY,
    ),
    "IDEMPOTENCY_KEY_REUSED": Code(
        422,
        "This Idempotency-Key was used for a different request.",
        suggestion="Use a new key for a new request; a key may be repeated only with the same path"
        " and body.",
    ),
    "JOB_NOT_REDRIVABLE": Code(409, "The job cannot be run again.", suggestion=READ_AGAIN),
    "JOB_NOT_CANCELLABLE": Code(409, "The job cannot be cancelled.", suggestion=READ_AGAIN),
    "UNKNOWN_JOB_TYPE": Code(
        409,
        "This release does not know the job's type.",
        suggestion="Ask the operator: the job was created by another release.",
    ),
    "PRECONDITION_FAILED": Code(
        412,
        "The resource does not match If-Match or If-None-Match.",
        suggestion="Read it again (GET), and send its new ETag if the change still makes sense.",
    ),
    "PAYLOAD_TOO_LARGE": Code(
        413, "The request body is too large.", suggestion="Send a smaller body."
    ),
    "URI_TOO_LONG": Code(
        414, "The address is too long.", suggestion="Send fewer or shorter query parameters."
    ),
    "UNSUPPORTED_MEDIA_TYPE": Code(
        415,
        "The body must be application/json in UTF-8.",
        suggestion="Send Content-Type: application/json and the body in UTF-8, not compressed.",
    ),
    "HEADERS_TOO_LARGE": Code(
        431, "The headers are too large.", suggestion="Send fewer or shorter headers."
    ),
    "RATE_LIMIT_EXCEEDED": Code(
        429,
        "Too many requests; Retry-After says how many seconds to wait.",
        retryable=True,
        suggestion=RETRY_AFTER,
    ),
    "TOO_MANY_WAITING": Code(
        429,
        "The project has reached its limit of open waits and streams.",
        retryable=True,
        suggestion=RETRY_AFTER,
    ),
    "INTERNAL_SERVER_ERROR": Code(
        500,
        "An unexpected error happened in this service; its log has the details.",
        retryable=True,
        suggestion="Send it again with the same Idempotency-Key; if the error persists, give the"
        " requestId to the operator.",
    ),
    "SERVICE_UNAVAILABLE": Code(
        503,
        "The service cannot reach its database; please retry.",
        retryable=True,
        suggestion=SAME_KEY,
    ),
}
