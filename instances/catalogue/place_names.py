"""Matches place names to clusters. Pure: no database, no network.

Novita's products name places by display name (``US-CA-06 (California)``), until 2025 by code
(``US-CA-06``), and in its second API by id (``us-ca-6``).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from upstream.types import Cluster

_WORDS = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster, with all clusters that Novita lists.

    Products are requested by cluster id; that filter is more reliable than the places that a
    product names.
    """

    cluster: Cluster
    listed: Sequence[Cluster] = ()

    def is_surely_not(self, regions: Iterable[str]) -> bool:
        """Whether all places that a product names are other listed clusters.

        False if a name matches no listed cluster, or if there are no names (sold everywhere).
        """
        named = [name for name in regions if key_of(name)]
        return bool(named) and all(self._is_another(name) for name in named)

    def unknown_names(self, regions: Iterable[str]) -> list[str]:
        """Place names that match no listed cluster."""
        clusters = (self.cluster, *self.listed)
        named = [name for name in regions if key_of(name)]
        return [name for name in named if not any(is_cluster(name, each) for each in clusters)]

    def _is_another(self, name: str) -> bool:
        if is_cluster(name, self.cluster):
            return False
        return any(is_cluster(name, each) for each in self.listed if each.id != self.cluster.id)


def is_cluster(name: str, cluster: Cluster) -> bool:
    """Whether the text is the cluster's id or display name, in any spelling."""
    key = key_of(name)
    return bool(key) and key in (key_of(cluster.id), key_of(cluster.name))


def key_of(name: str) -> tuple[str, ...]:
    """Comparable form: the letters and numbers up to the last number before a bracket.

    Ignores case, separators and leading zeros. A text without a number counts as a whole.
    """
    code = re.split(r"[(\[\uff08]", name, maxsplit=1)[0]
    words = [
        word.lstrip("0") or "0" if word.isdigit() else word.casefold() for word in _words(code)
    ]
    numbers = [index for index, word in enumerate(words) if word.isdigit()]
    return tuple(_joined(words[: numbers[-1] + 1] if numbers else words))


def _words(text: str) -> list[str]:
    return _WORDS.findall(text)


def _joined(words: Iterable[str]) -> list[str]:
    """Join adjacent groups of letters: ``US-CA`` becomes ``usca``."""
    joined: list[str] = []
    for word in words:
        if joined and not word.isdigit() and not joined[-1].isdigit():
            joined[-1] += word
        else:
            joined.append(word)
    return joined
