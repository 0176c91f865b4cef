"""The project's words as values: states, outcomes, reasons, columns. Imports nothing of ours, and holds no sentences.

One word per thing, the same string in code, SQL, JSON, command line and documentation.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

#: The columns that a report adds to the input's. A report that is fed back loses them again, so their prefix keeps them
#: from colliding with the user's; other columns named dispatch_… are the user's.
REPORT_COLUMNS: tuple[str, ...] = (
    "dispatch_campaign",
    "dispatch_row_number",
    "dispatch_to",
    "dispatch_status",
    "dispatch_execution_sid",
    "dispatch_http_status",
    "dispatch_error_code",
    "dispatch_error_message",
    "dispatch_advice",
    "dispatch_attempts",
    "dispatch_sent_at",
    "dispatch_finished_at",
)
#: Those that stand behind them where hours hold: until when a row waits and for what, and where its contact may be.
WAIT_COLUMNS: tuple[str, ...] = ("dispatch_waits_until", "dispatch_waits_for", "dispatch_zone")
#: What stands behind the cells of a row that is left out, in a file of such rows alone, for people to correct.
LEFT_OUT_COLUMNS: tuple[str, ...] = (
    "dispatch_row_number",
    "dispatch_error_column",
    "dispatch_error_message",
    "dispatch_advice",
)
#: And what each column about an execution begins with, once a campaign was tracked.
OUTCOME_PREFIX = "dispatch_outcome_"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at_ms: int) -> datetime:
    """Milliseconds since 1970 as a time in UTC, exactly."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def moment_if(at_ms: int | None) -> datetime | None:
    """The same of what may not be known."""
    return None if at_ms is None else moment(at_ms)


class ExitCode(IntEnum):
    """The program's exit codes; scripts depend on them."""

    #: all created (or skipped on purpose)
    OK = 0
    BUG = 1
    #: usage, configuration or input
    USAGE = 2
    #: finished, some rows rejected, busy or invalid
    SOME_REFUSED = 3
    AUTHENTICATION = 4
    #: stopped early, resumable
    STOPPED = 5
    #: rows left unknown
    SOME_UNKNOWN = 6
    #: only rows are left that wait for hours, a start or their own times
    WAITING = 7
    INTERRUPTED = 130


class RowState(StrEnum):
    """Where a row stands. Each row is in exactly one state; the ledger's transaction moves it."""

    #: Valid, waiting (perhaps until a time). Moved on when a run claims it.
    planned = "planned"
    #: The intent is on disk, the request may be on the wire. Moved on by its outcome; at start-up it is unknown.
    sending = "sending"
    #: Studio answered with an execution SID. Final.
    created = "created"
    #: Studio refused this row for good (4xx). Left only by `retry`, or by a run whose file has corrected the row.
    rejected = "rejected"
    #: The contact has another active execution (409/20409). Left by policy (wait, end) or by `retry`.
    busy = "busy"
    #: It may or may not have been created. Left only by reconcile, which looks for proof.
    unknown = "unknown"
    #: Never sent: the row itself is wrong. Left when the file's row is corrected.
    invalid = "invalid"
    #: Never sent, on purpose: duplicate, suppressed, cancelled. Left only by the user.
    skipped = "skipped"


class Outcome(StrEnum):
    """What one attempt (one HTTP create request) proved."""

    #: An execution of ours exists.
    created = "created"
    #: Studio refused the request for good; nothing was created.
    rejected = "rejected"
    #: 429: never processed, nothing was created. Costs no attempt.
    throttled = "throttled"
    #: Another execution is active for this contact; nothing was created.
    busy = "busy"
    #: Proved that nothing was created: the request never left, or the list shows no trace of it.
    not_sent = "not_sent"
    #: No proof either way.
    unknown = "unknown"


#: The state that an attempt's outcome moves its row to.
STATE_AFTER: dict[Outcome, RowState] = {
    Outcome.created: RowState.created,
    Outcome.rejected: RowState.rejected,
    Outcome.throttled: RowState.planned,
    Outcome.busy: RowState.busy,
    Outcome.not_sent: RowState.planned,
    Outcome.unknown: RowState.unknown,
}


class Reason(StrEnum):
    """Why a row is `invalid` or `skipped`. What each means for people: `reporting.wording`."""

    to_missing = "to_missing"
    to_mangled = "to_mangled"
    to_invalid = "to_invalid"
    to_no_country = "to_no_country"
    from_missing = "from_missing"
    from_invalid = "from_invalid"
    address_too_long = "address_too_long"
    parameters_too_large = "parameters_too_large"
    row_malformed = "row_malformed"
    #: The cell with the contact's time zone or state.
    zone_invalid = "zone_invalid"
    #: A cell that says from when or until when the row may be sent.
    time_invalid = "time_invalid"
    key_missing = "key_missing"
    duplicate = "duplicate"
    suppressed = "suppressed"
    cancelled = "cancelled"
    #: This account has started this contact on this flow within `repeat_after_h`.
    contacted = "contacted"
    #: The file, a report, says that it was sent, and the campaign does not know it.
    reported = "reported"
    #: The campaign's latest file has it no more.
    removed = "removed"
    test_only = "test_only"
    #: The time until which it was to be sent, its own or the campaign's, was over.
    expired = "expired"
    #: The hours are never open for everywhere that the contact may be.
    no_window = "no_window"
    #: It is not known where the contact is.
    zone_unknown = "zone_unknown"
    #: The account has reached the contact as often as the cool-off allows.
    cooled_off = "cooled_off"
    #: The person is to be forgotten: nothing is left that could be sent.
    forgotten = "forgotten"

    @property
    def state(self) -> RowState:
        """`skipped` where the row is left out on purpose, `invalid` where it is wrong."""
        return RowState.skipped if self in _ON_PURPOSE else RowState.invalid


