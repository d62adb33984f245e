"""``manage.py write_api_documents``: generate docs/api (errors, endpoints, schema)."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from novitai.openapi.pages import documents


class Command(BaseCommand):
    """To be run after every change of the API; a test fails if it was not."""

    help = "Write docs/api/errors.md, docs/api/endpoints.md and docs/api/schemas/VERSION.json."

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = settings.BASE_DIR / "docs" / "api"
        for name, text in documents().items():
            (folder / name).write_text(text, encoding="utf-8")
            self.stdout.write(f"docs/api/{name}")
