"""Which jobs a caller asks for: the query parameters of the list, checked."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.clock import database_now
from core.query_fields import Moment, Number, Text, Words
from jobs import ages
from jobs.handler import all_types
from jobs.models import Job, JobStatus


class StatusWords(Words):
    """Job statuses."""

    def known(self) -> Iterable[str]:
        return map(str, JobStatus.values)


class TypeWords(Words):
    """Registered job types, but for the service's own recurring ones, which no project has."""

    def known(self) -> Iterable[str]:
        return [str(kind.name) for kind in all_types() if not kind.is_recurring]


@extend_schema_field(
    {
        "type": "string",
        "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$",
        "maxLength": 80,
    }
)
class SubjectWord(Text):
    """What a job may be about."""


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
