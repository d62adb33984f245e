"""Classes of calls to Novita, and what each leaves of the account's call budget. Pure."""

from enum import StrEnum

# Calls that the largest work item needs at once.
ENOUGH_AT_ONCE = 10


class CallClass(StrEnum):
    """What a call is for, the most important first. Each class leaves the reserves above it."""

    # Terminate and stop: they end costs.
    END = "end"
    # Monitoring, listings, reconciliation, searches for lost creates, /health, the catalogue's
    # refresh: they see results, and keep other calls unnecessary.
    WATCH = "watch"
    # Creates, starts and restarts, with the reads of known things that they need.
    CREATE = "create"
    # Look-ups of unknown products and templates, and what nobody waits for long.
    OTHER = "other"


def left_by(call_class: CallClass, capacity: int) -> int:
    """Calls that a class leaves in a bucket of ``capacity`` calls to the classes above it.

    At 300 calls a minute, of 60: END 0, WATCH 6, CREATE 16, OTHER 26.
    """
    for_ends = capacity // 10
    for_watch = min(capacity // 6, ENOUGH_AT_ONCE)
    for_creates = min(capacity // 3, ENOUGH_AT_ONCE)
    match call_class:
        case CallClass.END:
            return 0
        case CallClass.WATCH:
            return for_ends
        case CallClass.CREATE:
            return for_ends + for_watch
        case CallClass.OTHER:
            return for_ends + for_watch + for_creates
