"""Frozen dataclasses that cross layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from instances.domain.enums import BillingMode, OnStartFailure

DEFAULT_ROOTFS_GB = 60


@dataclass(frozen=True, slots=True)
class InstanceRequest:
    """What a caller asked for, validated. Sizes in GB; the region is a code of this API.

    The price is for all GPUs together, in 1/100,000 USD an hour.
    """

    name: str
    product_name: str
    template_id: str
    region: str
    gpu_num: int = 1
    rootfs_size_gb: int = DEFAULT_ROOTFS_GB
    # Named no size: what runs there may need more than the default.
    has_default_rootfs: bool = False
    billing_mode: BillingMode = BillingMode.SPOT
    webhook_url: str = ""
    max_price_per_hour_e5_usd: int | None = None
    max_runtime_minutes: int | None = None
    on_start_failure: OnStartFailure = OnStartFailure.TERMINATE
    readiness_probe: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstancePatch:
    """What a caller wants changed, validated. What is not named stays.

    ``fields`` by the row's names: name, webhook_url ("" for none), max_runtime_minutes (None for
    none). ``tags`` are merged into those there are, None removing one; ``clears_tags`` removes all.
    """

    fields: Mapping[str, str | int | None] = field(default_factory=dict)
    tags: Mapping[str, str | None] = field(default_factory=dict)
    clears_tags: bool = False


@dataclass(frozen=True, slots=True)
class VersionPrecondition:
    """Which versions of a row a caller is content to change: those in ``wanted`` (None: all) that
    are not in ``refused`` (None: all are).
    """

    wanted: frozenset[int] | None = None
    refused: frozenset[int] | None = frozenset()

    def allow(self, version: int) -> bool:
        is_wanted = self.wanted is None or version in self.wanted
        return is_wanted and self.refused is not None and version not in self.refused


ANY_VERSION = VersionPrecondition()


@dataclass(frozen=True, slots=True)
class Cause:
    """Who changed something and why; every event carries it.

    actor: ``key:…``, ``operator:NAME`` or ``worker``. reason: in words a person understands.
    """

    actor: str
    reason: str = ""
    request_id: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a status changed that nobody asked to change (choices.StatusReason), and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a create does not go on at the moment (choices.WaitCode), and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an instance failed: a stable code (choices.FailureCode) and a sentence."""

    code: str
    message: str
