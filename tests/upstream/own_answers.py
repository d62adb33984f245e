"""Tables of Novita's own words: what each error answer means, and what follows from it."""

from __future__ import annotations

from tests.upstream.answered_calls import CREATE, DELETE, GET, ID, LIST, TEMPLATE, VERB

HOLD, ELSEWHERE, REFUSED = "hold", "retry elsewhere", "refused for certain"
UNKNOWN, ABSENT, DONE = "outcome unknown", "absent", "done"


def own(status, reason="", message=""):
    """Novita's own error shape."""
    return {"code": status, "reason": reason, "message": message, "metadata": {}}


# Novita's own words, as (call, status, reason, message, class, what follows).
SOLD_OUT = [
    (CREATE, status, "INSUFFICIENT_RESOURCE", "", "InsufficientResource", ELSEWHERE)
    for status in (400, 403, 404, 409, 410, 422, 429, 499, 500, 502, 503, 504)
] + [
    (CREATE, 400, "insufficient_resource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 503, "Insufficient Resource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 409, "insufficient-resource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 429, "InsufficientResource", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, " INSUFFICIENT_RESOURCE ", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "ERROR_REASON_INSUFFICIENT_RESOURCE", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "RESOURCE_INSUFFICIENT", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "SOLD_OUT", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "RESOURCE_SOLD_OUT", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 500, "INSUFFICIENT_GPU_RESOURCE", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "NO_RESOURCE", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "GPU_SPEC_USED", "", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "", "resource insufficient with product 4090", "InsufficientResource", ELSEWHERE),
    (CREATE, 500, "UNKNOWN", "Resource Insufficient", "InsufficientResource", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "no available gpu left", "InsufficientResource", ELSEWHERE),
    (CREATE, 503, "UNKNOWN", "库存不足", "InsufficientResource", ELSEWHERE),
    (VERB, 400, "INSUFFICIENT_RESOURCE", "", "InsufficientResource", REFUSED),
    (VERB, 503, "MIGRATE_INSUFFICIENT_RESOURCE", "", "InsufficientResource", REFUSED),
    (LIST, 500, "INSUFFICIENT_RESOURCE", "", "InsufficientResource", HOLD),
]
NOT_THERE = [
    (GET, status, reason, message, "InstanceNotFound", ABSENT)
    for status, reason, message in [
        (400, "RESOURCE_NOT_FOUND", ""),
        (400, "resource_not_found", "x"),
        (400, "ResourceNotFound", ""),
        (404, "RESOURCE_NOT_FOUND", "not found"),
        (404, "", ""),
        (404, "", "Not Found"),
        (404, "GONE_AWAY", "whatever this means"),
        (410, "", "instance gone"),
        (400, "NOT_FOUND", ""),
        (400, "NOT_FOUNT", "Not Fount"),
        (400, "INSTANCE_NOT_FOUND", ""),
        (400, "INSTANCE_NOT_EXIST", "instance not exist"),
        (400, "INSTANCE_NOT_EXISTS", ""),
        (400, "InstanceNotExist", ""),
        (400, "INSTANCE_DELETED", ""),
        (400, "INSTANCE_ALREADY_RELEASED", "already released"),
        (400, "", "instance not found"),
        (400, "UNKNOWN", "Instance Not Fount"),
        (400, "REQUEST", "instance 3560 does not exist"),
        (400, "VALIDATOR_PARAM", f"instance {ID} doesn't exist"),
        (400, "", "instance 3560 not found in cluster us-ca-6"),
        (400, "SOMETHING_ELSE", "not found"),
        (400, "X", "no such instance"),
        (400, "X", "unknown instance"),
        (400, "X", f"cannot find instance {ID}"),
        (400, "X", "the instance has been deleted by user"),
        (400, "X", "instance was already removed"),
        (400, "X", "failed to get instance: record not found"),
        (400, "X", "instance not found for account 77"),
        (400, "X", "实例不存在"),
        (403, "INSTANCE_NOT_FOUND", ""),
        (403, "", "instance not found"),
        (409, "", "instance has been deleted"),
        (422, "", "GPU instance no longer exists"),
        (500, "UNKNOWN", "record not found"),
        (500, "", "sql: no rows in result set"),
        (500, "UNKNOWN", "internal server error: record not found"),
        (500, "INTERNAL_ERROR", "record not found"),
        (503, "RESOURCE_NOT_FOUND", "not found"),
        (500, "UNKNOWN", "instance not exist"),
        (500, "UNKNOWN", "rpc error: code = NotFound desc = instance ab1 not found"),
    ]
] + [
    (VERB, 400, "RESOURCE_NOT_FOUND", "", "InstanceNotFound", ABSENT),
    (VERB, 500, "UNKNOWN", "record not found", "InstanceNotFound", ABSENT),
    (DELETE, 400, "INSTANCE_NOT_EXIST", "instance not exist", "InstanceNotFound", ABSENT),
    (DELETE, 404, "", "Not Found", "InstanceNotFound", ABSENT),
    (DELETE, 409, "CONFLICT", "instance already deleted", "InstanceNotFound", ABSENT),
    (TEMPLATE, 400, "", "template not found", "TemplateNotFound", REFUSED),
    (TEMPLATE, 400, "TEMPLATE_IS_PRIVATE", "", "TemplateNotFound", REFUSED),
    (TEMPLATE, 404, "NOT_FOUND", "", "TemplateNotFound", REFUSED),
    (TEMPLATE, 500, "UNKNOWN", "record not found", "NovitaServerError", HOLD),
    # A create that misses an instance has perhaps made it; a 5xx may have come later.
    (CREATE, 400, "X", "instance not found", "NovitaServerError", UNKNOWN),
    (CREATE, 500, "UNKNOWN", "record not found", "NovitaServerError", UNKNOWN),
]
# Nothing of this is the instance's absence. What a 4xx refuses, it refuses all the same.
ANOTHER_THING = [
    (GET, status, reason, message, "-absent", HOLD)
    for status, reason, message in [
        (401, "RESOURCE_NOT_FOUND", "not found"),
        (401, "", "instance not found"),
        (403, "", "not found"),
        (400, "IMAGE_NOT_FOUND", "image not found"),
        (400, "USER_NOT_FOUND", "not found"),
        (400, "INSTANCE_LOCAL_STORAGE_NOT_FOUND", "not found"),
        (400, "NETWORK_STORAGE_NOT_FOUND", "not found"),
        (400, "TEMPLATE_NOT_FOUND", "not found"),
        (500, "WALLET_NOT_FOUND", "not found"),
        (400, "RESOURCE_NOT_FOUND", "image of instance 123 not found"),
        (400, "VOLUME_ERROR", "volume not found"),
        (400, "NODE_NOT_FOUND", "not found"),
        (400, "", "product not found"),
        (400, "", "user not found"),
        (400, "", "instance image not found"),
        (400, "", "the host of instance 3560 was not found"),
        (400, "", "instance not found in cache"),
        (400, "", "instance not found yet, please retry"),
        (400, "", "instance does not exist or is not running"),
        (400, "", "instance may not exist"),
        (400, "", "cannot delete instance until volume has been released"),
        (400, "", "instance not ready"),
        (400, "", "instance is being deleted"),
        (404, "", "no route found"),
        (404, "NOT_FOUND", "route not found"),
        (429, "", "not found, too many requests"),
        (500, "UNKNOWN", "upstream not found"),
        (500, "UNKNOWN", "host not found"),
        (500, "UNKNOWN", "dns record not found"),
        (503, "UNKNOWN", "no healthy upstream"),
        (500, "UNKNOWN", "dial tcp: lookup gpu.svc on 10.0.0.1:53: no such host"),
        (500, "UNKNOWN", "get user failed: record not found"),
        (502, "", "404 page not found"),
        (499, "UNKNOWN", "context canceled"),
        (400, "UNKNOWN", "context deadline exceeded"),
    ]
]
REQUEST_OR_OFFER = [
    (CREATE, 400, "IMAGE_NOT_FOUND", "", "NotFound", REFUSED),
    (CREATE, 500, "IMAGE_NOT_FOUND", "", "NotFound", REFUSED),
    (CREATE, 400, "IMAGE_URL_OR_AUTH_ERROR", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "image_url_or_auth_error", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "IMAGE_TOO_LARGE", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "CUDA_VERSION_INCOMPATIBLE", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "CudaVersionIncompatible", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "REGISTRY_AUTH_INVALID", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "CudaNotSupported", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "INVALID_COMMAND_PARAM", "", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "invalid image url", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "registry credentials are wrong", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "cuda version not supported", "InvalidRequest", REFUSED),
    (CREATE, 400, "VALIDATOR_PARAM", "name is required", "InvalidRequest", REFUSED),
    (CREATE, 400, "RESOURCE_NOT_FOUND", "image not found", "NotFound", REFUSED),
    (CREATE, 400, "X", "failed to pull image: unauthorized", "InvalidRequest", REFUSED),
    (CREATE, 400, "TEMPLATE_NOT_FOUND", "", "TemplateNotFound", REFUSED),
    (CREATE, 400, "NETWORK_STORAGE_NOT_FOUND", "", "NotFound", REFUSED),
    (CREATE, 400, "RESOURCE_NOT_FOUND", "", "NotFound", ELSEWHERE),
    (CREATE, 404, "NOT_FOUND", "product not found", "NotFound", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "product id not exist", "NotFound", ELSEWHERE),
    (CREATE, 400, "CLUSTER_STATUS", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "NODE_STATUS", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "UNSUPPORTED_BILLING_MODE", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "", "InvalidRequest", ELSEWHERE),
    (CREATE, 400, "VALIDATOR_PARAM", "rootfs size must not be more than 42 GB",
     "InvalidRequest", ELSEWHERE),
    (VERB, 400, "UNSUPPORTED_BILLING_MODE", "", "InvalidRequest", REFUSED),
    (DELETE, 400, "PREPAID_INSTANCE_NOT_SUPPORT_RELEASE", "", "InvalidRequest", REFUSED),
]  # fmt: skip
ACCOUNT = [
    (kind, status, reason, message, name, HOLD)
    for kind in (CREATE, GET, VERB)
    for status, reason, message, name in [
        (401, "UNAUTHORIZED", "invalid api key", "AuthenticationFailed"),
        (401, "WHO_KNOWS", "", "AuthenticationFailed"),
        (403, "FORBIDDEN", "", "AuthenticationFailed"),
        (403, "NEVER_HEARD", "of it", "AuthenticationFailed"),
        (400, "MISSING_API_KEY", "", "AuthenticationFailed"),
        (500, "invalid-api-key", "", "AuthenticationFailed"),
        (400, "API_KEY_EXPIRED", "", "AuthenticationFailed"),
        (400, "EXPIRED_KEY", "", "AuthenticationFailed"),
        (400, "INSUFFICIENT_RESOURCE_QUOTA", "", "QuotaExceeded"),
        (400, "USER_NOT_FOUND", "user not found", "AuthenticationFailed"),
        (400, "BannedUser", "", "AuthenticationFailed"),
        (400, "X", "the api key has been revoked", "AuthenticationFailed"),
        (400, "BALANCE_NOT_ENOUGH", "", "BalanceNotEnough"),
        (500, "BALANCE_NOT_ENOUGH", "", "BalanceNotEnough"),
        (403, "MEMBER_BUDGET_NOT_ENOUGH", "", "BalanceNotEnough"),
        (402, "", "", "BalanceNotEnough"),
        (400, "X", "Insufficient Balance", "BalanceNotEnough"),
        (400, "X", "余额不足", "BalanceNotEnough"),
        (400, "CREATE_INSTANCE_LIMIT", "", "QuotaExceeded"),
        (403, "CREATE_GPU_NUM_LIMIT", "", "QuotaExceeded"),
        (429, "createGpuNumLimit", "", "QuotaExceeded"),
        (400, "X", "instance quota exceeded", "QuotaExceeded"),
        (429, "RATE_LIMIT_EXCEEDED", "", "RateLimited"),
        (429, "", "", "RateLimited"),
        (429, "WHAT_EVER", "", "RateLimited"),
        (400, "RateLimitExceeded", "", "RateLimited"),
        (503, "", "too many requests", "RateLimited"),
    ]
] + [
    # What a 403 misses may be hidden from a key: nothing of it is certain.
    (CREATE, 403, "UNKNOWN", "snapshot not found", "AuthenticationFailed", HOLD),
]
UNCONFIRMED = [
    (kind, status, reason, message, name, UNKNOWN)
    for kind in (CREATE, VERB, DELETE)
    for status, reason, message, name in [
        (499, "UNKNOWN", "context canceled", "NovitaServerError"),
        (499, "", "", "NovitaServerError"),
        (408, "", "", "NovitaServerError"),
        (425, "", "too early", "NovitaServerError"),
        (421, "", "", "NovitaServerError"),
        (500, "UNKNOWN", "", "NovitaServerError"),
        (503, "", "busy", "NovitaServerError"),
        (504, "DEADLINE_EXCEEDED", "", "NovitaServerError"),
        (400, "CANCELED", "", "NovitaServerError"),
        (400, "UNKNOWN", "context deadline exceeded", "NovitaServerError"),
        (400, "UNKNOWN", "rpc error: connection refused", "NovitaServerError"),
        (400, "NEVER_HEARD", "of this", "InvalidRequest"),
        (400, "", "", "InvalidRequest"),
        (422, "FLAVOUR", "", "InvalidRequest"),
        (405, "WHY", "", "NovitaRefused"),
        (418, "TEAPOT", "", "NovitaRefused"),
    ]
] + [
    (CREATE, 409, "ABORTED", "", "NovitaServerError", UNKNOWN),
    (CREATE, 409, "ALREADY_EXISTS", "", "NovitaServerError", UNKNOWN),
    (CREATE, 400, "CONFLICT", "", "NovitaServerError", UNKNOWN),
    (CREATE, 400, "X", "invalid state change", "InvalidStateChange", UNKNOWN),
    (CREATE, 404, "X", "", "NotFound", UNKNOWN),
    (CREATE, 400, "X", "flavour not found", "NotFound", UNKNOWN),
    (VERB, 400, "WHATEVER", "Invalid State Change", "InvalidStateChange", UNKNOWN),
    (VERB, 400, "InvalidStateChange", "", "InvalidStateChange", UNKNOWN),
    (VERB, 409, "", "", "InvalidStateChange", UNKNOWN),
    (VERB, 400, "CONFLICT", "", "InvalidStateChange", UNKNOWN),
    (DELETE, 409, "ABORTED", "", "InvalidStateChange", UNKNOWN),
]  # fmt: skip
OWN = [*SOLD_OUT, *NOT_THERE, *REQUEST_OR_OFFER, *ACCOUNT, *UNCONFIRMED]
