"""Monitor jobs, driven by hand."""

from __future__ import annotations

from datetime import timedelta

from instances.models import Instance
from jobs.models import Job
from tests.instances.handlers.conftest import Service
from tests.support.engine import database_time
from tests.support.fakes import FakeNovita


def monitor(service: Service, instance: Instance, *, times: int = 1) -> Instance:
    service.run("monitor_instance", times=times)
    instance.refresh_from_db()
    return instance


def job(instance: Instance) -> Job:
    return Job.objects.get(type="monitor_instance", subject=instance.public_id)


def wait_of(instance: Instance) -> timedelta:
    return job(instance).run_at - database_time()


def many(service: Service, novita: FakeNovita, count: int) -> list[Instance]:
    """Placed instances, all but the first without the work of placing them."""
    first = service.placed()
    rows = [
        Instance(
            project=first.project,
            name=f"n{number}",
            product_name=first.product_name,
            gpu_num=1,
            rootfs_size_gb=60,
            status="starting",
            sequence=1,
            start_deadline_at=first.start_deadline_at,
            upstream_id=f"up-{number}",
            upstream_name=first.upstream_name.replace("-", f"-{number}-", 1),
            upstream_account=first.upstream_account,
        )
        for number in range(2, count + 1)
    ]
    Instance.objects.bulk_create(rows)
    Job.objects.bulk_create(
        Job(type="monitor_instance", subject=row.public_id, project=first.project) for row in rows
    )
    for row in rows:
        novita.put(row.upstream_id, name=row.upstream_name, status="pulling")
    novita.calls.clear()
    return [first, *rows]
