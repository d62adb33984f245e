"""Query parameters of lists of endpoints and deliveries, and of the feed."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from core.query_fields import Moment, Number, OneOf, Text, Words
from webhooks import event_types
from webhooks.models import Delivery, DeliveryStatus, Endpoint, EndpointKind

MOST_FEED = 100


class StatusWords(Words):
    """Delivery statuses."""

    def known(self) -> Iterable[str]:
        return map(str, DeliveryStatus.values)


class TypeWords(Words):
    """Message types."""

    def known(self) -> Iterable[str]:
        return [each.name for each in event_types.all_types()]


class EndpointFilter(serializers.Serializer[Any]):
    """Endpoints made over the API, or all of an instance."""

    kind = OneOf(
        choices=EndpointKind.choices,
        required=False,
        help_text="project (default): made by POST /api/webhooks; instance: by webhookUrl",
    )
    instanceId = Text(
        required=False, max_length=80, help_text="only endpoints of this instance, of both kinds"
    )

    def apply(self, rows: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
        given = self.validated_data
        if "instanceId" in given:
            rows = rows.filter(subject=given["instanceId"])
        kind = given.get("kind", None if "instanceId" in given else EndpointKind.PROJECT)
        return rows.filter(kind=kind) if kind else rows


class DeliveryFilter(serializers.Serializer[Any]):
    """A delivery must match all of these."""

    status = StatusWords(
        required=False,
        help_text="one or several of pending, delivered, failed, skipped, cancelled",
    )
    type = TypeWords(required=False, help_text="one or several types, separated by commas")
    instanceId = Text(required=False, max_length=80, help_text="only messages about it")
    since = Moment(required=False, help_text="created at this time or later, ISO 8601")
    until = Moment(required=False, help_text="created before this time, ISO 8601")

    _COLUMNS = {
        "status": "status__in",
        "type": "type__in",
        "instanceId": "subject",
        "since": "created_at__gte",
        "until": "created_at__lt",
    }

    def apply(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        given = self.validated_data
        chosen = {column: given[name] for name, column in self._COLUMNS.items() if name in given}
        return rows.filter(**chosen)


class FeedFilter(serializers.Serializer[Any]):
    """Which messages, and after which."""

    cursor = Text(
        required=False,
        max_length=600,
        help_text="nextCursor of an earlier answer; absent: from the oldest message kept; `now`: "
        "only what comes from now on",
    )
    limit = Number(required=False, min_value=1, max_value=MOST_FEED, help_text="default 100")
    types = TypeWords(required=False, help_text="one or several types, separated by commas")
    instanceId = Text(required=False, max_length=80, help_text="only messages about it")


class TestQuery(serializers.Serializer[Any]):
    """How long to wait for the receiver's answer."""

    timeout = Number(
        required=False, min_value=0, max_value=20, help_text="seconds to wait, default 20"
    )
