"""docs/reliability.md maps each fault of the field to tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
ROWS = re.findall(
    r"^\| (F-\d+.*?) \| .*? \| (`.*`) \|$", PAGE.partition("Faults of the field")[2], re.M
)
# Told, and left to later releases.
LATER = {43, 44, 46, 47, 65}


def test_every_test_that_a_fault_names_is_there() -> None:
    missing = [
        test for _, tests in ROWS for test in re.findall(r"`(.*?)`", tests) if not is_there(test)
    ]
    assert missing == []


def is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    return file.is_file() and (not name or f"def {name}(" in file.read_text())


def test_every_fault_has_a_row() -> None:
    told = {int(number) for fault, _ in ROWS for number in re.findall(r"F-(\d+)", fault)}
    assert told == set(range(1, 67)) - LATER
