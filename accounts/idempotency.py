"""``Idempotency-Key``: a request that is sent again is answered again, and done once.

The key is claimed, the work is done and the answer is kept in one transaction, so that there is no
moment at which one of them exists without the others. Who comes with the same key meanwhile waits
for that transaction, as Postgres does for any unique index, for two seconds at most.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from psycopg.errors import LockNotAvailable
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import Caller
from accounts.models import IdempotentAnswer, Project

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(hours=24)
WAIT_SECONDS = 2
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
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
        key = request.headers.get(HEADER)
        caller = request.user
        if key is None or not isinstance(caller, Caller):
            return method(view, request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            raise ValidationError({HEADER: ["It must be 1 to 255 visible ASCII characters"]})
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


def _claim(project: Project, key: str, fingerprint: str) -> bool:
    """Whether this request is the first. Waits for one that is under way; raises KeyInUse."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            cursor.execute(
                "INSERT INTO accounts_idempotentanswer"
                " (project_id, key, fingerprint, headers, body)"
                " VALUES (%s, %s, %s, '{}', '') ON CONFLICT (project_id, key) DO NOTHING",
                [project.pk, key, fingerprint],
            )
            is_first: bool = cursor.rowcount == 1
            cursor.execute("SET LOCAL lock_timeout = DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise KeyInUse from None
        raise
    return is_first


def _keep(project: Project, key: str, response: Response) -> None:
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    IdempotentAnswer.objects.filter(project=project, key=key).update(
        status_code=response.status_code, body=json.dumps(response.data), headers=headers
    )


def _replay(project: Project, key: str, fingerprint: str) -> Response:
    kept = IdempotentAnswer.objects.get(project=project, key=key)
    if kept.fingerprint != fingerprint:
        raise KeyReused
    headers: dict[str, Any] = {**kept.headers, REPLAYED: "true"}
    return Response(json.loads(kept.body), status=kept.status_code, headers=headers)
