"""What to call next with the ids of an answer: for generated clients and for tests of sequences."""

from collections.abc import Iterator
from typing import Any

# Who names ids, and where in its answer; they fill {id} of every operation below the prefix.
_SOURCES = (
    ("createInstance", "201", "$response.body#/instanceId", "/api/instances/{id}"),
    ("listInstances", "200", "$response.body#/instances/0/id", "/api/instances/{id}"),
    ("listJobs", "200", "$response.body#/jobs/0/id", "/api/jobs/{id}"),
)


def add_links(document: dict[str, Any]) -> None:
    operations = dict(_operations(document))
    for source, status, expression, prefix in _SOURCES:
        if source not in operations or status not in operations[source][1]["responses"]:
            continue
        links = operations[source][1]["responses"][status].setdefault("links", {})
        for name, (path, operation) in operations.items():
            if path.startswith(prefix):
                links[name] = {
                    "operationId": name,
                    "parameters": {"id": expression},
                    "description": operation["summary"],
                }


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield operation["operationId"], (path, operation)
