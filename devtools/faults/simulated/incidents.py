"""Incidents at Novita, chosen from the seed: it is blind, refuses the key or the account, an edge
answers in its place, or its answers have unusual words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from devtools.faults.simulated.users import Users
from devtools.simulator.faults import Fault
from devtools.simulator.presets import PRESETS
from devtools.simulator.world.blindness import Blindness

LONGEST_LIFE_SECONDS = 240.0
LENGTHS = (15.0, 45.0, 90.0, 200.0)
# Less than CREATE_SETTLE.
SHORT_SECONDS = 45.0
KEY_REFUSALS: tuple[Mapping[str, Any], ...] = (
    {"status": 401, "reason": "UNAUTHORIZED", "message": "invalid api key"},
    {"status": 403, "reason": "INVALID_API_KEY", "message": "api key disabled"},
    {"status": 400, "reason": "INVALID_USER_TOKEN", "message": "token expired"},
)
ACCOUNT_REFUSALS: tuple[Mapping[str, Any], ...] = (
    {"status": 400, "reason": "BALANCE_NOT_ENOUGH", "message": "balance not enough"},
    {"status": 403, "reason": "CREATE_GPU_NUM_LIMIT", "message": "gpu quota exceeded"},
)
NOT_FOUND_WORDS: tuple[tuple[int, str, str], ...] = (
    (400, "INSTANCE_NOT_EXIST", "instance not exist"),
    (404, "NOT_FOUNT", "instance {id} not fount"),
    (500, "UNKNOWN", "record not found"),
    (400, "REQUEST", "no such instance"),
)
ENVELOPES = ("data", "data.list", "no_total", "zero_total", "null", "empty")
# The calls that an edge answers: all, those about instances, or only writes.
REACHES: tuple[Mapping[str, Any], ...] = ({}, {"path": "/gpu/instance"}, {"method": "POST"})
EVENTS: tuple[Mapping[str, object], ...] = (
    {"order": "move"},
    {"order": "trouble", "for_seconds": 20},
    {"order": "spot_withdraw"},
    {"order": "fail_move", "message": "no node"},
)


def plan_incidents(users: Users, random: Random, ends_seconds: float) -> None:
    """None in half of the runs; each begins during the run and ends by itself."""
    if random.random() < 0.3:
        users.change_world(**_wording(random))
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        incident = random.choice(INCIDENTS)
        users.service.at(random.uniform(10, ends_seconds), partial(incident, users, random))
    if random.random() < 0.15:
        event = random.choice(EVENTS)
        users.service.at(random.uniform(20, ends_seconds), partial(users.trigger, event))


def end_incidents(users: Users) -> None:
    """End the present incidents: none of them may need an operator."""
    world, api = users.service.world, users.service.api
    with world.session():
        world.set_blindness(Blindness())
        api.plan.remove()
        api.save_faults()
    users.change_world(refused_key=None, account_refusal=None, list_envelope="instances")


def hide_oldest(users: Users) -> None:
    """Hide it from the list and from GET by id, until ``end_incidents``."""
    world = users.service.world
    with world.session() as now_ms:
        oldest = list(world.instances)[:1]
        body = {"list": "without", "ids": oldest, "direct": True}
        world.set_blindness(Blindness.parse(body, now_ms))
    users.service.blind_spans.append((now_ms, now_ms + round(LONGEST_LIFE_SECONDS * 1000)))
    users.service.tell(f"Novita: blind {body}")


def _wording(random: Random) -> dict[str, Any]:
    status, reason, message = random.choice(NOT_FOUND_WORDS)
    words = {
        "not_found_status": status,
        "not_found_reason": reason,
        "not_found_message": message,
    }
    return random.choice(
        (
            words,
            words,
            {"spot_notice_without_time": True},
            {"spot_status_left_over": True},
            {"status_case": "title", "words_case": "upper"},
            {"job_error_field": "errorMessage"},
        )
    )


def _blind(users: Users, random: Random) -> None:
    """Hide all instances, or one or two; they still exist and can be ended."""
    service = users.service
    with service.world.session() as now_ms:
        alive = sorted(each.id for each in service.world.instances.values())
        some = random.sample(alive, min(len(alive), random.choice((1, 2))))
        body = {
            "list": random.choice(("empty", "without", "normal")),
            "ids": random.choice(("all", some)),
            "direct": random.random() < 0.6,
            "for_seconds": random.choice(LENGTHS),
        }
        if not alive:
            # With no other instance, a blind list cannot be noticed: a create in doubt relies on
            # CREATE_SETTLE alone.
            body["for_seconds"] = min(float(str(body["for_seconds"])), SHORT_SECONDS)
        service.world.set_blindness(Blindness.parse(body, now_ms))
    if body["direct"]:
        service.blind_spans.append((now_ms, now_ms + round(float(str(body["for_seconds"])) * 1000)))
    service.tell(f"Novita: blind {body}")


def _refuse_key(users: Users, random: Random) -> None:
    _change_for(users, random, refused_key=dict(random.choice(KEY_REFUSALS)))


def _refuse_account(users: Users, random: Random) -> None:
    _change_for(users, random, account_refusal=dict(random.choice(ACCOUNT_REFUSALS)))


def _wrap_lists(users: Users, random: Random) -> None:
    _change_for(users, random, list_envelope=random.choice(ENVELOPES))


def _change_for(users: Users, random: Random, **settings: Any) -> None:
    before = users.service.world.settings.as_json()
    users.change_world(**settings)
    back = {name: before[name] for name in settings}
    _later(users, random.choice(LENGTHS), lambda: users.change_world(**back))


def _stand_in_front(users: Users, random: Random) -> None:
    """An edge answers in place of Novita, before or after the call takes effect."""
    service, name = users.service, random.choice(sorted(PRESETS))
    when, reach = random.choice(("before", "before", "after")), random.choice(REACHES)
    body = {"preset": name, "when": when, "for_seconds": random.choice(LENGTHS), **reach}
    with service.world.session():
        service.api.add_fault(Fault.parse(body))
    service.tell(f"in front of Novita: {body}")


def _later(users: Users, seconds: float, event: Callable[[], None]) -> None:
    users.service.at(users.service.clock.monotonic() + seconds, event)


INCIDENTS: tuple[Callable[[Users, Random], None], ...] = (
    *(_blind, _blind, _refuse_key, _refuse_account),
    *(_stand_in_front, _stand_in_front, _wrap_lists),
)
