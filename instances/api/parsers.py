"""Merge patches are JSON under another name (RFC 7396), read as strictly."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.parsers import BaseParser

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
        configured: Any = settings.REST_FRAMEWORK
        reader: type[BaseParser] = import_string(configured["DEFAULT_PARSER_CLASSES"][0])
        return reader().parse(stream, media_type, parser_context)
