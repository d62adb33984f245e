"""Says what may be concluded from an answer, for each kind of call.

    answer                               LIST   GET     CREATE   VERB    DELETE
    ───────────────────────────────────  ─────  ──────  ───────  ──────  ──────
    2xx of Novita, as documented         done   done    done     done    done
    2xx of Novita in unknown format      hold   hold    unknown  done    done
    2xx that contains an error           as that error; unknown unless its reason is certain
    not there (the instance)             hold   absent  unknown  absent  absent
    not there (another object)           hold   hold    by blame  refused  refused
    sold out                             hold   hold    elsewhere  refused  refused
    a field is wrong                     hold   hold    by blame  refused  refused
    not understood, 4xx of Novita        hold   hold    unknown  unknown unknown
    wrong state, 409                     hold   hold    unknown  unknown unknown
    key, balance, quota                  hold   hold    hold     hold    hold
    rate (429)                           hold   hold    hold     hold    hold
    5xx, 408, 421, 425, 499 of Novita    hold   hold    unknown  unknown unknown
    an edge, under any status            hold   hold    unknown  unknown unknown
    no answer: lost after it was sent    hold   hold    unknown  unknown unknown
    no answer: never sent                hold   hold    hold     hold    hold

"by blame": of the offer → elsewhere; of the request → refused; of the account → hold.
"hold" of a read: nothing was learnt. A missing template is refused for certain.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto

from upstream.errors import (
    Blame,
    InstanceNotFound,
    InvalidStateChange,
    NotFound,
    NovitaError,
    TemplateNotFound,
)


class CallKind(Enum):
    """Kind of a call: decides the meaning of "not found", and whether an error may have acted."""

    # A list, the catalogue, the balance.
    LIST = auto()
    # A get by id of one instance.
    GET = auto()
    TEMPLATE = auto()
    CREATE = auto()
    # Start, stop, restart, migrate.
    VERB = auto()
    DELETE = auto()

    @property
    def is_read(self) -> bool:
        return self in (CallKind.LIST, CallKind.GET, CallKind.TEMPLATE)

    @property
    def is_about_an_instance(self) -> bool:
        return self in (CallKind.GET, CallKind.VERB, CallKind.DELETE)


class Follows(StrEnum):
    """Conclusion from an answer."""

    DONE = "done"
    # Nothing was done, and the same request will not succeed.
    REFUSED_FOR_CERTAIN = "refused for certain"
    # It may have acted: only a get by id or a list may decide.
    OUTCOME_UNKNOWN = "outcome unknown"
    # Nothing was done or learnt: wait, and repeat.
    HOLD = "hold"
    # Nothing was done: try the next offer.
    RETRY_ELSEWHERE = "retry elsewhere"
    # Novita says that the instance is not there: part of the evidence for a proof.
    ABSENT = "absent"


def what_follows(error: NovitaError | None, kind: CallKind) -> Follows:
    """The conclusion for a call, by the table above."""
    if error is None:
        return Follows.DONE
    if error.is_outcome_unknown or isinstance(error, InvalidStateChange):
        return Follows.HOLD if kind.is_read else Follows.OUTCOME_UNKNOWN
    if isinstance(error, InstanceNotFound):
        return Follows.ABSENT
    is_template = kind is CallKind.TEMPLATE and isinstance(error, TemplateNotFound)
    if kind.is_read and not is_template:
        return Follows.HOLD
    if error.retryable or error.belongs_to in (Blame.ACCOUNT, Blame.UPSTREAM):
        return Follows.HOLD if not isinstance(error, NotFound) else Follows.REFUSED_FOR_CERTAIN
    is_of_offer = error.belongs_to is Blame.OFFER and kind is CallKind.CREATE
    return Follows.RETRY_ELSEWHERE if is_of_offer else Follows.REFUSED_FOR_CERTAIN
