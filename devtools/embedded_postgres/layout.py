"""Paths of a data folder, and the address of its server."""

import hashlib
import os
import shutil
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from devtools.embedded_postgres.errors import REMEDY, EmbeddedPostgresError

USER = "novitai"
DATABASE = "novitai"
# Part of the socket's file name only: nothing listens on TCP, so all servers can share it.
PORT = 5432
# sockaddr_un has 104 bytes on macOS and 108 on Linux, including the final zero.
_MAX_SOCKET_PATH_BYTES = 103


@dataclass(frozen=True)
class ConnectionInfo:
    """How to connect. `host` is the folder of the Unix socket.

    There is no password: only the owner can enter the folder. That keeps out the other users of the
    machine, which a TCP port would not.
    """

    host: str
    port: int = PORT
    user: str = USER
    dbname: str = DATABASE

    @property
    def url(self) -> str:
        """libpq URI (https://www.postgresql.org/docs/current/libpq-connect.html)."""
        query = urlencode({"host": self.host, "port": self.port}, quote_via=quote)
        return f"postgresql://{quote(self.user)}@/{quote(self.dbname)}?{query}"

    def answers(self) -> bool:
        """True if a server accepts connections at the socket right now.

        Closing without a byte sent is no error to Postgres and leaves no line in its log.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(os.fspath(_socket_file(Path(self.host))))
            except OSError:
                return False
        return True


class Layout:
    """The paths of one data folder, which is private (0700) and contains nothing else."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.users_lock = self.data_dir / "users.lock"
        self.start_lock = self.data_dir / "start.lock"
        self.keeper_lock = self.data_dir / "keeper.lock"
        self.keeper_log = self.data_dir / "keeper.log"
        self.postgres_log = self.data_dir / "postgres.log"
        self.cluster = self.data_dir / "cluster"

    def announced(self) -> ConnectionInfo | None:
        """The address in keeper.lock; None if there is none or the server is starting or stopping.

        The first line is the keeper's pid. The second is the socket folder, as long as the server
        accepts connections. An incomplete line counts as missing.
        """
        try:
            _, host, _ = os.fsdecode(self.keeper_lock.read_bytes()).split("\n")
        except (FileNotFoundError, ValueError):
            return None
        return ConnectionInfo(host)

    def socket_folder(self) -> Path:
        """A folder for the socket: in the data folder, or a private one in the temporary folder.

        libpq reads a comma in a host as a list of hosts, and the server's setting is a quoted list.
        So paths with commas or quotes, or too long for a socket address, use the temporary folder.
        """
        inside = self.data_dir / "run"
        if _is_usable(inside):
            return inside
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        name = f"novitai-{os.geteuid()}-{digest}"
        parents = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 (made 0700 and checked)
        chosen = next(p / name for p in parents if _is_usable(p / name / "run"))
        _make_private(chosen)
        return chosen / "run"

    def remove_socket_folder(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent != self.data_dir:
            shutil.rmtree(folder.parent, ignore_errors=True)


def open_layout(data_dir: Path) -> Layout:
    """Create the data folder if needed; raises if it has other contents or another owner."""
    layout = Layout(data_dir)
    folder = layout.data_dir
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            _check_owner(folder)
            # A wrong path in a setting must not change the mode of an unrelated folder.
            if not layout.users_lock.exists() and any(folder.iterdir()):
                raise EmbeddedPostgresError(
                    f"{folder} is not empty and holds no embedded Postgres; choose another "
                    f"folder. {REMEDY}"
                )
        _make_private(folder)
    except OSError as error:
        raise EmbeddedPostgresError(f"{error}. {REMEDY}") from error
    return layout


def _make_private(folder: Path) -> None:
    """Create a folder that only its owner can enter; raises if another user owns such a folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if stat.S_IMODE(_check_owner(folder).st_mode) & 0o077:
        folder.chmod(0o700)


def _check_owner(folder: Path) -> os.stat_result:
    """Raise unless it is ours. Root may use any user's; the server then runs as that user."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or os.geteuid() not in (0, found.st_uid):
        raise EmbeddedPostgresError(
            f"{folder} belongs to user id {found.st_uid}, this process runs as {os.geteuid()}. "
            f"Run as that user, remove it, or: {REMEDY}"
        )
    return found


def _socket_file(folder: Path) -> Path:
    return folder / f".s.PGSQL.{PORT}"


def _is_usable(folder: Path) -> bool:
    path = os.fsencode(_socket_file(folder))
    return len(path) <= _MAX_SOCKET_PATH_BYTES and not set(b',"\n') & set(path)
