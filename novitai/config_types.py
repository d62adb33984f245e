"""What the values of the configuration may be, where a range does not say it."""

import base64
import binascii
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    model_validator,
)

from novitai.database.address import parse_url
from novitai.database.sessions import django_entry


class Region(BaseModel):
    """Where a region code of this API lives at Novita.

    ``cluster`` is the upstream cluster id; ``name`` the code at the start of its display name
    (``US-CA-06`` matches ``US-CA-06 (California)``). Either is enough to find it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str = ""
    name: str = ""

    @model_validator(mode="after")
    def _names_something(self) -> "Region":
        if not (self.cluster or self.name):
            raise ValueError("a region needs a cluster or a name")
        return self


def _comma_separated(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _split(value: Any) -> Any:
    return _comma_separated(value) if isinstance(value, str) else value


def _host_names(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(re.search(r"[/@\s]", host) for host in value):
        raise ValueError("must be host names, without scheme, port and path")
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"https?://[^/\s]+", origin) for origin in value):
        raise ValueError("must be origins: scheme, host and port, without path")
    return value


def _proxy_addresses(value: str) -> str:
    for part in _comma_separated(value):
        if part != "*":
            ip_network(part)
    return value


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part) for part in _comma_separated(value))


def _base_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    parts = urlsplit(value)
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must name a host, without user, query and fragment")
    return value.rstrip("/")


def _database_url(value: SecretStr) -> SecretStr:
    django_entry(parse_url(value.get_secret_value()))
    return value


def _sendable_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]{1,255}", value.get_secret_value()):
        raise ValueError("holds characters that no key has")
    return value


def _fernet_keys(value: SecretStr) -> SecretStr:
    try:
        keys = [base64.urlsafe_b64decode(k) for k in _comma_separated(value.get_secret_value())]
    except (binascii.Error, ValueError):
        keys = []
    if not keys or any(len(key) != 32 for key in keys):
        raise ValueError("holds something that is not 32 bytes in base64url")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    """base64 with or without whsec_, as the libraries take it. Standard Webhooks 1.0.0 asks for 24
    to 64 bytes; secrets of 18 are in use, and a receiver may have no other.
    """
    try:
        key = base64.b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 16 <= len(key) <= 64:
        raise ValueError("is not base64 of 16 to 64 bytes")
    return value


HostNames = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_host_names)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_origins)]
ProxyAddresses = Annotated[str, AfterValidator(_proxy_addresses)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
SendableKey = Annotated[SecretStr, AfterValidator(_sendable_key)]
FernetKeys = Annotated[SecretStr, AfterValidator(_fernet_keys)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
