"""The history in words: who did what, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.plurals import counted
from dispatcher.web.store import AuditLine
from dispatcher.web.times import machine_moment, short_moment

#: What a line says behind its name.
_WORDS: dict[str, str] = {
    "signed_in": "signed in",
    "signed_out": "signed out",
    "uploaded": "uploaded a file",
    "draft_made": "began the campaign",
    "looked_anew": "had the file looked at anew",
    "check_asked": "had every row checked",
    "check_cancelled": "cancelled the check",
    "rows_corrected": "uploaded corrected rows",
    "corrected": "added corrected rows",
    "draft_deleted": "deleted the draft",
    "file_deleted": "deleted the uploaded file",
    "tested": "sent a test",
    "launched": "launched it",
    "scheduled": "scheduled it",
    "unscheduled": "took the time back",
    "paused": "paused it",
    "went_on": "had it go on",
    "held": "held it",
    "stopped": "stopped it for good",
    "put_back": "took the stop back",
    "recalled": "recalled what was still open",
    "looked_up": "had rows in doubt looked up",
    "retried": "had refused contacts sent to again",
    "tracked": "had it looked up what became of the conversations",
    "downloaded": "downloaded a list with contacts",
    "user_added": "added a person",
    "user_changed": "changed what a person may do",
    "user_removed": "removed a person",
    "numbers_set": "changed where a person may send tests to",
    "users_signed_out": "signed a person out everywhere",
    "password_set": "set a password",
    "history_downloaded": "downloaded the history",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line for people."""

    line_id: int
    at: str
    #: For the `datetime` of a time element.
    machine: str
    who: str
    text: str
    campaign: str
    draft_id: str | None
    source: str


def history_lines(lines: Iterable[AuditLine], zone: str, now_ms: int) -> list[Line]:
    """In the order in which they come. `zone`: whose clock tells."""
    return [_line(line, zone, now_ms) for line in lines]


def _line(line: AuditLine, zone: str, now_ms: int) -> Line:
    return Line(
        line_id=line.line_id,
        at=short_moment(line.at_ms, zone, now_ms=now_ms),
        machine=machine_moment(line.at_ms),
        who=line.who,
        text=f"{line.who} {what_text(line, zone, now_ms)}",
        campaign=line.campaign,
        draft_id=line.draft_id,
        source=line.source,
    )


def what_text(line: AuditLine, zone: str, now_ms: int) -> str:
    """`launched it: 1,234 contacts`."""
    words = _WORDS.get(line.what, line.what.replace("_", " "))
    told = [text for name, value in line.detail.items() if (text := _detail(name, value, zone, now_ms))]
    return f"{words}: {', '.join(told)}" if told else words


def _detail(name: str, value: object, zone: str, now_ms: int) -> str:
    """What of a line's numbers and words is told; empty: nothing."""
    match name, value:
        case (("confirmed" | "rows"), int(n)):
            return counted(n, "contact")
        case "due_ms", int(at_ms):
            return f"for {short_moment(at_ms, zone, now_ms=now_ms)}"
        case "revision", int(n):
            return f"revision {n} of the flow"
        case "again", True:
            return "those reached lately, too"
        case (("reason" | "name" | "role" | "file"), str(text)) if text:
            return text
        case "row_number", int(n):
            return f"row {n}"
        case "codes", list(codes) if codes:
            return f"error {', '.join(map(str, codes))}"
    return ""
