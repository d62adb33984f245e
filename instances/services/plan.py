"""Checks a create request without creating anything, from the cache only: no network."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Project
from core.clock import database_now
from instances.catalogue import allowed_templates, browse, cache
from instances.catalogue.placement import Ranking, rank
from instances.catalogue.ports import notes_on, probe_failure, sized
from instances.domain.enums import FailureCode
from instances.domain.errors import InstanceLimitReached, RequestRejected
from instances.domain.types import Failure, InstanceRequest
from instances.services.estimates import median_start
from instances.services.limits import has_room, limited
from upstream.types import Template


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a request would be refused, or would fail later: code, sentence, field."""

    code: str
    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Result of a plan.

    ``refusals``: the request would not be accepted. ``obstacles``: it would be accepted and fail.
    ``warnings``: no effect on the result.
    """

    spec: InstanceRequest
    ranking: Ranking
    refusals: tuple[Objection, ...]
    obstacles: tuple[Objection, ...]
    warnings: tuple[Objection, ...]
    is_template_checked: bool
    prices_as_of: datetime | None
    now: datetime
    estimated_ready_at: datetime

    @property
    def is_placeable(self) -> bool:
        return bool(self.ranking.offers) and not self.obstacles


def plan_instance(*, project: Project, spec: InstanceRequest) -> Plan:
    """Evaluate a request as a create would at this moment. Reserves nothing."""
    refusals: list[Objection] = []
    try:
        spec = limited(spec, project)
    except RequestRejected as error:
        refusals += [Objection(error.code, text, name) for name, text in error.errors.items()]
    if not has_room(project):
        full = InstanceLimitReached(project.live_instance_limit or 0)
        refusals.append(Objection(full.code, str(full)))
    template = cache.known_template(spec.template_id)
    warnings: tuple[Objection, ...] = ()
    if isinstance(template, Template):
        template = allowed_templates.refusal(project, template) or template
    if isinstance(template, Template):
        spec = sized(spec, template)
        warnings = tuple(Objection(*note) for note in notes_on(template, spec))
    ranking, no_offer, as_of = _placement(spec)
    no_start = _template_obstacle(template, spec)
    obstacles = tuple(each for each in (no_offer, no_start) if each is not None)
    now = database_now()
    ready = now + median_start(spec.product_name)
    return Plan(
        spec=spec,
        ranking=ranking,
        refusals=tuple(refusals),
        obstacles=obstacles,
        warnings=warnings,
        is_template_checked=template is not None,
        prices_as_of=as_of,
        now=now,
        estimated_ready_at=ready,
    )


def _placement(spec: InstanceRequest) -> tuple[Ranking, Objection | None, datetime | None]:
    regions, _ = browse.regions()
    place = next((each.place for each in regions if each.code == spec.region), None)
    if place is None:
        message = (
            f"Novita lists no cluster for region {spec.region}, or its clusters were not read yet."
        )
        return Ranking((), ()), Objection(FailureCode.NO_OPTIMAL_PRODUCT, message), None
    products, as_of = browse.products_of(place.cluster.id, spec.billing_mode)
    ranking = rank(products, spec, place=place)
    return ranking, _obstacle(spec, ranking), as_of


def _template_obstacle(found: Template | Failure | None, spec: InstanceRequest) -> Objection | None:
    """Failure of the template or the probe port; None for a template that is not in the cache."""
    if isinstance(found, Failure):
        return Objection(found.code, found.message, "templateId")
    failure = None if found is None else probe_failure(found, spec.readiness_probe)
    if failure is None:
        return None
    return Objection(failure.code, failure.message, "readinessProbe.port")


def _obstacle(spec: InstanceRequest, ranking: Ranking) -> Objection | None:
    if ranking.offers:
        return None
    place = f"in {spec.region} as {spec.billing_mode}"
    if not ranking.is_name_known:
        message = f"No product named {spec.product_name} is listed {place}."
        return Objection(FailureCode.PRODUCT_NOT_FOUND, message)
    message = f"No offer of {spec.product_name} {place} fits; rejected lists the reasons."
    return Objection(FailureCode.NO_OPTIMAL_PRODUCT, message)
