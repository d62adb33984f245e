"""Named answers that do not come from Novita: gateways, proxies and login pages in front of it.

A fault rule uses one with `preset`; all other fields of the rule have precedence. Texts follow the
defaults of the products, shortened if they are long.
"""

from __future__ import annotations

import json
from typing import Any

PLAIN, HTML, JSON_TYPE = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"


def _page(status: int, text: str, server: str) -> dict[str, Any]:
    """The error page of a web server: the same words as title and heading."""
    page = (
        f"<html>\r\n<head><title>{text}</title></head>\r\n<body>\r\n<center><h1>{text}</h1>"
        f"</center>\r\n<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    )
    return _sent(status, page, HTML, server)


def _cloudflare(status: int, title: str, text: str) -> dict[str, Any]:
    page = (
        f'<!DOCTYPE html><html lang="en-US"><head><title>{title}</title></head>'
        f'<body><div id="cf-wrapper"><h1>{text}</h1><p>Cloudflare Ray ID: 8f00baa5d00d1234</p>'
        "</div></body></html>"
    )
    sent = _sent(status, page, HTML, "cloudflare")
    return {**sent, "headers": {**sent["headers"], "CF-RAY": "8f00baa5d00d1234-FRA"}}


def _json(status: int, body: Any, server: str = "") -> dict[str, Any]:
    return _sent(status, json.dumps(body, separators=(",", ":")), JSON_TYPE, server)


def _sent(status: int, answer: str, content_type: str, server: str = "") -> dict[str, Any]:
    headers = {"Server": server} if server else {}
    return {
        "effect": "status",
        "status": status,
        "answer": answer,
        "content_type": content_type,
        "headers": headers,
    }


def _empty(status: int) -> dict[str, Any]:
    """Response without body and content type."""
    return {"effect": "status", "status": status, "is_empty": True}


def _kratos(status: int, reason: str, message: str) -> dict[str, Any]:
    body = {"code": status, "reason": reason, "message": message, "metadata": {}}
    return {**_json(status, body), "when": "after"}


LOGIN_PAGE = (
    '<!doctype html><html><head><title>Sign in</title></head><body><form method="post">'
    '<input name="user"><input name="password" type="password"></form></body></html>'
)
_UNHEALTHY = "upstream connect error or disconnect/reset before headers. reset reason: timeout"

PRESETS: dict[str, dict[str, Any]] = {
    "kong_404": _json(404, {"message": "no Route matched with those values"}, "kong/3.4.2"),
    "kong_503": _json(503, {"message": "failure to get a peer from the ring-balancer"},
                      "kong/3.4.2"),
    "kong_401": _json(401, {"message": "No API key found in request"}, "kong/3.4.2"),
    "kong_429": _json(429, {"message": "API rate limit exceeded"}, "kong/3.4.2"),
    "nginx_403": _page(403, "403 Forbidden", "nginx/1.25.3"),
    "nginx_404": _page(404, "404 Not Found", "nginx/1.25.3"),
    "nginx_413": _page(413, "413 Request Entity Too Large", "nginx/1.25.3"),
    "nginx_499": _empty(499),
    "nginx_502": _page(502, "502 Bad Gateway", "nginx/1.25.3"),
    "nginx_504": _page(504, "504 Gateway Time-out", "nginx/1.25.3"),
    "cloudflare_403": _cloudflare(403, "Just a moment...", "Verify you are human"),
    "cloudflare_520": _cloudflare(520, "Web server is returning an unknown error",
                                  "Error code 520"),
    "cloudflare_1015": _cloudflare(429, "Access denied", "Error 1015: you are being rate limited"),
    "cloudflare_1020": _cloudflare(403, "Access denied", "Error 1020: access denied"),
    "html_200": _sent(200, LOGIN_PAGE, HTML),
    "text_200": _sent(200, "OK\n", PLAIN),
    "list_200": _json(200, []),
    "object_200": _json(200, {}),
    "null_200": _json(200, None),
    "cut_200": _sent(200, '{"instances":[{"id":"37d312386c80a3b9","na', JSON_TYPE),
    "empty_200": _empty(200),
    "empty_204": _empty(204),
    "empty_404": _empty(404),
    "empty_502": _empty(502),
    "alb_403": _page(403, "403 Forbidden", "awselb/2.0"),
    "alb_json_503": _json(503, {"message": "Service Unavailable"}, "awselb/2.0"),
    "envoy_503": _sent(503, "no healthy upstream", PLAIN, "envoy"),
    "envoy_timeout_503": _sent(503, _UNHEALTHY, PLAIN, "envoy"),
    "envoy_rbac_403": _sent(403, "RBAC: access denied", PLAIN, "envoy"),
    "traefik_404": _sent(404, "404 page not found\n", PLAIN),
    "redirect_302": {**_empty(302), "headers": {"Location": "/login?next=%2F"}},
    "redirect_307": {**_empty(307), "headers": {"Location": "/login?next=%2F"}},
    "apigateway_forbidden": _json(403, {"message": "Forbidden"}),
    "apigateway_missing_token": _json(403, {"message": "Missing Authentication Token"}),
    "apigateway_timeout": _json(504, {"message": "Endpoint request timed out"}),
    "apigateway_500": _json(500, {"message": "Internal server error"}),
    "problem_404": _sent(
        404, '{"type":"about:blank","title":"Not Found","status":404}', "application/problem+json"
    ),
    # In the service's own form: the call took effect, but the answer reports an error.
    "client_closed_499": _kratos(499, "UNKNOWN", "context canceled"),
    "deadline_504": _kratos(504, "UNKNOWN", "context deadline exceeded"),
    "hidden_error_200": {**_json(200, {"code": 500, "message": "internal error"}), "when": "after"},
}  # fmt: skip
