"""The head of a request: from ASGI's scope to WSGI's environ, or refused.

httptools has refused what two servers could read differently (two lengths, a length beside chunks,
bare line feeds, folded lines). Here is what it lets pass: sizes, Host, headers that came twice.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from core.client_addresses import is_trusted_peer
from novitai.middleware.single_headers import refusal_text, repeated_line

MOST_LINE_BYTES = 8190
MOST_HEADERS = 100
_VERSIONS = ("1.0", "1.1")
# Where a proxy says that its client came by TLS, and the word for it.
_SCHEMES = {
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_SSL": "on",
    "HTTP_X_FORWARDED_PROTOCOL": "ssl",
}
_CONTRADICTION = (
    "The proxy's headers contradict each other about http and https: X-Forwarded-Proto, "
    "X-Forwarded-Ssl and X-Forwarded-Protocol. Let the proxy send X-Forwarded-Proto alone."
)


class Refused(Exception):
    """The request is answered with the error ``code``; ``message`` replaces the code's own."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message


def environ_of(scope: dict[str, Any]) -> dict[str, Any]:
    """Without the body. Raises Refused."""
    _refuse_size(scope)
    if scope["http_version"] not in _VERSIONS:
        raise Refused("BAD_REQUEST")
    server, client = scope["server"] or ("", ""), scope["client"] or ("", "")
    path = scope["raw_path"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # WSGI's way of carrying bytes.
        "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    _add_headers(environ, scope)
    environ["wsgi.url_scheme"] = _scheme(environ)
    return environ


def add_body(environ: dict[str, Any], body: bytearray, *, is_chunked: bool) -> None:
    """A chunked body goes on as one with a length; Django takes the other for empty."""
    environ["wsgi.input"] = BytesIO(body)
    if is_chunked:
        environ["CONTENT_LENGTH"] = str(len(body))


def _refuse_size(scope: dict[str, Any]) -> None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_LINE_BYTES:
        raise Refused("URI_TOO_LONG")
    headers = scope["headers"]
    longest = max((len(name) + len(value) for name, value in headers), default=0)
    if len(headers) > MOST_HEADERS or longest > MOST_LINE_BYTES:
        raise Refused("HEADERS_TOO_LARGE")


def _add_headers(environ: dict[str, Any], scope: dict[str, Any]) -> None:
    names = []
    for name, value in _headers(scope):
        names.append(name)
        key = name.replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if repeated := repeated_line(names):
        raise Refused("BAD_REQUEST", refusal_text(repeated))
    # RFC 9112, 3.2 and 6.1: HTTP/1.1 has a Host, and HTTP/1.0 no chunks.
    has_host, is_chunked = "HTTP_HOST" in environ, "HTTP_TRANSFER_ENCODING" in environ
    if is_chunked if scope["http_version"] == "1.0" else not has_host:
        raise Refused("BAD_REQUEST")
    if environ.get("HTTP_EXPECT", "100-continue").lower() != "100-continue":
        raise Refused("EXPECTATION_FAILED")


def _headers(scope: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in scope["headers"]:
        # In environ, X_Forwarded_For would stand in the place of X-Forwarded-For.
        if b"_" not in name:
            yield name.decode("latin-1").upper(), value.decode("latin-1")


def _scheme(environ: dict[str, Any]) -> str:
    """What the proxy in front says of its client. Others' words do not count."""
    said = {environ[name] == word for name, word in _SCHEMES.items() if name in environ}
    if not said or not is_trusted_peer(environ["REMOTE_ADDR"]):
        return "http"
    if len(said) > 1:
        raise Refused("BAD_REQUEST", _CONTRADICTION)
    return "https" if said.pop() else "http"
