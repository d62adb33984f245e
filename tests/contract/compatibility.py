"""Which changes between two OpenAPI documents break callers that were written for the older one.

What callers send must stay welcome: requests may be widened, never narrowed. What they read must
stay there: answers may grow, never shrink. docs/api/versioning.md is the policy in words.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Schema = dict[str, Any]
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_NULL = {"type": "null"}
_EXACT = ("pattern", "format", "multipleOf", "const")


class Both(NamedTuple):
    """The same thing in both documents."""

    old: Any
    new: Any

    def get(self, name: str) -> "Both":
        return Both((self.old or {}).get(name), (self.new or {}).get(name))

    def names(self) -> set[str]:
        return set(self.old or {})

    def added(self) -> set[str]:
        return set(self.new or {}) - set(self.old or {})


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One line each, with the place; empty when every caller of the old can go on."""
    return list(_Comparison(old, new).all())


class _Comparison:
    """Both documents, to look references up in."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._documents = Both(old, new)
        self._seen: set[tuple[str, str, bool]] = set()

    def all(self) -> Iterator[str]:
        paths = self._documents.get("paths")
        yield from self._items(paths, self._operation)
        yield from self._items(self._documents.get("webhooks"), self._webhook)

    def _items(self, items: Both, compare: Callable[[str, Both], Iterator[str]]) -> Iterator[str]:
        for path in sorted(items.names()):
            for method in sorted(items.get(path).names()):
                place, both = f"{method.upper()} {path}", items.get(path).get(method)
                yield from compare(place, both) if both.new else [f"{place}: removed"]

    def _operation(self, place: str, both: Both) -> Iterator[str]:
        if both.old["operationId"] != both.new["operationId"]:
            yield f"{place}: operationId changed"
        if both.new.get("security") and not both.old.get("security"):
            yield f"{place}: needs a key now"
        yield from self._parameters(place, both)
        yield from self._request(f"{place} request", both.get("requestBody"))
        yield from self._responses(place, both.get("responses"))

    def _webhook(self, place: str, both: Both) -> Iterator[str]:
        """We send these: their bodies are what others read."""
        yield from self._content(
            f"{place} webhook", both.get("requestBody").get("content"), is_sent=False
        )

    def _parameters(self, place: str, both: Both) -> Iterator[str]:
        named = Both(*({(p["in"], p["name"]): p for p in x.get("parameters", ())} for x in both))
        for key in sorted(named.added()):
            if named.new[key].get("required"):
                yield f"{place} parameter {key[1]}: new and required"
        for key in sorted(named.names()):
            where, parameter = f"{place} parameter {key[1]}", Both(named.old[key], None)
            if key not in named.new:
                yield f"{where}: removed"
                continue
            parameter = Both(named.old[key], named.new[key])
            if parameter.new.get("required") and not parameter.old.get("required"):
                yield f"{where}: required now"
            yield from self._schema(where, parameter.get("schema"), is_sent=True)

    def _request(self, place: str, body: Both) -> Iterator[str]:
        if body.new and body.new.get("required") and not (body.old or {}).get("required"):
            yield f"{place}: a body is required now"
        if body.old and not body.new:
            yield f"{place}: takes no body any more"
        elif body.old:
            yield from self._content(place, body.get("content"), is_sent=True)

    def _responses(self, place: str, responses: Both) -> Iterator[str]:
        for status in sorted(responses.names()):
            where, response = f"{place} {status}", responses.get(status)
            if response.new is None:
                yield f"{where}: removed"
                continue
            headers = response.get("headers")
            yield from (f"{where} header {n}: removed" for n in headers.names() - set(headers.new))
            yield from self._content(where, response.get("content"), is_sent=False)

    def _content(self, place: str, content: Both, *, is_sent: bool) -> Iterator[str]:
        for media in sorted(content.names()):
            both = content.get(media)
            if both.new is None:
                yield f"{place} {media}: removed"
            else:
                yield from self._schema(place, both.get("schema"), is_sent=is_sent)

    def _schema(self, place: str, both: Both, *, is_sent: bool) -> Iterator[str]:
        references = tuple(str((x or {}).get("$ref", id(x))) for x in both)
        key = (references[0], references[1], is_sent)
        if key in self._seen:
            return
        self._seen.add(key)
        old, new = (
            self._resolved(document, x) for document, x in zip(self._documents, both, strict=True)
        )
        yield from self._types(place, Both(old, new), is_sent=is_sent)
        yield from self._properties(place, Both(old, new), is_sent=is_sent)
        if old.get("items") is not None:
            items = Both(old["items"], new.get("items"))
            yield from self._schema(f"{place}[]", items, is_sent=is_sent)
        if is_sent:
            yield from _narrowed(place, old, new)

    def _types(self, place: str, both: Both, *, is_sent: bool) -> Iterator[str]:
        old, new = (self._type_names(*pair) for pair in zip(self._documents, both, strict=True))
        narrower, wider = (new, old) if is_sent else (old, new)
        if missing := wider - narrower:
            said = "no longer taken" if is_sent else "may come now"
            yield f"{place}: {', '.join(sorted(missing))} {said}"

    def _type_names(self, document: Schema, schema: Schema) -> set[str]:
        """Without a type, anything goes; a number may be an integer."""
        alternatives = schema.get("oneOf") or schema.get("anyOf")
        if alternatives:
            names = [self._type_names(document, self._resolved(document, x)) for x in alternatives]
            return set().union(*names)
        given = schema.get("type", [])
        names_ = {given} if isinstance(given, str) else set(given)
        names_ = names_ or {"null", "boolean", "object", "array", "string", "number"}
        return names_ | ({"integer"} if "number" in names_ else set())

    def _properties(self, place: str, both: Both, *, is_sent: bool) -> Iterator[str]:
        properties = both.get("properties")
        required = Both(set(both.old.get("required", ())), set(both.new.get("required", ())))
        for name in sorted(properties.names()):
            where, field = f"{place}.{name}", properties.get(name)
            if field.new is None:
                yield f"{where}: removed"
                continue
            if is_sent and name in required.new - required.old:
                yield f"{where}: required now"
            if not is_sent and name in required.old - required.new:
                yield f"{where}: no longer always there"
            yield from self._schema(where, field, is_sent=is_sent)
        if is_sent:
            new_ones = properties.added() & required.new
            yield from (f"{place}.{name}: new and required" for name in sorted(new_ones))

    @staticmethod
    def _resolved(document: Schema, schema: Schema | None) -> Schema:
        """Follow references, and merge what stands beside them, in an allOf, or beside null."""
        merged: Schema = dict(schema or {})
        parts = list(merged.pop("allOf", ()))
        others = [each for each in merged.get("oneOf", ()) if each != _NULL]
        if len(others) == 1 and len(merged["oneOf"]) == 2:
            del merged["oneOf"]
            inner = _Comparison._resolved(document, others[0])
            parts.append({**inner, "type": [*_as_list(inner.get("type", "object")), "null"]})
        if reference := merged.pop("$ref", None):
            found: Any = document
            for step in reference.removeprefix("#/").split("/"):
                found = found[step]
            parts.append(found)
        for part in parts:
            merged = {**_Comparison._resolved(document, part), **merged}
        return merged


def _as_list(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _narrowed(place: str, old: Schema, new: Schema) -> Iterator[str]:
    """Values that were taken and are not any more."""
    if "enum" in new:
        lost = [value for value in old.get("enum", ["any other"]) if value not in new["enum"]]
        if lost:
            yield f"{place}: {', '.join(map(str, lost))} no longer taken"
    for name, was, now in _tightened(old, new):
        yield f"{place}: {name} {'none' if was is None else was} became {now}"
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield f"{place}: other properties no longer taken"
    branches = zip(_branches(old), _branches(new), strict=False)
    for number, (before, after) in enumerate(branches):
        yield from _narrowed(f"{place} alternative {number + 1}", before, after)


def _tightened(old: Schema, new: Schema) -> Iterator[tuple[str, Any, Any]]:
    """Bounds that lie closer, and forms that are others."""
    for name in (*_LOWER, *_UPPER, *_EXACT):
        was, now = old.get(name), new.get(name)
        if now is None or was == now:
            continue
        is_wider = was is not None and name not in _EXACT and (now < was) == (name in _LOWER)
        if not is_wider:
            yield name, was, now


def _branches(schema: Schema) -> list[Schema]:
    branches: list[Schema] = schema.get("oneOf") or schema.get("anyOf") or []
    return branches
