"""What lies where in a data folder, and the record through which processes find the server."""

import hashlib
import json
import os
import shutil
import socket
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from devtools.embedded_postgres.errors import REMEDY, EmbeddedPostgresError
from devtools.embedded_postgres.locks import open_private

USER = "novitai"
DATABASE = "novitai"
# Names the socket file only: nothing listens on TCP, so any number of servers can share it.
PORT = 5432
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included.
_MAX_SOCKET_PATH_BYTES = 103


@dataclass(frozen=True)
class ConnectionInfo:
    """How to connect. `host` is the folder of the Unix socket.

    There is no password: the folder can be entered by the owner alone, which also holds back the
    other users of the machine, as a TCP port would not.
    """

    host: str
    port: int = PORT
    user: str = USER
    dbname: str = DATABASE
    password: str = ""

    @property
    def url(self) -> str:
        """libpq URI (https://www.postgresql.org/docs/current/libpq-connect.html)."""
        query = urlencode({"host": self.host, "port": self.port}, quote_via=quote)
        return f"postgresql://{quote(self.user)}@/{quote(self.dbname)}?{query}"

    @property
    def socket_path(self) -> Path:
        return socket_file(Path(self.host))

    def answers(self) -> bool:
        """Whether a server accepts connections at the socket right now.

        Closing without a byte sent is no error to Postgres and leaves no line in its log.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(os.fspath(self.socket_path))
            except OSError:
                return False
        return True


def socket_file(folder: Path) -> Path:
    return folder / f".s.PGSQL.{PORT}"


@dataclass(frozen=True)
class Layout:
    """The paths of one data folder, which is private (0700) and wholly ours."""

    data_dir: Path

    @property
    def users_lock(self) -> Path:
        return self.data_dir / "users.lock"

    @property
    def start_lock(self) -> Path:
        return self.data_dir / "start.lock"

    @property
    def keeper_lock(self) -> Path:
        return self.data_dir / "keeper.lock"

    @property
    def keeper_log(self) -> Path:
        return self.data_dir / "keeper.log"

    @property
    def postgres_log(self) -> Path:
        return self.data_dir / "postgres.log"

    @property
    def cluster(self) -> Path:
        return self.data_dir / "cluster"

    def read_info(self) -> ConnectionInfo | None:
        """The running server's address; None while there is none (or it is starting, stopping)."""
        try:
            return ConnectionInfo(**json.loads(self._record.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_info(self, info: ConnectionInfo) -> None:
        """Announce the server; by rename, as a reader must never see half a record."""
        draft = self._record.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with open(open_private(draft, os.O_WRONLY), "w") as file:  # noqa: PTH123 (a descriptor)
            json.dump(asdict(info), file)
        draft.replace(self._record)

    def forget_info(self) -> None:
        self._record.unlink(missing_ok=True)

    def socket_folder(self) -> Path:
        """A folder for the socket: in the data folder, or a private one in the temporary folder.

        libpq reads a comma in a host as a list of hosts and the server's setting is a quoted list,
        so such paths go to the temporary folder too, as do those too long for a socket address.
        """
        inside = self.data_dir / "run"
        if _is_usable(inside):
            return inside
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        name = f"novitai-{os.geteuid()}-{digest}"
        parents = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 (made 0700 and checked)
        chosen = next(p / name for p in parents if _is_usable(p / name / "run"))
        make_private(chosen)
        return chosen / "run"

    def remove_socket_folder(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent != self.data_dir:
            shutil.rmtree(folder.parent, ignore_errors=True)

    @property
    def _record(self) -> Path:
        return self.data_dir / "server.json"


def open_layout(data_dir: Path) -> Layout:
    """Make the data folder if need be; raises when it holds or belongs to something else."""
    resolved = data_dir.expanduser().resolve()
    layout = Layout(resolved)
    try:
        resolved.parent.mkdir(parents=True, exist_ok=True)
        if resolved.exists():
            _check_owner(resolved)
            _check_content(layout)
        make_private(resolved)
    except OSError as error:
        raise EmbeddedPostgresError(f"{error}. {REMEDY}") from error
    return layout


def make_private(folder: Path) -> None:
    """Make a folder only its owner can enter; raises if another user's stands in its place."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = _check_owner(folder)
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def _check_owner(folder: Path) -> os.stat_result:
    """Raise unless it is ours. Root may use another user's; the server then runs as that user."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or os.geteuid() not in (0, found.st_uid):
        raise EmbeddedPostgresError(
            f"{folder} belongs to user id {found.st_uid}, this process runs as {os.geteuid()}. "
            f"Run as that user, remove it, or: {REMEDY}"
        )
    return found


def _check_content(layout: Layout) -> None:
    """Raise for a folder of something else: it must not be made private by a slip in a setting."""
    if not layout.users_lock.exists() and any(layout.data_dir.iterdir()):
        raise EmbeddedPostgresError(
            f"{layout.data_dir} is not empty and holds no embedded Postgres; choose another "
            f"folder. {REMEDY}"
        )


def _is_usable(folder: Path) -> bool:
    path = os.fsencode(socket_file(folder))
    return len(path) <= _MAX_SOCKET_PATH_BYTES and not set(b',"\n') & set(path)
