"""F23 to F25: Novita is blind, refuses the key, or an edge in front of it answers."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from devtools.faults.real import ledgers
from devtools.faults.real.processes import WaitedInVainError, wait_until
from devtools.faults.real.scenario import Scenario, Trial
from devtools.faults.real.scenarios import network_conditions

PATIENCE_SECONDS = 90.0
# The lowest allowed value of ABSENCE_AFTER.
ABSENCE_SECONDS = 60
# With RECONCILE_INTERVAL at 2 s, six passes: as many as in five minutes of production.
BLIND_SECONDS = 12.0
LONG_BLIND_SECONDS = ABSENCE_SECONDS + 25.0
# As the page promises: the previous state within a minute of the end.
BACK_SECONDS = 60.0
FLEETS = (1, 2, 6, 6, 40, 200)
REFUSED_SECONDS = 15.0
FRONT_SECONDS = 15.0
KEYS: tuple[Mapping[str, Any], ...] = (
    {"status": 401, "reason": "UNAUTHORIZED", "message": "invalid api key"},
    {"status": 403, "reason": "INVALID_API_KEY", "message": "api key disabled"},
    {"status": 400, "reason": "INVALID_USER_TOKEN", "message": "token expired"},
    {"status": 403, "reason": "FORBIDDEN", "message": "forbidden"},
)
FRONTS = (
    *("kong_404", "html_200", "cloudflare_403", "nginx_502", "empty_200"),
    *("redirect_302", "apigateway_forbidden", "envoy_503"),
)
_HELD = "SELECT public_id, upstream_id FROM instances_instance WHERE public_id = ANY(%s)"
_TOLD = (
    "SELECT count(*) FROM instances_instanceevent e JOIN instances_instance i"
    " ON i.id = e.instance_id WHERE i.public_id = ANY(%s) AND e.type = %s"
)


def be_blind(trial: Trial) -> None:
    """F23: lists are empty or incomplete, GET by id says not-found; but all instances exist."""
    ids = trial.create_many(FLEETS[trial.seed % len(FLEETS)])
    trial.wait_until_all(ids, "running", seconds=PATIENCE_SECONDS + len(ids))
    before = _held(trial, ids)
    is_long = trial.seed % 3 == 2
    hidden = _go_blind(trial, before, LONG_BLIND_SECONDS if is_long else BLIND_SECONDS)
    if is_long:
        time.sleep(LONG_BLIND_SECONDS)
    else:
        _stay(trial, ids, "running", BLIND_SECONDS)
    trial.control.end_blindness()
    trial.wait_until_all(ids, "running", seconds=BACK_SECONDS)
    trial.expect(_held(trial, ids) == before, "F23: another GPU is held than before")
    _have_addresses(trial, ids)
    concluded = ledgers.rows(trial.stack, _TOLD, ids, "instance.terminated")[0][0]
    back = ledgers.rows(trial.stack, _TOLD, ids, "instance.reappeared")[0][0]
    trial.expect(back == concluded, f"F23: {concluded} counted as gone, {back} reappeared")
    trial.note("hidden", hidden)
    trial.note("counted as gone and reappeared", back)


def _go_blind(trial: Trial, held: Mapping[str, str], seconds: float) -> int:
    """Start one kind of blindness; returns how many instances GET by id does not find."""
    of = trial.random.sample(sorted(held.values()), max(1, len(held) // 3))
    ways: tuple[dict[str, Any], ...] = (
        {"list": "empty", "ids": of, "direct": True},
        {"list": "empty", "direct": True},
        {"list": "without", "ids": of, "direct": True},
        {"list": "empty"},
        {"list": "without", "direct": True},
        {"list": "without", "ids": of, "direct": True, "keep_total": True},
    )
    way = ways[(trial.seed // len(FLEETS) + trial.seed) % len(ways)]
    trial.control.blind(**way, for_seconds=seconds)
    return len(way.get("ids", held)) if way.get("direct") else 0


def _stay(trial: Trial, ids: Sequence[str], status: str, seconds: float) -> None:
    """No conclusion may be drawn meanwhile; one violation is enough."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        words = {each: word for each, word in trial.statuses(ids).items() if word != status}
        if words:
            trial.object(f"{trial.fault}: no longer {status} in an incident: {words}")
            return
        time.sleep(0.5)


