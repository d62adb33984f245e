"""Jobs for operators: what is stuck, since when, why, and the buttons."""

from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from jobs.admin.jobs import JobAdmin
from jobs.admin.types import JobTypesAdmin
from jobs.admin.workers import WorkerAdmin

# Its rows are not used here (the queue is jobs.Job), and a schedule added there would never run.
for model in (Success, Failure, Schedule, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

__all__ = ["JobAdmin", "JobTypesAdmin", "WorkerAdmin"]
