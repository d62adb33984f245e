"""Maps messages to the meanings of `reasons`, for answers whose reason is unknown.

The order of the rules counts: a sentence with an image is about the image only.
"""

from __future__ import annotations

import re

from upstream.answers.reasons import (
    BAD_OFFER,
    BAD_REQUEST,
    BALANCE,
    KEY,
    OTHER,
    OTHER_OF_OFFER,
    OTHER_OF_REQUEST,
    QUOTA,
    RATE,
    SOLD_OUT,
    STATE,
    TEMPLATE,
    Meaning,
)

_SOLD_OUT_WORDS = r"(?:resources?|stock|inventory|capacity|gpus?|cards?)"
# Novita checked and declined: nothing was done, in a 5xx as well.
_DECLINED: tuple[tuple[str, Meaning], ...] = (
    (
        r"(?:balance|budget|credits?|funds) (?:is |are )?"
        r"(?:not enough|insufficient|too low|exhausted)"
        r"|(?:insufficient|not enough) (?:account )?(?:balance|budget|funds?|credits?|money)"
        r"|\bin arrears\b|\boverdue\b|余额不足|欠费",
        BALANCE,
    ),
    (r"rate ?limit|too many requests|too frequent|throttl|请求过于频繁|限流", RATE),
    (
        r"quota (?:is |was |has been )?(?:exceeded|reached|exhausted|not enough|insufficient)"
        r"|exceed\w*(?: \w+){0,4} quota|insufficient(?: \w+)? quota|too many instances"
        r"|(?:instances?|gpu num|gpus?|account|operation) limit (?:\w+ )?(?:exceeded|reached)|配额",
        QUOTA,
    ),
    (
        rf"{_SOLD_OUT_WORDS} (?:is |are )?(?:insufficient|not enough|sold out|exhausted)"
        rf"|(?:insufficient|not enough) (?:\w+ )?{_SOLD_OUT_WORDS}\b|sold out|out of stock"
        rf"|\bno (?:more |available |free |idle )*(?:resources?|stock|capacity|gpus?)\b"
        rf"|no {_SOLD_OUT_WORDS} (?:is |are )?(?:available|left)|库存不足|资源不足|售罄",
        SOLD_OUT,
    ),
)
_KEY = (
    r"(?:invalid|expired|missing|disabled|revoked|wrong|incorrect|unknown) "
    r"(?:api[ _-]?key|access token|user token|token|key|credentials?)\b"
    r"|\b(?:api[ _-]?)?(?:key|token) (?:is |was |has )?(?:been )?"
    r"(?:invalid|expired|disabled|revoked|not valid|missing|banned|not foun[dt]|required)"
    r"|\bunauthorized\b|\bunauthenticated\b|not authenticated|authentication (?:failed|required)"
    r"|(?:user|account) (?:is |has been |was )?(?:banned|disabled|suspended|frozen|not foun[dt])"
)
_IMAGE = r"\b(?:image|registry|repository|docker|manifest|dockerfile)\w*|镜像"
_FAULT = (
    r"invalid|must|should|require|missing|not (?:allowed|supported|support|valid|match)|unsupported"
    r"|incompatib|too (?:large|long|small|many|big)|exceed|illegal|malformed|unauthorized|denied"
    r"|not foun[dt]|not exist|wrong|error|不支持|无效|错误|不存在|不能"
)
_OF_OFFER = (
    r"root ?fs|\bdisk\b|billing|\bspot\b|on-?demand|\bmonthly\b|product|cluster|region"
    r"|gpu ?num|gpu count|number of gpus|\bcpu\b|\bmemory\b|not (?:sold|offered|available)"
)
_OF_REQUEST = (
    r"\bimage|registry|repository|\bauth\b|credential|cuda|\bports?\b|command|entrypoint|\benvs?\b"
    r"|environment variable|\bname\b|\btools?\b|network|storage|mount|\bparam|\bfield\b"
    r"|\bbody\b|json"
)
_STATE = (
    r"invalid (?:instance )?(?:state|status)"
    r"|(?:state|status) (?:does not|doesn't|not) (?:allow|support)"
    r"|not (?:allowed|supported|permitted) in (?:the |its |this )?(?:current )?(?:state|status)"
    r"|in (?:the )?(?:wrong|current) (?:state|status)"
    r"|instance (?:\S+ )?is (?:not running|already running|not stopped|already stopped)"
    r"|instance (?:\S+ )?is (?:being deleted|deleting|busy)|状态"
)
# Novita itself failed while it handled the request.
_FAILED = (
    r"time(?:d)? ?out|deadline|context cancel|cancell?ed|\binternal\b|connection (?:refused|reset)"
    r"|broken pipe|\beof\b|rpc error|panic|unavailable|try again|retry|系统错误|内部错误|超时"
)

