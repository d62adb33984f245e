"""Makes the pages of docs/api anew: errors, endpoints and the schema of this version."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from novitai.openapi.pages import documents


class Command(BaseCommand):
    """After every change of the API; a test says when it was forgotten."""

    help = "Write docs/api/errors.md, docs/api/endpoints.md and docs/api/schemas/VERSION.json."

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = settings.BASE_DIR / "docs" / "api"
        for name, text in documents().items():
            (folder / name).write_text(text, encoding="utf-8")
            self.stdout.write(f"docs/api/{name}")
