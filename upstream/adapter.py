"""requests over our transport, by its documented extension point: a transport adapter.

requests' own adapter has a timeout for each read: a server that sends a byte now and then, or a
DNS server that is silent, stretches a call without limit.
"""

from __future__ import annotations

import io
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from egress.errors import ConnectionLost
from egress.exchange import Deadline
from egress.transport import HttpRequest, Transport


class DeadlineAdapter(HTTPAdapter):
    """Sends over an `egress.transport.Transport`. No redirect, no cookie, no proxy, no retry, but
    for one repeat of a GET that found its kept-alive connection already closed by the server.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        *_args: Any,
        **_kwargs: Any,
    ) -> Response:
        """`timeout` is the total time in seconds: connect, request, headers and body. A request
        with "Connection: close" has a connection of its own. Raises a TransportError.
        """
        body = request.body.encode() if isinstance(request.body, str) else request.body
        asked = HttpRequest(request.method or "", request.url or "", request.headers, body)
        deadline = Deadline(timeout)
        is_fresh = request.headers.get("Connection") == "close"
        try:
            answer = self._transport.exchange(asked, deadline, is_fresh=is_fresh)
        except ConnectionLost as error:
            if not (error.is_stale and request.method == "GET"):
                raise
            answer = self._transport.exchange(asked, deadline, is_fresh=True)
        raw = HTTPResponse(
            io.BytesIO(answer.body), answer.headers, answer.status, preload_content=False
        )
        return self.build_response(request, raw)
