"""Table of Novita's reasons: the meaning of each, and who has to change something.

Reasons are compared without case, blanks, hyphens, underscores and camelCase. Each reason in the
table means that nothing was done, whatever the status; those in `DOUBTFUL` may have acted. Sources:
Novita's error page and console, and spellings of other services.
"""

from __future__ import annotations

from dataclasses import dataclass

from upstream.errors import (
    AuthenticationFailed,
    BalanceNotEnough,
    Blame,
    InsufficientResource,
    InvalidRequest,
    InvalidStateChange,
    NotFound,
    NovitaRefused,
    QuotaExceeded,
    RateLimited,
    TemplateNotFound,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """Meaning of a reason or a message. `note` is added to the text of the error."""

    kind: type[NovitaRefused]
    blame: Blame
    note: str = ""


SOLD_OUT = Meaning(InsufficientResource, Blame.OFFER)
RATE = Meaning(RateLimited, Blame.UPSTREAM)
KEY = Meaning(AuthenticationFailed, Blame.ACCOUNT)
BALANCE = Meaning(BalanceNotEnough, Blame.ACCOUNT)
QUOTA = Meaning(QuotaExceeded, Blame.ACCOUNT)
# Novita's documents relate this limit to a low balance.
QUOTA_OR_BALANCE = Meaning(
    QuotaExceeded, Blame.ACCOUNT, "a limit of the account, or its balance is too low"
)
STATE = Meaning(InvalidStateChange, Blame.UPSTREAM)
TEMPLATE = Meaning(TemplateNotFound, Blame.REQUEST)
BAD_REQUEST = Meaning(InvalidRequest, Blame.REQUEST)
BAD_OFFER = Meaning(InvalidRequest, Blame.OFFER)
# A missing object that is not the instance, in any kind of call: no proof of its absence.
OTHER_OF_REQUEST = Meaning(NotFound, Blame.REQUEST)
OTHER_OF_OFFER = Meaning(NotFound, Blame.OFFER)
OTHER = Meaning(NotFound, Blame.UPSTREAM)

_TABLE: tuple[tuple[Meaning, str], ...] = (
    (
        SOLD_OUT,
        "INSUFFICIENT_RESOURCE INSUFFICIENT_RESOURCES RESOURCE_INSUFFICIENT RESOURCES_INSUFFICIENT"
        " MIGRATE_INSUFFICIENT_RESOURCE GPU_SPEC_USED RESOURCE_NOT_ENOUGH NOT_ENOUGH_RESOURCE"
        " NOT_ENOUGH_RESOURCES INSUFFICIENT_GPU INSUFFICIENT_STOCK INSUFFICIENT_CAPACITY"
        " INSUFFICIENT_INVENTORY INSUFFICIENT_INSTANCE_CAPACITY GPU_NOT_ENOUGH SOLD_OUT"
        " OUT_OF_STOCK NO_STOCK",
    ),
    (
        RATE,
        "RATE_LIMIT_EXCEEDED RATE_LIMITED RATE_LIMIT RATELIMIT LIST_BILL_TOO_FAST"
        " TOO_MANY_REQUESTS REQUEST_TOO_FREQUENT THROTTLED THROTTLING",
    ),
    (
        KEY,
        "UNAUTHORIZED FORBIDDEN MISSING_API_KEY INVALID_API_KEY API_KEY_INVALID EXPIRED_API_KEY"
        " API_KEY_EXPIRED API_KEY_DISABLED API_KEY_REVOKED API_KEY_NOT_FOUND INVALID_USER_TOKEN"
        " INVALID_TOKEN TOKEN_INVALID TOKEN_EXPIRED EXPIRED_TOKEN USER_NOT_FOUND BANNED_USER"
        " USER_BANNED USER_DISABLED ACCOUNT_BANNED ACCOUNT_DISABLED ACCOUNT_SUSPENDED"
        " GET_TOKEN_FAILED UNAUTHENTICATED PERMISSION_DENIED ACCESS_DENIED AUTHENTICATION_FAILED",
    ),
    (
        BALANCE,
        "BALANCE_NOT_ENOUGH EXPIRED_OR_BALANCE_NOT_ENOUGH BUDGET_NOT_ENOUGH"
        " MEMBER_BUDGET_NOT_ENOUGH INSUFFICIENT_BALANCE BALANCE_INSUFFICIENT INSUFFICIENT_FUNDS"
        " INSUFFICIENT_CREDIT INSUFFICIENT_CREDITS PAYMENT_REQUIRED ARREARS WALLET_NOT_FOUND",
    ),
    (QUOTA_OR_BALANCE, "CREATE_INSTANCE_LIMIT"),
    (
        QUOTA,
        "CREATE_GPU_NUM_LIMIT OPERATION_LIMIT NETWORK_MAX_LIMIT QUOTA_EXCEEDED QUOTA_LIMIT"
        " QUOTA_NOT_ENOUGH INSTANCE_LIMIT INSTANCE_LIMIT_EXCEEDED GPU_NUM_LIMIT",
    ),
    (STATE, "INVALID_STATE_CHANGE DEPENDENT_RESOURCE_STATE INVALID_STATE INVALID_STATUS"),
    (TEMPLATE, "TEMPLATE_NOT_FOUND TEMPLATE_NOT_EXIST TEMPLATE_IS_PRIVATE"),
    (
        BAD_REQUEST,
        "IMAGE_URL_OR_AUTH_ERROR IMAGE_TOO_LARGE CUDA_VERSION_INCOMPATIBLE INVALID_COMMAND_PARAM"
        " IMAGE_AUTH_ERROR INVALID_IMAGE NETWORK_STORAGE_TOO_LARGE NETWORK_STORAGE_IN_USE"
        " NETWORK_STORAGE_UNAVAILABLE NETWORK_IN_USE IMAGE_AUTH_IN_USE"
        " PREPAID_INSTANCE_NOT_SUPPORT_RELEASE CREATING_INSTANCE_NOT_SUPPORT_RENEWAL"
        " MIGRATION_JOB_NOT_BREAKABLE IMAGE_PREWARM_NUM_LIMIT",
    ),
    (
        BAD_OFFER,
        "UNSUPPORTED_BILLING_MODE CLUSTER_STATUS NODE_STATUS"
        " CUR_CLUSTER_NETWORK_STORAGE_NOT_SUPPORT",
    ),
    (
        OTHER_OF_REQUEST,
        "IMAGE_NOT_FOUND IMAGE_NOT_EXIST IMAGE_AUTH_NOT_FOUND NETWORK_NOT_FOUND"
        " NETWORK_STORAGE_NOT_FOUND INSTANCE_LOCAL_STORAGE_NOT_FOUND",
    ),
    (OTHER_OF_OFFER, "PRODUCT_NOT_FOUND CLUSTER_NOT_FOUND PRODUCT_NOT_EXIST CLUSTER_NOT_EXIST"),
    (OTHER, "JOB_NOT_FOUND"),
)


def compact(word: str) -> str:
    """Letters and digits of a word in capitals, for comparison."""
    return "".join(filter(str.isalnum, word)).upper()


def _keys(words: str) -> frozenset[str]:
    return frozenset(map(compact, words.split()))


MEANINGS = {compact(word): meaning for meaning, words in _TABLE for word in words.split()}

# The requested object is missing; the call and the message show which.
MISSING = _keys(
    "RESOURCE_NOT_FOUND NOT_FOUND NOT_FOUNT RESOURCE_NOT_FOUNT NOT_EXIST NOT_EXISTS"
    " RESOURCE_NOT_EXIST RECORD_NOT_FOUND DATA_NOT_FOUND NO_SUCH_RESOURCE"
)
# The request is invalid; only the message shows the field, and so who must change it.
INVALID = _keys(
    "VALIDATOR_PARAM VALIDATOR VALIDATION_ERROR VALIDATION_FAILED INVALID_PARAM INVALID_PARAMS"
    " INVALID_PARAMETER PARAM_INVALID PARAM_ERROR INVALID_ARGUMENT INVALID_REQUEST"
    " MISSING_PARAM CODEC"
)
# Not certain whether something was done.
DOUBTFUL = _keys(
    "CANCELED CANCELLED CONTEXT_CANCELED ABORTED ALREADY_EXISTS ALREADY_EXIST CONFLICT"
    " DEADLINE_EXCEEDED TIMEOUT REQUEST_TIMEOUT CLIENT_CLOSED CLIENT_CLOSED_REQUEST"
    " INTERNAL INTERNAL_ERROR INTERNAL_SERVER_ERROR UNAVAILABLE SERVICE_UNAVAILABLE"
)
_PREFIXES = ("ERRORREASON", "ERRREASON", "REASON", "ERROR", "ERR")


def reason_key(reason: str) -> str:
    """As `compact`, without a code generator's prefix such as ERROR_REASON_."""
    key = compact(reason)
    for prefix in _PREFIXES:
        rest = key.removeprefix(prefix)
        if rest != key and (rest in MEANINGS or rest in MISSING or rest in INVALID):
            return rest
    return key


def as_words(reason: str) -> str:
    """The reason as words: "INSTANCE_NOT_EXIST" and "InstanceNotExist" become three words each."""
    spaced = "".join(f" {c}" if c.isupper() and not reason.isupper() else c for c in reason)
    return " ".join(spaced.replace("_", " ").replace("-", " ").replace(".", " ").split())
