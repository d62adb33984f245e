"""The libraries of Standard Webhooks and of Svix, in Python and JavaScript, accept our messages."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import standardwebhooks
import svix

from egress.webhooks.signing import generate_secret, generate_v1a_key, signed_headers
from tests.support.node import NODE, npm_packages

JAVASCRIPT = Path(__file__).parent / "reference_libraries"
BODIES = [
    b"{}",
    '{"type":"instance.running","name":"schön 🚀"}'.encode(),
    b'{"a": "' + b"x" * 20_000 + b'"}',
]


@dataclass(frozen=True)
class Case:
    secret: str
    headers: Mapping[str, str]
    body: bytes


def signed(body: bytes = BODIES[0], *, seconds_ago: int = 0, also: Sequence[str] = ()) -> Case:
    secret = generate_secret()
    now = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return Case(secret, signed_headers(secret, "msg_1", body, now, also_sign_with=also), body)


def genuine() -> list[Case]:
    former, key = generate_secret(), generate_v1a_key()
    rotated = signed(also=[former])
    return [
        *map(signed, BODIES),
        rotated,
        replace(rotated, secret=former),
        signed(also=[key]),
        signed(seconds_ago=200),
    ]


def forged() -> list[Case]:
    case = signed()
    return [
        replace(case, body=case.body + b" "),
        replace(case, secret=generate_secret()),
        replace(case, headers={**case.headers, "webhook-id": "msg_2"}),
        signed(seconds_ago=600),
        signed(seconds_ago=-600),
    ]


@pytest.mark.parametrize("library", [standardwebhooks, svix])
def test_the_python_library_accepts_ours_and_refuses_forgeries(library) -> None:
    for case in genuine():
        library.Webhook(case.secret).verify(case.body, dict(case.headers))
    for case in forged():
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            library.Webhook(case.secret).verify(case.body, dict(case.headers))


@pytest.mark.parametrize("library", ["standardwebhooks", "svix"])
def test_the_javascript_library_accepts_ours_and_refuses_forgeries(library: str) -> None:
    good, bad = genuine(), forged()
    results = verified_by_javascript(library, good + bad)
    assert results == ["ok"] * len(good) + ["WebhookVerificationError"] * len(bad)


def verified_by_javascript(library: str, cases: Sequence[Case]) -> list[str]:
    told = [
        {
            "library": library,
            "secret": case.secret,
            "headers": dict(case.headers),
            "body": base64.b64encode(case.body).decode(),
        }
        for case in cases
    ]
    done = subprocess.run(
        [NODE, str(JAVASCRIPT / "verify.mjs"), str(npm_packages(JAVASCRIPT))],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))
