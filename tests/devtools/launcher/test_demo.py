"""`make demo` on real processes: the whole story, and nothing left of it."""

import os
import signal
from pathlib import Path

from tests.devtools.launcher.launcher_process import Launcher, eventually, launch


def demo_in(folder: Path) -> Launcher:
    """In an environment that would lead it to a real account, if it listened."""
    (folder / "tmp").mkdir()
    return launch(
        "demo",
        folder,
        NOVITAI_ENV="production",
        NOVITA_API_KEY="a-key-that-pays",
        NOVITA_API_BASE_URL="http://127.0.0.1:1/never",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/never",
        DATA_DIR=str(folder / "never"),
        PORT="1",
        http_proxy="http://127.0.0.1:1",
        TMPDIR=str(folder / "tmp"),
    )


def assert_nothing_is_left(demo: Launcher, folder: Path) -> None:
    assert eventually(lambda: not demo.processes()), demo.processes()
    assert list((folder / "tmp").iterdir()) == []
    assert not (folder / "never").exists()


def test_the_demo_shows_an_instance_from_request_to_verified_webhook(tmp_path: Path) -> None:
    with demo_in(tmp_path) as demo:
        assert demo.wait() == 0, demo.complaints
    output = "\n".join(demo.output)
    parts = [
        "POST http://",
        "201 ",
        " s  creating",
        " s  starting",
        " s  running",
        "ssh://root@",
        "$1.20 per hour (2 GPUs, spot)",
        "cheapest of 2 offers",
        "sold out",
        "instance.running",
        "webhook-signature",
        "signature verified",
    ]
    positions = [output.find(part) for part in parts]
    assert -1 not in positions, output
    assert positions == sorted(positions)
    assert demo.complaints == ""
    assert_nothing_is_left(demo, tmp_path)


def test_a_demo_that_is_interrupted_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with demo_in(tmp_path) as demo:
        demo.wait_for("waiting for Postgres")
        # To the whole group, as a terminal does it.
        os.killpg(demo.popen.pid, signal.SIGINT)
        assert demo.wait() == 128 + signal.SIGINT
    assert "stopped" in demo.complaints
    assert "Traceback" not in demo.complaints
    assert_nothing_is_left(demo, tmp_path)
