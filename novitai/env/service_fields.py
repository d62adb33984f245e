"""Settings of the service itself: database, secrets, web server, admin, jobs, logs."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from novitai.env.source import EnvironmentSettings
from novitai.env.types import (
    CallingOrigins,
    DatabaseUrl,
    DataFolder,
    FernetKeys,
    HostNames,
    ListenHost,
    Networks,
    Origins,
    ProxyAddresses,
)


class ServiceSettings(EnvironmentSettings):
    """Durations are seconds, sizes bytes."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

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
        True, description="true, or false to switch /admin/ off (default: true)"
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
        description="wrong passwords of a user, or from an address, before log-ins are refused",
    )
    admin_login_lock: float = Field(
        900.0,
        ge=1,
        le=86_400,
        description="seconds that the user or address stays locked, up to a day",
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
        365.0, gt=0, le=36_500, description="days that audit entries are kept"
    )
    jobs_keep_rows: int = Field(
        1_000_000,
        ge=0,
        description="jobs kept of each ending (completed, cancelled, failed), newest first",
    )
