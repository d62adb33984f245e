"""Which facts an answer about an instance brought: a fact that it lacks is not said, and not empty.

Lists are thinner than reads by id, and both leave fields out. A merge takes the facts that an
answer brought and keeps all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Fact(StrEnum):
    """A group of fields that come and go together."""

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

# The JSON fields of each fact and the types in which they say something. ``null`` says nothing.
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
    """The facts that a JSON object says. An empty status is none; a ``statusError`` that is null
    says that there is no error, as an unset message of Novita's does.
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
