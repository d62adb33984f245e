"""USD an hour that Novita charges now, by the last observed status.

Charged is a GPU that is held, whose absence is not proven, and whose status at Novita is a charged
word, or any word outside ``charges.FREE_WORDS`` while a charged period is open. A requested end
changes nothing. GPUs counted: those of instances, of terminations beside them (duplicates), and
orphans, which belong to no project.
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
# Starts with the condition of Instance.objects.holding(), so that its index is used.
CHARGED = _HELD & (
    Q(upstream_status__in=CHARGED_WORDS)
    | (Q(billing_since__isnull=False) & ~Q(upstream_status__in=FREE_WORDS))
)
# A duplicate without an observation counts as charged; so does one with an unknown word.
_DUPLICATE = Q(confirmed_at=None) & ~Q(upstream_id=F("instance__upstream_id"))
_CHARGED_DUPLICATE = _DUPLICATE & ~Q(upstream_status__in=FREE_WORDS)


@dataclass(frozen=True, slots=True)
class SpendRate:
    """Sum of known prices in 1/100,000 USD an hour, and the number of GPUs without a price."""

    e5_usd: int = 0
    unpriced: int = 0

    def __add__(self, other: "SpendRate") -> "SpendRate":
        return SpendRate(self.e5_usd + other.e5_usd, self.unpriced + other.unpriced)

    @property
    def text(self) -> str:
        """For people; names the GPUs of unknown price."""
        more = f" and {self.unpriced} of unknown price" if self.unpriced else ""
        return f"{usd_text(self.e5_usd)}{more}"


def of_project(project: Project | None = None) -> SpendRate:
    """Of one project; of everything, orphans included, if ``project`` is None."""
    rows, endings = Instance.objects.all(), UpstreamEnding.objects.all()
    if project is None:
        return of_instances(rows) + of_duplicates(endings) + of_orphans()
    return of_instances(rows.of(project)) + of_duplicates(endings.filter(project=project))


def of_instances(rows: QuerySet[Instance]) -> SpendRate:
    """Of the own GPUs of these instances."""
    return _sum(rows.filter(CHARGED), "price_e5_usd", "gpu_num")


def of_duplicates(endings: QuerySet[UpstreamEnding]) -> SpendRate:
    """Of terminations beside an instance's own GPU (duplicates), at the instance's price."""
    rows = endings.filter(_CHARGED_DUPLICATE)
    return _sum(rows, "instance__price_e5_usd", "instance__gpu_num")


def of_orphans() -> SpendRate:
    """Of GPUs with this installation's signature and no instance row."""
    account = settings.CONFIG.upstream_account
    rows = Orphan.objects.filter(account=account, state=OrphanState.SEEN).exclude(
        upstream_status__in=FREE_WORDS
    )
    return _sum(rows, "price_e5_usd", "gpu_num")


def of_confirmation(rows: Iterable[Instance]) -> SpendRate:
    """USD an hour saved by ending these instances and their duplicates."""
    rows = list(rows)
    duplicates = UpstreamEnding.objects.filter(instance__in=[row.pk for row in rows])
    return sum((of(row) for row in rows), SpendRate()) + of_duplicates(duplicates)


def is_charged(instance: Instance) -> bool:
    is_open = instance.billing_since is not None and instance.upstream_status not in FREE_WORDS
    return instance.is_holding and (is_open or instance.upstream_status in CHARGED_WORDS)


def of(instance: Instance) -> SpendRate:
    """Of one instance's own GPU."""
    if not is_charged(instance):
        return SpendRate()
    return _one(instance.price_e5_usd, instance.gpu_num)


def of_ending(ending: UpstreamEnding) -> SpendRate:
    """Of a GPU that must end, until its absence is proven."""
    instance = ending.instance
    if ending.confirmed_at is not None:
        return SpendRate()
    if instance.upstream_id == ending.upstream_id:
        return of(instance)
    if ending.upstream_status in FREE_WORDS:
        return SpendRate()
    return _one(instance.price_e5_usd, instance.gpu_num)


def _one(price_e5_usd: int | None, gpu_num: int) -> SpendRate:
    return SpendRate(unpriced=1) if price_e5_usd is None else SpendRate(price_e5_usd * gpu_num)


def _sum(rows: "QuerySet[Model]", price: str, gpus: str) -> SpendRate:
    found = rows.order_by().aggregate(
        total=Sum(F(price) * F(gpus), default=0),
        unpriced=Count("pk", filter=Q(**{f"{price}__isnull": True})),
    )
    return SpendRate(int(found["total"]), int(found["unpriced"]))
