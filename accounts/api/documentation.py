"""What the OpenAPI document says of keys."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from accounts.api.answers import ApiKeyDetails, ApiKeyList

TAG = ["Keys"]

_DETAILS = {
    "id": "key_5d41402abc4b2a76b9719d91",
    "name": "ci",
    "start": "nvt_4f9aB",
    "project": {"id": "proj_7d793037a0760186574b0282", "name": "default"},
    "scopes": ["read", "write"],
    "createdAt": "2023-12-01T10:00:00.000Z",
    "lastUsedAt": "2023-12-01T10:05:00.000Z",
}
_EXAMPLE = OpenApiExample("A key", _DETAILS, response_only=True, status_codes=["200"])
LIST: dict[str, Any] = {
    "operation_id": "listApiKeys",
    "summary": "List the project's API keys, newest first",
    "description": "Needs the scope `admin`. Keys are made in the admin and on the command line.",
    "tags": TAG,
    "responses": {200: OpenApiResponse(ApiKeyList, description="A page.")},
    "examples": [
        OpenApiExample(
            "A page",
            {"keys": [_DETAILS], "total": 1, "hasMore": False},
            response_only=True,
            status_codes=["200"],
        )
    ],
}
CURRENT: dict[str, Any] = {
    "operation_id": "getCurrentApiKey",
    "summary": "Get the API key that asks",
    "description": "Its project, what it may do, and until when. Needs no scope.",
    "tags": TAG,
    "responses": {200: OpenApiResponse(ApiKeyDetails, description="As it is now.")},
    "examples": [_EXAMPLE],
}
REVOKE: dict[str, Any] = {
    "operation_id": "revokeApiKey",
    "summary": "Revoke an API key",
    "description": "At once and for good; revoking it again changes nothing. Needs the scope "
    "`admin`. A key may revoke itself.",
    "tags": TAG,
    "parameters": [OpenApiParameter("id", str, OpenApiParameter.PATH, description="key_…")],
    "responses": {204: OpenApiResponse(description="It is revoked.")},
}
