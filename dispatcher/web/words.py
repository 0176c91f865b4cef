"""What errors, reasons, findings, waits and states say to somebody who has the page and no terminal. Pure.

An error's own words are taken where they can stand on a page, for they name the row, the column or the file. They
cannot where they name commands, flags, settings, or a path of the server: then the page's own are said
(`web.error_words`). No text here is longer than `TEXT_MAX`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from dispatcher.errors import DispatcherError
from dispatcher.events import WaitKind
from dispatcher.model import Reason, RowState
from dispatcher.remedies import Advice, AnyOf, InTurn, Remedy, Setting
from dispatcher.reporting.wording import REASONS
from dispatcher.settings.loading import UnusableSettings
from dispatcher.studio.preflight import Finding
from dispatcher.web.error_words import ERROR_WORDS, Said

#: Characters.
TEXT_MAX = 200

#: What must not stand on a page: flags, commands, settings' tables and files, paths of the server, other lines.
_UNFIT = re.compile(
    r"""(?<![\w-])--?[a-z]              # a flag
      | \bdispatcher[ ][a-z]            # a command
      | \b(?:chmod|gunzip|jq|sudo)\b
      | \[[a-z_.*]+\]                   # [columns], but not [3] or [Name]
      | \bconfig\.toml\b | \bDISPATCHER_ | \bTWILIO_[A-Z]
      | (?:^|[\s"'(:=])(?:~?/|[A-Za-z]:\\)[^\s]   # a path
      | [\r\n]""",
    re.VERBOSE,
)
#: How a message about a setting begins, `[columns] to: `; what follows is a sentence of its own.
_ABOUT_SETTING = re.compile(r"\[[a-z_.]+\](?: [a-z_0-9.]+)?: (?=\w)")
#: A setting that cannot be used, as the settings' errors tell it, with what was found there and where it comes from.
_PROBLEM = re.compile(r"\[([a-z_.]+)\] ([a-z_0-9]+): (.+?)(?:; found (.+?))?(?: \([^()]*\))?")
#: How a whole sentence ends.
_ENDS = (".", "!", "?", "…")
#: An example is no value: `+1…`.
_EXAMPLE = "…"

#: A setting -> what it is called where somebody at the page can change it.
_CHOICES: dict[str, str] = {
    "columns.to": "the column with the phone numbers",
    "columns.region": "the country of numbers without a country code",
    "columns.parameters": "the columns that the flow gets",
    "columns.key": "the columns that tell rows apart",
    "campaign.flow": "the flow",
    "campaign.from": "the sender",
    "campaign.from_column": "the column with the sender",
    "hours.default_zone": "the time zone of contacts whose place is not known",
    "input.delimiter": "the character between the columns",
    "input.encoding": "the encoding of the file",
    "input.header_row": "the row that has the names of the columns",
    "input.sheet": "the sheet",
    "schedule.deadline": "until when it may be sent",
    "schedule.start_at": "when it begins",
    "schedule.zone": "whose clock counts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Sentences; `found` and `what_to_do` may be empty. `field`: the setting that it is about, `columns.to`, if any."""

    message: str
    found: str = ""
    what_to_do: str = ""
    field: str = ""

    @property
    def in_one(self) -> str:
        """All of it in one paragraph, for where there is room for no more."""
        found = self.found if self.found.endswith(_ENDS) else f"Found: {self.found}."
        return " ".join(part for part in (self.message, found if self.found else "", self.what_to_do) if part)


@dataclass(frozen=True, slots=True)
class Wording:
    """`meaning`: a few words, to stand in a sentence or a table. `what_to_do`: a sentence."""

    meaning: str
    what_to_do: str


def words_of(error: DispatcherError, *, names: Mapping[str, str] | None = None) -> Words:
    """What the page says of an error. `names`: a path of the server -> what its upload is called."""
    said = said_of(error)
    if isinstance(error, UnusableSettings):
        told = [words for problem in error.problems if (words := problem_words(problem)) is not None]
        return told[0] if told else Words(message=said.message, what_to_do=said.what_to_do)
    own = _own(error.message, names) if said.own else ""
    found = _own(error.found or "", names, sentence=False) if said.own_found else ""
    to_do = remedy_words(error.fix, names) if said.own_fix and error.fix is not None else ""
    return Words(
        message=_cut(own or said.message),
        found=_cut(found),
        what_to_do=_cut(to_do or said.what_to_do),
        field=_field(error.fix) if said.own_fix else "",
    )


def problem_words(problem: str) -> Words | None:
    """What is wrong with a choice, to stand at its field; None: it is none that can be changed at the page.

    `problem`: one of `UnusableSettings.problems`.
    """
    found = _PROBLEM.fullmatch(problem)
    if found is None or (field := f"{found[1]}.{found[2]}") not in _CHOICES:
        return None
    why = found[3] if is_fit(found[3]) else "cannot be used as it is"
    choice = _CHOICES[field]
    return Words(
        message=_cut(f"{choice[:1].upper()}{choice[1:]}: {why}."),
        found=_cut(_own(found[4] or "", None, sentence=False)),
        what_to_do=f"Correct it: {choice}.",
        field=field,
    )


def said_of(error: DispatcherError) -> Said:
    """The page's own words of an error: those of the nearest class above it that has some."""
    for kind in type(error).__mro__:
        said = ERROR_WORDS.get(getattr(kind, "code", ""))
        if said is not None:
            return said
    return ERROR_WORDS["internal"]


def remedy_words(remedy: Remedy, names: Mapping[str, str] | None = None) -> str:
    """What to do, in a sentence; empty where nobody at the page can do it."""
    text = _remedy(remedy, names)
    return f"{_sentence(text)}" if text else ""


def _remedy(remedy: Remedy, names: Mapping[str, str] | None) -> str:
    match remedy:
        case Advice(text):
            return _own(text, names, sentence=False)
        case Setting(name, value) if name in _CHOICES:
            is_value = isinstance(value, (str, int)) and _EXAMPLE not in str(value) and value != ""
            told = f", for example {value}" if is_value else ""
            return f"choose {_CHOICES[name]}{told}"
        case AnyOf(remedies):
            ways = [way for one in remedies if (way := _remedy(one, names))]
            return ", or ".join(dict.fromkeys(ways))
        case InTurn(remedies):
            steps = [_remedy(one, names) for one in remedies]
            return ", then ".join(steps) if all(steps) else ""
    return ""


def _field(remedy: Remedy | None) -> str:
    match remedy:
        case Setting(name):
            return name if name in _CHOICES else ""
        case AnyOf(remedies) | InTurn(remedies):
            return next((name for one in remedies if (name := _field(one))), "")
    return ""


def is_fit(text: str) -> bool:
    """Whether a text can stand on a page as it is."""
    return _UNFIT.search(text) is None


def _own(text: str, names: Mapping[str, str] | None, *, sentence: bool = True) -> str:
    """A text of the program's as the page says it; empty where it cannot."""
    for path, name in (names or {}).items():
        text = text.replace(path, name).replace(PurePath(path).name, name)
    text = _ABOUT_SETTING.sub("", text, count=1)
    if not text or not is_fit(text):
        return ""
    return _sentence(text) if sentence else text


def _sentence(text: str) -> str:
    end = "" if text.endswith(_ENDS) else "."
    # A name keeps its small letter: the file "spring.csv is empty".
    first = text.split(maxsplit=1)[0]
    return (text if re.search(r"[._\d]", first) else text[:1].upper() + text[1:]) + end


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1].rstrip() + "…"


_CORRECTED = "and upload the corrected rows."
_REASONS_TO_DO: dict[Reason, str] = {
    Reason.to_missing: f"Fill in the phone number {_CORRECTED}",
    Reason.to_mangled: f"Format the column as text in the spreadsheet, enter the number again, {_CORRECTED}",
    Reason.to_invalid: f"Correct the phone number {_CORRECTED}",
    Reason.to_no_country: "Choose the country of such numbers under Columns, or write them with a plus and its code.",
    Reason.from_missing: "Fill in the sender, or choose one for the whole campaign under Columns.",
    Reason.from_invalid: f"Use a number with its country code (+…) or a Messaging Service as sender, {_CORRECTED}",
    Reason.address_too_long: f"Shorten the phone number or the sender of this row {_CORRECTED}",
    Reason.parameters_too_large: "Shorten the texts of this row, or send fewer columns along.",
    Reason.row_malformed: f"Give the row as many cells as there are columns {_CORRECTED}",
    Reason.zone_invalid: "Write the zone as America/New_York, the state as FL, or leave the cell empty.",
    Reason.time_invalid: "Write times as 2026-12-01T09:00, the earlier one first, or leave the cell empty.",
    Reason.key_missing: f"Fill in the columns that tell rows apart {_CORRECTED}",
    Reason.duplicate: "Nothing to do: the first of equal rows is sent.",
    Reason.suppressed: "Nothing to do: this contact is never reached.",
    Reason.cancelled: "Nothing to do: somebody stopped it for good. It can be put back on the campaign's page.",
    Reason.contacted: "Nothing to do. If they are to be reached again all the same, tick that before you send.",
    Reason.reported: "Nothing to do: this was sent before.",
    Reason.removed: "Nothing to do: a later file leaves the row out. It can be put back on the campaign's page.",
    Reason.test_only: "Nothing to do: this was a test.",
    Reason.expired: "Choose a later end, and send the campaign again, if they are to be reached all the same.",
    Reason.no_window: f"Put the contact's time zone into a column of its own {_CORRECTED}",
    Reason.zone_unknown: f"Put the contact's time zone into a column of its own {_CORRECTED}",
    Reason.cooled_off: "Nothing to do: send the campaign again when that time is over.",
    Reason.forgotten: "Nothing to do: this person asked to be forgotten.",
}


def reason_words(reason: Reason) -> Wording:
    """Why a row is not sent: the meaning as reports have it, and what to do about it at the page."""
    return Wording(REASONS[reason].meaning, _REASONS_TO_DO[reason])


STATE_WORDS: dict[RowState, Wording] = {
    RowState.planned: Wording("waiting", "Not sent yet."),
    RowState.sending: Wording("being sent", "Its answer comes in a moment."),
    RowState.created: Wording("started", "The flow was started for this contact."),
    RowState.rejected: Wording("refused", "Studio refused this contact: see the message, mend it, and retry."),
    RowState.busy: Wording("busy", "The contact was in another conversation. Retry when that has ended."),
    RowState.unknown: Wording("not sure", "It may have been sent. Do not send it by hand: it is looked up."),
    RowState.invalid: Wording("wrong", "The row cannot be sent as it is: correct it in the file."),
    RowState.skipped: Wording("left out", "Left out on purpose."),
}

WAIT_WORDS: dict[WaitKind, str] = {
    WaitKind.account: "Another campaign of this account is being sent.",
    WaitKind.ledger: "Another program keeps the record of what was sent busy.",
    WaitKind.worker: "A worker sends it, or is about to.",
    WaitKind.throttled: "Studio asked for a pause (too many requests).",
    WaitKind.failures: "Studio does not answer as it should. One request tries it now and then.",
    WaitKind.window: "As many are sent as the account may send in ten seconds.",
    WaitKind.ceiling: "Others use the account, too, so this is sent more slowly.",
    WaitKind.busy: "Some contacts are in another conversation. They are tried again later.",
    WaitKind.due: "The next contacts may be reached later.",
    WaitKind.canary: "The first contacts were reached. What became of them is looked at before the others are.",
    WaitKind.list_lag: "Rows that are not sure are looked up. Studio's list needs a while to show them.",
}

#: Of each finding about the flow, by its code.
_FINDINGS: dict[str, Wording] = {
    "unpublished": Wording("The flow was never published.", "Open the flow in Studio and press Publish."),
    "draft": Wording(
        "The flow has changes that are not published.", "Publish them in Studio if they are meant for this campaign."
    ),
    "definition": Wording(
        "Not all of the flow could be read, so not all of it was checked.", "Look at the preview, and send a test."
    ),
    "no_rest_trigger": Wording(
        "The flow does nothing when this page starts it.",
        "In Studio connect the REST API exit of its Trigger to the first widget, and publish.",
    ),
    "part_of_text": Wording(
        "The flow looks for a part of a value that is one text; it would be blank.",
        "Have the flow use the whole value, or send a column for each part.",
    ),
    "missing_parameter": Wording(
        "The flow uses a value that no column brings.",
        "Choose under Columns which column brings it, or add it to the file.",
    ),
    "unused_parameter": Wording("The flow does not use all that is sent along.", ""),
    "dynamic": Wording("Which values the flow uses shows only when it runs.", "Look at the preview, and send a test."),
    "subflow": Wording("The flow runs other flows, which were not checked.", "Send a test to see what they do."),
    "service_calls": Wording(
        "The sender is a Messaging Service, which cannot call, and the flow makes calls.", "Choose a number as sender."
    ),
    "replies": Wording(
        "Replies reach the flow only if the sender's incoming messages are connected to it.",
        "In Twilio, connect the incoming messages of the sender to this flow.",
    ),
    "sender": Wording("The sender is neither a number nor a Messaging Service.", "Choose another sender."),
    "v1": Wording("With this version of the API, the flow's texts cannot be checked.", "Send a test to see them."),
}
FINDING_CODES: frozenset[str] = frozenset(_FINDINGS)


def finding_words(finding: Finding) -> Words:
    """What the page says of a finding about the flow; `found`: the finding's own sentence, with the names in it."""
    said = _FINDINGS.get(finding.code, Wording("The flow was checked, and something was found.", "Send a test first."))
    to_do = remedy_words(finding.fix) if finding.fix is not None else ""
    return Words(
        message=said.meaning,
        found=_cut(_own(finding.message, None)),
        what_to_do=_cut(to_do or said.what_to_do),
        field=_field(finding.fix),
    )
