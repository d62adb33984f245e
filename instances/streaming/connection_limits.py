"""Limits for waiting clients: of a process in all, and of a project's share."""

import threading
from collections import Counter
from collections.abc import Callable

# Limit for one process; each client costs a socket and some kilobytes.
OF_PROCESS = 3000
# A project may take a third of the places that other projects leave free. So, however many projects
# take all they may, the next one finds places: 1000, 667, 444, 296, …
_SHARE = 3


class LimitReached(Exception):
    """No place is free. ``is_of_project``: only the project's share is used up."""

    def __init__(self, *, is_of_project: bool) -> None:
        super().__init__()
        self.is_of_project = is_of_project


class ConnectionLimits:
    """Counts the waiting clients of this process by project."""

    def __init__(self, of_process: int = OF_PROCESS) -> None:
        self._of_process = of_process
        self._taken: Counter[int] = Counter()
        self._lock = threading.Lock()

    def take(self, project_id: int) -> Callable[[], None]:
        """Take a place; the returned function frees it, once. Raises LimitReached."""
        with self._lock:
            self._refuse_if_full(project_id)
            self._taken[project_id] += 1
        is_given_back = False

        def give_back() -> None:
            nonlocal is_given_back
            with self._lock:
                if not is_given_back:
                    is_given_back = True
                    self._give_back(project_id)

        return give_back

    def _refuse_if_full(self, project_id: int) -> None:
        own, free = self._taken[project_id], self._of_process - self._taken.total()
        if free <= 0:
            raise LimitReached(is_of_project=own > 0)
        if own * _SHARE >= own + free:
            raise LimitReached(is_of_project=True)

    def _give_back(self, project_id: int) -> None:
        self._taken[project_id] -= 1
        if not self._taken[project_id]:
            del self._taken[project_id]

    @property
    def taken(self) -> int:
        with self._lock:
            return self._taken.total()
