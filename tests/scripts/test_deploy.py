"""`scripts/deploy-dev.sh`, `scripts/deploy-prod.sh`: real processes, a stand-in of the engine."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from devtools.faults.real.databases import Database
from devtools.launcher.ports import free_port
from devtools.simulator.process import SimulatorProcess
from tests.scripts.checkouts import Checkout, Finished, calls, install_engine, make_checkout
from tests.scripts.engine import end_processes

KEY = "a-key-of-a-simulated-account"
PROD = f"POSTGRES_PASSWORD=p\nSECRET_KEY={'s' * 50}\nNOVITA_API_KEY={KEY}\n"
STARTED = ["compose build", "compose up postgres", "compose run migrate"]


@dataclass(frozen=True, slots=True)
class Site:
    checkout: Checkout
    engine: Path

    def deploy(self, kind: str, *arguments: str, **variables: str) -> Finished:
        return self.checkout.run(f"deploy-{kind}.sh", *arguments, **variables)

    @property
    def asked(self) -> list[str]:
        """But for questions that change nothing."""
        quiet = ("compose version", "compose config", "compose ps", "compose logs")
        return [each for each in calls(self.engine) if not each.startswith(quiet)]


@contextmanager
def site(tmp_path: Path, database_url: str, key: str, **orders: str) -> Iterator[Site]:
    engine = tmp_path / "engine"
    with SimulatorProcess(state=tmp_path / "simulator.sqlite3", api_key=key) as simulator:
        orders = {"database_url": database_url, "novita_url": simulator.url, **orders}
        variables = install_engine(engine, **orders)
        port = str(free_port())
        made = make_checkout(tmp_path / "checkout", PORT=port, HEALTH_SECONDS="60", **variables)
        try:
            yield Site(made, engine)
        finally:
            end_processes(engine)


def test_a_development_deployment_ends_with_a_key_that_works(
    tmp_path: Path, database: Database
) -> None:
    with site(tmp_path, database.url, "sim-key") as here:
        # A real account in the shell is kept out.
        done = here.deploy("dev", NOVITA_API_KEY="costs-money", SECRET_KEY="x")
        assert done.code == 0, done.complaints
        key = re.search(r"^Key +(nvt_\S+)$", done.output, re.MULTILINE)
        url = re.search(r"^API +(\S+)/api/docs$", done.output, re.MULTILINE)
        assert key
        assert url
        answer = requests.get(
            f"{url[1]}/api/instances", headers={"Authorization": f"Bearer {key[1]}"}, timeout=10
        )
        ended = here.deploy("dev", "--down")

        assert answer.status_code == 200
        assert ended.code == 0
        assert here.asked == [
            *STARTED,
            "compose up simulator receiver web worker",
            "compose exec web python manage.py create_api_key deploy-dev",
            "compose down",
        ]


def test_a_production_deployment_backs_up_what_is_there_before_it_migrates(
    tmp_path: Path, database: Database
) -> None:
    with site(tmp_path, database.url, KEY) as here:
        here.checkout.write_env(PROD)
        (here.engine / "has_run").touch()
        done = here.deploy("prod", "--backups", str(tmp_path / "kept"))

        assert done.code == 0, done.complaints
        assert "healthy (" in done.output
        assert [path.suffix for path in (tmp_path / "kept").iterdir()] == [".tar"]
        kinds = [each for each in here.asked if "postgres p" not in each]
        assert kinds == [*STARTED, "compose up web worker"]
        dumped = here.asked.index("compose exec postgres pg_dump")
        assert dumped < here.asked.index("compose run migrate")


def test_a_service_that_is_not_healthy_fails_the_deployment_with_its_last_lines(
    tmp_path: Path, database: Database
) -> None:
    """No worker comes up: the web server answers, and says so."""
    with site(tmp_path, database.url, KEY, missing="worker") as here:
        here.checkout.write_env(PROD)
        done = here.deploy("prod", HEALTH_SECONDS="2")

        assert done.code == 1
        assert "Nothing to back up" in done.output
        assert "jobQueue down" in done.output
        assert "Failed: the service runs but is not healthy" in done.complaints
        assert "git checkout TAG" in done.complaints


def test_each_step_that_fails_stops_the_deployment_and_says_what_still_runs(
    tmp_path: Path,
) -> None:
    for number, (step, words) in enumerate(
        [
            ("version", "docker compose does not answer"),
            ("config", "docker-compose.yml or .env cannot be read"),
            ("build", "the running service is unchanged"),
            ("up", "Postgres did not start"),
            ("run", "What runs goes on with the old release"),
        ]
    ):
        engine = tmp_path / str(number)
        orders = {
            "database_url": "postgresql://127.0.0.1:1/none",
            "novita_url": "http://127.0.0.1:1",
        }
        variables = install_engine(engine, fails=step, **orders)
        checkout = make_checkout(tmp_path / f"checkout-{number}", **variables)
        checkout.write_env(PROD)

        done = checkout.run("deploy-prod.sh")

        assert done.code == 1
        assert words in done.complaints
        assert calls(engine)[-1].split()[1] in (step, "logs")


def test_settings_that_cannot_work_stop_it_before_anything_is_built(tmp_path: Path) -> None:
    orders = {"database_url": "postgresql://127.0.0.1:1/none", "novita_url": "http://127.0.0.1:1"}
    variables = install_engine(tmp_path / "engine", **orders)
    checkout = make_checkout(tmp_path / "checkout", **variables)

    missing = checkout.run("deploy-prod.sh")
    checkout.write_env('POSTGRES_PASSWORD=p\nSECRET_KEY=""\n# NOVITA_API_KEY=x\n')
    incomplete = checkout.run("deploy-prod.sh")
    checkout.write_env(PROD, mode=0o644)
    readable = checkout.run("deploy-prod.sh")

    assert "cp .env.example .env" in missing.complaints
    assert "not set in .env: SECRET_KEY NOVITA_API_KEY" in incomplete.complaints
    assert "chmod 600 .env" in readable.complaints
    assert [missing.code, incomplete.code, readable.code] == [1, 1, 1]
    assert not [each for each in calls(tmp_path / "engine") if "build" in each]


def test_a_machine_without_the_engine_is_told_so(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "sed", "env"):
        found = next(p for p in map(Path, ("/bin", "/usr/bin")) if (p / name).exists())
        (programs / name).symlink_to(found / name)
    checkout = make_checkout(tmp_path / "checkout", PATH=str(programs))

    done = checkout.run("deploy-dev.sh")

    assert done.code == 1
    assert "the docker command was not found" in done.complaints
