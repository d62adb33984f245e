"""The programs of docs/webhooks.md, run as they stand there: they accept messages of ours, and
refuse forgeries.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from egress.webhooks.signing import (
    generate_secret,
    generate_v1a_key,
    public_key_of,
    signed_headers,
)
from tests.support.node import NODE

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"
FILES = {"verify.py": "python", "verify.mjs": "js", "verify.sh": "sh"}
DRIVERS = {
    "verify.py": (
        "import json, sys; from verify import verify\n"
        "key, headers, path = json.load(sys.stdin)\n"
        "verify(key, headers, open(path, 'rb').read())\n"
    ),
    "verify.mjs": (
        'import { readFileSync } from "node:fs"; import { verify } from "./verify.mjs";\n'
        'const [key, headers, path] = JSON.parse(readFileSync(0, "utf8"));\n'
        "verify(key, headers, readFileSync(path));\n"
    ),
}
BODY = '{"type": "instance.running", "name": "schön"}'.encode()
each_program = pytest.mark.parametrize("name", FILES)


@dataclass(frozen=True)
class Message:
    """``key``: what a receiver verifies with."""

    key: str
    headers: dict[str, str]
    body: bytes = BODY

    def with_header(self, name: str, value: str) -> Message:
        return replace(self, headers={**self.headers, name: value})


def message(key: str, *, also: Sequence[str] = (), seconds_ago: int = 0) -> Message:
    now = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    headers = signed_headers(key, "msg_1", BODY, now, also_sign_with=also)
    return Message(public_key_of(key) if key.startswith("whsk_") else key, headers)


def program(name: str) -> str:
    """The block of the guide that begins with a comment that names the file."""
    blocks = re.findall(rf"^```{FILES[name]}\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    (found,) = [block for block in blocks if block.splitlines()[0].endswith(f" {name}")]
    return str(found)


def is_accepted(name: str, sent: Message, folder: Path) -> bool:
    (folder / name).write_text(program(name))
    (folder / "body").write_bytes(sent.body)
    if name == "verify.sh":
        return run(["sh", name, "body"], "", folder, **shell_variables(sent))
    driver = f"driver{Path(name).suffix}"
    (folder / driver).write_text(DRIVERS[name])
    runner = sys.executable if name == "verify.py" else NODE
    return run([runner, driver], json.dumps([sent.key, sent.headers, "body"]), folder)


def shell_variables(sent: Message) -> dict[str, str]:
    names = {"id": "ID", "timestamp": "TIMESTAMP", "signature": "SIGNATURE"}
    headers = {names[name.removeprefix("webhook-")]: text for name, text in sent.headers.items()}
    return {"KEY": sent.key, **headers}


def run(command: list[str], stdin: str, folder: Path, **variables: str) -> bool:
    done = subprocess.run(
        command,
        cwd=folder,
        input=stdin,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    if done.returncode:
        assert re.search("signature|too old|timestamp", done.stderr), done.stderr
    return done.returncode == 0


@each_program
@pytest.mark.parametrize("generate", [generate_secret, generate_v1a_key])
def test_it_accepts_what_we_send(name: str, generate, tmp_path: Path) -> None:
    key, former = generate(), generate()
    sent = message(key, also=[former, generate_secret(), generate_v1a_key()])
    assert is_accepted(name, message(key), tmp_path)
    assert is_accepted(name, sent, tmp_path)
    assert is_accepted(name, replace(sent, key=message(former).key), tmp_path), "during a rotation"


@each_program
@pytest.mark.parametrize("generate", [generate_secret, generate_v1a_key])
def test_it_refuses_forgeries(name: str, generate, tmp_path: Path) -> None:
    key = generate()
    good = message(key)
    scheme, _, value = good.headers["webhook-signature"].partition(",")
    other = "v1" if scheme == "v1a" else "v1a"
    for forged in (
        replace(good, body=BODY + b" "),
        replace(good, key=message(generate()).key),
        good.with_header("webhook-id", "msg_2"),
        good.with_header("webhook-signature", f"{other},{value}"),
        good.with_header("webhook-signature", f"{scheme},{base64.b64encode(b'x' * 64).decode()}"),
        good.with_header("webhook-signature", ""),
        message(key, seconds_ago=600),
        message(key, seconds_ago=-600),
    ):
        assert not is_accepted(name, forged, tmp_path), forged


@each_program
def test_a_public_key_is_no_shared_secret(name: str, tmp_path: Path) -> None:
    """Who knows the public key must not be able to sign with it as if it were a secret."""
    public_key = public_key_of(generate_v1a_key())
    by_attacker = message("whsec_" + public_key.removeprefix("whpk_"))
    assert is_accepted(name, by_attacker, tmp_path), "the attack is a real one"
    assert not is_accepted(name, replace(by_attacker, key=public_key), tmp_path)
