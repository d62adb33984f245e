"""What a look at Novita means for an instance, by the status that it has here."""

from instances.watching.absence import MANY, is_brake_on
from instances.watching.looks import Look, Sighting
from instances.watching.moving import is_watched, observe
from instances.watching.notes import keep_access, save_notes
from instances.watching.settled import settle
from instances.watching.starting import fail_unwatched

__all__ = [
    "MANY",
    "Look",
    "Sighting",
    "fail_unwatched",
    "is_brake_on",
    "is_watched",
    "keep_access",
    "observe",
    "save_notes",
    "settle",
]
