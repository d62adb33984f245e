"""Documents that are tables and lists: nothing stands twice, as after a merge of versions."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENTRIES = {
    # The first cell of a row of faults: F1, F-45, SIM.
    "docs/reliability.md": r"^\| (F-?\d+\w?|SIM|P\d) \| (?=[a-zA-Z])(.{20})",
    "docs/decisions.md": r"^(###? .+)$",
    "docs/glossary.md": r"^\| (?!Term|---)([^|]+) \|",
    "CHANGELOG.md": r"^(## .+)$|^(- .{40})",
}


@pytest.mark.parametrize("name", ENTRIES)
def test_no_entry_stands_twice(name: str) -> None:
    found = Counter(re.findall(ENTRIES[name], (ROOT / name).read_text(), re.MULTILINE))
    assert len(found) > 5
    assert [entry for entry, count in found.items() if count > 1] == []
