"""From a JSON object to one of `types`; None for what is none. Nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from instances.novita.access import read_access
from instances.novita.errors import clean_text
from instances.novita.facts import facts_in
from instances.novita.types import (
    Cluster,
    EnvVar,
    PortMapping,
    Product,
    RegistryAuth,
    Template,
    TemplatePort,
    Tool,
    UpstreamInstance,
    UpstreamJob,
)
from instances.novita.values import (
    count,
    flag,
    identifier,
    integer,
    mapping,
    moment,
    sequence,
    text,
    verbatim,
    word_set,
)
from instances.novita.vocabulary import (
    BILLING_MODES,
    INVENTORY_STATES,
    JOB_STATES,
    PORT_TYPES,
    SPOT_STATUSES,
    STATUSES,
    WordReader,
)


def read_cluster(value: Any) -> Cluster | None:
    data = mapping(value)
    cluster_id = identifier(data.get("id"))
    if not cluster_id:
        return None
    return Cluster(cluster_id, text(data.get("name")), _texts(data.get("availableGpuType")))


def read_product(value: Any) -> Product | None:
    data = mapping(value)
    product_id = identifier(data.get("id"))
    if not product_id:
        return None
    words = WordReader()
    inventory = words.word(INVENTORY_STATES, "inventoryState", data.get("inventoryState"))
    deployable = flag(data.get("availableDeploy"))
    on_demand = words.price("price", data.get("price"))
    spot = words.price("spotPrice", data.get("spotPrice"))
    modes = _billing_modes(words, data.get("billingMethods"))
    return Product(
        id=product_id,
        name=text(data.get("name")),
        cpu_per_gpu=count(data.get("cpuPerGpu")),
        memory_per_gpu_gb=count(data.get("memoryPerGpu")),
        # Without the flag, an offer is tried unless its stock is known to be out.
        available_deploy=inventory != "none" if deployable is None else deployable,
        inventory_state=inventory,
        min_rootfs_gb=count(data.get("minRootFS")),
        max_rootfs_gb=count(data.get("maxRootFS")) or None,
        regions=_texts(data.get("regions")),
        on_demand_price_e5_usd=on_demand,
        spot_price_e5_usd=spot,
        # Older answers do not name the modes: what has a price is for sale.
        billing_modes=modes
        or frozenset(
            mode for mode, price in (("onDemand", on_demand), ("spot", spot)) if price is not None
        ),
        unknown_values=words.unknown_values,
    )


def _billing_modes(words: WordReader, value: object) -> frozenset[str]:
    """The known modes, of a list or of one text with commas. Unknown ones are noted alone: where
    no mode is known, the prices tell what is for sale, and Novita refuses what is not.
    """
    listed = sequence(value) or text(value).split(",")
    found = {words.word(BILLING_MODES, "billingMethods", each) for each in listed}
    return frozenset(found & BILLING_MODES.words)


# What a template may ask for, and create has no field for or is not given.
_UNUSED_BY_TEMPLATES = ("volumes", "networkStorages", "networkVolumes", "localStorageMountPoint")


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
        unused=tuple(name for name in _UNUSED_BY_TEMPLATES if data.get(name)),
    )


def read_registry_auth(value: Any) -> RegistryAuth | None:
    data = mapping(value)
    auth_id = identifier(data.get("id")) or identifier(data.get("Id"))
    if not auth_id:
        return None
    return RegistryAuth(auth_id, text(data.get("name")), text(data.get("username")))


def read_instance(value: Any) -> UpstreamInstance | None:
    data, words = mapping(value), WordReader()
    instance_id = identifier(data.get("id"))
    if not instance_id:
        return None
    status = words.word(STATUSES, "status", data.get("status"))
    spot_status = words.word(SPOT_STATUSES, "spotStatus", data.get("spotStatus"))
    billing_mode = words.word(BILLING_MODES, "billingMode", data.get("billingMode"))
    port_mappings = _port_mappings(words, data.get("portMappings"))
    price = words.price("instancePrice", data.get("instancePrice"))
    state, message = _status_error(data.get("statusError"))
    ssh = mapping(data.get("connectComponentSSH"))
    return UpstreamInstance(
        id=instance_id,
        name=text(data.get("name")),
        status=status,
        status_error_state=state,
        status_error_message=message,
        cluster_id=text(data.get("clusterId")),
        cluster_name=text(data.get("clusterName")),
        product_id=text(data.get("productId")),
        product_name=text(data.get("productName")),
        gpu_num=count(data.get("gpuNum")),
        billing_mode=billing_mode,
        image_url=text(data.get("imageUrl")),
        rootfs_size_gb=count(data.get("rootfsSize")),
        port_mappings=port_mappings,
        ssh_command=text(ssh.get("sshCommand")) or text(data.get("sshCommand")),
        jupyter_url=_without_login(mapping(data.get("connectComponentJupyter")).get("address")),
        web_terminal_url=_without_login(
            mapping(data.get("connectComponentWebTerminal")).get("address")
        ),
        access=read_access(data),
        spot_status=spot_status,
        spot_reclaim_at=moment(data.get("spotReclaimTime")),
        created_at=moment(data.get("createdAt")),
        last_started_at=moment(data.get("lastStartedAt")) or moment(data.get("startedAt")),
        last_stopped_at=moment(data.get("lastStoppedAt")) or moment(data.get("stoppedAt")),
        use_time_seconds=count(data.get("useTime")),
        price_e5_usd=price,
        unknown_values=words.unknown_values,
        facts=facts_in(data),
    )


_NO_ERROR = word_set("0 - none null nil false ok normal success healthy n/a")


def _status_error(value: object) -> tuple[str, str]:
    """State and message; a bare text is the message, and of several errors the first counts. What
    stands there for "no error" is none.
    """
    if isinstance(value, list):
        found = map(_status_error, value[:10])
        return next((each for each in found if any(each)), ("", ""))
    if isinstance(value, str):
        return "", _error_text(value)
    problem = mapping(value)
    message = problem.get("message") or problem.get("error") or problem.get("errorMessage")
    return _error_text(problem.get("state")), _error_text(message)


def _error_text(value: object) -> str:
    found = clean_text(text(value))
    return "" if found.lower() in _NO_ERROR else found


def read_job(value: Any) -> UpstreamJob | None:
    data = mapping(value)
    job_id = identifier(data.get("Id")) or identifier(data.get("id"))
    instance_id = identifier(data.get("instanceId"))
    if not job_id or not instance_id:
        return None
    state = mapping(data.get("state"))
    word = text(state.get("state") if state else data.get("state"))
    told = (state.get(name) or data.get(name) for name in ("errorMessage", "message", "error"))
    return UpstreamJob(
        id=job_id,
        type=text(data.get("type")),
        state=JOB_STATES.read(word) or word,
        instance_id=instance_id,
        error=clean_text(next(filter(None, map(text, told)), "")),
        created_at=moment(data.get("createdAt")),
    )


def read_image_auth(value: object) -> tuple[str, str]:
    """The id of stored credentials, or ``user:password`` itself: what is no id is a secret, and
    stands in no text. Both empty: the image needs none.
    """
    data = mapping(value)
    if data:
        user, password = text(data.get("username")), text(data.get("password"))
        return "", f"{user}:{password}" if user and password else ""
    found = identifier(value)
    if found and ":" not in found:
        return ("", "") if found == "0" else (found, "")
    return "", text(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(text, sequence(value))))


def _port(value: object) -> int | None:
    number = integer(value)
    return number if number is not None and 0 < number < 65536 else None


def _port_mappings(words: WordReader, value: object) -> tuple[PortMapping, ...]:
    """Each port of a kind once, as it was told first, or with the endpoint that it has elsewhere:
    a tool may be told again beside the port that it shares with the template.
    """
    found: dict[tuple[int, str], PortMapping] = {}
    for item in map(mapping, sequence(value)):
        if port := _port(item.get("port")):
            kind = words.word(PORT_TYPES, "portMappings.type", item.get("type"))
            told = PortMapping(port, _endpoint(item), kind)
            known = found.get((port, told.type))
            if known is None or not known.endpoint:
                found[port, told.type] = told
    return tuple(found.values())


def _endpoint(item: Mapping[str, Any]) -> str | None:
    """None where the item does not speak of it."""
    told = item.get("endpoint")
    return None if told is None else text(told)


def _template_ports(words: WordReader, value: object) -> tuple[TemplatePort, ...]:
    """`{type, ports: [..]}` groups, flattened; a group with a single `port` is taken as well."""
    return tuple(
        TemplatePort(words.word(PORT_TYPES, "ports.type", group.get("type")) or "http", port)
        for group in map(mapping, sequence(value))
        for number in [*sequence(group.get("ports")), group.get("port")]
        if (port := _port(number))
    )


def _envs(value: object) -> tuple[EnvVar, ...]:
    """One client calls the key `env`."""
    return tuple(
        EnvVar(key, verbatim(item.get("value")))
        for item in map(mapping, sequence(value))
        if (key := text(item.get("key")) or text(item.get("env")))
    )


def _tools(words: WordReader, value: object) -> tuple[Tool, ...]:
    return tuple(
        Tool(name, port, words.word(PORT_TYPES, "tools.type", item.get("type")) or "http")
        for item in map(mapping, sequence(value))
        if (name := text(item.get("name"))) and (port := _port(item.get("port")))
    )


def _without_login(value: object) -> str:
    """A URL without the user and password that may stand in it."""
    url = text(value)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if url else ""
