"""Rates, latency, CPU and memory of one competitor in one round."""

from dataclasses import dataclass, field

from devtools.benchmarks import markers
from devtools.benchmarks.competitors.base import BATCHED, COMMIT, HANG, MARK, NOOP
from devtools.benchmarks.plan import Plan
from devtools.benchmarks.processes import cpu_seconds, memory_bytes
from devtools.benchmarks.setup import Setup, Troupe

DRAIN_SECONDS = 180.0
# Higher than the numbers of the warm-up's jobs, so that these can be left out.
FIRST_PACED = 1_000_000
WARM_UP = {NOOP: 100, BATCHED: 1_000, COMMIT: 200, MARK: 20}


@dataclass
class Round:
    """Rates are jobs a second; measurements that a competitor does not support are missing."""

    rates: dict[str, float] = field(default_factory=dict)
    cpu_per_1000: dict[str, float] = field(default_factory=dict)
    server_cpu_per_1000: dict[str, float] = field(default_factory=dict)
    pickup_ms: list[float] = field(default_factory=list)
    memory_mib: float = 0.0


def measure_round(setup: Setup, troupe: Troupe, plan: Plan) -> Round:
    """Enqueue rates without workers, then all others with workers, after a warm-up."""
    found = Round()
    competitor = troupe.competitor
    troupe.driver.ask("clear")
    troupe.forget_markers()
    if competitor.can_enqueue:
        measure_enqueue(troupe, plan, found)
    troupe.tree.start()
    troupe.warm_up({task: count for task, count in WARM_UP.items() if _has(troupe, task)})
    if competitor.can_mark:
        found.pickup_ms = measure_pickup(troupe, plan)
    for task, count in competitor.drains.items():
        measure_drain(setup, troupe, task, max(200, int(count * plan.drain_scale)), found)
    found.memory_mib = memory_bytes(troupe.tree.members()) / 2**20
    troupe.tree.stop()
    return found


def _has(troupe: Troupe, task: str) -> bool:
    competitor = troupe.competitor
    return task in competitor.drains or (task == MARK and competitor.can_mark) or task == HANG


def measure_enqueue(troupe: Troupe, plan: Plan, found: Round) -> None:
    driver = troupe.driver
    # The first enqueues include the cost of connections and plans.
    driver.ask("enqueue", task=NOOP, count=20)
    seconds = driver.ask("enqueue", task=NOOP, count=plan.enqueue_one)
    found.rates["enqueue_one"] = plan.enqueue_one / seconds
    seconds = driver.ask("enqueue_many", task=NOOP, count=plan.enqueue_bulk)
    found.rates["enqueue_many"] = plan.enqueue_bulk / seconds
    driver.ask("clear")


def measure_pickup(troupe: Troupe, plan: Plan) -> list[float]:
    """Milliseconds from the return of each enqueue's COMMIT to the first line of its handler."""
    committed = troupe.driver.ask(
        "pace",
        task=MARK,
        first=FIRST_PACED,
        count=plan.paced_jobs,
        per_second=plan.paced_per_second,
    )
    troupe.driver.ask("await_drained", task=MARK, seconds=DRAIN_SECONDS)
    started = [each for each in markers.read_markers(troupe.markers) if each.number >= FIRST_PACED]
    # A handler may begin before the enqueuer's process sees the end of its commit: counts as 0.
    return [max(0.0, (each.at - committed[each.number - FIRST_PACED]) / 1e6) for each in started]


def measure_drain(setup: Setup, troupe: Troupe, task: str, count: int, found: Round) -> None:
    """Fill the queue while the workers are frozen; measure from their thaw to the last job.

    So every competitor has its processes running, its tables analysed and its pages written.
    """
    driver, tree = troupe.driver, troupe.tree
    driver.ask("clear")
    tree.freeze()
    driver.ask("fill", task=task, count=count)
    workers, servers = tree.members(), setup.servers(troupe.competitor)
    before, server_before = cpu_seconds(workers), cpu_seconds(servers)
    driver.send("await_drained", task=task, seconds=DRAIN_SECONDS)
    begun = markers.now()
    tree.thaw()
    seconds = (driver.receive() - begun) / 1e9
    found.rates[task] = count / seconds
    found.cpu_per_1000[task] = (cpu_seconds(workers) - before) * 1000 / count
    server_used = cpu_seconds(servers) - server_before
    found.server_cpu_per_1000[task] = server_used * 1000 / count
