"""``Idempotency-Key``: a request that is sent again is answered again, and done once.

The key is claimed, the work is done and the answer is kept in one transaction, so that there is no
moment at which one of them exists without the others. Who comes with the same key meanwhile waits
for that transaction, as Postgres does for any unique index, for two seconds at most.

A key belongs to the project and not to the API key, so that a retry under a rotated API key is
still one request. Only what changes something claims a key: whoever may only read claims none.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from psycopg.errors import LockNotAvailable
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import IdempotentAnswer, Project
from accounts.rest.authentication import Caller
from accounts.rest.idempotency_keys import MOST_CHARACTERS, IdempotencyKey, read_key

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(hours=24)
WAIT_SECONDS = 2
_NO_KEY = (
    f"It must be one key of 1 to {MOST_CHARACTERS} visible ASCII characters, bare or in quotes; a "
    "comma is allowed in quotes only, since repeated headers are joined with commas"
)
_KEPT_HEADERS = ("Location", "ETag")

Method = TypeVar("Method", bound=Callable[..., Response])


class KeyInUse(APIException):
    """409: the first request with this key is not finished yet."""

    status_code = 409
    wait = 1

    def __init__(self) -> None:
        super().__init__(
            f"A request with this {HEADER} is being processed; try again in a moment.",
            code="IDEMPOTENCY_KEY_IN_USE",
        )


class KeyReused(APIException):
    """422: the key belongs to another request."""

    status_code = 422

    def __init__(self) -> None:
        super().__init__(
            f"This {HEADER} was used for another request: another path or another body.",
            code="IDEMPOTENCY_KEY_REUSED",
        )


def idempotent(method: Method) -> Method:
    """Let a view's method answer once for each key of a project. Without the header, as it is.

    Only a 2xx is kept; whatever else is answered undoes the claim with everything written.
    """

    @functools.wraps(method)
    def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        header = request.headers.get(HEADER)
        caller = request.user
        if header is None or not isinstance(caller, Caller):
            return method(view, request, *args, **kwargs)
        key = read_key(header)
        if key is None:
            raise ValidationError({HEADER: [_NO_KEY]})
        with transaction.atomic():
            fingerprint = _fingerprint(request)
            if not _claim(caller.project, key, fingerprint):
                return _replay(caller.project, key, fingerprint)
            response = method(view, request, *args, **kwargs)
            if 200 <= response.status_code < 300:
                _keep(caller.project, key, response)
            else:
                transaction.set_rollback(True)
            return response

    return cast(Method, answer)


def forget_old() -> int:
    """Delete answers that were kept long enough; how many."""
    count, _ = IdempotentAnswer.objects.filter(created_at__lt=Now() - KEPT).delete()
    return count


def _fingerprint(request: Request) -> str:
    """Method, path and body; a body says the same in whatever order its fields stand."""
    body = json.dumps(request.data, sort_keys=True, ensure_ascii=False)
    text = f"{request.method}\n{request.path}\n{body}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _claim(project: Project, key: IdempotencyKey, fingerprint: str) -> bool:
    """Whether this request is the first. Waits for one that is under way; raises KeyInUse."""
    values: dict[str, Any] = {"project": project.pk, "key": key.text, "fingerprint": fingerprint}
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            cursor.execute(_CLAIM, {**values, "older": list(key.older_texts)})
            is_first: bool = cursor.rowcount == 1
            cursor.execute("SET LOCAL lock_timeout = DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise KeyInUse from None
        raise
    return is_first


_CLAIM = """
INSERT INTO accounts_idempotentanswer (project_id, key, fingerprint, headers, body)
SELECT %(project)s, %(key)s, %(fingerprint)s, '{}', ''
WHERE NOT EXISTS (
    SELECT FROM accounts_idempotentanswer
    WHERE project_id = %(project)s AND key = ANY(%(older)s::text[])
)
ON CONFLICT (project_id, key) DO NOTHING
"""


def _keep(project: Project, key: IdempotencyKey, response: Response) -> None:
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    IdempotentAnswer.objects.filter(project=project, key=key.text).update(
        status_code=response.status_code, body=json.dumps(response.data), headers=headers
    )


def _replay(project: Project, key: IdempotencyKey, fingerprint: str) -> Response:
    """What is kept under any form of the key; raises KeyReused if it belongs to another request."""
    forms = [key.text, *key.older_texts]
    found = IdempotentAnswer.objects.filter(project=project, key__in=forms)
    kept = next((answer for answer in found if answer.fingerprint == fingerprint), None)
    if kept is None:
        raise KeyReused
    headers: dict[str, Any] = {**kept.headers, REPLAYED: "true"}
    return Response(json.loads(kept.body), status=kept.status_code, headers=headers)
