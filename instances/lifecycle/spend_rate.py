"""What Novita charges right now, by the status seen last and not by what was asked for since.

One definition for all figures: held, not proven gone, and in a word of Novita's that is charged, or
in one that does not say, while the charged period is open (``billing.FREE_WORDS``). A wish to end
something does not make it cheaper. Three kinds of GPUs are ours: those of instances, those of
endings beside them (duplicates), and orphans, which belong to no project.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, F, Model, Q, QuerySet, Sum

from accounts.models import Project
from instances.domain.enums import OrphanState
from instances.domain.money import usd_text
from instances.lifecycle.charges import CHARGED_WORDS, FREE_WORDS
from instances.models import Instance, Orphan, UpstreamEnding

_HELD = Q(upstream_gone_at=None) & ~Q(upstream_id="")
# The same rows as Instance.objects.holding(), and so by the same index.
CHARGED = _HELD & (
    Q(upstream_status__in=CHARGED_WORDS)
    | (Q(billing_since__isnull=False) & ~Q(upstream_status__in=FREE_WORDS))
)
# A duplicate that was not looked at yet has been made, and is taken to be charged; so is what is in
# a word that is not known here.
_DUPLICATE = Q(confirmed_at=None) & ~Q(upstream_id=F("instance__upstream_id"))
_CHARGED_DUPLICATE = _DUPLICATE & ~Q(upstream_status__in=FREE_WORDS)


@dataclass(frozen=True, slots=True)
class Burn:
    """USD an hour in 1/100,000 of what has a known price, and how many things have none."""

    e5_usd: int = 0
    unpriced: int = 0

    def __add__(self, other: "Burn") -> "Burn":
        return Burn(self.e5_usd + other.e5_usd, self.unpriced + other.unpriced)

    @property
    def text(self) -> str:
        """For people: an unknown price is told, not counted as nothing."""
        more = f" and {self.unpriced} of unknown price" if self.unpriced else ""
        return f"{usd_text(self.e5_usd)}{more}"


def of_project(project: Project | None = None) -> Burn:
    """Of one project, or of everything: then with the orphans, which no project pays for."""
    rows, endings = Instance.objects.all(), UpstreamEnding.objects.all()
    if project is None:
        return of_instances(rows) + of_duplicates(endings) + of_orphans()
    return of_instances(rows.of(project)) + of_duplicates(endings.filter(project=project))


def of_instances(rows: QuerySet[Instance]) -> Burn:
    """Of these instances' own GPUs."""
    return _sum(rows.filter(CHARGED), "price_e5_usd", "gpu_num")


def of_duplicates(endings: QuerySet[UpstreamEnding]) -> Burn:
    """Of what is ended beside its instance's own GPU: made from the same offer, at its price."""
    rows = endings.filter(_CHARGED_DUPLICATE)
    return _sum(rows, "instance__price_e5_usd", "instance__gpu_num")


def of_orphans() -> Burn:
    """Of GPUs with our signature that no row asked for."""
    account = settings.CONFIG.upstream_account
    rows = Orphan.objects.filter(account=account, state=OrphanState.SEEN).exclude(
        upstream_status__in=FREE_WORDS
    )
    return _sum(rows, "price_e5_usd", "gpu_num")


def of_confirmation(rows: Iterable[Instance]) -> Burn:
    """What ending these instances would save an hour, their duplicates included."""
    rows = list(rows)
    duplicates = UpstreamEnding.objects.filter(instance__in=[row.pk for row in rows])
    return sum((of(row) for row in rows), Burn()) + of_duplicates(duplicates)


def is_charged(instance: Instance) -> bool:
    is_open = instance.billing_since is not None and instance.upstream_status not in FREE_WORDS
    return instance.is_holding and (is_open or instance.upstream_status in CHARGED_WORDS)


def of(instance: Instance) -> Burn:
    """Of one instance's own GPU."""
    if not is_charged(instance):
        return Burn()
    return _one(instance.price_e5_usd, instance.gpu_num)


def of_ending(ending: UpstreamEnding) -> Burn:
    """Of a GPU that must end, until it does."""
    instance = ending.instance
    if ending.confirmed_at is not None:
        return Burn()
    if instance.upstream_id == ending.upstream_id:
        return of(instance)
    if ending.upstream_status in FREE_WORDS:
        return Burn()
    return _one(instance.price_e5_usd, instance.gpu_num)


def _one(price_e5_usd: int | None, gpu_num: int) -> Burn:
    return Burn(unpriced=1) if price_e5_usd is None else Burn(price_e5_usd * gpu_num)


def _sum(rows: "QuerySet[Model]", price: str, gpus: str) -> Burn:
    found = rows.order_by().aggregate(
        total=Sum(F(price) * F(gpus), default=0),
        unpriced=Count("pk", filter=Q(**{f"{price}__isnull": True})),
    )
    return Burn(int(found["total"]), int(found["unpriced"]))
