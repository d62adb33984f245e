"""Parses JSON objects into templates and registry credentials; None for invalid ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upstream.types import EnvVar, RegistryAuth, Template, TemplatePort, Tool
from upstream.values import (
    count,
    identifier,
    mapping,
    port_number,
    sequence,
    text,
    verbatim,
    word_set,
)
from upstream.vocabulary import PORT_TYPES, WordReader

# Fields of a template that a create uses, and fields that only describe it. All other fields are
# reported as unused.
_USED_OF_TEMPLATES = word_set(
    "Id id image imageAuth startCommand entrypoint rootfsSize ports envs tools minCudaVersion type"
)
_DESCRIBING_TEMPLATES = word_set(
    "name readme description channel logo user creator nickname owner ownerId uuid isUsed"
    " isCollected collectNum complaintNum createdAt updatedAt createTime updateTime"
)
_NOTHING = ("", "0", 0, None, False)


def read_template(value: Any) -> Template | None:
    data, words = mapping(value), WordReader()
    template_id = identifier(data.get("Id")) or identifier(data.get("id"))
    if not template_id:
        return None
    ports, tools = _template_ports(words, data.get("ports")), _tools(words, data.get("tools"))
    auth_id, auth = read_image_auth(data.get("imageAuth"))
    return Template(
        id=template_id,
        name=text(data.get("name")),
        image=text(data.get("image")),
        image_auth_id=auth_id,
        image_auth=auth,
        start_command=text(data.get("startCommand")),
        entrypoint=text(data.get("entrypoint")),
        rootfs_size_gb=count(data.get("rootfsSize")),
        ports=ports,
        envs=_envs(data.get("envs")),
        tools=tools,
        min_cuda_version=text(data.get("minCudaVersion")),
        type=text(data.get("type")),
        channel=text(data.get("channel")),
        unknown_values=words.unknown_values,
        unused=_unused_of_template(data),
    )


def _unused_of_template(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of fields with a value that creates do not use, at most ten."""
    known = _USED_OF_TEMPLATES | _DESCRIBING_TEMPLATES
    asked = (text(name)[:40] for name in data if name not in known and _says_something(data[name]))
    return tuple(sorted(filter(None, asked))[:10])


def _says_something(value: object, levels: int = 3) -> bool:
    """Whether the value contains anything; values nested below ``levels`` count."""
    if not isinstance(value, (list, dict)) or not levels:
        return value not in _NOTHING and value not in ([], {})
    inner = value.values() if isinstance(value, dict) else value
    return any(_says_something(each, levels - 1) for each in inner)


def read_registry_auth(value: Any) -> RegistryAuth | None:
    data = mapping(value)
    auth_id = identifier(data.get("id")) or identifier(data.get("Id"))
    if not auth_id:
        return None
    return RegistryAuth(auth_id, text(data.get("name")), text(data.get("username")))


def read_image_auth(value: object) -> tuple[str, str]:
    """The id of stored credentials, or ``user:password``; both empty if the image needs none.

    A value that is no id is a secret and must not appear in any text.
    """
    data = mapping(value)
    if data:
        user, password = text(data.get("username")), text(data.get("password"))
        return "", f"{user}:{password}" if user and password else ""
    found = identifier(value)
    if found and ":" not in found:
        return ("", "") if found == "0" else (found, "")
    return "", text(value)


def _template_ports(words: WordReader, value: object) -> tuple[TemplatePort, ...]:
    """Flattens groups of `{type, ports: [..]}`; also accepts a single `port`."""
    return tuple(
        TemplatePort(words.word(PORT_TYPES, "ports.type", group.get("type")) or "http", port)
        for group in map(mapping, sequence(value))
        for number in [*sequence(group.get("ports")), group.get("port")]
        if (port := port_number(number))
    )


def _envs(value: object) -> tuple[EnvVar, ...]:
    """The key may be called `env`: one client of Novita does that."""
    return tuple(
        EnvVar(key, verbatim(item.get("value")))
        for item in map(mapping, sequence(value))
        if (key := text(item.get("key")) or text(item.get("env")))
    )


def _tools(words: WordReader, value: object) -> tuple[Tool, ...]:
    return tuple(
        Tool(name, port, words.word(PORT_TYPES, "tools.type", item.get("type")) or "http")
        for item in map(mapping, sequence(value))
        if (name := text(item.get("name"))) and (port := port_number(item.get("port")))
    )
