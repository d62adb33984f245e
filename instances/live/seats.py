"""How many may wait at once: what is not bounded is filled by somebody."""

import threading
from collections import Counter
from collections.abc import Callable

# Of one process; a socket and some kilobytes each.
OF_PROCESS = 2000
OF_PROJECT = 1000


class NoSeat(Exception):
    """So many wait already; ``is_of_project`` says whether it is the project's own number."""

    def __init__(self, *, is_of_project: bool) -> None:
        super().__init__()
        self.is_of_project = is_of_project


class Seats:
    """Counts those who wait in this process, by project."""

    def __init__(self, of_process: int = OF_PROCESS, of_project: int = OF_PROJECT) -> None:
        self._of_process = of_process
        self._of_project = of_project
        self._taken: Counter[int] = Counter()
        self._lock = threading.Lock()

    def take(self, project_id: int) -> Callable[[], None]:
        """Raises NoSeat; what is returned gives the seat back, however often it is called."""
        with self._lock:
            if self._taken[project_id] >= self._of_project:
                raise NoSeat(is_of_project=True)
            if self._taken.total() >= self._of_process:
                raise NoSeat(is_of_project=False)
            self._taken[project_id] += 1
        is_given_back = False

        def give_back() -> None:
            nonlocal is_given_back
            with self._lock:
                if not is_given_back:
                    is_given_back = True
                    self._taken[project_id] -= 1

        return give_back

    @property
    def taken(self) -> int:
        with self._lock:
            return self._taken.total()
