"""Merge patches are JSON under another name (RFC 7396), read as strictly."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser
from rest_framework.settings import api_settings

MERGE_PATCH = "application/merge-patch+json"


class MergePatchParser(BaseParser):
    """Leaves the reading to the parser of all other bodies."""

    media_type = MERGE_PATCH

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        reader = api_settings.DEFAULT_PARSER_CLASSES[0]()
        return reader.parse(stream, media_type, parser_context)
