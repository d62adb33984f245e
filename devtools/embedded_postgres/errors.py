"""The only exception that this package raises to its callers."""


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be used; the message says why and what to do instead.

    Not retryable. Temporary states (a server that is stopping, another process that starts one) are
    waited for within the caller's timeout and never raised.
    """


REMEDY = (
    "Set DATABASE_URL to use a Postgres server of your own "
    "(postgresql://user:password@host:5432/name)."
)
