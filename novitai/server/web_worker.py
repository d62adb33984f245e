"""gunicorn's threaded worker, refusing what is no HTTP in the same error format as the rest."""

import resource
import sys
from collections.abc import Iterator
from typing import Any

from gunicorn import util
from gunicorn.http import errors

from novitai.server.arriving import RequestTimeout
from novitai.server.patient_worker import PatientWorker, RepeatedHeader
from novitai.server.single_headers import refusal_text

_OPEN_FILES = 8192

# First match wins. These never reach Django: there is no request to hand over.
_REFUSALS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (RequestTimeout, 408, "Request Timeout", "REQUEST_TIMEOUT"),
    (errors.LimitRequestLine, 414, "URI Too Long", "URI_TOO_LONG"),
    (errors.LimitRequestHeaders, 431, "Request Header Fields Too Large", "HEADERS_TOO_LARGE"),
    (errors.ExpectationFailed, 417, "Expectation Failed", "EXPECTATION_FAILED"),
    (errors.UnsupportedTransferCoding, 501, "Not Implemented", "NOT_IMPLEMENTED"),
    (errors.ForbiddenProxyRequest, 403, "Forbidden", "FORBIDDEN"),
    (errors.InvalidResponseHeader, 500, "Internal Server Error", "INTERNAL_SERVER_ERROR"),
    (errors.InvalidResponseHeaderName, 500, "Internal Server Error", "INTERNAL_SERVER_ERROR"),
    (errors.ParseException, 400, "Bad Request", "BAD_REQUEST"),
    (Exception, 500, "Internal Server Error", "INTERNAL_SERVER_ERROR"),
)

_SCHEMES = (
    "The proxy's headers contradict each other about http and https: X-Forwarded-Proto, "
    "X-Forwarded-Ssl and X-Forwarded-Protocol. Let the proxy send X-Forwarded-Proto alone."
)


class WebWorker(PatientWorker):
    """Answers protocol errors as JSON, without their text: it may hold what was sent."""

    def init_process(self) -> None:
        _allow_many_sockets()
        super().init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Those who wait are told at once: their clients can ask the next process meanwhile."""
        super().handle_exit(sig, frame)
        _tell_waiting("begin_closing")

    def run(self) -> None:
        super().run()
        _tell_waiting("close")

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        _, status, reason, code = next(row for row in _REFUSALS if isinstance(exc, row[0]))
        if status == 500:
            self.log.error("Error handling a request", exc_info=exc)
        else:
            self.log.info("Refused what is no request of ours: %s", type(exc).__name__)
        try:
            util.write_nonblock(client, b"".join(_answer(status, reason, code, _words(exc))))
        except OSError:
            self.log.debug("The client did not wait for its error.")


def _tell_waiting(verb: str) -> None:
    """Imports nothing: the signal may come while Django still starts, and then nobody waits."""
    if tell := getattr(sys.modules.get("instances.streaming.process"), verb, None):
        tell()


def _allow_many_sockets() -> None:
    """Clients that wait hold one each, and 1024 is what many systems begin with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _words(exc: Exception) -> str:
    """Only what stands in this program: an exception's text may hold what was sent."""
    if isinstance(exc, errors.InvalidSchemeHeaders):
        return _SCHEMES
    return refusal_text(exc.name) if isinstance(exc, RepeatedHeader) else ""


def _answer(status: int, reason: str, code: str, message: str) -> Iterator[bytes]:
    # Not earlier: gunicorn loads this module before Django has its settings.
    from novitai.errors.responses import error_body, error_json

    error = error_body(None, code, message)
    body = error_json(error)
    yield f"HTTP/1.1 {status} {reason}\r\n".encode()
    yield f"X-Request-Id: {error['error']['requestId']}\r\n".encode()
    yield b"Connection: close\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    yield f"Content-Length: {len(body)}\r\n\r\n".encode()
    yield body
