"""The feed of messages, for those who cannot receive webhooks."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest.authentication import caller_of
from core import cursors
from webhooks import feed
from webhooks.api import documentation
from webhooks.api.answers import Feed, FeedEvent
from webhooks.api.common import read_query
from webhooks.api.filters import MOST_FEED, FeedFilter

NOW = "now"
_UNKNOWN = "cursor must be the nextCursor of an earlier answer of this feed, or now"


class EventsView(APIView):
    """Messages of the caller's project, oldest first."""

    @extend_schema(**documentation.FEED)
    def get(self, request: Request) -> Response:
        query = read_query(FeedFilter, request).validated_data
        project = caller_of(request).project
        after = _after(query.get("cursor", ""), project.pk)
        limit = query.get("limit", MOST_FEED)
        rows = feed.read(
            feed.FeedQuery(
                project_id=project.pk,
                after=after,
                types=tuple(query.get("types", ())),
                subject=query.get("instanceId", ""),
                limit=limit + 1,
            )
        )
        shown = rows[:limit]
        last = (shown[-1].xid, shown[-1].pk) if shown else after
        answer = Feed(
            events=[FeedEvent.of(row) for row in shown],
            hasMore=len(rows) > limit,
            nextCursor=cursors.encode(last, _name(project.pk)),
        )
        return Response(answer.as_json())


def _after(cursor: str, project_id: int) -> feed.Key:
    if not cursor:
        return feed.BEGINNING
    if cursor == NOW:
        return feed.newest(project_id)
    try:
        xid, pk = cursors.decode(cursor, _name(project_id))
    except (cursors.CursorError, ValueError):
        raise ValidationError({"cursor": [_UNKNOWN]}) from None
    return int(xid), int(pk)


def _name(project_id: int) -> cursors.ListName:
    """The same for all filters: a reader may change them on the way."""
    return cursors.ListName(str(project_id), "feed", "")
