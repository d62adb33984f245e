"""The head of an answer (status line and fields), bounded by bytes, before any library parses it.

Interim answers (1xx; RFC 9110, section 15.2) are skipped, known or unknown; http.client skips 100
only. Their number and the bytes of all heads together are bounded, since a server may send them
without end. A number of fields that http.client would refuse is cut down to what matters here.
"""

import re

from egress.errors import BrokenResponse, HeadTooLarge

MOST_HEAD_BYTES = 65_536
MOST_INTERIM = 8
# http.client refuses more than 100.
_MOST_FIELDS = 80
_NEEDED = (
    *(b"content-length", b"transfer-encoding", b"content-encoding", b"content-type", b"connection"),
    b"retry-after",
)
# Where http.client ends a head, too.
_END = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/\S*[ \t]+(1[0-9][0-9])(?![0-9])")


class HeadCollector:
    """Collects the bytes of one exchange until the final answer's head is whole."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0
        self._skipped_bytes = 0
        self._interim_count = 0

    def feed(self, data: bytes) -> bytes | None:
        """The final head and what came after it, once it is whole; None until then.

        Raises HeadTooLarge, and BrokenResponse for a change of protocol or endless interim answers.
        """
        self._data += data
        while (end := self._end()) is not None:
            status = _INTERIM.match(self._data)
            if status is None:
                rest = bytes(self._data[end:])
                return _thinned(bytes(self._data[:end])) + rest
            self._skip(end, status[1].decode())
        return None

    def rest(self) -> bytes:
        """What came of a head that never ended."""
        return bytes(self._data)

    def _end(self) -> int | None:
        found = _END.search(self._data, max(self._searched - 2, 0))
        self._searched = len(self._data)
        size = found.end() if found else len(self._data)
        if self._skipped_bytes + size > MOST_HEAD_BYTES:
            raise HeadTooLarge(f"the answer's headers have more than {MOST_HEAD_BYTES:,} bytes")
        return found.end() if found else None

    def _skip(self, end: int, status: str) -> None:
        if status == "101":
            raise BrokenResponse("answered 101: a change of protocol that was not asked for")
        self._interim_count += 1
        if self._interim_count > MOST_INTERIM:
            raise BrokenResponse(f"more than {MOST_INTERIM} interim answers (1xx)")
        self._skipped_bytes += end
        del self._data[:end]
        self._searched = 0


def _thinned(head: bytes) -> bytes:
    """With the first fields and all that are needed; a repeated line once."""
    lines = head.split(b"\n")
    if len(lines) - 3 <= _MOST_FIELDS:
        return head
    status_line, *fields = _unfolded(lines[:-2])
    needed: dict[bytes, None] = {}
    others: list[bytes] = []
    for field in fields:
        if field.partition(b":")[0].strip().lower() in _NEEDED:
            needed[field] = None
        elif len(others) < _MOST_FIELDS:
            others.append(field)
    return b"\n".join([status_line, *needed, *others, b"\r\n"])


def _unfolded(lines: list[bytes]) -> list[bytes]:
    """A line that begins with a blank goes on with the one before it (RFC 9112, section 5.2)."""
    whole: list[bytes] = []
    for line in lines:
        if whole and line[:1] in (b" ", b"\t"):
            whole[-1] += b"\n" + line
        else:
            whole.append(line)
    return whole
