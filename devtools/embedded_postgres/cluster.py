"""Creates the cluster (initdb) and checks that its version fits the installed programs."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from devtools.embedded_postgres.binaries import MAJOR_VERSION, bin_folder
from devtools.embedded_postgres.errors import REMEDY, EmbeddedPostgresError
from devtools.embedded_postgres.layout import USER, Layout
from devtools.embedded_postgres.privileges import Account, become, closed_folder


def ensure_cluster(layout: Layout, account: Account) -> None:
    """Initialise the cluster unless there is one; raises for one of another major version.

    initdb works in a temporary folder and a rename publishes it, so a crash in between leaves
    nothing that looks like a cluster. Only the keeper calls this, so there is one at a time.
    """
    if layout.cluster.exists():
        _check_version(layout.cluster)
        return
    draft = layout.data_dir / "cluster.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    give(draft, account)
    _run_initdb(draft, account)
    draft.rename(layout.cluster)


def give(folder: Path, account: Account) -> None:
    """Give a new folder to the server's account; used only inside the data folder."""
    if account.uid != os.geteuid():
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def spawn(
    command: list[str],
    account: Account,
    *,
    output: int,
    needs_name: bool = False,
    death_signal: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a Postgres program under the account; its output goes to the descriptor `output`.

    Raises EmbeddedPostgresError if the account cannot be used or cannot reach the program.
    """
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            # Safe only because the keeper has one thread.
            preexec_fn=become(account, needs_name=needs_name, death_signal=death_signal),
        )
    except (OSError, subprocess.SubprocessError) as error:
        if not account.reaches_all and (closed := closed_folder(Path(command[0]), account)):
            raise EmbeddedPostgresError(
                f"The data folder belongs to user id {account.uid}, who cannot reach "
                f"{command[0]}: {closed} is closed to that user. Install the project in a folder "
                f"that this user may enter, or use a data folder of your own. {REMEDY}"
            ) from error
        raise EmbeddedPostgresError(
            f"{command[0]} cannot be run as user id {account.uid} ({error}). "
            f"As root, the server needs the capabilities SETUID, SETGID, CHOWN and DAC_OVERRIDE "
            f"(Docker's default has them), or user namespaces. {REMEDY}"
        ) from error


def _run_initdb(folder: Path, account: Account) -> None:
    command = [
        os.fspath(bin_folder() / "initdb"),
        f"--pgdata={folder}",
        f"--username={USER}",
        # Access to the socket is the authentication: see ConnectionInfo.
        "--auth=trust",
        "--encoding=UTF8",
        # The builtin provider sorts in the same order on every machine, whatever its C library.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    ]
    process = spawn(
        command,
        account,
        output=sys.stderr.fileno(),
        needs_name=True,
        death_signal=signal.SIGKILL,
    )
    if process.wait() != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise EmbeddedPostgresError(f"initdb failed with exit code {process.returncode}. {REMEDY}")


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"{cluster} was made by Postgres {found}, installed is {MAJOR_VERSION}. Dump it with "
            f"the older version and restore it, or remove the folder to start empty. {REMEDY}"
        )
