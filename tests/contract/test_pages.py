"""docs/api says what the service does, no more and no less."""

import re

import pytest

from novitai.errors.codes import CODES
from novitai.openapi.pages import documents
from tests.contract.documents import ROOT, operations

FOLDER = ROOT / "docs" / "api"


@pytest.mark.parametrize("name", documents())
def test_a_page_is_what_the_code_makes_of_it(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == documents()[name], (
        "remake it: manage.py write_api_documents"
    )


def test_every_endpoint_is_listed_and_every_listed_one_exists() -> None:
    page = (FOLDER / "endpoints.md").read_text()
    listed = re.findall(
        r"^\| ([A-Z]+) \| `(/[^`]*)` \| ([a-z:]+(?: or [a-z:]+)*|–) \|", page, re.MULTILINE
    )
    told = {(method, path) for method, path, _ in listed}
    assert told == {(operation.method, operation.path) for operation in operations()}
    assert len(listed) == len(told)
    without_key = {path for _, path, scope in listed if scope == "–"}
    assert without_key == {o.path for o in operations() if not o.body.get("security")}


def test_every_code_is_listed_with_its_status() -> None:
    page = (FOLDER / "errors.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d{3}) \| (yes|no) \|", page, re.MULTILINE)
    assert {code: (int(status), retry == "yes") for code, status, retry in rows} == {
        name: (code.status, code.retryable) for name, code in CODES.items()
    }


@pytest.mark.parametrize("name", CODES)
def test_a_code_says_what_it_is_and_what_to_do(name: str) -> None:
    code = CODES[name]
    assert 400 <= code.status < 600
    assert code.message.endswith(".")
    # What cannot be understood at all has no advice.
    assert code.suggestion.endswith(".") or name == "BAD_REQUEST"
    # The same request may succeed later where time is all it lacks.
    assert code.retryable == (code.status in (408, 429, 500, 503) or name.endswith("IN_USE"))


def test_the_policy_names_what_it_promises() -> None:
    policy = (FOLDER / "versioning.md").read_text()
    for word in ("N-2", "Deprecation", "Sunset", "RFC 9745", "RFC 8594", "Upgrade guides"):
        assert word in policy
