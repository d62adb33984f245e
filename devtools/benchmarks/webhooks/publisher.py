"""Writes events as the service does: ``python -m devtools.benchmarks.webhooks.publisher``.

One JSON command a line on its input, one JSON answer a line on its output.

endpoints {project, urls}: an endpoint for each URL, for one subject each, whose names are answered.
publish {project, subjects, count, rate}: ``count`` messages in turn about the subjects, ``rate`` a
second (0: as fast as it goes); answers with id and Unix time of the commit of each.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402

from accounts.models import Project  # noqa: E402
from core.inserts import insert  # noqa: E402
from egress.webhooks.signing import generate_secret  # noqa: E402
from jobs.queue import CHANNEL  # noqa: E402
from webhooks import outbox  # noqa: E402
from webhooks.models import Endpoint  # noqa: E402

# About what the details of an instance take.
_DATA = {"name": "bench", "status": "running", "note": "x" * 1200}


def endpoints(project: str, urls: list[str]) -> list[str]:
    owner, _ = Project.objects.get_or_create(name=project)
    first = Endpoint.objects.count()
    subjects = [f"inst_{first + number}" for number in range(len(urls))]
    Endpoint.objects.bulk_create(
        Endpoint(
            project=owner,
            subject=subject,
            url=url,
            origin=outbox.origin_of(url),
            secret=generate_secret(),
        )
        for subject, url in zip(subjects, urls, strict=True)
    )
    return subjects


def publish(project: str, subjects: list[str], count: int, rate: float) -> list[Any]:
    owner = Project.objects.get(name=project)
    begun, written = time.monotonic(), []
    for number in range(count):
        if rate and (pause := begun + number / rate - time.monotonic()) > 0:
            time.sleep(pause)
        written.append(_write(owner, subjects[number % len(subjects)]))
    return written


def _write(project: Project, subject: str) -> tuple[str, float]:
    body = {"type": "instance.running", "instanceId": subject, "data": {"id": subject, **_DATA}}
    with transaction.atomic():
        outgoing = outbox.compose(outbox.Draft(project, "instance.running", subject, body))
        insert(*outgoing.rows, wake=CHANNEL)
        outgoing.enqueue()
    return outgoing.message.public_id, time.time()


def main() -> None:
    verbs: dict[str, Callable[..., Any]] = {"endpoints": endpoints, "publish": publish}
    for line in sys.stdin:
        command = json.loads(line)
        answer = verbs[command.pop("verb")](**command)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
