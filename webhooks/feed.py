"""The feed: a project's messages in the order of (transaction, id), so that none is missed."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.database.transaction_ids import FINAL_BEFORE
from webhooks.models import Message

# Position in the feed: transaction id, message id.
Key = tuple[int, int]
BEGINNING: Key = (0, 0)


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """Which messages; ``types`` and ``subject`` empty: all."""

    project_id: int
    after: Key = BEGINNING
    types: tuple[str, ...] = ()
    subject: str = ""
    limit: int = 100


def read(query: FeedQuery) -> Sequence[Message]:
    """Messages after the key, oldest first. Those of transactions that may still be overtaken by
    an open one are not shown yet.
    """
    return list(
        Message.objects.raw(
            _READ,
            {
                "project": query.project_id,
                "xid": str(query.after[0]),
                "id": query.after[1],
                "types": list(query.types) or None,
                "subject": query.subject or None,
                "limit": query.limit,
            },
        )
    )


_READ = f"""
SELECT m.* FROM webhooks_message m
WHERE m.project_id = %(project)s AND (m.xid, m.id) > (%(xid)s::xid8, %(id)s)
  AND m.xid < {FINAL_BEFORE}
  AND (%(types)s::text[] IS NULL OR m.type = ANY(%(types)s::text[]))
  AND (%(subject)s::text IS NULL OR m.subject = %(subject)s::text)
ORDER BY m.xid, m.id LIMIT %(limit)s
"""  # noqa: S608 - constants


def newest(project_id: int) -> Key:
    """Key of the last message that is shown, after which only new ones follow."""
    found = list(Message.objects.raw(_NEWEST, {"project": project_id}))
    return (found[0].xid, found[0].pk) if found else BEGINNING


_NEWEST = f"""
SELECT m.* FROM webhooks_message m
WHERE m.project_id = %(project)s AND m.xid < {FINAL_BEFORE}
ORDER BY m.xid DESC, m.id DESC LIMIT 1
"""  # noqa: S608 - constants
