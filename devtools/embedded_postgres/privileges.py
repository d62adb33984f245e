"""Chooses the account of the server. Postgres refuses user id 0, but root must be able to use this.

Started by root, the server becomes `nobody` but keeps CAP_DAC_OVERRIDE as an ambient capability
(see capabilities(7)). With it, the server reaches its program and its data below folders that are
closed to `nobody`, such as a home of mode 0700, so no folder must be opened. It owns its cluster
inside the data folder; that folder stays root's with mode 0700, so other processes of `nobody`
cannot reach the cluster.

If root may not change its user id, or the account has no name (initdb requires one), a user
namespace that maps the own id to 65534 has the same effect (user_namespaces(7)).
"""

import ctypes
import os
import pwd
import signal
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_IS_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS = 1, 4, 8
_PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 28, 47, 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CLONE_NEWUSER = 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_CHOWN, _CAP_DAC_OVERRIDE, _CAP_SETGID, _CAP_SETUID = 0, 1, 6, 7
_NEEDED = sum(1 << cap for cap in (_CAP_CHOWN, _CAP_DAC_OVERRIDE, _CAP_SETGID, _CAP_SETUID))
_UNPRIVILEGED_ID = 65534


@dataclass(frozen=True)
class Account:
    """Account of the server. `reaches_all`: keeps CAP_DAC_OVERRIDE; `is_mapped`: in a namespace."""

    uid: int
    gid: int
    reaches_all: bool = False
    is_mapped: bool = False

    @property
    def has_name(self) -> bool:
        try:
            pwd.getpwuid(self.uid)
        except KeyError:
            return False
        return True


def choose_account(data_dir: Path, cluster: Path) -> Account:
    """The current user; for root, the owner of the existing data, or `nobody`.

    The data folder of an ordinary user stays that user's, and its server gets no capability: that
    user writes the configuration that the server obeys.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    folder = data_dir.stat()
    if folder.st_uid != 0:
        return Account(folder.st_uid, folder.st_gid)
    found = cluster.stat() if cluster.exists() else None
    uid, gid = (found.st_uid, found.st_gid) if found else _nobody()
    if uid == 0:
        return Account(0, os.getegid(), is_mapped=True)
    return Account(uid, gid, reaches_all=_IS_LINUX)


def closed_folder(program: Path, account: Account) -> Path | None:
    """The first folder above a program that the account may not enter; None if it may enter all.

    A server that runs as the owner of its data has no capability to pass such a folder (see
    ``choose_account``): that owner could make the server read files that only root may read.
    """
    for folder in reversed(program.parents):
        found = folder.stat()
        if found.st_uid == account.uid:
            bit = stat.S_IXUSR
        else:
            bit = stat.S_IXGRP if found.st_gid == account.gid else stat.S_IXOTH
        if not found.st_mode & bit:
            return folder
    return None


def become(account: Account, *, needs_name: bool, death_signal: int | None) -> Callable[[], None]:
    """A function for Popen's preexec_fn, which runs in the child between fork and exec.

    With `death_signal`, the kernel sends that signal to the child when its parent dies (Linux
    only). A change of credentials clears that setting, hence the order. Only for parents with one
    thread: else Python code between fork and exec can deadlock.
    """
    parent = os.getpid()

    def prepare() -> None:
        if account.uid != os.geteuid():
            _drop_to(account)
        if account.is_mapped or (needs_name and not account.has_name):
            _enter_namespace()
        if _IS_LINUX and death_signal is not None:
            _prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def _nobody() -> tuple[int, int]:
    """Account of a new cluster when root starts it; root itself if it may not change the owner."""
    if _IS_LINUX and _permitted_capabilities() & _NEEDED != _NEEDED:
        return 0, 0
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return 0, 0
    # On macOS the id is -2, which Python returns as an unsigned number.
    return entry.pw_uid, entry.pw_gid


def _drop_to(account: Account) -> None:
    if account.reaches_all:
        _keep_capabilities()
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    if account.reaches_all:
        _set_capabilities(1 << _CAP_DAC_OVERRIDE)
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _keep_capabilities() -> None:
    """Keep capabilities after setuid and in access(2), with which initdb looks for its programs.

    Without CAP_SETPCAP only the first is possible: programs below a closed folder are not reached.
    """
    try:
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    except PermissionError:
        _prctl(_PR_SET_KEEPCAPS, 1)


def _enter_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    _check(_LIBC.unshare(_CLONE_NEWUSER), "unshare")
    # After a change of user id, /proc/self belongs to root until the process is dumpable again.
    _prctl(_PR_SET_DUMPABLE, 1)
    # The kernel requires this before an unprivileged process may map its group.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_UNPRIVILEGED_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{_UNPRIVILEGED_ID} {gid} 1")


def _permitted_capabilities() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:"))


def _set_capabilities(mask: int) -> None:
    """Make `mask` the permitted, effective and inheritable set: capset(2), all below bit 32."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _check(_LIBC.capset(header, data), "capset")


def _prctl(option: int, first: int, second: int = 0) -> None:
    arguments = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    _check(_LIBC.prctl(option, *arguments), "prctl")


def _check(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
