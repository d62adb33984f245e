"""Requests and responses as values, so that the simulator can be used without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from devtools.simulator.errors import invalid, refused

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One HTTP request. Its query has one value per key: the last one."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def parse(cls, method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
        parts = urlsplit(target)
        lowered = {name.lower(): value for name, value in headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, parts.path, query, lowered, body)

    def json(self) -> Json:
        """The body as an object. If it is none, raises ApiError with go-kratos's own reason."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise refused("CODEC", f"body unmarshal {error}") from error
        if not isinstance(value, dict):
            raise refused("CODEC", "body unmarshal: not an object")
        return value

    def text(self, name: str) -> str:
        """A string of the body or the query; absent means empty, as in protobuf."""
        value = self.query.get(name) if self.method == "GET" else self.json().get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise invalid(name, "value must be a string")
        return value

    def number(self, name: str, default: int = 0) -> int:
        """A whole number of the query; protobuf accepts only decimal digits."""
        raw = self.query.get(name, "")
        if raw == "":
            return default
        try:
            value = int(raw)
        except ValueError as error:
            raise invalid(name, "value must be an integer") from error
        if value < 0:
            raise invalid(name, "value must be greater than or equal to 0")
        return value


@dataclass
class Response:
    """One HTTP response; `body` is encoded already and is followed by `pad_bytes` spaces."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pad_bytes: int = 0


def json_response(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, {"Content-Type": "application/json"})


def text_response(text: str, status: int = 200) -> Response:
    return Response(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})


Routes = dict[tuple[str, str], Callable[..., Any]]
