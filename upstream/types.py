"""What the upstream knows, as frozen values. See `parsers` for how they are read.

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
    """An offer. `regions` are display names of clusters, not ids; empty means everywhere."""

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
        """What stands in the place of a price and is none: such an offer is never bought."""
        field_name = "spotPrice" if is_spot else "price"
        return next((each.value for each in self.unknown_values if each.field == field_name), None)


@dataclass(frozen=True, slots=True)
class EnvVar:
    """The value may be a secret, so it has no repr."""

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
    """A recipe that the client expands itself: create takes no template id."""

    id: str
    name: str
    image: str = ""
    image_auth_id: str = ""
    # ``user:password`` where the documents say that an id stands.
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
    # Fields in which it asks for something that an instance made from it does not get.
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    """The upstream may answer with the password; it is never kept: create takes the id."""

    id: str
    name: str
    username: str = ""


@dataclass(frozen=True, slots=True)
class PortMapping:
    """`endpoint` is a URL for http, host:port for tcp, "" until it is published, and None where
    the answer does not speak of it, as a list may.
    """

    port: int
    endpoint: str | None
    type: str

    @property
    def address(self) -> str:
        """The endpoint with its scheme; one source says that http endpoints lack it."""
        endpoint = self.endpoint or ""
        if self.type != "http" or not endpoint or "://" in endpoint:
            return endpoint
        return f"https://{endpoint}"


@dataclass(frozen=True, slots=True)
class UpstreamInstance:
    """One instance as the upstream describes it; lists omit the connect fields.

    `status` is the upstream's word, unchanged. Times are UTC, None for never. ``facts``: what the
    answer said at all; the other fields hold their defaults, which mean nothing.
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
    # These addresses may carry an access token in their query.
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
        """Whether this release knows the word; an unknown one is kept as it came."""
        return self.status in STATUSES.words

    @property
    def is_running(self) -> bool:
        return self.status == "running"

    @property
    def is_stopped(self) -> bool:
        """The upstream's word is `exited`; `stopped` does not exist there."""
        return self.status == "exited"

    @property
    def is_leaving_word(self) -> bool:
        """Deletion was accepted and is under way: the GPU may still be held and billed."""
        return self.status in ("toRemove", "removing")

    @property
    def is_gone_word(self) -> bool:
        """Deletion is complete; the upstream goes on listing the instance for a while."""
        return self.status == "removed"

    @property
    def failure_reason(self) -> str | None:
        """Why creation failed or the instance is unavailable; there is no status for it."""
        return self.status_error_message or self.status_error_state or None


@dataclass(frozen=True, slots=True)
class UpstreamJob:
    """A job of Novita's own, such as a migration."""

    id: str
    type: str
    state: str
    instance_id: str
    error: str = ""
    created_at: datetime | None = None

    @property
    def has_failed(self) -> bool:
        """Or was broken off: in either case it does not go on."""
        return self.state in ("fail", "break")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A list item that could not be read, so that leaving it out is not silent."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class InstancePage:
    """`raw_count` counts what the server sent, `instances` what could be read of it."""

    instances: tuple[UpstreamInstance, ...]
    total: int | None
    skipped: tuple[Skipped, ...] = ()

    @property
    def raw_count(self) -> int:
        return len(self.instances) + len(self.skipped)


@dataclass(frozen=True, slots=True)
class Listing:
    """All pages. Absence from a listing never proves anything, even when `is_complete`:

    instances shift between pages while they are read.
    """

    instances: dict[str, UpstreamInstance]
    total: int | None
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """Negative when in arrears. The upstream sends 1/10,000 USD here, tenfold its price unit."""

    available_e5_usd: int
    cash_e5_usd: int
    credit_limit_e5_usd: int


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """The body of a create. `ports` is one string, "80/http,3306/tcp", as the upstream wants it."""

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
        """Only what is set: an empty clusterId, for one, means "pick at random"."""
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
