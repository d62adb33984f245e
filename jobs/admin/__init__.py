"""Admin pages of jobs, job types and workers."""

from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from jobs.admin.jobs import JobAdmin
from jobs.admin.types import JobTypesAdmin
from jobs.admin.workers import WorkerAdmin

# django-q2's own models are hidden: the queue is jobs.Job, and a schedule added there never runs.
for model in (Success, Failure, Schedule, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

__all__ = ["JobAdmin", "JobTypesAdmin", "WorkerAdmin"]
