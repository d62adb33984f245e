"""The scope that an operation needs, asked of its view."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from accounts.permissions import HasApiKey, required_scope


class ScopedSchema(AutoSchema):
    """Adds ``x-scope`` where a key is needed."""

    def get_extensions(self) -> dict[str, Any]:
        needs_key = any(isinstance(each, HasApiKey) for each in self.view.get_permissions())
        return {"x-scope": required_scope(self.view, self.method).value} if needs_key else {}
