"""The first page of the documentation: what a newcomer must know before the first call."""

DESCRIPTION = """\
Creates, watches and ends GPU instances on Novita.ai. One `POST /api/instances` gets one GPU at the
best price in its region; a signed webhook tells when it is usable; what is no longer wanted is
ended until its absence is proven.

# Authentication

Every call below `/api/` needs an API key: `Authorization: Bearer KEY`. A key belongs to a project
and sees that project's rows only: the ids of others answer 404, as if they did not exist. The
health addresses, this document and its pages need no key.

# Errors

Every answer that is not a success has one form, whoever refuses:

```json
{
  "error": {
    "code": "INVALID_STATE",
    "message": "Instance inst_… is stopped and cannot restart now.",
    "retryable": false,
    "suggestion": "Read it again (GET) and decide by its present status.",
    "timestamp": "2023-12-01T10:00:00.000Z",
    "requestId": "req_…"
  }
}
```

Branch on `code`, which never changes its meaning; show `message` to people. `retryable` tells
whether the same request may succeed later. A 400 lists every bad field in `validationErrors`.

# Retries and idempotency

Send an `Idempotency-Key` with every POST, and the same one when you repeat it: the work is done
once, and the first answer comes again, with `Idempotent-Replayed: true`, for 24 hours. Another
request under the same key is refused with 422. A key belongs to the project, whichever API key
sends it, and `order-42` and `"order-42"` (the form of the draft standard) are the same key; a comma
needs the quotes, and a header that came twice is refused with 400. `POST /api/instances/plan`
changes nothing and claims no key. Repeat on 429, 500, 503 and on lost connections,
after `Retry-After` where it is given, else with growing pauses.

# Conditional requests

The `ETag` of an instance is its version in quotes. Send it as `If-Match`, and a change is refused
with 412 if another one came first; as `If-None-Match`, and an unchanged instance is answered with
304.
Proxies that compress rewrite tags (`W/"8"`, `"8-gzip"`); both headers take them for `"8"`.

# Pagination

Lists come in pages of `limit` rows (1 to 100). `nextCursor` of a page is the `cursor` of the next;
where it is missing, the list has ended. `total` is exact up to 10,000, beyond that `totalIsCapped`
is true. A cursor stays valid while rows come and go.

# Request ids

Every answer carries `X-Request-Id`. Send one of your own (up to 80 letters, digits, dots, dashes
and underscores) and it is used instead; it stands in the logs, on the events that the request
caused and on the calls to Novita that follow from it.

# Waiting for an instance

Creating, starting, stopping and ending take minutes and are answered at once, with 201 or 202.
What became of it is told by a webhook (see *Webhooks*) or by reading the instance.

# Compatibility

The version is semantic. Within a major version nothing is removed or narrowed; new fields, new
operations and new values in answers may come at any time, so ignore what you do not know. What is
going to be removed is marked as deprecated here and answers with `Deprecation`, `Sunset` and
`Link` headers meanwhile.
"""

TAGS = [
    {
        "name": "Instances",
        "description": "Ask for GPU instances and see what became of them.",
    },
    {
        "name": "Lifecycle",
        "description": "Start, stop, restart and end instances. Asking again for what is under way "
        "changes nothing.",
    },
    {
        "name": "Events",
        "description": "What happened, when, why and on whose behalf.",
    },
    {
        "name": "Catalogue",
        "description": "What can be had, where, and at what price.",
    },
    {
        "name": "Jobs",
        "description": "The work behind the instances: what waits, what failed, what to set going "
        "again.",
    },
    {"name": "Keys", "description": "Who may call, and what for."},
    {
        "name": "Health",
        "description": "How the service itself is: for people, load balancers and dashboards.",
    },
    {
        "name": "Webhooks",
        "description": "Messages that this service sends to the `webhookUrl` of an instance, "
        "signed by Standard Webhooks.",
    },
]


def keep_used_tags(document: dict[str, object], used: set[str]) -> None:
    """A group without operations would be an empty heading on the pages."""
    document["tags"] = [tag for tag in TAGS if tag["name"] in used]
