"""look_up_template: reads a template into the cache, for a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from instances.catalogue import cache, misses
from instances.domain.types import Failure
from instances.novita import client_factory, limiter
from instances.novita.call_classes import CallClass
from instances.novita.limiter import Permit
from instances.provisioning.templates import MOST_CALLS, read_template
from jobs.handler import Handler, Resolved, WorkItem
from jobs.models import Job
from jobs.outcomes import Done, Outcome
from upstream.call_records import CallRecord
from upstream.errors import NovitaError
from upstream.types import Template


@dataclass(frozen=True, slots=True)
class TemplateWork:
    """A template to read, with the permit."""

    template_id: str
    permit: Permit
    request_id: str


@dataclass(frozen=True, slots=True)
class TemplateResult:
    """The template, or why it cannot be used; neither if Novita did not answer."""

    calls: Sequence[CallRecord]
    template: Template | None = None
    failure: Failure | None = None


class LookUpTemplate(Handler[TemplateWork, TemplateResult]):
    """One attempt with spare calls only: plans wait briefly and buy nothing."""

    def load(self, jobs: Sequence[Job]) -> Sequence[WorkItem[TemplateWork] | Resolved]:
        return [self._work(job) for job in jobs]

    def _work(self, job: Job) -> WorkItem[TemplateWork] | Resolved:
        template_id = job.payload["templateId"]
        if cache.known_template(template_id) is not None:
            return Resolved({job.pk: Done()})
        permit = limiter.reserve(MOST_CALLS, CallClass.OTHER)
        if not permit.is_granted:
            return Resolved({job.pk: Done()})
        return WorkItem([job], TemplateWork(template_id, permit, job.request_id))

    def call(self, work: TemplateWork) -> TemplateResult:
        client = client_factory.client(work.permit, request_id=work.request_id)
        try:
            template, failure = read_template(client, work.template_id)
        except NovitaError:
            return TemplateResult(client.calls)
        return TemplateResult(client.calls, template, failure)

    def record_usage(self, calls: Sequence[tuple[TemplateWork, TemplateResult]]) -> None:
        limiter.report((work.permit, result.calls) for work, result in calls)

    def apply(
        self, jobs: Sequence[Job], work: TemplateWork, result: TemplateResult
    ) -> Mapping[int, Outcome]:
        if result.template is not None:
            cache.keep_template(work.template_id, result.template)
        if result.failure is not None:
            misses.keep_template_failure(work.template_id, result.failure)
        return {job.pk: Done() for job in jobs}
