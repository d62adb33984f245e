"""A request while it arrives: where it ends (RFC 9112, sections 6 and 7), found before parsing it.

Only so much is understood here that nobody need wait for the rest. Whatever is doubtful is worth
reading: the parser, which then reads the same bytes, is who refuses it.
"""

import re

from gunicorn.http.errors import LimitRequestHeaders, NoMoreData, ParseException

# Request line and headers together; other servers take half of it by default.
MOST_HEAD_BYTES = 65_536
MOST_CHUNK_LINE_BYTES = 4_096
# A body in chunks and its framing may weigh so many bodies: a byte to a chunk makes six of one.
_MOST_FRAMED = 8

_NOT_HTTP = re.compile(rb"[^!-~\r]|[^\r]*+(?<! HTTP/1\.\d)\r\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n")
_EXPECTS = re.compile(
    rb"(?:\r\n)?[^\r]* http/1\.1\r\n(?s:.*\r\n)?expect:[ \t]*100-continue[ \t]*\r\n"
)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_PART_OF_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}[ \t]*(?:;[^\r\n]*)?\r?\Z|\Z")


class RequestTimeout(ParseException):  # type: ignore[misc]
    """The request did not arrive in time."""


# What reading a body raises when it cannot be read to its end.
UNREADABLE = "The request body could not be read to its end."
UNREADABLE_BODY = (ParseException, NoMoreData)


class Arriving:
    """The bytes of one request, and what came after them.

    limit: of the body, in bytes; who announces or sends more is answered without the rest.
    """

    def __init__(self, limit: int, data: bytes = b"") -> None:
        self._data = bytearray()
        self._limit = limit
        self._taken = 0
        self._looked_at = 0
        self._head = b""
        # Where the request ends, and where its next chunk begins.
        self._end: int | None = None
        self._chunk_at: int | None = None
        self._framing = 0
        self._is_doubtful = False
        # What somebody gets who would read on.
        self.refusal: type[ParseException] = RequestTimeout
        if data:
            self.feed(data)

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def is_whole(self) -> bool:
        """Everything is here, up to its end."""
        return self._end is not None and len(self._data) >= self._end

    @property
    def is_worth_reading(self) -> bool:
        """Whether it is whole, or can be refused without the rest of it."""
        return self.is_whole or self._is_doubtful

    @property
    def expects_continue(self) -> bool:
        """Whether its client may send the body only when it is told to (RFC 9110, 10.1.1)."""
        return not self.is_worth_reading and bool(_EXPECTS.match(self._head))

    def feed(self, data: bytes) -> None:
        self._data += data
        if not self._head:
            self._look_for_head()
        if self._chunk_at is not None:
            self._look_through_chunks(self._chunk_at)

    def take(self, size: int) -> bytes:
        """The next bytes; none of the following request together with the last of this one."""
        end = self._taken + size
        if self._end is not None and self._taken < self._end:
            end = min(end, self._end)
        data = bytes(self._data[self._taken : end])
        self._taken += len(data)
        return data

    def rest(self) -> bytes:
        """What nobody has taken."""
        return bytes(self._data[self._taken :])

    def _look_for_head(self) -> None:
        # One empty line may come before a request (RFC 9112, 2.2).
        begin = 2 if self._data.startswith(b"\r\n") else 0
        looked_at, self._looked_at = self._looked_at, len(self._data)
        end = self._data.find(b"\r\n\r\n", max(looked_at - 3, begin))
        if end >= 0:
            self._head = bytes(self._data[: end + 4]).lower()
            self._find_end(self._head)
        elif len(self._data) > MOST_HEAD_BYTES:
            self._doubt(LimitRequestHeaders)
        elif _NOT_HTTP.match(self._data, begin) or _BARE_LF.search(self._data, looked_at):
            self._doubt(ParseException)

    def _find_end(self, head: bytes) -> None:
        if b"\r\ntransfer-encoding:" in head:
            self._chunk_at = len(head)
        elif b"\r\ncontent-length:" not in head:
            self._end = len(head)
        elif (length := _LENGTH.search(head)) and int(length[1]) <= self._limit:
            self._end = len(head) + int(length[1])
        else:
            self._doubt(RequestTimeout)

    def _look_through_chunks(self, at: int) -> None:
        while size := _CHUNK_SIZE.match(self._data, at):
            length = int(size[1], 16)
            if length == 0:
                self._look_for_trailers(size.end())
                return
            if size.end() + length + 2 > len(self._data):
                break
            at = self._chunk_at = size.end() + length + 2
            self._framing += size.end() - size.start() + 2
        is_long = not size and len(self._data) - at > MOST_CHUNK_LINE_BYTES
        is_broken = not size and not _PART_OF_CHUNK_SIZE.match(self._data, at)
        if is_long or is_broken or self._is_heavy(len(self._data) - len(self._head)):
            self._doubt(RequestTimeout)

    def _is_heavy(self, come: int) -> bool:
        """Whether a body in chunks is too large by now, whatever the line of its next chunk."""
        most = self._limit + MOST_CHUNK_LINE_BYTES
        return come - self._framing > most or come > self._limit * _MOST_FRAMED

    def _look_for_trailers(self, at: int) -> None:
        """After the last chunk: lines up to an empty one."""
        if self._data[at : at + 2] == b"\r\n":
            self._end = at + 2
        elif (end := self._data.find(b"\r\n\r\n", at)) >= 0:
            self._end = end + 4
        elif len(self._data) - at > MOST_HEAD_BYTES:
            self._doubt(LimitRequestHeaders)

    def _doubt(self, refusal: type[ParseException]) -> None:
        self._is_doubtful = True
        self.refusal = refusal
