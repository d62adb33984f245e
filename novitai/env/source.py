"""Reading: a settings class of pydantic-settings over one mapping of variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from novitai.env.texts import clean, read_secret


class EnvironmentSource(PydanticBaseSettingsSource):
    """``NAME`` for each field; for a secret with ``NAME_FILE``, the path that this names.

    An empty variable counts as unset, as compose files pass it.
    """

    def __init__(
        self, settings_cls: type["EnvironmentSettings"], environ: Mapping[str, str]
    ) -> None:
        super().__init__(settings_cls)
        self._secrets = settings_cls.secret_fields
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = field_name.upper()
        path = self._environ.get(f"{name}_FILE") if field_name in self._secrets else None
        value = Path(path) if path else self._environ.get(name, "").strip() or None
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        values = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in values.items() if value is not None}


class EnvironmentSettings(BaseSettings):
    """``Settings(environ=...)`` reads that mapping and nothing else."""

    secret_fields: ClassVar[tuple[str, ...]] = ()
    json_fields: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (EnvironmentSource(cls, init_settings().get("environ", {})),)

    @field_validator("*", mode="before")
    @classmethod
    def _is_clean(cls, value: Any, info: ValidationInfo) -> Any:
        """Before each field's own rules. What is no text is a default."""
        name = info.field_name or ""
        if name in cls.secret_fields and isinstance(value, Path):
            value = read_secret(value)
        return clean(value, is_json=name in cls.json_fields) if isinstance(value, str) else value
