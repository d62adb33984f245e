"""Query parameters that are refused by their names, whatever their values."""

from collections.abc import Collection
from typing import Any

from django.http import QueryDict


def misplaced(
    given: QueryDict, known: Collection[str], repeatable: Collection[str] = ()
) -> dict[str, Any]:
    """Errors by name: of each parameter that is not ``known``, and of each that stands more than
    once and is not ``repeatable``. A typo would otherwise be a filter that does nothing.
    """
    errors = {name: ["Unknown query parameter"] for name in given if name not in known}
    once = set(known).difference(repeatable)
    return errors | {name: ["May be given once"] for name in once if len(given.getlist(name)) > 1}
