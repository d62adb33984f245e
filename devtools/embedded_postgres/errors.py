"""The one exception that leaves this package."""


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be had; the message says why and what to do instead.

    Not retryable: a transient state (a server that is still stopping, a second starter) is waited
    for within the caller's timeout and never raised.
    """


REMEDY = (
    "Set DATABASE_URL to use a Postgres server of your own "
    "(postgresql://user:password@host:5432/name)."
)
