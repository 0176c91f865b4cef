"""What a row's state, reason or answer means and what to do about it: the one place for these texts. Pure.

Plain sentences for whoever has the spreadsheet: no flags, no commands, no names of settings, for they stand in reports
and on pages, too. Advice begins with a letter and holds no line break, so that any table may hold it as it is. What
Twilio's error codes mean is in `studio.advice`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.model import Reason, RowState
from dispatcher.studio.advice import CODES, answer_advice

#: So much of a value is shown in a sentence.
_SHOWN_MAX = 500


@dataclass(frozen=True, slots=True)
class Wording:
    """`meaning`: a few words. `advice`: one sentence; empty where nothing is to be done or said."""

    meaning: str
    advice: str


STATES: dict[RowState, Wording] = {
    RowState.planned: Wording("waits to be sent", "Not sent yet: run or resume the campaign."),
    RowState.sending: Wording(
        "request is on its way",
        "On its way; if no run is active, resume the campaign to find out what became of it.",
    ),
    RowState.created: Wording("execution started", ""),
    RowState.rejected: Wording("refused by Studio", "See the message, correct the row or the flow, and retry."),
    RowState.busy: Wording("contact was in another execution", CODES[20409].advice),
    RowState.unknown: Wording(
        "may or may not have been started",
        "Do not send it by hand. Reconcile the campaign: that finds out what was created.",
    ),
    RowState.invalid: Wording("row is wrong, never sent", "Correct the row in the file and run again."),
    RowState.skipped: Wording("left out on purpose, never sent", "Nothing to do."),
}

REASONS: dict[Reason, Wording] = {
    Reason.to_missing: Wording("the phone number is missing", "Fill in the phone number and run again."),
    Reason.to_mangled: Wording(
        "a spreadsheet has spoiled the phone number",
        "Format the phone column as text in the spreadsheet, enter the number again, and run again.",
    ),
    Reason.to_invalid: Wording("the phone number is not valid", "Correct the phone number and run again."),
    Reason.to_no_country: Wording(
        "the phone number has no country code",
        "Write the number with its country code (+…), or set the region of such numbers, and run again.",
    ),
    Reason.from_missing: Wording(
        "the sender is missing", "Fill in the sender, or set one for the whole campaign, and run again."
    ),
    Reason.from_invalid: Wording(
        "the sender is not valid",
        "Use a number with its country code (+…) or a Messaging Service SID (MG…) as sender.",
    ),
    Reason.address_too_long: Wording(
        "the addresses are too long", "Shorten the addresses: To and From together may have 300 bytes."
    ),
    Reason.parameters_too_large: Wording(
        "the row's texts are too long", "Shorten the texts of this row, or send fewer columns as parameters."
    ),
    Reason.row_malformed: Wording(
        "the row cannot be read as the header says", "Correct the row in the file (see the message) and run again."
    ),
    Reason.zone_invalid: Wording(
        "the time zone or the state is not one",
        "Write the zone as America/New_York, the state as FL, or leave the cell empty, and run again.",
    ),
    Reason.time_invalid: Wording(
        "the time of the row is not one",
        "Write times as 2026-12-01T09:00, the earlier one first, or leave the cell empty, and run again.",
    ),
    Reason.key_missing: Wording(
        "the column that identifies the row is empty", "Fill in the column that identifies the row and run again."
    ),
    Reason.duplicate: Wording(
        "the same contact stands in the file before",
        "Nothing to do: the first of equal rows is sent. If they are meant to differ, name the columns that tell them"
        " apart.",
    ),
    Reason.suppressed: Wording(
        "the contact is on the suppression list", "Nothing to do: the contact is on the suppression list."
    ),
    Reason.cancelled: Wording(
        "the row was taken out of the campaign",
        "Nothing to do: the row was taken out of the campaign. Retry the cancelled rows to put it back.",
    ),
    Reason.contacted: Wording(
        "the contact was reached a short time ago",
        "Nothing to do: the contact was reached a short time ago (see the message); run again when that is over.",
    ),
    Reason.reported: Wording(
        "the file says that the row was sent already",
        "Nothing to do: the file says that the row was sent already, and the campaign does not know it.",
    ),
    Reason.removed: Wording(
        "the campaign's latest file has the row no more",
        "Nothing to do: the latest file has the row no more. Retry the removed rows to put it back.",
    ),
    Reason.test_only: Wording("the run was a test", "Nothing to do: this was a test run."),
    Reason.expired: Wording(
        "the time to send it was over",
        "Nothing to do: the time until which it was to be sent was over. Correct that and run again to send it all the"
        " same.",
    ),
    Reason.no_window: Wording(
        "there is no hour that is right everywhere the contact may be",
        "Name the contact's time zone in a column of its own, and run again.",
    ),
    Reason.zone_unknown: Wording(
        "it is not known which time zone the contact is in",
        "Name the contact's time zone in a column of its own, or one for all such contacts, and run again.",
    ),
    Reason.cooled_off: Wording(
        "the contact was reached as often as is allowed in that time",
        "Nothing to do: the contact was reached as often as is allowed (see the message); run again when that is over.",
    ),
    Reason.forgotten: Wording(
        "the person was forgotten on request", "Nothing to do: the person was forgotten, and the row's cells with them."
    ),
}

_BY_REASON: dict[str, Wording] = {reason.value: wording for reason, wording in REASONS.items()}


def row_advice(
    state: RowState, *, reason: str | None = None, http_status: int | None = None, error_code: int | None = None
) -> str:
    """One sentence: what to do about a row in this state, for this reason or after this answer.

    Empty for a created row. A reason that is not known (a newer program's) is told what the state is told.
    """
    if state is RowState.rejected:
        return answer_advice(http_status, error_code) or STATES[state].advice
    if reason is not None and (state is RowState.invalid or state is RowState.skipped) and reason in _BY_REASON:
        return _BY_REASON[reason].advice
    return STATES[state].advice


def changed_since(sent: Mapping[str, str | None]) -> str:
    """Of a row whose values in the file are not what its request had: what that was. Empty: only the addresses."""
    if not sent:
        return "The request had another address than the file has now."
    told = [
        f"{_plain(name)} was not sent" if value is None else f'{_plain(name)} was "{_plain(value)}"'
        for name, value in sent.items()
    ]
    return f"The request had other values than the file has now: {', '.join(told)}."


def _plain(text: str) -> str:
    """On one line, for a cell of a table."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def reason_meaning(reason: str) -> str:
    """What a reason says, in a few words; empty for one that is not known."""
    found = _BY_REASON.get(reason)
    return found.meaning if found else ""
