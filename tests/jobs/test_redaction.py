"""Error texts without what must not be shown."""

import pytest

from jobs.redaction import TEXT_LIMIT, redacted_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("TimeoutError: no answer in 5 s", "TimeoutError: no answer in 5 s"),
        ("first\nDETAIL: (hunter2)", "first"),
        ("GET https://me:hunter2@a.example/x?k=hunter2: 500", "GET https://a.example/x?… 500"),
        ("see 'postgresql://u:hunter2@db:5432/n'", "see 'postgresql://db:5432/n'"),
        ("sent Authorization: Bearer hunter2 to it", "sent Authorization: … … to it"),
        ("api_key=hunter2 refused", "api_key=… refused"),
        ('{"password": "hunter2"}', '{"password": …'),
        ("the token expired", "the token expired"),
    ],
)
def test_an_error_keeps_its_sense_and_loses_its_secrets(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


def test_a_long_error_is_cut() -> None:
    assert len(redacted_text("a" * 10_000)) == TEXT_LIMIT
