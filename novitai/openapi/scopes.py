"""The scope that an operation needs, asked of its view."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from accounts.permissions import HasApiKey, required_scope

ANY = "any"


class ScopedSchema(AutoSchema):
    """Adds ``x-scope`` where a key is needed; any valid one may do."""

    def get_extensions(self) -> dict[str, Any]:
        needs_key = any(isinstance(each, HasApiKey) for each in self.view.get_permissions())
        if not needs_key:
            return {}
        scope = required_scope(self.view, self.method)
        return {"x-scope": ANY if scope is None else scope.value}
