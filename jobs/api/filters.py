"""Query parameters of the list of jobs."""

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
    """Registered job types without the recurring ones, which belong to no project."""

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
    """The subject of a job: an instance id."""


class JobFilter(serializers.Serializer[Any]):
    """The parameters. A job must match all of them."""

    type = TypeWords(required=False, help_text="one or several types, separated by commas")
    status = StatusWords(
        required=False,
        help_text="one or several of pending, processing, completed, failed, cancelled",
    )
    instance = SubjectWord(required=False, max_length=80, help_text="only jobs about this instance")
    createdAfter = Moment(required=False, help_text="created at this time or later, ISO 8601")
    createdBefore = Moment(required=False, help_text="created before this time, ISO 8601")
    minAgeSeconds = Number(
        required=False,
        min_value=0,
        max_value=10**9,
        help_text="at least this old; finds stuck jobs together with status=pending,processing",
    )
    maxAgeSeconds = Number(
        required=False, min_value=0, max_value=10**9, help_text="at most this old"
    )

    def apply(self, jobs: QuerySet[Job]) -> QuerySet[Job]:
        """The jobs that match all parameters; call ``is_valid`` first."""
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
