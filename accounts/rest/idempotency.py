"""``Idempotency-Key``: a repeated request gets the same answer and is executed once.

Claiming the key, executing the request and storing the answer happen in one transaction, so none
of the three exists without the others. A second request with the same key waits for that
transaction on the unique index, at most two seconds.

A key belongs to the project and not to the API key, so a retry with a rotated API key is still the
same request. Only requests that change something claim a key.
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
    f"Must be one key of 1 to {MOST_CHARACTERS} visible ASCII characters, with or without double "
    "quotes; a comma is allowed only inside quotes, since repeated headers are joined with commas"
)
_KEPT_HEADERS = ("Location", "ETag")

Method = TypeVar("Method", bound=Callable[..., Response])


class KeyInUse(APIException):
    """409: the first request with this key is not finished yet."""

    status_code = 409
    wait = 1

    def __init__(self) -> None:
        super().__init__(
            f"A request with this {HEADER} is being processed; retry after one second.",
            code="IDEMPOTENCY_KEY_IN_USE",
        )


class KeyReused(APIException):
    """422: the key belongs to another request."""

    status_code = 422

    def __init__(self) -> None:
        super().__init__(
            f"This {HEADER} was used for a different request: another method, path or body.",
            code="IDEMPOTENCY_KEY_REUSED",
        )


def idempotent(method: Method) -> Method:
    """Decorate a view's method: execute it once for each key of a project. A request without the
    header is executed as usual.

    Only 2xx answers are stored; any other answer rolls back the claim and all other writes.
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
    """Delete answers older than KEPT; returns their number."""
    count, _ = IdempotentAnswer.objects.filter(created_at__lt=Now() - KEPT).delete()
    return count


def _fingerprint(request: Request) -> str:
    """Hash of method, path and body; the order of the body's fields does not matter."""
    body = json.dumps(request.data, sort_keys=True, ensure_ascii=False)
    text = f"{request.method}\n{request.path}\n{body}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _claim(project: Project, key: IdempotencyKey, fingerprint: str) -> bool:
    """Whether this request is the first with its key. Waits up to WAIT_SECONDS for a concurrent
    one; raises KeyInUse after that.
    """
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
    """The stored answer under any form of the key; raises KeyReused if the request differs."""
    forms = [key.text, *key.older_texts]
    found = IdempotentAnswer.objects.filter(project=project, key__in=forms)
    kept = next((answer for answer in found if answer.fingerprint == fingerprint), None)
    if kept is None:
        raise KeyReused
    headers: dict[str, Any] = {**kept.headers, REPLAYED: "true"}
    return Response(json.loads(kept.body), status=kept.status_code, headers=headers)
