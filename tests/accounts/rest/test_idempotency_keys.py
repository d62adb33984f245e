"""One key, in whatever form its header was sent; and none where there is more than one."""

import re

import pytest

from accounts.rest.idempotency_keys import PATTERN, read_key

SAME_KEY = {
    "k-1": ("k-1", '"k-1"'),
    'a"b': ('a"b', r'"a\"b"'),
    r"a\b": (r"a\b", r'"a\\b"'),
    "a,b": ('"a,b"',),
    "a b": ('"a b"',),
    "'k'": ("'k'", "\"'k'\""),
    "k" * 255: ("k" * 255, f'"{"k" * 255}"'),
}
NO_KEY = [
    *("", '""', " ", "k 1", "k" * 256, f'"{"k" * 256}"', "ümlaut", '"ü"', "k\t", "k\x00", "k\n"),
    *('"k', 'k" "', r'"k\"', r'"k\n"', '"k";a=1', '"a""b"'),
    # Two lines, or two keys of a proxy, joined to one header.
    *("k,k", "k, k", "k ,k", "k,", ",k", '"k","k"', '"k", "k"', 'k,"k"', '"k",k', "a,b,c"),
]


@pytest.mark.parametrize(("text", "forms"), SAME_KEY.items())
def test_all_forms_of_a_key_are_one_key(text: str, forms: tuple[str, ...]) -> None:
    for form in forms:
        key = read_key(form)
        assert key is not None
        assert key.text == text
        assert re.fullmatch(PATTERN, form)
        # What release 0.5.0 stored, which kept the header as it was.
        assert {form, f'"{text}"'} <= {text, *key.older_texts}


@pytest.mark.parametrize("header", NO_KEY)
def test_what_names_no_key_or_several_is_none(header: str) -> None:
    assert read_key(header) is None
    assert not re.fullmatch(PATTERN, header)
