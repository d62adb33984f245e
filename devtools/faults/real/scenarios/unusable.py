"""F27: a database that cannot be used: it turns read-only, or does not respond."""

import time
from collections import Counter

import psycopg
import requests
from psycopg import sql

from devtools.faults.real import ledgers
from devtools.faults.real.processes import wait_until
from devtools.faults.real.scenario import Scenario, Trial
from devtools.faults.real.stack import Shape

UNUSABLE_SECONDS = 8.0
PROBE_SECONDS = 4.0
LONGEST_CALL_SECONDS = 25.0
WHOLE_AGAIN_SECONDS = 10.0
_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def be_unusable(trial: Trial) -> None:
    """F27: requests get 503, probes a quick answer with a cause; then everything works again."""
    ids = trial.create_many(3)
    trial.wait_until_all(ids, "running", seconds=90)
    if trial.seed % 2:
        _stand_still(trial)
    else:
        _turn_read_only(trial)
    _is_whole_again(trial)
    trial.expect(set(trial.statuses(ids).values()) == {"running"}, "F27: they no longer run")


def _turn_read_only(trial: Trial) -> None:
    """As in a failover: sessions end, and new ones may only read."""
    _set_read_only(trial, is_on=True)
    try:
        _ask(trial, UNUSABLE_SECONDS)
    finally:
        _set_read_only(trial, is_on=False)


def _set_read_only(trial: Trial, *, is_on: bool) -> None:
    """Existing sessions keep the old setting; they are ended only when it is turned on."""
    with trial.stack.connect() as database:
        database.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(database.info.dbname)
        change = "ALTER DATABASE {} SET default_transaction_read_only = {}"
        word = sql.SQL("on" if is_on else "off")
        database.execute(sql.SQL(change).format(name, word))
        if is_on:
            database.execute(_END_SESSIONS)


def _stand_still(trial: Trial) -> None:
    proxy = trial.stack.database_proxy
    assert proxy is not None  # noqa: S101 - the scenario asks for one
    proxy.black_out(UNUSABLE_SECONDS)
    _ask(trial, UNUSABLE_SECONDS)


def _ask(trial: Trial, seconds: float) -> None:
    """For ``seconds``: a create, a list and a probe, one after the other."""
    answers: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    body = trial.stack.create_body(name=f"{trial.tag}refused")
    while time.monotonic() < deadline:
        answers[f"POST {_answer(trial, 'POST', json=body)}"] += 1
        answers[f"GET {_answer(trial, 'GET')}"] += 1
        _probe(trial)
        time.sleep(0.2)
    strange = [answer for answer in answers if answer.split()[1] not in ("200", "201", "503")]
    trial.expect(not strange, f"F27: answered {dict(answers)}")
    refused = sum(count for answer, count in answers.items() if "503" in answer)
    trial.expect(refused > 0, f"F27: nothing was refused: {dict(answers)}")
    trial.note("refused with 503", refused)


def _answer(trial: Trial, method: str, **options: object) -> str:
    """The status; a 503 must have Retry-After, and no request may hang."""
    begun = time.monotonic()
    try:
        answer = trial.stack.call(method, "/api/instances", **options)
    except requests.RequestException as error:
        return type(error).__name__
    seconds = time.monotonic() - begun
    trial.expect(seconds < LONGEST_CALL_SECONDS, f"F27: a request hung for {seconds:.0f} s")
    if answer.status_code == 201:
        trial.stack.accepted.append(answer.json()["instanceId"])
    if answer.status_code == 503:
        trial.expect("Retry-After" in answer.headers, "F27: a 503 without Retry-After")
    return str(answer.status_code)


def _probe(trial: Trial) -> None:
    begun = time.monotonic()
    try:
        requests.get(f"{trial.stack.url}/readyz", timeout=PROBE_SECONDS)
    except requests.RequestException as error:
        trial.object(f"F27: /readyz took {time.monotonic() - begun:.1f} s: {error}")


def _is_whole_again(trial: Trial) -> None:
    begun = time.monotonic()
    # Our sessions are not ended by hand: each must notice the loss by itself.
    (made,) = ids = [trial.create()]
    trial.outcome.recovered_seconds.append(time.monotonic() - begun)
    trial.wait_until_created(ids, seconds=60)
    wait_until(lambda: _has_job_done(trial, made), seconds=60, what="for a job")


def _has_job_done(trial: Trial, instance_id: str) -> bool:
    done = "SELECT count(*) FROM jobs_job WHERE subject = %s AND status = 'completed'"
    try:
        return bool(ledgers.rows(trial.stack, done, instance_id)[0][0])
    except psycopg.OperationalError:
        return False


SCENARIOS = (
    Scenario(
        "F27",
        "the database turns read-only, or does not respond",
        be_unusable,
        runs=4,
        shape=Shape(has_database_proxy=True),
        recovery_target_seconds=WHOLE_AGAIN_SECONDS,
    ),
)
