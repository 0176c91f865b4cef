"""Which column is what: what the page proposes, and the settings that follow from what a person answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dispatcher.campaign.matching import match
from dispatcher.campaign.setup import Variables
from dispatcher.settings import Settings
from dispatcher.web.forms import Form

#: Of a form's field for a variable.
VARIABLE = "v-"
#: Of a file with more columns none is proposed to be sent along: a person ticks the few that are meant.
PROPOSED_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a file, of the draft's `look`."""

    columns: tuple[str, ...]
    #: Column → some of its first cells.
    samples: Mapping[str, Sequence[str]]
    sheets: tuple[str, ...] = ()
    sheet: str = ""
    #: The column that looks like numbers, and the country of those without a code; empty: nothing tells it.
    to: str = ""
    country: str = ""
    needs_country: bool = False
    repeated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    #: Where the file does not say how its letters are written: an encoding, and how a line of it looks then.
    encodings: tuple[tuple[str, str], ...] = ()
    encoding: str = ""
    #: As the file is to be read: `input.…` → value.
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the form says, or is filled with."""

    sheet: str = ""
    encoding: str = ""
    to: str = ""
    region: str = ""
    flow: str = ""
    sender: str = ""
    name: str = ""
    purpose: str = "marketing"
    #: Variable of the flow → column.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Variables that were left without a column: none is proposed again.
    left: frozenset[str] = frozenset()
    #: Other columns that are sent along, under their own names.
    along: tuple[str, ...] = ()
    #: Nobody has answered yet: what is sent along is proposed.
    is_proposed: bool = False


def proposed(seen: Seen, given: Settings, name: str) -> Answers:
    """What the form is filled with first: what the settings say, else what the file looks like."""
    columns, campaign = given.columns, given.campaign
    to = columns.to if columns.to in seen.columns else seen.to
    return Answers(
        sheet=seen.sheet,
        encoding=seen.encoding,
        to=to or "",
        region=columns.region or seen.country,
        flow=campaign.flow or "",
        sender=campaign.from_ or "",
        name=name,
        purpose=campaign.purpose or "marketing",
        is_proposed=True,
    )


def answered(seen: Seen, settings: Mapping[str, Any], name: str, given: Settings) -> Answers:
    """What was answered before, out of a draft's settings."""
    if "columns.to" not in settings:
        return proposed(seen, given, name)
    parameters: Mapping[str, str] = settings.get("columns.parameters") or {}
    return Answers(
        sheet=seen.sheet,
        encoding=seen.encoding,
        to=settings["columns.to"],
        region=settings.get("columns.region") or "",
        flow=settings.get("campaign.flow") or "",
        sender=settings.get("campaign.from") or "",
        name=name,
        purpose=settings.get("campaign.purpose") or "marketing",
        variables=dict(parameters),
        along=tuple(column for parameter, column in parameters.items() if parameter == column),
    )


def read(sent: Form, seen: Seen) -> Answers:
    """What a person has answered. A column that the file does not have is no answer."""
    known = set(seen.columns)
    # For another flow than the page proposed for, something else is sent along.
    is_proposed = sent.text("proposed") != sent.text("flow")
    asked = {name.removeprefix(VARIABLE): sent.text(name) for name in sent if name.startswith(VARIABLE)}
    return Answers(
        # A form's texts have no blanks around them; a sheet's name may have.
        sheet=next((sheet for sheet in seen.sheets if sheet.strip() == sent.text("sheet")), ""),
        encoding=sent.text("encoding"),
        to=sent.text("to") if sent.text("to") in known else "",
        region=sent.text("region").upper(),
        flow=sent.text("flow"),
        sender=sent.text("from"),
        name=sent.text("name"),
        purpose="transactional" if sent.text("purpose") == "transactional" else "marketing",
        variables={name: column for name, column in asked.items() if column in known},
        left=frozenset(name for name, column in asked.items() if not column and not is_proposed),
        along=tuple(column for column in dict.fromkeys(sent.every("along")) if column in known),
        is_proposed=is_proposed,
    )


def filled(answers: Answers, seen: Seen, variables: Variables) -> Answers:
    """The answers with a column proposed for each variable that has none, and the columns sent along by default."""
    # The numbers' column is meant only by a variable of its very name.
    columns = [name for name in seen.columns if name != answers.to or name in variables.names]
    given = answers.variables
    known = {name: given[name] for name in variables.names if given.get(name) in seen.columns}
    open_ones = [name for name in variables.names if name not in known and name not in answers.left]
    matches = match(open_ones, [name for name in columns if name not in known.values()] or columns)
    guessed = {name: column for name, column in matches.guesses.items() if column is not None}
    taken = {**guessed, **matches.certain, **known}
    along = answers.along
    if answers.is_proposed:
        # Where all that a flow uses is known, nothing else is sent.
        is_few = not variables.is_whole and len(seen.columns) <= PROPOSED_MAX
        along = tuple(name for name in columns if name not in taken.values() and name != answers.to) if is_few else ()
    # Under the name of a variable its own column is sent, and no other.
    along = tuple(name for name in along if taken.get(name, name) == name)
    return replace(answers, variables=taken, along=along)


def look_settings(answers: Answers, seen: Seen) -> dict[str, Any] | None:
    """How the file is to be looked at anew, by the sheet and the encoding that were chosen; None: neither is one."""
    found: dict[str, Any] = {}
    if answers.sheet in seen.sheets:
        found["input.sheet"] = answers.sheet
    if answers.encoding in dict(seen.encodings):
        found["input.encoding"] = answers.encoding
    return found or None


def problems(answers: Answers, *, needs_flow: bool, needs_sender: bool = True) -> dict[str, str]:
    """What is missing or wrong: field → sentence. `needs_sender` off: a column of the file has each row's."""
    found: dict[str, str] = {}
    if not answers.to:
        found["to"] = "Choose the column with your contacts' numbers."
    if needs_flow and not answers.flow:
        found["flow"] = "Choose what your contacts get."
    if answers.flow and needs_sender and not answers.sender:
        found["from"] = "Say which number or Messaging Service it is sent from."
    if not answers.name:
        found["name"] = "Give the campaign a name."
    elif answers.name.startswith("-") or not answers.name.isprintable() or len(answers.name) > 80:
        found["name"] = "A name of up to 80 letters that can be seen, and that does not begin with a dash."
    return found


def settings_of(answers: Answers, seen: Seen) -> dict[str, Any]:
    """The draft's settings: `table.name` → value. What is empty is left to the server's settings."""
    parameters = {column: column for column in answers.along if column != answers.to}
    parameters.update(answers.variables)
    found: dict[str, Any] = {
        **seen.settings,
        "columns.to": answers.to,
        "columns.parameters": parameters,
        "campaign.purpose": answers.purpose,
    }
    for name, value in (
        ("columns.region", answers.region),
        ("campaign.flow", answers.flow),
        ("campaign.from", answers.sender),
        ("input.sheet", answers.sheet),
    ):
        if value:
            found[name] = value
    return found
