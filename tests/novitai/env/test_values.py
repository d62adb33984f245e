"""Values that cannot work are refused by name, with the value made visible, or made to work."""

from __future__ import annotations

import socket
from pathlib import Path

import certifi
import pytest

from novitai.env.config import ConfigError, load_config
from novitai.env.fields import SECRET_FIELDS, Config
from novitai.server.__main__ import family_and_host

NAMES = sorted(Config.model_fields)
SECRET = "hunter2hunter2hunter2hunter2hunter2hunter2"


def fault(**environ: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(environ)
    return str(raised.value)


@pytest.mark.parametrize("quote", ['"{}"', "'{}'", "\u201c{}\u201d", "`{}`", '"{}', "{}'"])
@pytest.mark.parametrize("name", NAMES)
def test_quotes_around_a_value_are_a_mistake_for_every_variable(name: str, quote: str) -> None:
    text = fault(**{name.upper(): quote.format(SECRET)})
    assert f"  {name.upper()}: " in text
    assert "quote" in text
    assert Config.model_fields[name].description in text
    assert (SECRET not in text) or name not in SECRET_FIELDS


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a\rb", "cannot be seen (U+000D)"),
        ("a\x00b", "cannot be seen (U+0000)"),
        ("a\u200bb", "cannot be seen (ZERO WIDTH SPACE)"),
        ("\ufeffa", "cannot be seen (ZERO WIDTH NO-BREAK SPACE)"),
        ("a\u2028b", "cannot be seen (LINE SEPARATOR)"),
        ("${VALUE}", "the name of a variable"),
        ("$VALUE", "the name of a variable"),
        ("${VALUE:-x}", "the name of a variable"),
        ("$(cat file)", "the name of a variable"),
        ("%VALUE%", "the name of a variable"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_seen_or_was_not_filled_in_is_told(
    name: str, value: str, words: str
) -> None:
    assert words in fault(**{name.upper(): value}) or name == "regions"


@pytest.mark.parametrize("around", ["{}\r", "{}\r\n", " {} ", "{}\t", "\u00a0{}", "{}\n"])
def test_blanks_and_line_ends_around_a_value_do_not_count(around: str) -> None:
    values = {
        "PORT": "8001",
        "NOVITA_API_KEY": "sk_live",
        "NOVITA_API_BASE_URL": "https://x.example/v1",
        "ALLOWED_HOSTS": "a.example,b.example",
        "DATABASE_URL": "postgresql://h/n",
        "LOG_LEVEL": "DEBUG",
        "REGIONS": '{"CN-HK-01": {"name": "X"}}',
    }
    strange = {name: around.format(value) for name, value in values.items()}
    assert load_config(strange) == load_config(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "gpu.example.com:8000"),
        ("ALLOWED_HOSTS", "*.example.com"),
        ("ALLOWED_HOSTS", "https://gpu.example.com"),
        ("ALLOWED_HOSTS", "gpu.example.com/"),
        ("ALLOWED_HOSTS", "a.example b.example"),
        ("ALLOWED_HOSTS", "a.example;b.example"),
        ("ALLOWED_HOSTS", "::1"),
        ("ALLOWED_HOSTS", "gpü.example"),
        ("ALLOWED_HOSTS", ","),
        ("ALLOWED_HOSTS", '["a.example"]'),
        ("CORS_ALLOWED_ORIGINS", "https://*.example.com"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("CORS_ALLOWED_ORIGINS", "null"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example/"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example:port"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example:70000"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example?x=1"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example#x"),
        ("CORS_ALLOWED_ORIGINS", "a.example"),
        ("CORS_ALLOWED_ORIGINS", "https:/a.example"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example https://b.example"),
        ("CSRF_TRUSTED_ORIGINS", "gpu.example.com"),
        ("CSRF_TRUSTED_ORIGINS", "https://*"),
        ("CSRF_TRUSTED_ORIGINS", "ftp://gpu.example.com"),
        ("REPORT_WEBHOOK_URL", "not a url"),
        ("REPORT_WEBHOOK_URL", "hooks.example/x"),
        ("REPORT_WEBHOOK_URL", "https://u:hunter2@hooks.example/x"),
        ("REPORT_WEBHOOK_URL", "ftp://hooks.example"),
        ("NOVITA_API_BASE_URL", "https://x.example/v 1"),
        ("NOVITA_API_BASE_URL", "https://x.example:99999/v1"),
        ("NOVITA_API_BASE_URL", "https://x.example:port/v1"),
        ("NOVITA_API_BASE_URL", "https:///v1"),
        ("NOVITA_API_BASE_URL", "https://x.example/v1?"),
        ("NOVITA_API_BASE_URL", "https://x.exämple/v1"),
        ("NOVITA_API_BASE_URL", "x.example/v1"),
        ("NOVITA_API_KEY", "Bearer sk_live"),
        ("WEB_HOST", "http://0.0.0.0"),
        ("WEB_HOST", "0.0.0.0:8000"),
        ("WEB_HOST", "300.1.1.1"),
        ("WEB_HOST", "unix:/run/x"),
        ("WEB_HOST", "a b"),
        ("WEB_HOST", "[::1"),
        ("DATA_DIR", "~nobody_of_that_name/x"),
        ("DATA_DIR", "/dev/null"),
        ("PORT", "8000/tcp"),
        ("PORT", "tcp://10.0.0.1:8000"),
        ("REGIONS", '{"A": {"name": "x"}, "A": {"name": "y"}}'),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1:80"),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("DATABASE_POOLER", "statement"),
        ("WEBHOOK_HTTPS_ONLY", "maybe"),
        ("WEBHOOK_BAD_CERTIFICATE", "ignore"),
        ("WEBHOOK_CA_BUNDLE", "/nowhere/ca.pem"),
        ("WEBHOOK_CA_BUNDLE", "/dev/null"),
        ("WEBHOOK_CA_BUNDLE", "/etc"),
        ("WEBHOOK_PROXY", "https://u:hunter2@proxy:4750"),
        ("WEBHOOK_PROXY", "http://u:hunter2@proxy"),
        ("WEBHOOK_PROXY", "http://u:hunter2@proxy:4750/x"),
    ],
)
def test_what_can_be_known_to_fail_is_refused_by_name(name: str, value: str) -> None:
    text = fault(**{name: value})
    assert f"  {name}: " in text
    assert f"Hint: {Config.model_fields[name.lower()].description}" in text
    assert "hunter2" not in text
    if name in ("ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "WEB_HOST", "PORT"):
        assert ascii(value) in text


@pytest.mark.parametrize(
    ("name", "value", "meaning"),
    [
        ("WEB_HOST", "::", "::"),
        ("WEB_HOST", "[::1]", "::1"),
        ("WEB_HOST", "0.0.0.0", "0.0.0.0"),
        ("WEB_HOST", "localhost", "localhost"),
        ("DATA_DIR", "~/x", Path.home() / "x"),
        (
            "ALLOWED_HOSTS",
            ".example.com,[::1],stack_web,10.0.0.1",
            (".example.com", "[::1]", "stack_web", "10.0.0.1"),
        ),
        (
            "CORS_ALLOWED_ORIGINS",
            "HTTPS://App.Example:443,http://a:80,http://a:8080",
            ("https://app.example", "http://a", "http://a:8080"),
        ),
        ("CSRF_TRUSTED_ORIGINS", "https://*.example.com", ("https://*.example.com",)),
        ("REPORT_WEBHOOK_URL", "https://hooks.example/x?t=1", "https://hooks.example/x?t=1"),
    ],
)
def test_what_has_one_meaning_is_made_to_work(name: str, value: str, meaning: object) -> None:
    assert getattr(load_config({name: value}), name.lower()) == meaning


@pytest.mark.parametrize("name", SECRET_FIELDS)
def test_a_secrets_file_is_read_as_editors_leave_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("\r\n")
    assert f"{name.upper()}_FILE: {str(path)!r} is empty" in fault(
        **{f"{name.upper()}_FILE": str(path)}
    )
    path.write_text(f'"{SECRET}"\n')
    told = fault(**{f"{name.upper()}_FILE": str(path)})
    assert "quotes" in told
    assert SECRET not in told


def test_a_byte_order_mark_and_a_line_end_do_not_belong_to_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbfsk_live\r\n")
    key = load_config({"NOVITA_API_KEY_FILE": str(path)}).novita_api_key
    assert key is not None
    assert key.get_secret_value() == "sk_live"


@pytest.mark.parametrize(
    ("host", "bound"),
    [
        ("::", (socket.AF_INET6, "::")),
        ("[::1]", (socket.AF_INET6, "::1")),
        ("0.0.0.0", (socket.AF_INET, "0.0.0.0")),
    ],
)
def test_the_web_server_binds_to_every_form_of_address(
    host: str, bound: tuple[socket.AddressFamily, str]
) -> None:
    assert family_and_host(load_config({"WEB_HOST": host}).web_host) == bound


@pytest.mark.parametrize(
    ("variables", "is_https_only"),
    [
        ({}, False),
        ({"NOVITAI_ENV": "production"}, True),
        ({"WEBHOOK_HTTPS_ONLY": "true"}, True),
        ({"NOVITAI_ENV": "production", "WEBHOOK_HTTPS_ONLY": "false"}, False),
    ],
)
def test_production_sends_webhooks_over_https_only_unless_told_otherwise(
    variables: dict[str, str], is_https_only: bool
) -> None:
    required = {"SECRET_KEY": "k" * 50, "NOVITA_API_KEY": "k", "DATABASE_URL": "postgresql://h/n"}
    assert load_config({**required, **variables}).are_webhooks_https_only is is_https_only


def test_a_bundle_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    assert "WEBHOOK_CA_BUNDLE: cannot be read: No such file" in fault(WEBHOOK_CA_BUNDLE=str(path))
    path.write_text("-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n")
    assert "has no certificates in PEM form" in fault(WEBHOOK_CA_BUNDLE=str(path))
    assert load_config({"WEBHOOK_CA_BUNDLE": certifi.where()}).webhook_ca_bundle


def test_the_credentials_of_the_proxy_are_never_printed() -> None:
    config = load_config({"WEBHOOK_PROXY": "http://user:hunter2@proxy:4750"})
    assert "hunter2" not in f"{config!r} {config}"
