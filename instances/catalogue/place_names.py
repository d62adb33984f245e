"""Which cluster a text names. Pure: no database, no network.

Novita writes the places of a product as display names (``US-CA-06 (California)``), wrote codes
(``US-CA-06``) until 2025, and ids (``us-ca-6``) in its second API.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from upstream.types import Cluster

_WORDS = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster among all that Novita lists. Products are asked for by its id, and that filter is
    a stronger witness than the places that a product names itself.
    """

    cluster: Cluster
    listed: Sequence[Cluster] = ()

    def is_surely_not(self, regions: Iterable[str]) -> bool:
        """Whether a product that names these places is sold elsewhere only: each of them is another
        cluster that is listed. A name that no cluster has decides nothing; no name is everywhere.
        """
        named = [name for name in regions if key_of(name)]
        return bool(named) and all(self._is_another(name) for name in named)

    def unknown_names(self, regions: Iterable[str]) -> list[str]:
        """Names of places that no listed cluster has."""
        clusters = (self.cluster, *self.listed)
        named = [name for name in regions if key_of(name)]
        return [name for name in named if not any(is_cluster(name, each) for each in clusters)]

    def _is_another(self, name: str) -> bool:
        if is_cluster(name, self.cluster):
            return False
        return any(is_cluster(name, each) for each in self.listed if each.id != self.cluster.id)


def is_cluster(name: str, cluster: Cluster) -> bool:
    """Whether the text is the cluster's id or its display name, in whatever spelling."""
    key = key_of(name)
    return bool(key) and key in (key_of(cluster.id), key_of(cluster.name))


def is_place(name: str, other: str) -> bool:
    """Whether two texts name one place."""
    return bool(key_of(name)) and key_of(name) == key_of(other)


def key_of(name: str) -> tuple[str, ...]:
    """The code in a text: letters and numbers up to the last number before a bracket, without
    regard to case, separators and leading zeros. A text without a number counts as a whole.
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
    """Letters side by side are one word, however they are separated: ``US-CA`` is ``usca``."""
    joined: list[str] = []
    for word in words:
        if joined and not word.isdigit() and not joined[-1].isdigit():
            joined[-1] += word
        else:
            joined.append(word)
    return joined
