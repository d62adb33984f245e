"""Which jobs a caller asks for: the query parameters of the list, checked."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.clock import database_now
from jobs import ages, registry
from jobs.api.query_fields import Number, Text
from jobs.models import Job, JobStatus

# Further than any job, and near enough to calculate with.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):(\d\d)((?:\.\d+)?(?:Z|[+-]\d\d:\d\d))", re.ASCII | re.IGNORECASE
)


class Words(Text):
    """One or several of the known words, separated by commas."""

    def known(self) -> Iterable[str]:
        raise NotImplementedError

    def to_internal_value(self, data: Any) -> Any:
        words = [word.strip() for word in super().to_internal_value(data).split(",")]
        known = sorted(self.known())
        if unknown := [word for word in words if word not in known]:
            raise serializers.ValidationError(f"{unknown[0][:60]!r} is none of: {', '.join(known)}")
        return words


class StatusWords(Words):
    """Job statuses."""

    def known(self) -> Iterable[str]:
        return map(str, JobStatus.values)


class TypeWords(Words):
    """Registered job types, but for the service's own recurring ones, which no project has."""

    def known(self) -> Iterable[str]:
        return [str(kind.name) for kind in registry.all_types() if not kind.is_recurring]


class Moment(serializers.DateTimeField):
    """A point in time with its zone: a local time would mean another one to each reader."""

    default_error_messages = {
        "invalid": "must be an ISO 8601 time, e.g. 2026-01-31T12:00:00Z (write + as %2B)"
    }

    def to_internal_value(self, data: Any) -> Any:
        """All that RFC 3339 (section 5.6) allows: t and z in lower case, and second 60."""
        if isinstance(data, str) and (found := _RFC_3339.fullmatch(data)):
            day, time, second, rest = found.groups()
            is_leap = second == "60"
            text = f"{day}T{time}:{'59' if is_leap else second}{rest.upper()}"
            whole = super().to_internal_value(text)
            # A leap second is taken for the one after it, as Postgres does.
            return whole + timedelta(seconds=1) if is_leap else whole
        return super().to_internal_value(data)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise serializers.ValidationError("must say its zone: end in Z or an offset")
        # Nothing is older or younger; far years overflow where they are calculated with.
        if not EARLIEST.year <= value.year < LATEST.year:
            return EARLIEST if value.year < EARLIEST.year else LATEST
        return super().enforce_timezone(value)


@extend_schema_field(
    {
        "type": "string",
        "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        "maxLength": 80,
    }
)
class SubjectWord(Text):
    """What a job may be about."""


@extend_schema_field(
    {"type": "string", "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$", "maxLength": 100}
)
class SearchedText(Text):
    """Some text to look for."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=100, **kwargs)


class JobFilter(serializers.Serializer[Any]):
    """The parameters; each narrows the list further."""

    type = TypeWords(required=False, help_text="one or several types, separated by commas")
    status = StatusWords(
        required=False,
        help_text="one or several of pending, processing, completed, failed, cancelled",
    )
    instance = SubjectWord(
        required=False, max_length=80, help_text="only those about this instance"
    )
    createdAfter = Moment(required=False, help_text="made at this time or later, ISO 8601")
    createdBefore = Moment(required=False, help_text="made before this time, ISO 8601")
    minAgeSeconds = Number(
        required=False,
        min_value=0,
        max_value=10**9,
        help_text="made at least so long ago: with status=pending,processing, what is stuck",
    )
    maxAgeSeconds = Number(
        required=False, min_value=0, max_value=10**9, help_text="made at most so long ago"
    )

    def apply(self, jobs: QuerySet[Job]) -> QuerySet[Job]:
        """The jobs that all the parameters name; ``is_valid`` was called."""
        given = self.validated_data
        columns = {"type": "type__in", "status": "status__in", "instance": "subject"}
        jobs = jobs.filter(
            **{column: given[name] for name, column in columns.items() if name in given}
        )
        after = _moments(given, "createdAfter", "maxAgeSeconds")
        before = _moments(given, "createdBefore", "minAgeSeconds")
        return ages.created_between(jobs, max(after, default=None), min(before, default=None))


def _moments(given: Mapping[str, Any], moment: str, age: str) -> list[datetime]:
    moments = [given[moment]] if moment in given else []
    if age in given:
        moments.append(database_now() - timedelta(seconds=given[age]))
    return moments
