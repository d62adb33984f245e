"""What the values of the configuration may be, where a range does not say it."""

import base64
import binascii
import json
import re
import ssl
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
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

from core.database.address import parse_url
from core.database.sessions import django_entry
from egress.proxy import Proxy
from egress.webhooks.urls import check_webhook_url


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


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, object_pairs_hook=_once_each)
    except ValueError as error:
        raise ValueError(f"cannot be read as JSON: {error}") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key given twice would silently lose its first value."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _comma_separated(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _split(value: Any) -> Any:
    return _comma_separated(value) if isinstance(value, str) else value


def _host_names(value: Any) -> Any:
    hosts = _split(value)
    for host in hosts:
        if host.startswith("*."):
            raise ValueError(f"holds {host}: a name with all below it is written {host[1:]}")
        if host != "*" and not re.fullmatch(r"\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", host):
            raise ValueError("must be host names, without scheme, port and path ([::1] for IPv6)")
    if not hosts and value:
        raise ValueError("names no host")
    return hosts


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_origin(each) for each in value)


def _calling_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    if any("*" in origin for origin in value):
        raise ValueError("holds a *: each origin must be named in full")
    return _origins(value)


def _origin(text: str) -> str:
    """As browsers write it: in small letters, without the port that is the scheme's own."""
    match = re.fullmatch(
        r"(https?)://((?:\*\.)?[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", text.lower()
    )
    if match is None or int(match[3] or 1) not in range(1, 65536):
        raise ValueError("must be origins: scheme, host and port, without path")
    scheme, host, port = match.groups()
    is_own = port is None or int(port) == {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" if is_own else f"{scheme}://{host}:{int(port)}"


def _listen_host(value: str) -> str:
    """A name or an address, IPv6 with or without its brackets."""
    bracketed = re.fullmatch(r"\[(.*)\]", value)
    try:
        return str(ip_address(bracketed[1] if bracketed else value))
    except ValueError:
        is_number = value.replace(".", "").isdecimal()
        if is_number or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value):
            raise ValueError("must be an address or a name, without scheme and port") from None
    return value


def _data_folder(value: Path) -> Path:
    try:
        folder = value.expanduser()
    except RuntimeError:
        raise ValueError("names the home of a user that there is not") from None
    if folder.exists() and not folder.is_dir():
        raise ValueError("is not a folder")
    return folder


def _report_url(value: str) -> str:
    if value:
        check_webhook_url(value)
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


def _delays(value: Any) -> Any:
    """Seconds, up to a week each."""
    if not isinstance(value, str):
        return value
    seconds = tuple(float(part) for part in _comma_separated(value))
    if not seconds or not all(0 <= each <= 604_800 for each in seconds):
        raise ValueError("must be one or more seconds, from 0 to 604800 each")
    return seconds


def _ca_bundle(value: Path) -> Path:
    """Loaded here, so that a file without certificates stops the start and not each delivery."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except ssl.SSLError:
        raise ValueError("has no certificates in PEM form") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return value


def _proxy_url(value: SecretStr) -> SecretStr:
    Proxy.from_url(value.get_secret_value())
    return value


def _base_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    parts = urlsplit(value)
    if not parts.hostname or parts.username is not None or "?" in value or "#" in value:
        raise ValueError("must name a host, without user, query and fragment")
    if not re.fullmatch(r"[!-~]+", value) or not re.fullmatch(r"[\w.:-]+", parts.hostname):
        raise ValueError("holds characters that no address has")
    if parts.port == 0:  # Raises by itself over 65535.
        raise ValueError("has no possible port")
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


Regions = Annotated[dict[str, Region], BeforeValidator(_from_json)]
HostNames = Annotated[tuple[str, ...], BeforeValidator(_host_names)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_origins)]
ProxyAddresses = Annotated[str, AfterValidator(_proxy_addresses)]
CallingOrigins = Annotated[
    tuple[str, ...], BeforeValidator(_split), AfterValidator(_calling_origins)
]
ListenHost = Annotated[str, AfterValidator(_listen_host)]
DataFolder = Annotated[Path, AfterValidator(_data_folder)]
ReportUrl = Annotated[str, AfterValidator(_report_url)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]
Delays = Annotated[tuple[float, ...], BeforeValidator(_delays)]
CaBundle = Annotated[Path, AfterValidator(_ca_bundle)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy_url)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
SendableKey = Annotated[SecretStr, AfterValidator(_sendable_key)]
FernetKeys = Annotated[SecretStr, AfterValidator(_fernet_keys)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