def _held(trial: Trial, ids: Sequence[str]) -> dict[str, str]:
    return dict(ledgers.rows(trial.stack, _HELD, list(ids)))


def _have_addresses(trial: Trial, ids: Sequence[str]) -> None:
    """A running instance needs its addresses; a GET by id may have to come first."""

    def lack() -> list[str]:
        return [each for each in ids if not _addresses(trial.stack.get(each))]

    try:
        wait_until(lambda: not lack(), seconds=BACK_SECONDS)
    except WaitedInVainError:
        trial.object(f"{trial.fault}: without addresses: {lack()}")


def _addresses(details: Mapping[str, Any]) -> bool:
    ports = details.get("portMappings") or []
    return all(port.get("endpoint") for port in ports) and bool(details.get("connectionDetails"))


def be_refused(trial: Trial) -> None:
    """F24: the key is refused for a while: creates wait with a reason, endings go on afterwards."""
    running = trial.create_many(3)
    trial.wait_until_all(running, "running", seconds=PATIENCE_SECONDS)
    trial.control.refuse_key(**KEYS[trial.seed % len(KEYS)])
    ids = trial.create_many(5)
    trial.end(running[:2])
    _stay(trial, ids, "creating", REFUSED_SECONDS)
    trial.expect(trial.statuses(running[2:]) == {running[2]: "running"}, "F24: it no longer runs")
    reasons = {each: trial.stack.get(each).get("waiting") for each in ids}
    silent = [each for each, waiting in reasons.items() if not waiting or not waiting.get("code")]
    trial.expect(not silent, f"F24: these wait without a reason: {silent}")
    trial.control.accept_key()
    trial.wait_until_all(ids, "running", seconds=PATIENCE_SECONDS)
    trial.wait_until_all(running[:2], "terminated", seconds=PATIENCE_SECONDS)
    trial.expect(all(count == 1 for count in trial.made().values()), f"I1: made {trial.made()}")


def stand_behind_an_edge(trial: Trial) -> None:
    """F25: a gateway or a login page answers, to all calls or to creates that took effect."""
    preset = FRONTS[trial.seed % len(FRONTS)]
    running = trial.create_many(3)
    trial.wait_until_all(running, "running", seconds=PATIENCE_SECONDS)
    if trial.seed // len(FRONTS) % 2:
        trial.add_fault(preset=preset, for_seconds=FRONT_SECONDS)
        trial.end(running[:1])
    else:
        whose = {"method": "POST", "path": network_conditions.CREATE, "body": trial.tag}
        trial.add_fault(preset=preset, when="after", count=3, **whose)
    ids = trial.create_many(4)
    _stay(trial, running[1:], "running", FRONT_SECONDS)
    trial.clear_faults()
    trial.wait_until_all(ids, "running", seconds=PATIENCE_SECONDS)
    if trial.seed // len(FRONTS) % 2:
        trial.wait_until_all(running[:1], "terminated", seconds=PATIENCE_SECONDS)
    twice = {name: count for name, count in trial.made().items() if count > 1}
    trial.expect(not twice, f"I1: made twice: {twice}")
    markup = [each for each in ids if "<" in str(trial.stack.get(each).get("error") or "")]
    trial.expect(not markup, f"F25: foreign markup is shown: {markup}")


SCENARIOS = (
    Scenario(
        "F23",
        "Novita is blind: empty or incomplete lists, not-found for existing instances",
        be_blind,
        runs=6,
        environment={"RECONCILE_INTERVAL": "2", "ABSENCE_AFTER": str(ABSENCE_SECONDS)},
        ending_seconds=240,
    ),
    Scenario(
        "F24",
        "the key is refused for a while, then accepted",
        be_refused,
        runs=4,
        environment={"RECONCILE_INTERVAL": "2"},
    ),
    Scenario(
        "F25",
        "an edge answers: HTML, a gateway's JSON, also after the create took effect",
        stand_behind_an_edge,
        runs=16,
        environment={"RECONCILE_INTERVAL": "2"},
        grace_seconds=150,
    ),
)
