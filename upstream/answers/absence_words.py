"""Decides whether a sentence says that something is missing, and what.

Novita's wording is not documented, so the sentence is parsed: a phrase of absence and the noun to
which it belongs. A noun of a place ("in cluster us-ca-6", "for user 5") is not the missing thing.
An uncertain sentence ("not found yet", "or not running") proves nothing about the instance.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from itertools import pairwise

from upstream.values import word_set


class Missing(Enum):
    """What a sentence says is missing."""

    # An instance, by that word.
    INSTANCE = auto()
    # No noun: the object of the call is meant.
    UNNAMED = auto()
    # Another object, or a sentence that is not certain.
    OTHER = auto()


_ENDED = r"(?:deleted|removed|released|destroyed)"
_PHRASE = re.compile(
    r"not[ _-]?foun[dt]\w*"
    r"|(?:does|do|did)'? ?(?:not|n[o']?t)'? exists?|doesnt exist|(?:not|never)[ _-]?exist\w*"
    r"|non-?exist\w*|no such|no longer (?:exists?|available|present)"
    r"|unknown(?= (?:gpu )?instance)|(?:record|instance)s? (?:is )?missing"
    r"|(?:can ?not|can't|could not|couldn't|unable to|failed to) (?:be )?(?:find|found|locate)\w*"
    r"|no (?:rows|documents?|records?|results?) in (?:result ?set|result)"
    r"|isn'?t (?:found|there)|not there|(?:is|was|already) gone"
    r"|no (?:record|instance)s? (?:found|with|for|matching)"
    r"|instance (?:is )?gone"
    rf"|(?:already|(?:has|have)(?: \w+){{0,3}} been|was|were|is)(?: already)? {_ENDED}"
    rf"|instance[ _]?(?:already[ _])?{_ENDED}\b"
    r"|不存在|未找到|找不到|没有找到|已删除|已被删除|已释放|已被释放"
)
# The noun follows these phrases: "no such instance".
_THING_FOLLOWS = re.compile(r"no such|unknown|.* (?:find|locate)\w*|no \w+ (?:with|for|matching)")
# A condition, a doubt or another possible cause: the sentence proves nothing.
_OPEN = re.compile(
    r"\b(?:until|unless|before|if|when|while|may|might|maybe|perhaps|possibly|yet|retry)\b"
    rf"|try again|\bnot(?: yet)? been {_ENDED}"
    r"|\bor\b(?=.*\b(?:running|state|status|ready|started|busy|unavailable|offline|time)\b)"
    r"|\b(?:cache|cached|redis|etcd)\b|未就绪|稍后|重试"
)
_ID = r"['\"\[(]?[\w.-]*\d[\w.-]*['\"\])]?"
_PLACE = re.compile(
    r"\b(?:in|for|of|on|at|from|by|under|within|among|with|belonging to)\b"
    r"(?: (?:the|this|that|your|its|any|an?|current))* (?:[a-z]+ )??(?:gpu )?"
    r"(?!(?:not|was|is|has|could|can|cannot|does|do|did|are|were|have|no)\b)"
    rf"[a-z]+(?:[ :=#]*{_ID})?(?: \([^)]*\))?"
)
_NOISE = re.compile(
    r"internal server error|rpc error|code ?= ?\w+|desc ?=|(?:sql|gorm|ent|mongo|db|database)\w*:"
)
_WORD = re.compile(r"[a-z]+(?:'s)?|[\w.-]*\d[\w.-]*|实例|[\u4e00-\u9fff]+")
_INSTANCE = re.compile(r"\w*instance\w*|\w*实例\w*|vm|vms|machine")
_UNNAMED_WORDS = word_set(
    "a an the this that these it its such any requested specified given target current you your"
    " resource resources record records object objects entity item items data row rows document"
    " documents id ids is are was were be been being has have had does do did not no error errors"
    " failed failure fail get find query select read fetch look lookup lookup up by with and or"
    " exist exists found which what who asked looking for of matching"
    " there we cannot delete deleted start started stop stopped restart"
    " restarted migrate request invalid sorry please message msg reason gpu already could can"
    " 资源 记录 数据 该 请求的 您请求的资源 资源已 该资源 记录已"
)
# Parts of an instance and objects around it. A word between "instance" and the phrase is one of
# these, or the instance's id.
_OTHER_WORDS = word_set(
    "image images template product cluster region zone node host server network vpc storage volume"
    " disk port ports endpoint address ip domain dns route path page url status state info detail"
    " details type spec card config configuration param parameter field key secret token session"
    " user owner account wallet order bill job task snapshot backup log logs metric metrics env"
    " command credential credentials registry repository container pod service backend upstream"
    " gateway driver device process file lock price plan package model version group project"
    " namespace label tag quota ssh terminal jupyter migration certificate member permission"
)
_RECORDS = frozenset({"record", "records", "row", "rows", "document", "documents"})
_DATABASE = frozenset({"db", "database", "mysql", "postgres", "sql", "gorm", "mongo", "table"})


def what_is_missing(sentence: str) -> Missing | None:
    """What is missing, or None if the sentence does not say so. Never raises."""
    text = " ".join(_NOISE.sub(" ", sentence.lower().replace("_", " ")[:2000]).split())
    if _PHRASE.search(text) is None:
        return None
    if _OPEN.search(text):
        return Missing.OTHER
    bare = _PLACE.sub(" ", text)
    found = _PHRASE.search(bare) or _PHRASE.search(text)
    if found is None:
        return None
    if found.string is text:
        bare = text
    if _INSTANCE.search(found.group()):
        return Missing.INSTANCE
    before, after = bare[: found.start()], _after(bare[found.end() :])
    if _THING_FOLLOWS.fullmatch(found.group()) and after is not Missing.UNNAMED:
        return after
    return _nearest(_WORD.findall(before)[::-1]) or after


def _nearest(words: list[str]) -> Missing | None:
    """The noun nearest before the phrase; None if there is none."""
    has_record = False
    for word, further in pairwise([*words, ""]):
        if _INSTANCE.fullmatch(word.removesuffix("'s")):
            return Missing.INSTANCE
        has_record = has_record or word in _RECORDS
        is_of_database = has_record and word in _DATABASE
        if word in _UNNAMED_WORDS or is_of_database or any(map(str.isdigit, word)):
            continue
        # "instance abcdef not found": an id without a digit.
        is_id = word not in _OTHER_WORDS and _INSTANCE.fullmatch(further)
        return Missing.INSTANCE if is_id else Missing.OTHER
    return None


def _after(text: str) -> Missing:
    words = [word for word in _WORD.findall(text) if not any(map(str.isdigit, word))]
    named = [word for word in words if word not in _UNNAMED_WORDS]
    if not named:
        return Missing.UNNAMED
    return Missing.INSTANCE if _INSTANCE.fullmatch(named[0]) else Missing.OTHER
