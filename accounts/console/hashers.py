"""Django's password hash, computed where it takes nothing from requests.

It keeps a processor busy for most of a second. One thread of the process does it, at the lowest
priority that the system has: requests go first, and a log-in on a busy machine takes longer.
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
    """Of the same name as Django's, so that it reads what that has written."""

    def encode(self, password: str, salt: Any, iterations: int | None = None) -> str:
        return at_low_priority(partial(super().encode, password, salt, iterations))


def at_low_priority(work: Callable[[], T]) -> T:
    """Waits for it. The interpreter lock is free meanwhile, as OpenSSL needs none."""
    return _executor().submit(work).result()


@cache
def _executor() -> ThreadPoolExecutor:
    """Made at the first use, so after the fork."""
    return ThreadPoolExecutor(1, thread_name_prefix="hashing", initializer=_step_back)


def _step_back() -> None:
    # Linux has priorities of threads; elsewhere it goes on as any other.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
