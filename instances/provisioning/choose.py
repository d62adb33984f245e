"""Chooses the offer of a create from the cache, or says what must be read for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from instances.catalogue import allowed_templates, cache
from instances.catalogue.place_names import Place
from instances.catalogue.placement import Ranking, rank
from instances.catalogue.ports import probe_failure, sized
from instances.domain.types import Failure, InstanceRequest
from instances.models import Instance
from instances.novita.limiter import Permit
from instances.provisioning import unknown
from instances.provisioning.common import spec_of
from instances.provisioning.prefetch import PrefetchWork, Reads
from jobs.models import Job
from upstream.types import Product, Template

# Creates of one offer without an answer and without effect, after which others are preferred.
MOST_UNANSWERED = 2
_NO_ANSWER = "its last creates got no clear answer"


@dataclass(frozen=True, slots=True)
class Plan:
    """A request with an offer from the cache."""

    job: Job
    spec: InstanceRequest
    ranking: Ranking
    cluster_id: str
    template: Template


def choose(
    job: Job, instance: Instance, reader: cache.CatalogueReader
) -> Plan | Failure | PrefetchWork:
    """An offer, the failure of a wish for what was just not found, or what to read."""
    cached = reader.template(instance.template_id)
    failure = None if cached else reader.template_failure(instance.template_id)
    if failure is not None:
        return failure
    place = reader.place(instance.region)
    products = reader.products(place.cluster.id, instance.billing_mode) if place else []
    template = _usable(cached, instance)
    if place is None or not products:
        return _work(job, instance, template)
    if not unknown.has(products, instance.product_name):
        return _unknown_product(job, instance, template, place, reader)
    if template is None and (cached or not cache.is_template_known(instance.template_id)):
        return _work(job, instance, template, reads=Reads.TEMPLATE)
    if template is not None:
        spec = sized(spec_of(instance), template)
        ranking = _ranked(products, instance, spec, place)
        if ranking.offers:
            return Plan(job, spec, ranking, place.cluster.id, template)
    return _work(job, instance, template)


def _usable(template: Template | None, instance: Instance) -> Template | None:
    """A cached template that does not fit is read again: the port may have been added.

    One that the project may not use is read like an unknown one, so that it cannot be told apart.
    """
    if template is None or allowed_templates.refusal(instance.project, template):
        return None
    return None if probe_failure(template, instance.readiness_probe) else template


def _unknown_product(
    job: Job,
    instance: Instance,
    template: Template | None,
    place: Place,
    reader: cache.CatalogueReader,
) -> Failure | PrefetchWork:
    """A recent search answers for all unknown names; an older one is repeated."""
    search = reader.search(place.cluster.id, instance.billing_mode)
    verdict = unknown.not_sold_by_cache(instance, place, reader)
    if search is not None and search.is_recent:
        return verdict
    return _work(job, instance, template, reads=Reads.PRODUCTS, verdict=verdict)


def _work(
    job: Job,
    instance: Instance,
    template: Template | None,
    *,
    reads: Reads = Reads.ALL,
    verdict: Failure | None = None,
) -> PrefetchWork:
    return PrefetchWork(
        region=instance.region,
        billing_mode=instance.billing_mode,
        template_id=instance.template_id,
        product_name=instance.product_name,
        template=template,
        permit=Permit(0),
        request_id=job.request_id,
        reads=reads,
        verdict=verdict,
    )


def _ranked(
    products: Sequence[Product], instance: Instance, spec: InstanceRequest, place: Place
) -> Ranking:
    """Offers ranked; those whose creates stayed unanswered are used only if there are no others."""
    refused, unanswered = instance.refused_offers, instance.unanswered_offers
    silent = {key: _NO_ANSWER for key, times in unanswered.items() if times >= MOST_UNANSWERED}
    ranking = rank(products, spec, place=place, refused=(silent | refused).items())
    if ranking.offers or not silent:
        return ranking
    return rank(products, spec, place=place, refused=refused.items())
