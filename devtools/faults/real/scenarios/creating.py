"""F1 to F3: an instance is created exactly once, whatever process dies or answer is lost."""

from devtools.faults.real.scenario import Scenario, Trial
from devtools.faults.real.scenarios import network_conditions

# Failpoints of a worker or a web process between a request and its GPU.
POINTS = (
    *("create.after_intent", "create.after_post", "create.before_commit"),
    *("create.before_intent", "create.before_post", "create.before_refusal_commit"),
    *("look_up.before_commit", "completer.before_commit", "completer.after_commit"),
    *("accept.before_commit", "accept.after_commit"),
    *("monitor.before_commit", "webhook.after_send"),
    *("reconcile.after_look", "reconcile.before_commit"),
)
BATCH = 8
# A list may lag, so that a search misses a GPU; but by less than the settle time, which counts from
# the last moment at which the create may have taken effect.
LONGEST_LAG_SECONDS = 3.0


def die_while_creating(trial: Trial) -> None:
    """F1: kill -9 of the process that reaches a failpoint first, with a batch in flight."""
    point = POINTS[trial.seed % len(POINTS)]
    _make_reachable(trial, point)
    early = trial.random.randrange(4)
    ids = trial.create_many(early)
    trial.arm(point)
    ids += trial.create_many(BATCH - early)
    trial.expect(trial.await_death(point), f"no process reached {point}: the run proves nothing")
    # The other work goes on while the next run begins.
    trial.wait_until_sent(ids)


def _make_reachable(trial: Trial, point: str) -> None:
    if point == "look_up.before_commit":
        network_conditions.lose_creates(trial, when="after", share=0.6)
    elif point == "create.before_refusal_commit":
        trial.control.set_stock(free=0, times=2, hidden=True)
    else:
        network_conditions.change(trial)


def lose_answers_of_what_acted(trial: Trial) -> None:
    """F2: the GPU exists, the answer is lost, and the list shows it late."""
    trial.control.settings(list_lag_seconds=trial.random.uniform(0, LONGEST_LAG_SECONDS))
    network_conditions.lose_creates(trial, when="after")
    ids = trial.create_many(4)
    trial.wait_until_created(ids)
    _made_once(trial, ids, "adopted")


def lose_creates_on_their_way(trial: Trial) -> None:
    """F3: the same answers, but nothing was created: only proof of absence allows another try."""
    network_conditions.lose_creates(trial, when="before", count=4)
    ids = trial.create_many(4)
    trial.wait_until_created(ids)
    _made_once(trial, ids, "created anew")
    posts = [call for call in trial.control.calls("create")["log"] if call["method"] == "POST"]
    trial.note("creates sent", len(posts))
    trial.control.reset_calls()


def _made_once(trial: Trial, ids: list[str], how: str) -> None:
    made = trial.made()
    trial.expect(
        sorted(made.values()) == [1] * len(ids),
        f"I1: {len(ids)} requests made {sum(made.values())} GPUs: {made}",
    )
    trial.note(how, sum(made.values()))


SCENARIOS = (
    Scenario(
        "F1",
        "kill -9 at a crash point between request and GPU",
        die_while_creating,
        runs=60,
        environment={"RECONCILE_INTERVAL": "2"},
    ),
    Scenario(
        "F2",
        "create takes effect, its answer is lost, the list lags",
        lose_answers_of_what_acted,
        runs=12,
    ),
    Scenario("F3", "create has no effect, its answer is lost", lose_creates_on_their_way, runs=8),
)
