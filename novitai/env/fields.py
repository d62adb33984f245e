"""Every setting of the service with its range and default; ``load_config`` reads them.

Each field is one environment variable of the same name in capitals. Its description is the hint
that an operator sees when the value is wrong, and the text of the README's table. A secret may
also be given as a file: ``SECRET_KEY_FILE=/run/secrets/key``.

A new field also goes into `.env.example` and the README's table (``novitai.env.reference`` prints
both) and into docker-compose.yml; tests compare them.
"""

import hashlib
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from novitai.env.types import (
    BaseUrl,
    Networks,
    Region,
    Regions,
    ReportUrl,
    SendableKey,
    WebhookSecret,
)
from novitai.env.webhook_fields import WebhookSettings

PUBLIC_NOVITA_BASE_URL = "https://api.novita.ai/gpu-instance/openapi/v1"
SECRET_FIELDS = (
    "secret_key",
    "secret_key_previous",
    "credentials_keys",
    "novita_api_key",
    "webhook_secret",
    "webhook_secret_previous",
    "webhook_proxy",
    "database_url",
)
# Never shown in messages, though they are no secrets by themselves.
MAY_HOLD_SECRETS = ("report_webhook_url", "novita_api_base_url")
REQUIRED_IN_PRODUCTION = ("database_url", "secret_key", "novita_api_key")
DEFAULT_REGIONS = {
    "CN-HK-01": Region(cluster="cn-hongkong-1", name="CN-HK-01"),
    "US-WEST-01": Region(cluster="us-ca-6", name="US-CA-06"),
    "EU-WEST-01": Region(name="EU-GB-01"),
}


class Config(WebhookSettings):
    """Every setting: those of the service, then Novita, instances and webhooks."""

    secret_fields = SECRET_FIELDS
    json_fields = ("regions",)

    novita_api_key: SendableKey | None = Field(
        None, description="API key of the Novita account that pays, from novita.ai > Key Management"
    )
    novita_api_base_url: BaseUrl = Field(
        PUBLIC_NOVITA_BASE_URL, description="base of the v1 GPU instance API, http(s)://…"
    )
    novita_rate_limit: int = Field(
        300, ge=6, description="upstream calls per minute over all processes, at least 6"
    )
    novita_timeout: float = Field(
        10.0, gt=0, le=60, description="total deadline of one upstream call in seconds, up to 60"
    )
    catalogue_ttl: float = Field(
        60.0,
        ge=5,
        le=86_400,
        description="seconds that cached products and templates are used, from 5 to a day",
    )
    create_settle: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="seconds that an unanswered create is looked for before it is sent again, "
        "up to a day",
    )
    instance_poll_interval: float = Field(
        10.0, gt=0, le=3600, description="seconds between two observations of pending instances"
    )
    instance_start_timeout: float = Field(
        600.0,
        gt=0,
        le=604_800,
        description="seconds an instance may take to run before it is failed, up to a week",
    )
    instance_stuck_timeout: float = Field(
        300.0,
        gt=0,
        le=604_800,
        description="seconds that Novita's status of an instance in transition may stay the same "
        "before it counts as stuck (pulling an image is not counted)",
    )
    startup_trouble_after: float = Field(
        120.0,
        gt=0,
        le=604_800,
        description="seconds that an error which Novita reports while an instance starts must "
        "stand, over three observations at least, before it ends the start",
    )
    expiry_warning: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="seconds before the end of maxRuntimeMinutes that the warning comes",
    )
    reconcile_interval: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="seconds between two comparisons of the GPUs at Novita with the instances here",
    )
    absence_after: float = Field(
        600.0,
        ge=60,
        le=604_800,
        description="seconds that an instance must be missing at Novita, in passes that agree, "
        "before it is taken to be deleted there, from 60 to a week",
    )
    orphan_policy: Literal["terminate", "adopt", "report"] = Field(
        "terminate",
        description="what happens to GPUs with our signature that belong to no instance: "
        "terminate, adopt or report",
    )
    orphan_grace: float = Field(
        900.0, ge=0, le=604_800, description="seconds an orphan is left alone before ORPHAN_POLICY"
    )
    report_webhook_url: ReportUrl = Field(
        "", description="URL that gets a message when the reconciler adopts or terminates a GPU"
    )
    installation_environment: str = Field(
        "",
        max_length=100,
        description="any name; give each copy of a database its own, so that the copy cannot act "
        "as the original",
    )
    regions: Regions = Field(
        DEFAULT_REGIONS,
        min_length=1,
        description="JSON, code to upstream place: "
        '{"US-WEST-01": {"cluster": "us-ca-6", "name": "US-CA-06"}}',
    )
    default_region: str = Field(
        "CN-HK-01", description="region of a request that names none; one of REGIONS"
    )

    private_templates: Literal["all", "listed"] = Field(
        "listed",
        description="private templates of the account that a new project may use: all, or those "
        "that are listed for it in the admin (listed); the project default has all",
    )
    webhook_secret: WebhookSecret | None = Field(
        None,
        description="signs the default project's webhooks: whsec_ and 24 to 64 random bytes in "
        'base64, e.g. from: echo "whsec_$(openssl rand -base64 32)"',
    )
    webhook_secret_previous: WebhookSecret | None = Field(
        None,
        description="the former WEBHOOK_SECRET; webhooks are signed with both during a rotation",
    )
    webhook_allowed_networks: Networks | None = Field(
        None,
        description="comma-separated private networks receivers may live in, e.g. 10.0.0.0/8 "
        "(default: loopback in development, none in production)",
    )
    webhook_timeout: float = Field(
        15.0, gt=0, le=60, description="total deadline of one webhook delivery in seconds, up to 60"
    )

    @field_validator(*REQUIRED_IN_PRODUCTION)
    @classmethod
    def _suffices_in_production(
        cls, value: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if info.data.get("novitai_env") == "production":
            if value is None:
                raise ValueError("is required when NOVITAI_ENV=production")
            if info.field_name == "secret_key" and len(value.get_secret_value()) < 32:
                raise ValueError("is shorter than 32 characters")
        return value

    @field_validator("default_region")
    @classmethod
    def _is_one_of_regions(cls, value: str, info: ValidationInfo) -> str:
        if value not in info.data.get("regions", (value,)):
            raise ValueError(f"{value} is not one of REGIONS")
        return value

    @property
    def former_secret_keys(self) -> tuple[str, ...]:
        words = self.secret_key_previous.get_secret_value() if self.secret_key_previous else ""
        return tuple(word.strip() for word in words.split(",") if word.strip())

    @property
    def is_production(self) -> bool:
        return self.novitai_env == "production"

    @property
    def upstream_account(self) -> str:
        """The account at Novita: rows made under another prove nothing about this one."""
        key = self.novita_api_key.get_secret_value() if self.novita_api_key else ""
        return hashlib.sha256(f"{self.novita_api_base_url}\n{key}".encode()).hexdigest()[:16]
