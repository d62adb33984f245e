"""Rows made readable for operators."""

import json
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.redaction import redacted

JSON_LIMIT = 2_000


def pretty_json(value: Any) -> SafeString:
    """Indented, without secrets, and cut: a payload may be a megabyte."""
    text = json.dumps(redacted(value), indent=2, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) > JSON_LIMIT:
        text = f"{text[:JSON_LIMIT]}\n… {len(text) - JSON_LIMIT} more characters"
    return format_html('<pre class="novitai-pre">{}</pre>', text)
