"""Facts in an answer about an instance: a missing fact is unknown, not empty.

Lists have fewer fields than gets by id, and both leave fields out. A merge takes the facts of an
answer and keeps all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Fact(StrEnum):
    """A group of fields that appear together."""

    STATUS = "status"
    STATUS_ERROR = "statusError"
    CLUSTER = "cluster"
    PORTS = "ports"
    SSH = "ssh"
    JUPYTER = "jupyter"
    WEB_TERMINAL = "webTerminal"
    SPOT_STATUS = "spotStatus"
    SPOT_RECLAIM_TIME = "spotReclaimTime"


ALL_FACTS = frozenset(Fact)
CONNECT_FACTS = frozenset({Fact.SSH, Fact.JUPYTER, Fact.WEB_TERMINAL})

# JSON fields of each fact and the types that count; ``null`` does not.
_WORDS = (str, int)
_SAID_BY: Mapping[Fact, tuple[tuple[str, tuple[type, ...]], ...]] = {
    Fact.STATUS: (("status", (str,)),),
    Fact.CLUSTER: (("clusterId", _WORDS), ("clusterName", _WORDS)),
    Fact.PORTS: (("portMappings", (list,)),),
    Fact.SSH: (("connectComponentSSH", (dict,)), ("sshCommand", (str,))),
    Fact.JUPYTER: (("connectComponentJupyter", (dict,)),),
    Fact.WEB_TERMINAL: (("connectComponentWebTerminal", (dict,)),),
    Fact.SPOT_STATUS: (("spotStatus", (str,)),),
    Fact.SPOT_RECLAIM_TIME: (("spotReclaimTime", _WORDS),),
}


def facts_in(data: Mapping[str, Any]) -> frozenset[Fact]:
    """Facts in a JSON object.

    An empty status or cluster is none. ``statusError: null`` counts: there is no error, as Novita's
    unset messages are sent as null.
    """
    found = {
        fact
        for fact, fields in _SAID_BY.items()
        if any(isinstance(data.get(name), types) for name, types in fields)
    }
    if not str(data.get("status") or "").strip():
        found.discard(Fact.STATUS)
    if not any(str(data.get(name) or "").strip() for name in ("clusterId", "clusterName")):
        found.discard(Fact.CLUSTER)
    if "statusError" in data:
        found.add(Fact.STATUS_ERROR)
    return frozenset(found)
