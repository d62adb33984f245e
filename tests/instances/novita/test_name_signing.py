"""Names that prove who made them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instances.models.instance import new_reference
from instances.models.upstream import new_installation_id, new_signing_key
from instances.novita.name_signing import NameSigner

SIGNER = NameSigner("0a1b2c3d", "11" * 32)
REFERENCE = "0123456789abcdef0123"


@given(st.text(max_size=200))
def test_any_chosen_name_makes_a_fit_name_that_is_known_again(chosen_name: str) -> None:
    name = SIGNER.name(chosen_name, REFERENCE)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])", name)
    assert len(name) <= 81
    assert SIGNER.search_word in name
    assert SIGNER.reference_in(name) == REFERENCE


def test_real_ids_fit_the_pattern() -> None:
    signer = NameSigner(new_installation_id(), new_signing_key())
    reference = new_reference()
    assert signer.reference_in(signer.name("My GPU!", reference)) == reference


def test_the_chosen_name_stays_readable() -> None:
    assert SIGNER.name("My GPU!", REFERENCE).startswith("my-gpu-0a1b2c3d-")


@pytest.mark.parametrize("position", range(len("my-gpu-"), len(SIGNER.name("My GPU", REFERENCE))))
def test_a_name_changed_anywhere_is_nobodys(position: int) -> None:
    name = SIGNER.name("My GPU", REFERENCE)
    other = "f" if name[position] != "f" else "e"
    assert SIGNER.reference_in(name[:position] + other + name[position + 1 :]) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "somebody-elses",
        NameSigner("0a1b2c3d", "22" * 32).name("My GPU", REFERENCE),
        NameSigner("ffffffff", "11" * 32).name("My GPU", REFERENCE),
        SIGNER.name("My GPU", REFERENCE) + "-2",
        SIGNER.name("My GPU", REFERENCE) + "\n",
        SIGNER.name("My GPU", REFERENCE).upper(),
    ],
)
def test_what_this_installation_did_not_sign_is_foreign(name: str) -> None:
    assert SIGNER.reference_in(name) is None