_RULES: tuple[tuple[re.Pattern[str], Meaning], ...] = (
    (re.compile(r"template (?:is )?(?:not foun[dt]|private|not exist)|template does"), TEMPLATE),
    *((re.compile(pattern), meaning) for pattern, meaning in _DECLINED),
    (re.compile(_STATE), STATE),
    (re.compile(rf"(?:{_IMAGE}).*(?:{_FAULT})|(?:{_FAULT}).*(?:{_IMAGE})"), BAD_REQUEST),
    (re.compile(rf"cuda.*(?:{_FAULT})|(?:{_FAULT}).*cuda"), BAD_REQUEST),
    (re.compile(_KEY), KEY),
)
_FIELD_RULES: tuple[tuple[re.Pattern[str], Meaning], ...] = (
    (re.compile(rf"(?:{_OF_OFFER}).*(?:{_FAULT})|(?:{_FAULT}).*(?:{_OF_OFFER})"), BAD_OFFER),
    (re.compile(rf"(?:{_OF_REQUEST}).*(?:{_FAULT})|(?:{_FAULT}).*(?:{_OF_REQUEST})"), BAD_REQUEST),
)
_FAILED_WORDS = re.compile(_FAILED)
_DECLINING = (BALANCE, RATE, QUOTA, SOLD_OUT, KEY)

_ACCOUNT_THING = re.compile(r"\b(?:user|account|member|team|api[ _-]?key|key|token|owner)\b|用户")
_WALLET_THING = re.compile(r"\bwallet\b|钱包")
_REQUEST_THING = re.compile(
    r"\b(?:image|registry|repository|manifest|tag|network|vpc|storage|volume|credential|auth)\w*|镜像"
)
_OFFER_THING = re.compile(
    r"\b(?:product|cluster|region|zone|spec|gpu|card|node|host|plan|model)s?\b|产品|集群"
)


def meaning_of(message: str, *, is_server_error: bool) -> Meaning | None:
    """Meaning of a message, or None.

    In a 5xx, something may have been done before a message about an image or a field: only messages
    that decline count there.
    """
    text = _plain(message)
    rules = _RULES if is_server_error else (*_RULES, *_FIELD_RULES)
    for pattern, meaning in rules:
        if pattern.search(text):
            return meaning if not is_server_error or meaning in _DECLINING else None
    return None


def has_failed(message: str) -> bool:
    """Whether the message is about a failure of Novita: a timeout, an internal error."""
    return _FAILED_WORDS.search(_plain(message)) is not None


def field_meaning(message: str) -> Meaning:
    """Meaning of an invalid request, by the field that the message names.

    Limits of the product (disk, billing modes) belong to the offer. So does a message without a
    field: an unknown product may be reported in that way, and the next offer will show it.
    """
    text = _plain(message)
    for pattern, meaning in (*_RULES, *_FIELD_RULES):
        if meaning not in (RATE, KEY) and pattern.search(text):
            return meaning
    return BAD_OFFER


def is_forbidden_thing(message: str) -> bool:
    """Whether a refusal names the instance or a resource, and neither key nor account."""
    text = _plain(message)
    is_of_key = _ACCOUNT_THING.search(text) or re.search(_KEY, text)
    return bool(re.search(r"\b(?:instance|resource)s?\b|实例|资源", text)) and not is_of_key


def missing_thing(message: str) -> Meaning:
    """Meaning of a missing object that is not the instance: who has to change something."""
    text = _plain(message)
    for pattern, meaning in (
        (_WALLET_THING, BALANCE),
        (re.compile(r"\btemplate\b|模板"), TEMPLATE),
        (_REQUEST_THING, OTHER_OF_REQUEST),
        (_OFFER_THING, OTHER_OF_OFFER),
        (_ACCOUNT_THING, KEY),
    ):
        if pattern.search(text):
            return meaning
    return OTHER


def _plain(message: str) -> str:
    return " ".join(message[:2000].lower().replace("_", " ").split())
