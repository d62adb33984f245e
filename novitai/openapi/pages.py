"""The pages of docs/api that are made from the schema and the table of codes."""

import json
from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from novitai import VERSION
from novitai.errors.codes import CODES

_ENDPOINTS = """\
# Endpoints

Made from the schema by `manage.py write_api_documents`; the schema itself, with examples, is served
at `/api/schema`, `/api/docs` and `/api/redoc`. Every answer carries `X-Request-Id`. Codes are those
of [errors.md](errors.md); 401 `UNAUTHORIZED`, 403 `FORBIDDEN`, 406 `NOT_ACCEPTABLE`, 429
`RATE_LIMIT_EXCEEDED`, 500 `INTERNAL_SERVER_ERROR` and 503 `SERVICE_UNAVAILABLE` may come from every
address below `/api/` and are left out.

Scope is what the key must be allowed to do (any: nothing, it need only be valid); a dash: no key is
needed.
"""
_ERRORS = """\
# Errors

Made from the table of codes by `manage.py write_api_documents`. Every answer that is not a success
has this body, whoever refuses:

```json
{"error": {"code": "VALIDATION_ERROR", "message": "…", "retryable": false, "suggestion": "…",
           "timestamp": "2023-12-01T10:00:00.000Z", "requestId": "req_…",
           "validationErrors": [{"field": "gpuNum", "message": "…", "value": 10}]}}
```

- Branch on `code`: it never changes its meaning or its status. New ones may come.
- `message` and `suggestion` are for people and may be worded anew.
- `retryable`: the same request may succeed later; after `Retry-After`, where there is one.
- `validationErrors` comes with `VALIDATION_ERROR` only, one entry for each bad field; `value` is
  cut at 200 characters and never a secret.
- `requestId` is the `X-Request-Id` of the answer; the logs know it.

| Code | Status | Retry | Meaning | What to do |
| --- | --- | --- | --- | --- |
"""
# Of every address; the page says so once.
_COMMON = ("401", "403", "406", "429", "500", "503")


def schema() -> dict[str, Any]:
    """As it is served."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


def documents() -> dict[str, str]:
    """What belongs into docs/api, by file name."""
    made = schema()
    return {
        "errors.md": _ERRORS + "".join(_error_rows()),
        "endpoints.md": _ENDPOINTS + "".join(_groups(made)),
        f"schemas/{VERSION}.json": json.dumps(made, indent=2, ensure_ascii=False) + "\n",
    }


def _error_rows() -> Iterator[str]:
    for name, code in sorted(CODES.items(), key=lambda row: (row[1].status, row[0])):
        retry = "yes" if code.retryable else "no"
        yield f"| `{name}` | {code.status} | {retry} | {code.message} | {code.suggestion} |\n"


def _groups(made: dict[str, Any]) -> Iterator[str]:
    for tag in made["tags"]:
        rows = [
            _row(method.upper(), path, operation)
            for path, item in made["paths"].items()
            for method, operation in item.items()
            if tag["name"] in operation["tags"]
        ]
        if rows:
            yield f"\n## {tag['name']}\n\n{tag['description']}\n\n"
            yield "| Method | Path | Scope | What | Success | Codes |\n"
            yield "| --- | --- | --- | --- | --- | --- |\n"
            yield from rows
    yield "\n## Webhooks\n\n[webhooks.md](../webhooks.md): how they are signed and repeated.\n\n"
    yield "| Type | Sent when |\n| --- | --- |\n"
    for name, item in made["webhooks"].items():
        yield f"| `{name}` | {item['post']['summary']} |\n"


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    success = ", ".join(status for status in operation["responses"] if status < "300")
    what = operation["summary"] + (" (deprecated)" if operation.get("deprecated") else "")
    codes = ", ".join(_codes(operation))
    scope = operation.get("x-scope", "–")
    return f"| {method} | `{path}` | {scope} | {what} | {success} | {codes} |\n"


def _codes(operation: dict[str, Any]) -> Iterator[str]:
    for status, response in sorted(operation["responses"].items()):
        examples = response.get("content", {}).get("application/json", {}).get("examples", {})
        if status >= "400" and status not in _COMMON:
            told = {
                example["value"]["error"]["code"] if "value" in example else name
                for name, example in examples.items()
            }
            yield from (f"{status} `{code}`" for code in sorted(told))
