"""The knobs of the world, each selectable while it runs (`POST /_sim/settings`).

Where the upstream behaviour is unconfirmed, the variants are here. All durations are simulated
seconds unless the name says otherwise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from devtools.simulator.checked import check_fields


@dataclass
class Refusal:
    """How the key or the account is refused; what is left out has a default for each."""

    status: int = 0
    reason: str = ""
    message: str = ""


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
    list_envelope: str = "instances"
    """How the list wraps its items; this and the forms below: `devtools/simulator/forms.py`."""
    price_form: str = "string"
    instance_price_form: str = "string"
    balance_form: str = "string"
    """Amounts: `string`, `integer`, `decimal` ("0.35", in USD), `float`, `empty`, `null`."""
    status_case: str = ""
    words_case: str = ""
    """Spelling of statuses, and of port types, billing modes, inventory states: "" (as they
    are), `upper`, `lower`, `title`, `blanks`."""
    regions_form: str = "name"
    """How a product names clusters: `name`, `id`, `code`, `lower`, `unknown`."""
    region_names_short: bool = False
    create_reply: str = "id"
    """Where a create answers the id: `id`, `instanceId`, `data`, `id_and_more`, `none`."""
    answers_another: list[str] = field(default_factory=list)
    """Looks by id that answer another thing than was asked for: `instance`, `template`."""
    unknown_route: str = ""
    """The preset that answers routes that do not exist; empty: a plain 404."""
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
    account_refusal: dict[str, Any] | None = None
    """While set, create, start, upgrade and migrate are refused for a reason of the account:
    `{status?, reason?, message?}`, 400 BALANCE_NOT_ENOUGH by default."""
    prewarm_seconds: float = 60.0
    prewarm_limit: int = 10
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
        for name in ("refused_key", "account_refusal"):
            if changes.get(name) is not None:
                check_fields(Refusal, changes[name])
        for name, value in changes.items():
            setattr(self, name, value)
