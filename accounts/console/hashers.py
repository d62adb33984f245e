"""Django's password hash, computed in one thread of low priority.

A hash takes most of a second of processor time. One thread of the process computes it at niceness
19, so that API requests go first; a log-in on a busy machine takes longer.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher

T = TypeVar("T")
_NICENESS = 19


class LowPriorityHasher(PBKDF2PasswordHasher):
    """Inherits the algorithm name of Django's hasher, so existing hashes stay readable."""

    def encode(self, password: str, salt: Any, iterations: int | None = None) -> str:
        return at_low_priority(partial(super().encode, password, salt, iterations))


def at_low_priority(work: Callable[[], T]) -> T:
    """Run ``work`` in the hashing thread and wait. OpenSSL releases the interpreter lock."""
    return _executor().submit(work).result()


@cache
def _executor() -> ThreadPoolExecutor:
    """Created at the first use, so that the thread starts after the fork."""
    return ThreadPoolExecutor(1, thread_name_prefix="hashing", initializer=_step_back)


def _step_back() -> None:
    # Only Linux has a priority per thread; on other systems this fails and is ignored.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
