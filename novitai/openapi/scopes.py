"""What the view behind an operation tells of it: the scope it needs, the pages it gives."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from accounts.rest.permissions import HasApiKey, also_enough, required_scope
from novitai.openapi.paging import page_parameters

ANY = "any"


class ScopedSchema(AutoSchema):
    """Adds ``x-scope`` where a key is needed (any valid one may do), and the page's parameters to
    lists.
    """

    def get_extensions(self) -> dict[str, Any]:
        needs_key = any(isinstance(each, HasApiKey) for each in self.view.get_permissions())
        if not needs_key:
            return {}
        scope = required_scope(self.view, self.method)
        if scope is None:
            return {"x-scope": ANY}
        return {"x-scope": " or ".join(each.value for each in (scope, *also_enough(self.view)))}

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *page_parameters(self.view, self.method)]
