"""HTML of JSON values and error histories for the admin."""

import json
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.redaction import redacted

JSON_LIMIT = 2_000


def pretty_json(value: Any) -> SafeString:
    """Indented JSON without secrets, cut at JSON_LIMIT characters."""
    text = json.dumps(redacted(value), indent=2, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) > JSON_LIMIT:
        text = f"{text[:JSON_LIMIT]}\n… {len(text) - JSON_LIMIT} more characters"
    return format_html('<pre class="novitai-pre">{}</pre>', text)


def error_history(errors: list[dict[str, Any]]) -> SafeString:
    """The errors of a job, latest first, with collapsed tracebacks."""
    entries = [(_entry_head(entry), _traceback(entry)) for entry in reversed(redacted(errors))]
    if not entries:
        return format_html("{}", "-")
    items = format_html_join("", "<li>{}{}</li>", entries)
    return format_html('<ol class="jobs-history">{}</ol>', items)


def _entry_head(entry: dict[str, Any]) -> SafeString:
    """Time, attempt, message. An entry about a manual action has no attempt number."""
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
