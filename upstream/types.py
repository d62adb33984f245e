"""Frozen dataclasses for Novita's objects, read by `parsers`.

Prices are integers in 1/100,000 USD per GPU-hour. Passwords have no repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from upstream.access import Access
from upstream.facts import ALL_FACTS, Fact
from upstream.vocabulary import STATUSES, UnknownValue


@dataclass(frozen=True, slots=True)
class Cluster:
    id: str
    name: str
    gpu_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A product. `regions` are display names of clusters, not ids; empty means everywhere."""

    id: str
    name: str
    cpu_per_gpu: int = 0
    memory_per_gpu_gb: int = 0
    available_deploy: bool = False
    inventory_state: str = ""
    min_rootfs_gb: int = 0
    max_rootfs_gb: int | None = None
    regions: tuple[str, ...] = ()
    on_demand_price_e5_usd: int | None = None
    spot_price_e5_usd: int | None = None
    billing_modes: frozenset[str] = frozenset()
    unknown_values: tuple[UnknownValue, ...] = ()

    def unreadable_price(self, *, is_spot: bool) -> str | None:
        """The unreadable text in place of a price; such a product is never bought."""
        field_name = "spotPrice" if is_spot else "price"
        return next((each.value for each in self.unknown_values if each.field == field_name), None)


@dataclass(frozen=True, slots=True)
class EnvVar:
    """The value may be a secret and has no repr."""

    key: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    port: int
    type: str


@dataclass(frozen=True, slots=True)
class TemplatePort:
    type: str
    port: int


@dataclass(frozen=True, slots=True)
class Template:
    """A template; its fields are copied into the create, which takes no template id."""

    id: str
    name: str
    image: str = ""
    image_auth_id: str = ""
    # ``user:password`` in the field that is documented as an id.
    image_auth: str = field(default="", repr=False)
    start_command: str = field(default="", repr=False)
    entrypoint: str = field(default="", repr=False)
    rootfs_size_gb: int = 0
    ports: tuple[TemplatePort, ...] = ()
    envs: tuple[EnvVar, ...] = ()
    tools: tuple[Tool, ...] = ()
    min_cuda_version: str = ""
    type: str = ""
    channel: str = ""
    unknown_values: tuple[UnknownValue, ...] = ()
    # Fields with a value that creates do not use.
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    """Stored registry credentials, without the password that Novita may send."""

    id: str
    name: str
    username: str = ""


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A port.

    `endpoint`: URL for http, host:port for tcp, "" until it is published, None if the answer lacks
    it, as lists may.
    """

    port: int
    endpoint: str | None
    type: str

    @property
    def address(self) -> str:
        """The endpoint with its scheme, which http endpoints may lack."""
        endpoint = self.endpoint or ""
        if self.type != "http" or not endpoint or "://" in endpoint:
            return endpoint
        return f"https://{endpoint}"


@dataclass(frozen=True, slots=True)
class UpstreamInstance:
    """An instance as Novita describes it; lists lack the connect blocks.

    `status` is Novita's word. Times are UTC, None for never. ``facts``: what the answer contained;
    all other fields have meaningless defaults.
    """

    id: str
    name: str = ""
    status: str = ""
    status_error_state: str = ""
    status_error_message: str = ""
    cluster_id: str = ""
    cluster_name: str = ""
    product_id: str = ""
    product_name: str = ""
    gpu_num: int = 0
    billing_mode: str = ""
    image_url: str = ""
    rootfs_size_gb: int = 0
    port_mappings: tuple[PortMapping, ...] = ()
    ssh_command: str = ""
    # The query of these addresses may contain an access token.
    jupyter_url: str = field(default="", repr=False)
    web_terminal_url: str = field(default="", repr=False)
    access: Access = field(default=Access(), repr=False)
    spot_status: str = ""
    spot_reclaim_at: datetime | None = None
    created_at: datetime | None = None
    last_started_at: datetime | None = None
    last_stopped_at: datetime | None = None
    use_time_seconds: int = 0
    price_e5_usd: int | None = None
    unknown_values: tuple[UnknownValue, ...] = ()
    facts: frozenset[Fact] = ALL_FACTS

    @property
    def is_known_status(self) -> bool:
        """Whether this release knows the status word."""
        return self.status in STATUSES.words

    @property
    def is_running(self) -> bool:
        return self.status == "running"

    @property
    def is_stopped(self) -> bool:
        """Novita's word is `exited`; `stopped` does not exist there."""
        return self.status == "exited"

    @property
    def is_leaving_word(self) -> bool:
        """Deletion was accepted and is in progress; the GPU may still be held and charged."""
        return self.status in ("toRemove", "removing")

    @property
    def is_gone_word(self) -> bool:
        """Deletion is complete; Novita lists the instance for some time after."""
        return self.status == "removed"

    @property
    def failure_reason(self) -> str | None:
        """Why a create failed or the instance is unavailable; Novita has no status for that."""
        return self.status_error_message or self.status_error_state or None


@dataclass(frozen=True, slots=True)
class UpstreamJob:
    """One of Novita's own jobs, such as a migration."""

    id: str
    type: str
    state: str
    instance_id: str
    error: str = ""
    created_at: datetime | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it failed or was cancelled: it does not continue."""
        return self.state in ("fail", "break")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A list item that could not be read; recorded, so that the gap is visible."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One page. `raw_count`: items that Novita sent; `instances`: those that could be read."""

    instances: tuple[UpstreamInstance, ...]
    total: int | None
    skipped: tuple[Skipped, ...] = ()

    @property
    def raw_count(self) -> int:
        return len(self.instances) + len(self.skipped)


@dataclass(frozen=True, slots=True)
class Listing:
    """All pages of a list.

    An instance missing in it is not proven absent, even if `is_complete`: instances move between
    pages while these are read.
    """

    instances: dict[str, UpstreamInstance]
    total: int | None
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """Negative if in arrears. Novita sends 1/10,000 USD here, ten times its unit of prices."""

    available_e5_usd: int
    cash_e5_usd: int
    credit_limit_e5_usd: int


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """Body of a create. `ports` is one string, as Novita requires: "80/http,3306/tcp"."""

    name: str
    product_id: str
    gpu_num: int
    rootfs_size_gb: int
    image_url: str
    image_auth_id: str = ""
    image_auth: str = field(default="", repr=False)
    ports: str = ""
    envs: tuple[EnvVar, ...] = ()
    tools: tuple[Tool, ...] = ()
    command: str = field(default="", repr=False)
    entrypoint: str = field(default="", repr=False)
    cluster_id: str = ""
    billing_mode: str = "onDemand"
    kind: str = "gpu"
    min_cuda_version: str = ""

    def to_json(self) -> dict[str, Any]:
        """Without unset fields: an empty clusterId, for example, would mean a random cluster."""
        optional: dict[str, Any] = {
            "imageAuthId": self.image_auth_id,
            "imageAuth": self.image_auth,
            "ports": self.ports,
            "envs": [{"key": env.key, "value": env.value} for env in self.envs],
            "tools": [{"name": t.name, "port": str(t.port), "type": t.type} for t in self.tools],
            "command": self.command,
            "entrypoint": self.entrypoint,
            "clusterId": self.cluster_id,
            "billingMode": self.billing_mode,
            "minCudaVersion": self.min_cuda_version,
        }
        return {
            "name": self.name,
            "productId": self.product_id,
            "gpuNum": self.gpu_num,
            "rootfsSize": self.rootfs_size_gb,
            "imageUrl": self.image_url,
            "kind": self.kind,
        } | {key: value for key, value in optional.items() if value}
