"""Every setting of the service with its range and default; ``load_config`` reads them.

Each field is one environment variable of the same name in capitals. Its description is the hint
that an operator sees when the value is wrong, and the text of the README's table. A secret may
also be given as a file: ``SECRET_KEY_FILE=/run/secrets/key``.
"""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from novitai.env.source import EnvironmentSettings
from novitai.env.types import (
    BaseUrl,
    CallingOrigins,
    DatabaseUrl,
    DataFolder,
    FernetKeys,
    HostNames,
    ListenHost,
    Networks,
    Origins,
    ProxyAddresses,
    Region,
    Regions,
    ReportUrl,
    SendableKey,
    WebhookSecret,
)

PUBLIC_NOVITA_BASE_URL = "https://api.novita.ai/gpu-instance/openapi/v1"
SECRET_FIELDS = (
    "secret_key",
    "secret_key_previous",
    "credentials_keys",
    "novita_api_key",
    "webhook_secret",
    "webhook_secret_previous",
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


class Config(EnvironmentSettings):
    """Every setting of the service. Durations are seconds, sizes bytes."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")
    secret_fields = SECRET_FIELDS
    json_fields = ("regions",)

    novitai_env: Literal["development", "production"] = Field(
        "development", description="development (defaults for everything) or production"
    )
    data_dir: DataFolder = Field(
        Path(".data"), description="folder of the embedded database and of development's secrets"
    )
    database_url: DatabaseUrl | None = Field(
        None,
        description="postgresql://USER:PASSWORD@HOST:PORT/NAME, with any parameter of libpq after "
        "a ? (sslmode=verify-full&sslrootcert=/ca.pem); unset: embedded Postgres",
    )
    database_pooler: Literal["none", "session", "transaction"] = Field(
        "none",
        description="mode of a connection pooler (PgBouncer) before the database: none, session or "
        "transaction; transaction is for the web server alone",
    )
    secret_key: SecretStr | None = Field(
        None, description="at least 32 random characters, e.g. from: openssl rand -base64 48"
    )
    secret_key_previous: SecretStr | None = Field(
        None,
        description="comma-separated former SECRET_KEYs: what they sealed or signed is still "
        "opened, until rotate_credentials has sealed it anew",
    )
    credentials_keys: FernetKeys | None = Field(
        None,
        description="comma-separated Fernet keys that seal the secrets in the database, the first "
        "for new ones; unset: a key made from SECRET_KEY",
    )
    allowed_hosts: HostNames = Field(
        ("*",), description="comma-separated host names this service answers to (default: any)"
    )
    cors_allowed_origins: CallingOrigins = Field(
        (),
        description="comma-separated origins (https://app.example.com) that browsers may call from",
    )
    csrf_trusted_origins: Origins = Field(
        (), description="comma-separated origins of the admin behind a proxy, with scheme"
    )
    admin_enabled: bool = Field(
        True, description="true, or false to have nothing at /admin/ (default: true)"
    )
    admin_hosts: HostNames = Field(
        (),
        description="comma-separated host names that /admin/ is served to, others get 404 "
        "(default: all of ALLOWED_HOSTS)",
    )
    admin_networks: Networks = Field(
        (),
        description="comma-separated networks whose addresses may open /admin/, e.g. 10.0.0.0/8 "
        "(default: any); behind a proxy set FORWARDED_ALLOW_IPS, too",
    )
    admin_login_failures: int = Field(
        10,
        ge=1,
        le=1000,
        description="wrong passwords of a user, or from an address, until log-ins are refused",
    )
    admin_login_lock: float = Field(
        900.0,
        ge=1,
        le=86_400,
        description="seconds that such a user or address stays locked, up to a day",
    )
    admin_session_hours: float = Field(
        12.0, gt=0, le=336, description="hours until an operator has to sign in again"
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1024, description="largest request body in bytes (default 1 MiB)"
    )
    api_rate_limit: int = Field(
        6000,
        ge=0,
        le=1_000_000,
        description="requests a minute that an API key may make if it has no limit of its own; 0: "
        "any number",
    )
    default_max_instances: int = Field(
        20,
        ge=0,
        le=1_000_000,
        description="live instances that a new project may have at a time; an operator may change "
        "it per project; 0: no limit",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    log_format: Literal["json", "console"] | None = Field(
        None, description="json or console (default: json in production, console in development)"
    )
    web_host: ListenHost = Field(
        "127.0.0.1", description="address the web server listens on; 0.0.0.0 in a container"
    )
    forwarded_allow_ips: ProxyAddresses = Field(
        "127.0.0.1,::1",
        description="comma-separated addresses of proxies whose X-Forwarded-* headers count, or *",
    )
    port: int = Field(8000, ge=1, le=65535, description="web port, 1 to 65535")
    web_workers: int = Field(2, ge=1, le=64, description="web processes, 1 to 64")
    web_threads: int = Field(8, ge=1, le=256, description="threads per web process, 1 to 256")
    web_read_timeout: float = Field(
        15.0, gt=0, le=300, description="seconds a client may take to send a request, up to 300"
    )
    job_workers: int = Field(2, ge=1, le=64, description="worker processes of the cluster, 1 to 64")
    job_threads: int = Field(
        64, ge=1, le=1024, description="upstream calls and webhooks one worker process does at once"
    )
    jobs_keep_days: float = Field(
        7.0, gt=0, le=3650, description="days that completed and cancelled jobs are kept"
    )
    jobs_keep_failed_days: float = Field(
        30.0,
        gt=0,
        le=3650,
        description="days that failed jobs are kept, to be looked at and retried",
    )
    audit_keep_days: float = Field(
        365.0, gt=0, le=36_500, description="days that the audit keeps who did what"
    )
    jobs_keep_rows: int = Field(
        1_000_000,
        ge=0,
        description="jobs kept of each ending (completed, cancelled, failed), newest first",
    )

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
        description="seconds Novita may say the same of an instance on its way before that counts "
        "as no progress (pulling an image aside)",
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
        description="seconds between two comparisons of all that is at Novita with what is held",
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
        description="what becomes of GPUs that carry our signature and that no row knows: "
        "terminate, adopt or report",
    )
    orphan_grace: float = Field(
        900.0, ge=0, le=604_800, description="seconds an orphan is left alone before ORPHAN_POLICY"
    )
    report_webhook_url: ReportUrl = Field(
        "", description="address that is told what the reconciler adopts or ends"
    )
    installation_environment: str = Field(
        "",
        max_length=100,
        description="any word; give each copy of a database's disk one of its own, so that it "
        "cannot act in the name of the original",
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
        None, description="the former WEBHOOK_SECRET, which signs beside it while it is replaced"
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
