"""Settings of the world, which can be changed while it runs (`POST /_sim/settings`).

They offer the variants where the upstream behaviour is not confirmed. All durations are simulated
seconds unless the name says otherwise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from devtools.simulator.validation import check_fields


@dataclass
class Refusal:
    """The refusal of the key or the account; missing fields get the default of each."""

    status: int = 0
    reason: str = ""
    message: str = ""


@dataclass
class Settings:
    """The defaults are the most likely behaviour according to the sources."""

    start_seconds: float = 20.0
    stop_seconds: float = 3.0
    restart_seconds: float = 4.0
    migrate_seconds: float = 10.0
    remove_seconds: float = 2.0
    removed_visible_seconds: float = 5.0
    save_image_seconds: float = 10.0
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Image (or a part of its name) to `{start_seconds?, stuck_in?, fail_in?, fail_after_seconds?,
    trouble_in?, trouble_seconds?, state?, message?}`; `start_steps` in creation.py applies it."""
    status_after_failure: str = "exited"

    bad_key_status: int = 401
    refused_key: dict[str, Any] | None = None
    """While set, the right key is refused as well: `{status?, reason?, message?}`."""
    not_found_status: int = 400
    not_found_reason: str = "RESOURCE_NOT_FOUND"
    not_found_message: str = "instance not found"
    """For an instance that does not exist (any more); `{id}` stands for its id."""
    unknown_product_reason: str = "RESOURCE_NOT_FOUND"
    wrong_state_reason: str = "REQUEST"
    action_400_yet_done: list[str] = field(default_factory=list)
    """Actions (`start`, `stop`, ...) that take effect but answer 400 `invalid state change`."""
    delete_reply: str = "object"
    """`object` for `{}`, `fields` for `{instanceId, state}`, `empty` for no body at all."""
    delete_ignored: bool = False
    """Delete answers 200, but the instance continues."""
    strict_names: bool = False

    list_endpoints: bool = False
    """List items have `portMappings[].endpoint`; by the documentation only a get does."""
    list_lag_seconds: float = 0.0
    default_page_size: int = 10
    max_page_size: int = 0
    page_overlap: int = 0
    """Every later page starts this many items earlier (duplicates); negative skips items."""
    total_as_string: bool = True
    list_envelope: str = "instances"
    """The envelope of the list; this and the forms below: `devtools/simulator/forms.py`."""
    price_form: str = "string"
    instance_price_form: str = "string"
    balance_form: str = "string"
    """Amounts: `string`, `integer`, `decimal` ("0.35", in USD), `float`, `empty`, `null`."""
    status_case: str = ""
    words_case: str = ""
    """Spelling of statuses, and of port types, billing modes, inventory states: "" (as they
    are), `upper`, `lower`, `title`, `blanks`."""
    regions_form: str = "name"
    """Form of cluster names in a product: `name`, `id`, `code`, `lower`, `unknown`."""
    region_names_short: bool = False
    create_reply: str = "id"
    """Field of the id in a create's answer: `id`, `instanceId`, `data`, `id_and_more`, `none`."""
    answers_another: list[str] = field(default_factory=list)
    """Reads by id that return another record than requested: `instance`, `template`."""
    unknown_route: str = ""
    """The preset that answers unknown routes; empty: a plain 404."""
    sparse_get: bool = False
    """Get lacks fields that only older pages document (createdAt, productId, spotStatus, ...)."""
    mask_passwords: bool = False
    unicode: bool = False
    """Names and messages of the service contain non-ASCII text."""

    endpoint_lag_seconds: float = 0.0
    http_endpoint_template: str = "https://{id}-{port}.{cluster}.gpu-instance.novita.ai"
    """Used without `--endpoint-host`; the settings below apply with it."""
    endpoint_status: int = 200
    """Status that HTTP endpoints answer."""
    usable_after_seconds: float = 0.0
    """For this time after the start, endpoints answer 503 or refuse connections."""
    unusable_names: str = "never-ready"
    """Instances with this word in the name never become usable; empty: all do."""

    rate_limit_per_minute: int = 0
    """Requests in any 60 real seconds; 0 for no limit."""
    rate_limit_retry_after: bool = True

    deposit_e5_usd: int = 10_000_000_000
    gpu_quota: int = 0
    account_refusal: dict[str, Any] | None = None
    """While set, create, start, upgrade and migrate are refused because of the account:
    `{status?, reason?, message?}`, 400 BALANCE_NOT_ENOUGH by default."""
    prewarm_seconds: float = 60.0
    prewarm_limit: int = 10
    arrears_freeze_seconds: float = 3600.0
    spot_protection_seconds: float = 3600.0
    spot_notice_seconds: float = 3600.0
    spot_reclaiming_seconds: float = 30.0
    spot_reclaim_after_seconds: float = 0.0
    """Every new spot instance gets its notice this long after creation; 0: never."""
    spot_notice_without_time: bool = False
    """`notified` comes with `spotReclaimTime` "0"."""
    spot_notice_without_status: bool = False
    """`spotReclaimTime` is set while `spotStatus` is still `running`."""
    spot_status_left_over: bool = False
    """Stop, start, restart and migrate do not reset spotStatus and spotReclaimTime."""
    migration_failure: str = ""
    """Migrations and moves fail with this text and stay `migrating`; empty: they succeed."""
    job_error_field: str = "error"
    """Field of that text in `/jobs`: `error`, `message` or `errorMessage` of `state`."""
    price_drift_percent: int = 3
    keep_data_days: int = 7

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def update(self, changes: dict[str, Any]) -> None:
        """Apply all changes; after a ControlError, none."""
        check_fields(Settings, changes)
        for name in ("refused_key", "account_refusal"):
            if changes.get(name) is not None:
                check_fields(Refusal, changes[name])
        for name, value in changes.items():
            setattr(self, name, value)
