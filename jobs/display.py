"""Rows made readable for operators."""

import json
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.redaction import redacted

JSON_LIMIT = 2_000


def pretty_json(value: Any) -> SafeString:
    """Indented, without secrets, and cut: a payload may be a megabyte."""
    text = json.dumps(redacted(value), indent=2, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) > JSON_LIMIT:
        text = f"{text[:JSON_LIMIT]}\n… {len(text) - JSON_LIMIT} more characters"
    return format_html('<pre class="novitai-pre">{}</pre>', text)


def error_history(errors: list[dict[str, Any]]) -> SafeString:
    """Latest first: when, which attempt, what; the traceback opens at a click."""
    entries = [(_entry_head(entry), _traceback(entry)) for entry in reversed(redacted(errors))]
    if not entries:
        return format_html("{}", "-")
    items = format_html_join("", "<li>{}{}</li>", entries)
    return format_html('<ol class="jobs-history">{}</ol>', items)


def _entry_head(entry: dict[str, Any]) -> SafeString:
    """What people did to the job stands among the attempts, without a number."""
    attempt = f", attempt {entry['attempt']}" if "attempt" in entry else ""
    return format_html(
        '<div><time>{}</time>{}</div><pre class="novitai-pre">{}</pre>',
        str(entry.get("at", ""))[:19].replace("T", " "),
        attempt,
        entry.get("error", ""),
    )


def _traceback(entry: dict[str, Any]) -> SafeString | str:
    if not entry.get("traceback"):
        return ""
    return format_html(
        '<details><summary>traceback</summary><pre class="novitai-pre">{}</pre></details>',
        entry["traceback"],
    )
