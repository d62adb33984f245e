"""Parses JSON objects into `types`; None for invalid ones. Never raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from upstream.access import read_access
from upstream.errors import clean_text
from upstream.facts import facts_in
from upstream.types import Cluster, PortMapping, Product, UpstreamInstance, UpstreamJob
from upstream.values import (
    count,
    flag,
    identifier,
    mapping,
    moment,
    port_number,
    sequence,
    text,
    word_set,
)
from upstream.vocabulary import (
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
        # Without the flag, a product is offered unless its stock is out.
        available_deploy=inventory != "none" if deployable is None else deployable,
        inventory_state=inventory,
        min_rootfs_gb=count(data.get("minRootFS")),
        max_rootfs_gb=count(data.get("maxRootFS")) or None,
        regions=_texts(data.get("regions")),
        on_demand_price_e5_usd=on_demand,
        spot_price_e5_usd=spot,
        # Older answers lack the modes: modes with a price are offered.
        billing_modes=modes
        or frozenset(
            mode for mode, price in (("onDemand", on_demand), ("spot", spot)) if price is not None
        ),
        unknown_values=words.unknown_values,
    )


def _billing_modes(words: WordReader, value: object) -> frozenset[str]:
    """Known modes, from a list or a comma-separated text.

    Unknown ones are only collected: without a known mode, the prices decide what is offered, and
    Novita refuses the rest.
    """
    listed = sequence(value) or text(value).split(",")
    found = {words.word(BILLING_MODES, "billingMethods", each) for each in listed}
    return frozenset(found & BILLING_MODES.words)


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
    """State and message of an error; a bare text is the message.

    Of several errors, the first counts. Words for "no error" are ignored.
    """
    if isinstance(value, list):
        found = map(_one_error, value[:10])
        return next((each for each in found if any(each)), ("", ""))
    return _one_error(value)


def _one_error(value: object) -> tuple[str, str]:
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


def _texts(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(text, sequence(value))))


def _port_mappings(words: WordReader, value: object) -> tuple[PortMapping, ...]:
    """Each port and type once: the first entry, or the one with an endpoint.

    Novita may repeat a tool's port beside the template's.
    """
    found: dict[tuple[int, str], PortMapping] = {}
    for item in map(mapping, sequence(value)):
        if port := port_number(item.get("port")):
            kind = words.word(PORT_TYPES, "portMappings.type", item.get("type"))
            told = PortMapping(port, _endpoint(item), kind)
            known = found.get((port, told.type))
            if known is None or not known.endpoint:
                found[port, told.type] = told
    return tuple(found.values())


def _endpoint(item: Mapping[str, Any]) -> str | None:
    """None if the item has no endpoint field."""
    told = item.get("endpoint")
    return None if told is None else text(told)


def _without_login(value: object) -> str:
    """The URL without user and password."""
    url = text(value)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if url else ""
