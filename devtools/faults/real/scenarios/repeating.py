"""F9: the same request a hundred times at once, to two web servers."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from devtools.faults.real.scenario import BODY, Scenario, Trial
from devtools.faults.real.stack import Shape

TIMES = 100


def ask_a_hundred_times(trial: Trial) -> None:
    """One key, one body: one instance, and the same answer to all requests."""
    key = f"{trial.tag}{trial.random.getrandbits(64):x}"
    name = f"{trial.tag}1"
    body = trial.stack.create_body(**{**BODY, "name": name})
    trial.outcome.instances += 1

    def ask(number: int) -> tuple[int, bytes]:
        url = trial.stack.urls[number % len(trial.stack.urls)]
        headers = {"Idempotency-Key": key}
        answer = trial.stack.call("POST", "/api/instances", json=body, headers=headers, url=url)
        return answer.status_code, answer.content

    with ThreadPoolExecutor(TIMES) as pool:
        answers = set(pool.map(ask, range(TIMES)))
    statuses = sorted({status for status, _ in answers})
    trial.expect(len(answers) == 1, f"F9: {len(answers)} different answers, {statuses}")
    trial.expect(statuses == [201], f"F9: answered {statuses}")
    ids = _instances_named(trial, name)
    trial.note("instances of 100 requests", len(ids))
    trial.expect(len(ids) == 1, f"F9: {len(ids)} instances of one request")
    trial.stack.accepted += ids
    trial.wait_until_all(ids, "running", seconds=40)


def _instances_named(trial: Trial, name: str) -> list[str]:
    listed: list[dict[str, Any]] = trial.stack.call("GET", "/api/instances?limit=100").json()[
        "instances"
    ]
    return [each["id"] for each in listed if each["name"] == name]


SCENARIOS = (
    Scenario(
        "F9",
        "100 identical POSTs at once with one Idempotency-Key",
        ask_a_hundred_times,
        runs=6,
        shape=Shape(webs=2),
    ),
)
