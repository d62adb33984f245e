"""``manage.py worker``, before anything of it runs."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command


def test_a_worker_without_a_key_does_not_start(settings: Any) -> None:
    """It would take jobs from those that have one, and fail them."""
    settings.CONFIG = settings.CONFIG.model_copy(update={"novita_api_key": None})
    with pytest.raises(CommandError, match="NOVITA_API_KEY is not set"):
        call_command("worker")
