"""Settings of webhooks beside those of their transport."""

from typing import Literal

from pydantic import Field

from novitai.env.service_fields import ServiceSettings
from novitai.env.types import CaBundle, Delays, ProxyUrl


class WebhookSettings(ServiceSettings):
    """Retries, health, limits, retention and transport of webhooks."""

    webhook_https_only: bool | None = Field(
        None,
        description="true or false: refuse http:// URLs of receivers, and send nothing to those "
        "that exist (default: true in production, false in development)",
    )
    webhook_bad_certificate: Literal["retry", "fail"] = Field(
        "retry",
        description="what a receiver's expired or wrong certificate does to a message: retry it as "
        "after an outage, or fail it at once",
    )
    webhook_ca_bundle: CaBundle | None = Field(
        None,
        description="path of a PEM file with authorities that receivers' certificates may have "
        "besides the public ones",
    )
    webhook_proxy: ProxyUrl | None = Field(
        None,
        description="http://[user:password@]host:port of an egress proxy for all webhooks, as "
        "Smokescreen; it resolves the names of receivers and decides about their addresses",
    )
    webhook_retry_delays: Delays = Field(
        (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
        description="comma-separated seconds before each retry of a webhook message, varied by 20 "
        "percent; after the last one the message has failed",
    )
    webhook_failing_after: float = Field(
        1800.0,
        gt=0,
        description="seconds of nothing but failures after which endpoint.failing is sent",
    )
    webhook_disable_after: float = Field(
        432_000.0,
        gt=0,
        description="seconds of nothing but failures after which an endpoint is disabled",
    )
    webhook_latest_after: float = Field(
        60.0,
        ge=0,
        description="seconds that a message waits before an endpoint with onBacklog=latest skips "
        "it in favour of a newer one",
    )
    webhook_max_endpoints: int = Field(
        50, ge=1, le=1000, description="webhook endpoints that a project may have"
    )
    webhook_keep_days: float = Field(
        30.0, gt=0, le=3650, description="days that messages, deliveries and attempts are kept"
    )
    webhook_keep_messages: int = Field(
        1_000_000, ge=1000, description="messages kept in all, newest first"
    )

    @property
    def are_webhooks_https_only(self) -> bool:
        if self.webhook_https_only is None:
            return self.novitai_env == "production"
        return self.webhook_https_only
