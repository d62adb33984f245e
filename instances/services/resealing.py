"""Seals values in the database again: with a new key, or values that are still plain.

Earlier releases wrote these columns unsealed, and may still do so during an update. Each batch is a
transaction of its own, so that locks are short.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Model, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from accounts.models import Project
from core.sealing import PREFIX, Unreadable
from egress.webhooks.urls import receiver_of
from instances.lifecycle import credentials
from instances.models import CachedTemplate, Installation, Instance, InstanceCredentials
from jobs.models import Job
from webhooks.models import Attempt, Endpoint

BATCH_ROWS = 500
_COLUMNS: tuple[tuple[type[Model], str], ...] = (
    (Project, "webhook_secret"),
    (Project, "previous_webhook_secret"),
    (Installation, "signing_key"),
    (Instance, "webhook_url"),
    (CachedTemplate, "data"),
    *((Endpoint, column) for column in ("url", "secret", "previous_secret", "basic_auth")),
    (Endpoint, "headers"),
    (Attempt, "answer"),
)
_ADDRESSES = ("url", "webhookUrl")
_SHORTENED = "/…"


@dataclass(slots=True)
class Count:
    """Number of sealed values, and of values that no configured key opens."""

    sealed: int = 0
    unreadable: int = 0


def seal_plain_values(*, seconds: float) -> bool:
    """Seal all plain values. Whether this was completed within ``seconds``."""
    until = time.monotonic() + seconds
    for model, column in _COLUMNS:
        for bite in _bites(_plain(model, column)):
            _seal_anew(model, column, bite, Count())
            if time.monotonic() > until:
                return False
    for bite in _bites(_with_addresses()):
        _shorten_addresses(bite)
        if time.monotonic() > until:
            return False
    return True


def reseal_everything() -> Count:
    """Seal all values again with the first key, plain ones included."""
    count = Count()
    for model, column in _COLUMNS:
        for bite in _bites(_kept(model, column).exclude(kept="")):
            _seal_anew(model, column, bite, count)
    for bite in _bites(InstanceCredentials.objects.all()):
        with transaction.atomic():
            rows = list(InstanceCredentials.objects.select_for_update().filter(pk__in=bite))
            done = credentials.reseal(rows)
            count.sealed += done
            count.unreadable += len(rows) - done
    return count


def _kept(model: type[Model], column: str) -> QuerySet[Any]:
    """Adds ``kept``: the column's raw text in the database."""
    rows: QuerySet[Any] = model._default_manager.order_by()
    kept: QuerySet[Any] = rows.annotate(kept=Cast(F(column), TextField()))
    return kept


def _plain(model: type[Model], column: str) -> QuerySet[Any]:
    # A sealed JSON value is a string in quotes.
    is_sealed = Q(kept__startswith=PREFIX) | Q(kept__startswith=f'"{PREFIX}')
    return _kept(model, column).exclude(is_sealed | Q(kept=""))


def _bites(rows: QuerySet[Any]) -> Iterator[Sequence[int]]:
    last = -1
    while pks := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH_ROWS]
    ):
        yield pks
        last = pks[-1]


def _seal_anew(model: type[Model], column: str, pks: Sequence[int], count: Count) -> None:
    done = []
    with transaction.atomic():
        rows: QuerySet[Any] = model._default_manager.select_for_update().filter(pk__in=pks)
        for row in rows:
            try:
                value = getattr(row, column)
            except Unreadable:
                count.unreadable += 1
                continue
            # A plain str: a sealed text object would be written back with its old key.
            setattr(row, column, str(value) if isinstance(value, str) else value)
            done.append(row)
        model._default_manager.bulk_update(done, [column])
    count.sealed += len(done)


def _with_addresses() -> QuerySet[Job]:
    """Jobs of earlier releases whose payload has the receiver's full address."""
    is_whole = Q()
    rows = Job.objects.order_by()
    for name in _ADDRESSES:
        rows = rows.alias(**{name: KeyTextTransform(name, "payload")})
        is_whole |= Q(**{f"{name}__isnull": False}) & ~Q(**{f"{name}__endswith": _SHORTENED})
    return rows.filter(is_whole)


def _shorten_addresses(pks: Sequence[int]) -> None:
    with transaction.atomic():
        rows = list(Job.objects.select_for_update(skip_locked=True).filter(pk__in=pks))
        for row in rows:
            for name in _ADDRESSES:
                if isinstance(row.payload.get(name), str):
                    row.payload[name] = receiver_of(row.payload[name])
        Job.objects.bulk_update(rows, ["payload"])
