"""Tables of cases for tests of pure decisions."""

from __future__ import annotations

from typing import Any

import pytest


def table(names: str, *rows: tuple[Any, ...]) -> pytest.MarkDecorator:
    """One test for each row; its first field is the sentence that names the case."""
    return pytest.mark.parametrize(names, [pytest.param(*row[1:], id=row[0]) for row in rows])
