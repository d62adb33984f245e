"""The environment: every fault at once, with a hint, and never a secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from novitai.env.config import ConfigError, load_config
from novitai.env.fields import Config

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
PRODUCTION = {
    "NOVITAI_ENV": "production",
    "DATABASE_URL": "postgresql://u:p@db/novitai",
    "SECRET_KEY": "s" * 32,
    "NOVITA_API_KEY": "sk_live",
}


def fault(**environ: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(environ)
    return str(raised.value)


def test_nothing_needs_to_be_set_in_development() -> None:
    config = load_config({})
    assert (config.is_production, config.port, config.database_url) == (False, 8000, None)
    assert config.default_region in config.regions


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_config({"PORT": "", "SECRET_KEY": ""}) == load_config({})


def test_production_with_its_secrets_is_complete() -> None:
    config = load_config(PRODUCTION)
    assert config.is_production
    assert config.novita_api_key is not None
    assert config.novita_api_key.get_secret_value() == "sk_live"


@pytest.mark.parametrize("name", ["DATABASE_URL", "SECRET_KEY", "NOVITA_API_KEY"])
def test_production_names_what_it_misses(name: str) -> None:
    text = fault(**{key: value for key, value in PRODUCTION.items() if key != name})
    assert f"{name}: is required when NOVITAI_ENV=production. Hint: " in text
    assert text.count("Hint") == 1


def test_production_refuses_a_short_secret_key() -> None:
    assert "SECRET_KEY: is shorter than 32" in fault(**(PRODUCTION | {"SECRET_KEY": "s" * 31}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOVITAI_ENV", "staging"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("WEB_WORKERS", "0"),
        ("WEB_THREADS", "257"),
        ("JOB_WORKERS", "65"),
        ("JOB_THREADS", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("MAX_BODY_BYTES", "1023"),
        ("NOVITA_API_BASE_URL", "ftp://x"),
        ("NOVITA_API_BASE_URL", "https://"),
        ("NOVITA_API_BASE_URL", "https://user:pw@x.example.com/v1"),
        ("NOVITA_API_BASE_URL", "https://x.example.com/v1?key=1"),
        ("NOVITA_API_KEY", "two words"),
        ("NOVITA_RATE_LIMIT", "5"),
        ("NOVITA_TIMEOUT", "0"),
        ("NOVITA_TIMEOUT", "61"),
        ("NOVITA_TIMEOUT", "nan"),
        ("CATALOGUE_TTL", "4"),
        ("CATALOGUE_TTL", "inf"),
        ("CREATE_SETTLE", "-1"),
        ("CREATE_SETTLE", "inf"),
        ("INSTANCE_POLL_INTERVAL", "0"),
        ("INSTANCE_START_TIMEOUT", "0"),
        ("INSTANCE_START_TIMEOUT", "inf"),
        ("INSTANCE_START_TIMEOUT", "1e300"),
        ("REGIONS", "not json"),
        ("REGIONS", "{}"),
        ("REGIONS", '{"A": {}}'),
        ("REGIONS", '{"A": {"clutser": "x"}}'),
        ("WEBHOOK_SECRET", "whsec_short"),
        ("ALLOWED_HOSTS", "https://novitai.example"),
        ("CORS_ALLOWED_ORIGINS", "app.example"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example/path"),
        ("CSRF_TRUSTED_ORIGINS", "*"),
        ("FORWARDED_ALLOW_IPS", "proxy.example"),
        ("WEB_READ_TIMEOUT", "0"),
        ("WEBHOOK_SECRET", "a plain pass phrase"),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/33"),
        ("WEBHOOK_TIMEOUT", "61"),
    ],
)
def test_a_bad_value_is_named_with_its_hint(name: str, value: str) -> None:
    text = fault(**{name: value})
    hint = Config.model_fields[name.lower()].description
    assert f"  {name}: " in text
    assert f"Hint: {hint}" in text


def test_the_default_region_must_exist() -> None:
    assert "DEFAULT_REGION: MOON is not one of REGIONS" in fault(DEFAULT_REGION="MOON")
    regions = '{"MOON": {"name": "MOON-01"}}'
    assert load_config({"DEFAULT_REGION": "MOON", "REGIONS": regions}).default_region == "MOON"


def test_every_fault_is_told_at_once() -> None:
    text = fault(PORT="x", LOG_LEVEL="x", NOVITAI_ENV="production")
    for name in ("PORT", "LOG_LEVEL", "DATABASE_URL", "SECRET_KEY", "NOVITA_API_KEY"):
        assert f"  {name}: " in text


def test_no_secret_is_ever_echoed() -> None:
    secret = "hunter2 hunter2 hunter2"
    text = fault(PORT="x", WEBHOOK_SECRET=secret, NOVITA_API_KEY=secret, SECRET_KEY=secret)
    assert "hunter2" not in text
    config = load_config({"SECRET_KEY": "hunter2", "DATABASE_URL": "postgresql://u:hunter2@h/n"})
    assert "hunter2" not in repr(config)


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-the-file\n")
    config = load_config({"NOVITA_API_KEY_FILE": str(path), "NOVITA_API_KEY": "plain"})
    assert config.novita_api_key is not None
    assert config.novita_api_key.get_secret_value() == "from-the-file"


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    text = fault(SECRET_KEY_FILE=str(tmp_path / "missing"))
    assert "SECRET_KEY_FILE" in text
    assert "FileNotFoundError" in text
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "UnicodeDecodeError" in fault(SECRET_KEY_FILE=str(binary))


def test_what_is_no_secret_is_not_read_from_files(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.write_text("9000")
    assert load_config({"PORT_FILE": str(path)}).port == 8000


def test_lists_are_separated_by_commas() -> None:
    config = load_config(
        {"ALLOWED_HOSTS": "a, b,,", "WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8, ::1/128"}
    )
    assert config.allowed_hosts == ("a", "b")
    assert [str(network) for network in config.webhook_allowed_networks or ()] == [
        *("10.0.0.0/8", "::1/128"),
    ]


def test_a_webhook_secret_may_come_without_its_prefix() -> None:
    config = load_config({"WEBHOOK_SECRET": SECRET.removeprefix("whsec_")})
    assert config.webhook_secret is not None


def test_a_good_webhook_secret_and_base_url_are_taken() -> None:
    config = load_config({"WEBHOOK_SECRET": SECRET, "NOVITA_API_BASE_URL": "http://x:1/v1/"})
    assert config.webhook_secret is not None
    assert config.webhook_secret.get_secret_value() == SECRET
    assert config.novita_api_base_url == "http://x:1/v1"


def test_the_account_is_told_by_key_and_place_without_showing_either() -> None:
    base = {"NOVITA_API_KEY": "one", "NOVITA_API_BASE_URL": "https://a.example.com"}
    account = load_config(base).upstream_account
    assert account == load_config(base).upstream_account
    assert load_config(base | {"NOVITA_API_KEY": "two"}).upstream_account != account
    other = base | {"NOVITA_API_BASE_URL": "https://b.example.com"}
    assert load_config(other).upstream_account != account
    assert "one" not in account
