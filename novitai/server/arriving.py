"""A request while it arrives: where it ends (RFC 9112, sections 6 and 7), found before parsing it.

Only so much is understood here that nobody need wait for the rest. Whatever is doubtful is worth
reading: the parser, which then reads the same bytes, is who refuses it.
"""

import re

from gunicorn.http.errors import LimitRequestHeaders, NoMoreData, ParseException

# Request line and headers together, or trailers; other servers take half of it by default.
MOST_HEAD_BYTES = 65_536
MOST_CHUNK_LINE_BYTES = 4_096
# Sizes and line ends of a body in chunks. Looking through ten thousand of them takes 10 ms.
MOST_FRAMING_BYTES = 65_536

_NOT_HTTP = re.compile(rb"[^!-~\r]|[^\r]*+(?<! HTTP/1\.\d)\r\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n")
_EXPECTS = re.compile(
    rb"(?:\r\n)?[^\r]* http/1\.1\r\n(?s:.*\r\n)?expect:[ \t]*100-continue[ \t]*\r\n"
)
_EXTENSION = rb'(?:;[^\r\n"]*+(?:"[^\r\n"]*+"[^\r\n"]*+)*+)?'
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]++)" + _EXTENSION + rb"\r\n")
_PART_OF_CHUNK_SIZE = re.compile(rb"(?:[0-9a-fA-F]++(?:;[^\r\n]*+)?\r?)?\Z")


class RequestTimeout(ParseException):  # type: ignore[misc]
    """The request did not arrive in time."""


class BodyTooLarge(ParseException):  # type: ignore[misc]
    """The body, or its framing, is more than anybody reads."""


# What reading a body raises when it cannot be read to its end.
UNREADABLE = "The request body could not be read to its end."
UNREADABLE_BODY = (ParseException, NoMoreData)


class Arriving:
    """The bytes of one request, and what came after them.

    limit: of the body, in bytes; who announces more is answered without the rest.
    """

    def __init__(self, limit: int, data: bytes = b"") -> None:
        self._data = bytearray()
        self._limit = limit
        self._taken = 0
        self._looked_at = 0
        self._head_size = 0
        self._may_expect = False
        # Where the request ends, and where its next chunk begins.
        self._end: int | None = None
        self._chunk_at: int | None = None
        self._body_size = 0
        self._has_trailers = False
        # What somebody gets who would read on.
        self.refusal: ParseException = RequestTimeout()
        self._is_refused = False
        if data:
            self.feed(data)

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def has_begun(self) -> bool:
        return bool(self._data) or self._is_refused

    @property
    def is_whole(self) -> bool:
        """Everything is here, up to its end."""
        return self._end is not None and len(self._data) >= self._end

    @property
    def is_clean(self) -> bool:
        """Whether it is certain where the next one begins: trailers may still be refused."""
        return self.is_whole and not self._has_trailers

    @property
    def is_worth_reading(self) -> bool:
        """Whether it is whole, or can be refused without the rest of it."""
        return self._is_refused or self.is_whole

    @property
    def expects_continue(self) -> bool:
        """Whether its client may send the body only when it is told to (RFC 9110, 10.1.1)."""
        return self._may_expect and not self.is_worth_reading

    def feed(self, data: bytes) -> None:
        self._data += data
        if not self._head_size:
            self._look_for_head()
        if self._chunk_at is not None and not self._is_refused:
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
        end = self._data.find(b"\r\n\r\n", max(looked_at - 3, begin), MOST_HEAD_BYTES)
        if end >= 0:
            self._head_size = end + 4
            self._find_end(bytes(self._data[: end + 4]).lower())
        elif len(self._data) >= MOST_HEAD_BYTES:
            self._refuse_unread()
        elif _NOT_HTTP.match(self._data, begin) or _BARE_LF.search(self._data, looked_at):
            self._refuse(ParseException())

    def _find_end(self, head: bytes) -> None:
        self._may_expect = bool(_EXPECTS.match(head))
        if b"\r\ntransfer-encoding:" in head:
            self._chunk_at = len(head)
        elif b"\r\ncontent-length:" not in head:
            self._end = len(head)
        elif (length := _LENGTH.search(head)) and int(length[1]) <= self._limit:
            self._end = len(head) + int(length[1])
        else:
            self._refuse(BodyTooLarge())

    def _look_through_chunks(self, at: int) -> None:
        size = _CHUNK_SIZE.match(self._data, at)
        while size and int(size[1], 16) and self._pass(size.end(), int(size[1], 16)):
            size = _CHUNK_SIZE.match(self._data, self._chunk_at or 0)
        if size is None:
            self._judge_part_of_line(self._data[self._chunk_at :])
        elif int(size[1], 16) == 0:
            self._look_for_trailers(size.end())

    def _pass(self, at: int, length: int) -> bool:
        """Whether all of the chunk that begins here has come, so that the next one may be next."""
        end = at + length
        closing = self._data[end : end + 2]
        is_large = self._body_size + length > self._limit
        if is_large or at - self._head_size - self._body_size > MOST_FRAMING_BYTES:
            self._refuse(BodyTooLarge())
        elif closing != b"\r\n"[: len(closing)]:
            self._refuse(ParseException())
        elif len(closing) == 2:
            self._body_size += length
            self._chunk_at = end + 2
            return True
        return False

    def _judge_part_of_line(self, part: bytearray) -> None:
        if len(part) > MOST_CHUNK_LINE_BYTES or not _PART_OF_CHUNK_SIZE.match(part):
            self._refuse(ParseException())

    def _look_for_trailers(self, at: int) -> None:
        """After the last chunk: lines up to an empty one."""
        if self._data[at : at + 2] == b"\r\n":
            self._end = at + 2
        elif (end := self._data.find(b"\r\n\r\n", at, at + MOST_HEAD_BYTES)) >= 0:
            self._end = end + 4
            self._has_trailers = True
        elif len(self._data) - at >= MOST_HEAD_BYTES:
            self._refuse_unread()

    def _refuse_unread(self) -> None:
        """A head, or trailers, that would be too long, whatever the parser's own limits."""
        self._data.clear()
        self._refuse(LimitRequestHeaders("limit request headers size"))

    def _refuse(self, refusal: ParseException) -> None:
        self._is_refused = True
        self.refusal = refusal