_ON_PURPOSE = frozenset(
    {
        Reason.duplicate,
        Reason.suppressed,
        Reason.cancelled,
        Reason.contacted,
        Reason.reported,
        Reason.removed,
        Reason.test_only,
        Reason.expired,
        Reason.no_window,
        Reason.zone_unknown,
        Reason.cooled_off,
        Reason.forgotten,
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a cell is not what its column is to hold."""

    reason: Reason
    #: Nothing personal: of a number its last digits at most.
    sentence: str


#: What may stand before the first `:` of an address: by which channel the contact is reached, not who it is.
CHANNELS: tuple[str, ...] = ("client", "messenger", "mms", "rcs", "sip", "sips", "sms", "tel", "viber", "whatsapp")


def contact_of(address: str) -> str:
    """Who is reached at an address: `whatsapp:+1…` and `+1…` are one contact."""
    channel, colon, contact = address.partition(":")
    return contact if colon and channel.lower() in CHANNELS else address


#: What a suppression list has instead of a contact where it has only digests.
HASHED_PREFIX = "sha256:"


def hashed_contact(digest: str) -> str:
    """A contact of whom only the digest is known (SHA-256, 64 hex digits)."""
    return HASHED_PREFIX + digest


def hash_of(contact: str) -> str:
    """A contact as a list of digests has it: SHA-256 of its characters (a number in E.164, with its plus)."""
    return hashed_contact(hashlib.sha256(contact.encode("utf-8", "surrogatepass")).hexdigest())


#: What the ledger has instead of a contact or a row key that is forgotten.
PSEUDONYM_PREFIX = "hmac:"
_PSEUDONYM = re.compile("hmac:[0-9a-f]{32}", re.ASCII)


def pseudonym_of(text: str, key: bytes) -> str:
    """What stands for a contact or a row key once it is forgotten: the first half of its HMAC-SHA-256, in hex.

    A digest without a key would hide nobody: all phone numbers can be tried in minutes.
    """
    if is_pseudonym(text):
        return text
    return PSEUDONYM_PREFIX + hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")[:16].hex()


def is_pseudonym(text: str) -> bool:
    """Whether a contact or a row key is forgotten, and this stands for it."""
    return _PSEUDONYM.fullmatch(text) is not None


class PausedBy(StrEnum):
    """Who has paused a campaign."""

    user = "user"
    #: Too large a share of rows was refused, or of contacts has opted out: to go on all the same must be asked for.
    guard = "guard"
    #: The same of the rows that were sent before all others.
    canary = "canary"
    #: A server holds it, and the reason says why: what it was told to do is not what it has found.
    held = "held"

    @property
    def is_verdict(self) -> bool:
        """Whether to go on all the same must be asked for: a user's pause, or a server's, is simply lifted."""
        return self in (PausedBy.guard, PausedBy.canary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing of a campaign is sent until somebody lifts this."""

    at_ms: int
    by: PausedBy
    #: For people: as somebody gave it, or the numbers of a verdict; empty: none was given.
    reason: str = ""

    @property
    def at(self) -> datetime:
        """Since when, in UTC."""
        return moment(self.at_ms)


class NoticeKind(StrEnum):
    """What a notice tells."""

    #: Every row has its answer.
    finished = "finished"
    #: Only rows are left that wait for their time.
    waiting = "waiting"
    #: A run has ended early, and rows wait; or it was killed.
    stopped = "stopped"
    #: The first rows are sent, and what became of them is known.
    canary = "canary"
    #: Too many rows were refused, or too many contacts have opted out.
    guard = "guard"
    #: Asked for by hand, to see that notices arrive.
    test = "test"


class ListKind(StrEnum):
    """Which kind of suppression list."""

    #: A file of contacts that the settings name.
    file = "file"
    #: A file of their digests.
    hashed = "hashed"
    #: Contacts who have opted out, as tracking has seen.
    learned = "learned"
    #: Those that somebody has put there by hand.
    user = "user"


class FoundBy(StrEnum):
    """How an execution came to be known as ours."""

    answer = "answer"  #: the create request's own answer
    conflict = "conflict"  #: a 409 whose conflicting execution carries our dispatch_id
    reconcile = "reconcile"  #: found later in the Executions list and confirmed in its Context


class Absence(StrEnum):
    """Why an attempt that was unknown counts as not sent."""

    #: The list of executions does not show it, though it shows one that began later.
    proved = "proved"
    #: The list does not show it, nor anything that began later: the row is sent again once.
    assumed = "assumed"
    #: A person says so.
    risked = "risked"


_DISPATCH_ID = re.compile("d-[0-9a-f]{24}", re.ASCII)


def dispatch_id(account_sid: str, flow_sid: str, campaign: str, row_key: str) -> str:
    """The id that travels inside `Parameters` and proves an execution ours: 26 characters, `d-` and 24 hex digits.

    The same campaign and row key always give the same id, so the proof outlives a lost ledger.
    """
    text = "\x1f".join((account_sid, flow_sid, campaign, row_key))
    return "d-" + hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def is_dispatch_id(text: str) -> bool:
    """Whether it looks like an id of this program's."""
    return _DISPATCH_ID.fullmatch(text) is not None


class ExecutionStatus(StrEnum):
    """What became of an execution, as Studio told it when it was last asked."""

    active = "active"
    ended = "ended"
    #: Studio does not know it any more: deleted, or past the 30 days for which it keeps executions.
    gone = "gone"


def empty_counts() -> dict[RowState, int]:
    """Every state with zero rows, in the order of a row's life."""
    return dict.fromkeys(RowState, 0)
