"""Every code this service answers with: one table for answers, schema and documentation.

Codes are part of the contract: programs branch on them, so none changes its meaning or status.
"""

from typing import NamedTuple

RETRY_AFTER = "Wait the seconds of Retry-After, then send the same request again."
SAME_KEY = "Send the same request again after Retry-After; with its Idempotency-Key, if it had one."
READ_AGAIN = "Read it again (GET) and decide by its present status."
FROM_A_LIST = (
    "Take the id from the answer that made it or from the list; other projects' are not found."
)


class Code(NamedTuple):
    """Status, default message, whether the same request may succeed later, what to do next."""

    status: int
    message: str
    retryable: bool = False
    suggestion: str = ""


CODES: dict[str, Code] = {
    "BAD_REQUEST": Code(400, "The request cannot be understood."),
    "VALIDATION_ERROR": Code(
        400,
        "The request is not valid; validationErrors says where.",
        suggestion="Mend the fields that validationErrors names; the same request fails again.",
    ),
    "UNAUTHORIZED": Code(
        401,
        "An API key is required: Authorization: Bearer KEY.",
        suggestion="Send a key that is neither revoked nor expired; an operator makes new ones.",
    ),
    "FORBIDDEN": Code(
        403,
        "This is not allowed.",
        suggestion="Use a key with the scope that the message names, or ask an operator for one.",
    ),
    "NOT_FOUND": Code(
        404,
        "There is nothing at this address.",
        suggestion="Compare the path with GET /api/schema; paths have no trailing slash.",
    ),
    "INSTANCE_NOT_FOUND": Code(404, "There is no such instance.", suggestion=FROM_A_LIST),
    "JOB_NOT_FOUND": Code(404, "There is no such job.", suggestion=FROM_A_LIST),
    "API_KEY_NOT_FOUND": Code(404, "There is no such API key.", suggestion=FROM_A_LIST),
    "METHOD_NOT_ALLOWED": Code(
        405, "This method is not allowed here.", suggestion="Use a method that Allow names."
    ),
    "NOT_ACCEPTABLE": Code(
        406,
        "This address answers application/json only.",
        suggestion="Send an Accept that takes what the message names, or no Accept at all.",
    ),
    "REQUEST_TIMEOUT": Code(
        408,
        "The request did not arrive in time.",
        retryable=True,
        suggestion="Send it again, all of it at once.",
    ),
    "EXPECTATION_FAILED": Code(
        417,
        "Expect asks for something that is not given here.",
        suggestion="Leave Expect out, or send 100-continue.",
    ),
    "NOT_IMPLEMENTED": Code(
        501,
        "The request is transferred in a way that is not understood here.",
        suggestion="Send the body as it is, or chunked.",
    ),
    "CONFLICT": Code(409, "The state of things does not allow it.", suggestion=READ_AGAIN),
    "INVALID_STATE": Code(409, "The instance's status does not allow it.", suggestion=READ_AGAIN),
    "INSTANCE_LIMIT_REACHED": Code(
        409,
        "The project has as many live instances as it may.",
        suggestion="Terminate an instance, or ask an operator for more.",
    ),
    "IDEMPOTENCY_KEY_IN_USE": Code(
        409,
        "A request with this Idempotency-Key is being processed.",
        retryable=True,
        suggestion=SAME_KEY,
    ),
    "IDEMPOTENCY_KEY_REUSED": Code(
        422,
        "This Idempotency-Key was used for another request.",
        suggestion="Use a new key for a new request; an old one is for the same request only.",
    ),
    "JOB_NOT_REDRIVABLE": Code(409, "The job cannot be run again.", suggestion=READ_AGAIN),
    "JOB_NOT_CANCELLABLE": Code(409, "The job cannot be cancelled.", suggestion=READ_AGAIN),
    "UNKNOWN_JOB_TYPE": Code(
        409,
        "This release does not know the job's type.",
        suggestion="Ask the operator: the job was made by another release.",
    ),
    "PRECONDITION_FAILED": Code(
        412,
        "It is not what If-Match or If-None-Match asks for.",
        suggestion="Read it again (GET), and send its new ETag if the change still makes sense.",
    ),
    "PAYLOAD_TOO_LARGE": Code(
        413, "The request body is too large.", suggestion="Send less: requests here are small."
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
        "Too many requests; Retry-After says when to come back.",
        retryable=True,
        suggestion=RETRY_AFTER,
    ),
    "TOO_MANY_WAITING": Code(
        429,
        "The project has as many open waits and streams as it may.",
        retryable=True,
        suggestion=RETRY_AFTER,
    ),
    "INTERNAL_SERVER_ERROR": Code(
        500,
        "Something went wrong on our side; the logs know this request.",
        retryable=True,
        suggestion="Send it again with the same Idempotency-Key; if it stays, tell the operator"
        " the requestId.",
    ),
    "SERVICE_UNAVAILABLE": Code(
        503,
        "The service cannot reach its database; please retry.",
        retryable=True,
        suggestion=SAME_KEY,
    ),
}
