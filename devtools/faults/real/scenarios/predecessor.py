"""The three experiments in which the predecessor made twelve GPUs of one, and left orphans."""

import time

from devtools.faults.real.scenario import Scenario, Trial
from devtools.faults.real.scenarios import network_conditions


def lose_one_answer(trial: Trial) -> None:
    """The answer to the create is lost, every time: the predecessor made 12 GPUs."""
    network_conditions.lose_creates(trial, when="after")
    _one_each(trial, trial.create_many(1))


def lose_a_third_of_twenty(trial: Trial) -> None:
    network_conditions.lose_creates(trial, when="after", share=0.3)
    _one_each(trial, trial.create_many(20))


def pull_the_plug(trial: Trial) -> None:
    """kill -9 of the cluster with fifty in flight: 12 orphans and 50 ids that answered 404."""
    network_conditions.slow_creates(trial, 0.7)
    ids = trial.create_many(50)
    time.sleep(trial.random.uniform(0.0, 2.0))
    trial.kill(trial.stack.clusters)
    trial.clear_faults()
    _one_each(trial, ids)
    unknown = [each for each in ids if trial.stack.get(each)["status"] not in ("running",)]
    trial.expect(not unknown, f"I2: {len(unknown)} of 50 do not run")


def _one_each(trial: Trial, ids: list[str]) -> None:
    trial.wait_until_all(ids, "running", seconds=90)
    made = trial.made()
    trial.note("GPUs for requests", sum(made.values()))
    trial.expect(
        sorted(made.values()) == [1] * len(ids),
        f"I1: {len(ids)} requests made {sum(made.values())} GPUs",
    )


SCENARIOS = (
    Scenario("P1", "the predecessor's: 1 of 1 create answers lost", lose_one_answer, runs=5),
    Scenario("P2", "the predecessor's: 30 % of 20 lost", lose_a_third_of_twenty, runs=4),
    Scenario("P3", "the predecessor's: kill -9 into 50 creations", pull_the_plug, runs=4),
)
