"""Findings and counts of a pass, for people."""

from dataclasses import dataclass, field
from typing import Any

KEPT_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """``kind`` is stable, for programs and metrics; ``instance`` is a public id or empty."""

    kind: str
    upstream_id: str
    instance: str
    text: str

    def as_json(self) -> dict[str, str]:
        return {
            "kind": self.kind,
            "upstreamId": self.upstream_id,
            "instance": self.instance,
            "text": self.text,
        }


@dataclass(slots=True)
class Report:
    """Counts and findings of one pass; ``note`` says why nothing, or less, was done."""

    counts: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    note: str = ""

    def add(self, kind: str, text: str, *, upstream_id: str = "", instance: str = "") -> None:
        self.findings.append(Finding(kind, upstream_id, instance, text))
