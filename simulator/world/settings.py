"""The knobs of the world, each selectable while it runs (`POST /_sim/settings`).

Where the upstream behaviour is unconfirmed, the variants are here. All durations are simulated
seconds unless the name says otherwise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from simulator.checked import check_fields


@dataclass
class RefusedKey:
    """How the right key is refused; the fields of the setting `refused_key`."""

    status: int = 401
    reason: str = "UNAUTHORIZED"
    message: str = "invalid api key"


@dataclass
class Settings:
    """Defaults are what the sources make most likely."""

    start_seconds: float = 20.0
    stop_seconds: float = 3.0
    restart_seconds: float = 4.0
    migrate_seconds: float = 10.0
    remove_seconds: float = 2.0
    removed_visible_seconds: float = 5.0
    save_image_seconds: float = 10.0
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Image (or a part of its name) to `{start_seconds?, stuck_in?, fail_in?, message?}`."""
    status_after_failure: str = "exited"

    bad_key_status: int = 401
    refused_key: dict[str, Any] | None = None
    """While set, the right key is refused as well: `{status?, reason?, message?}`."""
    not_found_status: int = 400
    not_found_reason: str = "RESOURCE_NOT_FOUND"
    not_found_message: str = "instance not found"
    """For an instance that is not there, or no more; `{id}` stands for its id."""
    unknown_product_reason: str = "RESOURCE_NOT_FOUND"
    wrong_state_reason: str = "REQUEST"
    action_400_yet_done: list[str] = field(default_factory=list)
    """Actions (`start`, `stop`, ...) that happen and yet answer 400 `invalid state change`."""
    delete_reply: str = "object"
    """`object` for `{}`, `fields` for `{instanceId, state}`, `empty` for no body at all."""
    delete_ignored: bool = False
    """Delete answers 200 and the instance runs on."""
    strict_names: bool = False

    list_endpoints: bool = False
    """List items carry `portMappings[].endpoint`; by the documentation only a get does."""
    list_lag_seconds: float = 0.0
    default_page_size: int = 10
    max_page_size: int = 0
    page_overlap: int = 0
    """Every later page starts this many items early (duplicates); negative skips items."""
    total_as_string: bool = True
    prices_as_strings: bool = True
    region_names_short: bool = False
    sparse_get: bool = False
    """Get leaves out what only older pages document (createdAt, productId, spotStatus, ...)."""
    mask_passwords: bool = False
    unicode: bool = False
    """Names and messages of the service itself carry non-ASCII text."""

    endpoint_lag_seconds: float = 0.0
    http_endpoint_template: str = "https://{id}-{port}.{cluster}.gpu-instance.novita.ai"
    """How they look without `--endpoint-host`; the others are for those that lead here."""
    endpoint_status: int = 200
    """What HTTP endpoints answer."""
    usable_after_seconds: float = 0.0
    """Until so long after running, endpoints answer 503 or take no connection."""
    unusable_names: str = "never-ready"
    """Those of an instance with this word in its name never become usable; empty: of none."""

    rate_limit_per_minute: int = 0
    """Requests in any 60 real seconds; 0 for no limit."""
    rate_limit_retry_after: bool = True

    deposit_e5_usd: int = 10_000_000_000
    gpu_quota: int = 0
    arrears_freeze_seconds: float = 3600.0
    spot_protection_seconds: float = 3600.0
    spot_notice_seconds: float = 3600.0
    spot_reclaiming_seconds: float = 30.0
    spot_reclaim_after_seconds: float = 0.0
    """Every new spot instance gets its notice this long after creation; 0 for never."""
    spot_notice_without_time: bool = False
    """`notified` comes with `spotReclaimTime` "0"."""
    spot_notice_without_status: bool = False
    """`spotReclaimTime` lies ahead while `spotStatus` is still `running`."""
    spot_status_left_over: bool = False
    """Stop, start, restart and migrate leave spotStatus and spotReclaimTime as they were."""
    migration_failure: str = ""
    """Migrations and moves fail with this text and stay `migrating`; empty: they succeed."""
    job_error_field: str = "error"
    """Where `/jobs` has that text: `error`, `message` or `errorMessage` of `state`."""
    price_drift_percent: int = 3
    keep_data_days: int = 7

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def update(self, changes: dict[str, Any]) -> None:
        """Apply all changes or, with ControlError, none."""
        check_fields(Settings, changes)
        if changes.get("refused_key") is not None:
            check_fields(RefusedKey, changes["refused_key"])
        for name, value in changes.items():
            setattr(self, name, value)
