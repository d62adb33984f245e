"""The pipe between the processes of one cluster, in place of multiprocessing's queue.

kill -9 of a process that holds a multiprocessing queue's lock blocks every other reader for good.
A SOCK_SEQPACKET socket pair needs no lock: the kernel hands each whole message to exactly one
reader, and what a dead reader held is nothing.
"""

import pickle
import select
import socket
import sys
from typing import Any

# macOS has no SEQPACKET; its DGRAM socket pairs keep message borders as well.
_KIND = socket.SOCK_DGRAM if sys.platform == "darwin" else socket.SOCK_SEQPACKET
_BUFFER_BYTES = 1_048_576


class TaskQueue:
    """The part of multiprocessing.Queue's interface that django-q2 uses."""

    def __init__(self, maxsize: int = 0) -> None:
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, _KIND)
        for end in (self._reader, self._writer):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)

    def put(self, item: Any) -> None:
        self._writer.send(pickle.dumps(item))

    def get(self) -> Any:
        # Only processes forked from one parent hold this socket: no stranger's pickle arrives.
        return pickle.loads(self._reader.recv(_BUFFER_BYTES))  # noqa: S301

    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        readable, _, _ = select.select([self._reader], [], [], 0)
        return not readable

    def qsize(self) -> int:
        return 0 if self.empty() else 1

    def close(self) -> None:
        """Nothing to flush: a message is in the kernel once put returns."""

    def join_thread(self) -> None:
        """There is no feeder thread."""
