"""F26: one project sends creates of things that Novita does not have, as fast as its key allows."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from devtools.faults.real import ledgers
from devtools.faults.real.caller import make_key
from devtools.faults.real.scenario import BODY, Scenario, Trial, insist

CREATES_A_SECOND = 16
SECONDS = 90.0
# When the other project creates, in seconds after the begin.
CREATES_AT = (15.0, 40.0, 65.0)
# As the page promises.
REACHED_SECONDS = 10.0
STOP_SEEN_SECONDS = 30.0
_OF = "FROM instances_instance i JOIN accounts_project p ON p.id = i.project_id WHERE p.name = %s"
_MADE = f"SELECT i.public_id {_OF}"
_FAILED = f"SELECT count(*) {_OF} AND i.status = 'failed'"


def share_with_nonsense(trial: Trial) -> None:
    """F26: another project's creates reach Novita, and its stops are seen, as if it were alone."""
    before = trial.create()
    trial.wait_until_all([before], "running")
    project = f"nonsense-{trial.seed}"
    flood = _Flood(trial, project)
    with ThreadPoolExecutor(1) as beside:
        sending = beside.submit(flood.send)
        reached, seen = [], []
        for after in CREATES_AT:
            time.sleep(max(flood.begun + after - time.monotonic(), 0))
            one, other = _create_and_stop(trial)
            reached.append(one)
            seen.append(other)
        sending.result()
    trial.note("nonsense creates", flood.accepted)
    trial.note("refused meanwhile", ledgers.rows(trial.stack, _FAILED, project)[0][0])
    flood.end()
    trial.note("longest s until a create reached Novita", round(max(reached), 1))
    trial.note("longest s until a stop was seen", round(max(seen), 1))
    trial.expect(max(reached) <= REACHED_SECONDS, f"F26: reached Novita after {reached} s")
    trial.expect(max(seen) <= STOP_SEEN_SECONDS, f"F26: stops were seen after {seen} s")


def _create_and_stop(trial: Trial) -> tuple[float, float]:
    """Seconds until a create reached Novita, and until the stop of its instance was seen."""
    begun = time.monotonic()
    made = trial.create()
    trial.wait_until_all([made], "starting", "running", seconds=2 * REACHED_SECONDS)
    reached = time.monotonic() - begun
    trial.wait_until_all([made], "running", seconds=STOP_SEEN_SECONDS)
    begun = time.monotonic()
    insist(trial.stack, "POST", f"/api/instances/{made}/stop")
    trial.wait_until_all([made], "stopped", seconds=2 * STOP_SEEN_SECONDS)
    return reached, time.monotonic() - begun


class _Flood:
    """Creates of unknown products, unknown templates (odd seeds: only these), or both."""

    def __init__(self, trial: Trial, project: str) -> None:
        self._trial, self._project = trial, project
        self._headers = {"Authorization": f"Bearer {make_key(trial.stack.database_url, project)}"}
        self._lock = threading.Lock()
        self.begun = time.monotonic()
        self.accepted = 0

    def send(self) -> None:
        with ThreadPoolExecutor(CREATES_A_SECOND) as callers:
            for number in range(round(CREATES_A_SECOND * SECONDS)):
                at = self.begun + number / CREATES_A_SECOND
                time.sleep(max(at - time.monotonic(), 0))
                callers.submit(self._ask, number)

    def _ask(self, number: int) -> None:
        is_product_known = self._trial.seed % 2 == 1 or number % 3 == 0
        changes = {} if is_product_known else {"productName": f"No Such GPU {number}"}
        body = self._trial.stack.create_body(
            **{**BODY, "templateId": f"9{self._trial.seed:03}{number:06}", **changes}
        )
        del body["webhookUrl"]
        answer = self._trial.stack.call("POST", "/api/instances", json=body, headers=self._headers)
        with self._lock:
            self.accepted += answer.status_code == 201

    def end(self) -> None:
        """End them with the key of their project: the caller of the stack does not see them."""
        ids = [each for (each,) in ledgers.rows(self._trial.stack, _MADE, self._project)]
        with ThreadPoolExecutor(4) as callers:
            list(callers.map(self._end, ids))

    def _end(self, public_id: str) -> None:
        path = f"/api/instances/{public_id}"
        status = self._trial.stack.call("DELETE", path, headers=self._headers).status_code
        self._trial.expect(status < 300, f"F26: DELETE of {public_id} answered {status}")


SCENARIOS = (
    Scenario(
        "F26",
        "one project sends 16 nonsense creates a second at 300 calls a minute",
        share_with_nonsense,
        runs=2,
        environment={"NOVITA_RATE_LIMIT": "300", "INSTANCE_START_TIMEOUT": "60"},
    ),
)
