"""Frozen dataclasses that are passed between layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from instances.domain.enums import BillingMode, OnStartFailure

DEFAULT_ROOTFS_GB = 60


@dataclass(frozen=True, slots=True)
class InstanceRequest:
    """A validated create request. Sizes in GB; ``region`` is a code of this API.

    ``max_price_per_hour_e5_usd`` is for all GPUs together, in 1/100,000 USD an hour.
    """

    name: str
    product_name: str
    template_id: str
    region: str
    gpu_num: int = 1
    rootfs_size_gb: int = DEFAULT_ROOTFS_GB
    # The request gives no size: the template may require more than the default.
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
    """A validated update; fields that it does not contain are unchanged.

    ``fields`` by column: name, webhook_url ("" removes it), max_runtime_minutes (None removes it).
    ``tags`` are merged into the existing ones, None removes a key; ``clears_tags`` removes all
    first.
    """

    fields: Mapping[str, str | int | None] = field(default_factory=dict)
    tags: Mapping[str, str | None] = field(default_factory=dict)
    clears_tags: bool = False


@dataclass(frozen=True, slots=True)
class VersionPrecondition:
    """Row versions that a caller accepts: those in ``wanted`` and not in ``refused``.

    ``wanted`` None: every version. ``refused`` None: every version is refused.
    """

    wanted: frozenset[int] | None = None
    refused: frozenset[int] | None = frozenset()

    def allow(self, version: int) -> bool:
        is_wanted = self.wanted is None or version in self.wanted
        return is_wanted and self.refused is not None and version not in self.refused


ANY_VERSION = VersionPrecondition()


@dataclass(frozen=True, slots=True)
class Cause:
    """Actor and reason of a change, recorded in its event.

    actor: ``key:…``, ``operator:NAME`` or ``worker``. reason: a sentence for people.
    """

    actor: str
    reason: str = ""
    request_id: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Code (enums.StatusReason) and sentence for a status that no caller asked for."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Code (enums.WaitCode) and sentence for a create that waits."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Code (enums.FailureCode) and sentence for an instance that failed."""

    code: str
    message: str
