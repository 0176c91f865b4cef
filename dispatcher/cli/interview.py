"""What `init` does: look at the file, ask what cannot be seen, write the settings, and say what comes next."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher.campaign import setup
from dispatcher.campaign.flow_names import find_flow
from dispatcher.campaign.naming import STANDARD_INPUT
from dispatcher.cli.flags import FLAGS, Asked
from dispatcher.cli.questions import NotAnAnswer, Questions
from dispatcher.cli.render.remedies import carry, say_fix, say_step
from dispatcher.cli.render.terminal import print_line, say
from dispatcher.errors import AuthenticationError, DispatcherError, ExitCode, SettingsError, SheetNotChosen, UsageError
from dispatcher.intake.header import shown, visible
from dispatcher.model import Refusal
from dispatcher.remedies import Advice, Command, Option, Setting
from dispatcher.secret_names import TWILIO_NAMES
from dispatcher.settings import DEFAULT_CONFIG, Settings
from dispatcher.settings.first_config import first_config
from dispatcher.settings.profiles import variable_of

if TYPE_CHECKING:
    from dispatcher.campaign.setup import Variables
    from dispatcher.cli.session import Session
    from dispatcher.intake.looking import Look
    from dispatcher.settings import InputSettings

DEFAULT_PATH = Path(DEFAULT_CONFIG)
#: So many sheets are looked at for a guess.
SHEETS_MAX = 6
_PURPOSES = (
    ("marketing", "rows wait for the contacts' daytime"),
    ("transactional", "an alert, a code, a reminder that was asked for: at any hour"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says besides the settings' flags."""

    file: str
    path: Path
    purpose: str | None = None
    param: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()


@dataclass(slots=True)
class _Written:
    """What is going to stand in the file."""

    values: dict[str, Any] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)


async def interview(session: Session, given: Given) -> ExitCode:
    """Raises: UsageError, InputError, SettingsError; Interrupted, and then nothing is there."""
    if given.file == STANDARD_INPUT:
        raise UsageError("a first look needs a file that stays", fix=Command("init", ("FILE",)))
    settings, questions, written = session.settings, Questions(), _Written()
    path = _free_path(questions, given)
    look = await _look(questions, given.file, settings.input, written)
    constants = _pairs(given.constant, "constant")
    params = {name: _column(look, column, "param") for name, column in _pairs(given.param, "param").items()}

    to = _numbers_column(questions, look, settings.columns.to)
    region = _region(questions, look, to, settings.columns.region) if to else settings.columns.region
    variables = await _flow(session, questions, settings, written)
    mapped = _mapped(questions, variables, look, to, params, constants) if to else params
    sender = _sender(questions, settings.campaign.from_, region)
    purpose = given.purpose or _purpose(questions, written)
    if questions.missing:
        known = [
            Option(FLAGS[name].name[2:], value) for name, value in session.asked.flags.items() if value is not None
        ]
        known += [Option("param", one) for one in given.param] + [Option("constant", one) for one in given.constant]
        known += [Option("purpose", given.purpose)] if given.purpose else []
        known += [Option("path", str(path))] if path != DEFAULT_PATH else []
        raise UsageError(
            "not all can be seen, and there is no terminal to ask",
            found=f"missing: {', '.join(f'--{one.name}' for one in questions.missing)}",
            fix=Command("init", (_pasteable(given.file),), (*known, *questions.missing)),
        )
    assert to is not None
    written.values |= {
        "campaign.from": sender,
        "campaign.purpose": purpose,
        "columns.to": to,
        "columns.region": region,
        "columns.parameters": setup.parameters_setting(variables, look, to, mapped),
        "columns.constants": constants or None,
    }
    _write(path, given.file, written, session.profile)
    if "campaign.purpose" in written.remarks:
        say("The purpose is marketing, as none was given: rows wait for daytime (--purpose transactional: they do not)")
    _say_next(session, path, given.file)
    return ExitCode.OK


# --- the file ---


def _free_path(questions: Questions, given: Given) -> Path:
    """Where the settings go: nothing is replaced. Raises: UsageError."""
    path = given.path
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", fix=Option("path", path.name))
    if path.is_dir():
        raise UsageError(f"{path} is a folder", fix=Option("path", str(path / DEFAULT_PATH)))
    if not path.exists() and not path.is_symlink():
        return path
    free = next(
        name
        for number in range(1, 1000)
        if not (name := path.with_name(f"{Path(given.file).stem}{f'-{number}' if number > 1 else ''}.toml")).exists()
    )
    if not questions.can_ask:
        raise UsageError(f"{path} exists, and is left as it is", fix=Option("path", str(free)))

    def read(text: str) -> Path:
        chosen = Path(text)
        if chosen.exists() or not chosen.parent.is_dir():
            raise NotAnAnswer(f"{text} exists" if chosen.exists() else f"there is no folder {chosen.parent}")
        return chosen

    told = f"{path} exists, and is left as it is."
    return questions.type("Another file to write", read, guess=free, flag=Option("path"), told=told) or free


async def _look(questions: Questions, file: str, wanted: InputSettings, written: _Written) -> Look:
    """See `looking.look`; the encoding and the sheet are asked for where they are needed."""
    from dispatcher.intake.encodings import samples
    from dispatcher.intake.looking import look

    if wanted.encoding is None and questions.can_ask and (found := await asyncio.to_thread(samples, Path(file))):
        choices = [(sample.encoding, sample.text) for sample in found]
        question = f"{file} is not UTF-8. In which encoding does this look right?"
        encoding = questions.pick(question, choices, guess=choices[0][0], flag=Option("encoding"))
        wanted = wanted.model_copy(update={"encoding": encoding})
    try:
        seen = await asyncio.to_thread(look, file, wanted)
    except SheetNotChosen as several:
        if not questions.can_ask:
            raise
        looks = await asyncio.to_thread(_looks, file, wanted, several.sheets[:SHEETS_MAX])
        told = {name: f"{len(one.names)} columns" for name, one in looks}
        choices = [(name, told.get(name, "")) for name in several.sheets]
        guess = setup.likely_sheet(looks)
        sheet = questions.pick("Which sheet has the contacts?", choices, guess=guess, flag=Option("sheet"))
        seen = await asyncio.to_thread(look, file, wanted.model_copy(update={"sheet": sheet}))
    for name in ("sheet", "encoding", "delimiter"):
        written.values[f"input.{name}"] = getattr(seen.settings, name)
    if seen.settings.header_row:
        written.values["input.header_row"] = seen.settings.header_row
        names = ", ".join(f'"{shown(name)}"' for name in seen.names[:6]) + (" …" if len(seen.names) > 6 else "")
        say(f"The columns' names stand in row {seen.settings.header_row}: {names}")
    for note in seen.notes:
        say(f"{note}", "bright_black")
    if seen.repeated:
        twice = ", ".join(f'"{name}"' for name in seen.repeated)
        say(f"several columns are named {twice}: they cannot be used", "yellow")
    return seen


def _looks(file: str, wanted: InputSettings, sheets: Sequence[str]) -> list[tuple[str, Look]]:
    from dispatcher.intake.looking import look

    found = []
    for sheet in sheets:
        try:
            found.append((sheet, look(file, wanted.model_copy(update={"sheet": sheet}))))
        except DispatcherError:
            continue
    return found


# --- the columns ---


def _column(look: Look, given: str, flag: str) -> str:
    """A column as it was given. Raises: UsageError: the file has none of that name, or several."""
    if visible(given) in look.names:
        return visible(given)
    if visible(given) in look.repeated:
        fix = Advice("rename all but one of them in the file")
        raise UsageError(f"--{flag}: several columns are named {visible(given)!r}", fix=fix)
    raise UsageError(
        f"--{flag}: the file has no column {given!r}",
        found=", ".join(f'"{shown(name)}"' for name in look.names[:40]),
        fix=Advice("write it as it stands there"),
    )


def _numbers_column(questions: Questions, look: Look, given: str | None) -> str | None:
    from dispatcher.intake.guesses import numbers_column

    if given is not None:
        return _column(look, given, "to")
    told = {one.name: f"{one.numbers} of {one.filled} look like numbers" for one in look.columns if one.numbers}
    guess = numbers_column(look.columns)
    if guess.is_certain and guess.name is not None:
        say(f'The numbers stand in the column "{guess.name}": {told[guess.name]}')
        return guess.name
    choices = [(name, told.get(name, "")) for name in look.names]
    flag = Option("to", guess.name or "COLUMN")
    return questions.pick("Which column has the contacts' numbers?", choices, guess=guess.name, flag=flag)


def _region(questions: Questions, look: Look, to: str, given: str | None) -> str | None:
    """The country of numbers without a country code; None: all that were seen have one."""
    from dispatcher.intake.guesses import has_code, is_like_number, region, valid_with

    numbers = [text for text in look.cells[to] if is_like_number(text)]
    without = [text for text in numbers if not has_code(text)]
    insisted = ""

    def read(text: str) -> str:
        nonlocal insisted
        try:
            valid = valid_with(without, text.upper())
        except ValueError:
            raise NotAnAnswer("type a country's two letters, for example US") from None
        if not valid and insisted != text.upper():
            insisted = text.upper()
            bare = ["+" + text.strip() for text in without]
            why = "; they look like numbers that have lost their +" if valid_with(bare, None) * 2 > len(bare) else ""
            raise NotAnAnswer(f"none of these {len(without)} is a number of {insisted}{why}. Again keeps it")
        return text.upper()

    guess = region(numbers)
    if given is not None:
        country: str | None = given
    elif not guess.is_needed:
        return None
    else:
        told = f"{len(without)} of the {len(numbers)} numbers that were looked at have no country code."
        flag = Option("region", guess.country or "CC")
        question = "Of which country are they (two letters, for example US)?"
        country = questions.type(question, read, guess=guess.country, flag=flag, told=told)
    if country is not None and numbers:
        try:
            right = valid_with(numbers, country)
        except ValueError:
            raise SettingsError(f"there is no country {country!r}", fix=Setting("columns.region", "US")) from None
        is_all = right == len(numbers)
        say(f"With {country}, {right} of {len(numbers)} are numbers", None if is_all else "yellow")
    return country


def _mapped(
    questions: Questions,
    variables: Variables,
    look: Look,
    to: str | None,
    params: Mapping[str, str],
    constants: dict[str, str],
) -> dict[str, str]:
    """Each variable of the flow and its column; `constants` gets those that are one text for all."""
    matches = setup.match_columns(variables, look, to, {**params, **constants})
    mapped = {**matches.certain, **params}
    for variable, guess in matches.guesses.items():
        if guess is None and variable in variables.optional:
            say(f"flow.data.{variable} has a default in the flow, and no column looks like it: it is left out")
            continue
        choices = [(name, "") for name in look.names if name != to]
        others = "= and the same text for all"
        flag = Option("param", f"{variable}={guess or 'COLUMN'}")
        question = f"The flow says {{{{flow.data.{variable}}}}}. From which column?"
        if not choices:
            choices = [(name, "") for name in look.names]
        answer = questions.pick(question, choices, guess=guess, flag=flag, others=others)
        if answer is not None and answer not in look.names:
            constants[variable] = answer[1:].strip()
        elif answer is not None:
            mapped[variable] = answer
    if told := [f"{name} from {column!r}" for name, column in mapped.items() if name != column]:
        say(f"The flow gets {', '.join(told)}")
    return mapped


def _pairs(texts: Sequence[str], flag: str) -> dict[str, str]:
    """`NAME=VALUE`, several. Raises: UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals) or name.strip() in found:
            raise UsageError(f"--{flag} takes NAME=…, each name once", found=text, fix=Option(flag, "first_name=…"))
        found[name.strip()] = value.strip()
    return found


# --- the campaign ---


async def _flow(session: Session, questions: Questions, settings: Settings, written: _Written) -> Variables:
    """Ask for the flow; returns what it reads, as far as Studio tells. Raises: SettingsError: there is no such flow."""
    given = settings.campaign.flow
    try:
        credentials = session.require_credentials()
        flows = await setup.account_flows(settings, credentials)
    except DispatcherError as error:
        # Nothing is lost: `check` asks Studio, too.
        missing = isinstance(error, AuthenticationError) and session.credentials is None
        say(
            f"{'No credentials' if missing else 'Studio cannot be asked'}: {error}. The flow is taken as it is typed",
            "yellow",
        )
        if missing and error.fix is not None:
            say_fix(error.fix)
        written.values["campaign.flow"] = given or questions.type(
            "The flow's SID (FW…), or its name", _flow_typed, flag=Option("flow", "FW…")
        )
        return setup.Variables()
    if given is not None:
        chosen = next((flow for flow in flows if flow.sid == given), None) or find_flow(given, flows)
    elif len(flows) == 1 and flows[0].status == "published":
        chosen = flows[0]
        say(f'The flow is "{visible(chosen.friendly_name or chosen.sid)}", the only one of the account')
    elif not flows:
        raise SettingsError(
            "the account has no flows", fix=Advice("make one in Studio and publish it, then run this again")
        )
    else:
        labels = {f"{visible(flow.friendly_name or '')} ({flow.sid})": flow for flow in flows}
        choices = [
            (label, "" if flow.status == "published" else f"{flow.status}: starts nothing")
            for label, flow in labels.items()
        ]
        label = questions.pick("Which flow?", choices, guess=None, flag=Option("flow", "NAME"))
        if label is None:
            return setup.Variables()
        chosen = labels[label]
    if chosen.status != "published":
        say(
            f'The flow "{visible(chosen.friendly_name or chosen.sid)}" is not published: until then it starts nothing',
            "yellow",
        )
    written.values["campaign.flow"] = chosen.sid
    written.remarks["campaign.flow"] = visible(chosen.friendly_name or "")
    try:
        return await setup.flow_variables(settings, credentials, chosen.sid)
    except DispatcherError as error:
        say(f"What the flow uses cannot be read: {error}. All columns are sent", "yellow")
        return setup.Variables()


def _flow_typed(text: str) -> str:
    from dispatcher.settings import CampaignSettings

    try:
        CampaignSettings(flow=text)
    except ValueError:
        raise NotAnAnswer("FW and 32 hex digits, or the flow's name, as Studio shows it") from None
    return text


def _sender(questions: Questions, given: str | None, region: str | None) -> str | None:
    from dispatcher.intake.phones import Addresses

    def read(text: str) -> str:
        answer = Addresses(region).read_sender(text)
        if isinstance(answer, Refusal):
            raise NotAnAnswer(f"{answer.sentence}; write +… or MG…")
        return answer

    if given is None:
        told = "A number of yours with its country code (+…), or the Messaging Service that it is in (MG…)."
        return questions.type("From which sender?", read, flag=Option("from", "+1…"), told=told)
    try:
        return read(given)
    except NotAnAnswer as wrong:
        raise SettingsError(f"[campaign] from: {wrong}", fix=Setting("campaign.from", "+1…")) from None


def _purpose(questions: Questions, written: _Written) -> str | None:
    if not questions.can_ask:
        # The one thing that is taken without an answer: marketing only ever holds rows back.
        written.remarks["campaign.purpose"] = "Nobody was asked: rows wait for the contacts' daytime."
        return _PURPOSES[0][0]
    return questions.pick("What is it for?", _PURPOSES, guess="marketing", flag=Option("purpose", "marketing"))


# --- the end ---


def _write(path: Path, file: str, written: _Written, profile: str | None) -> None:
    """Raises: UsageError: somebody else has made it meanwhile, or it cannot be written."""
    sid, _, key, secret = (variable_of(name, profile) for name in TWILIO_NAMES)
    heading = (
        f"Settings for {Path(file).name}, as `dispatcher init` was answered. Every other setting with its default:"
        " `dispatcher config init --path all-settings.toml`.",
        "Secrets never stand here: `dispatcher login` keeps them, or they come from the environment"
        f" ({sid}, {key}, {secret}).",
    )
    text = first_config(written.values, heading=heading, remarks=written.remarks, profile=profile)
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists, and is left as it is", fix=Option("path", "PATH")) from None
    except OSError as error:
        path.unlink(missing_ok=True)  # half of it, on a full disk
        raise UsageError(f"{path} cannot be written", found=error.strerror, fix=Option("path", "PATH")) from None


def _say_next(session: Session, path: Path, file: str) -> None:
    # What comes next needs to be told the file's name where it is not the usual one, and the host.
    carry(Asked(None if path == DEFAULT_PATH else path, session.asked.flags))
    print_line(str(path))
    name = _pasteable(file)
    say("Next:", "bold")
    say_step(Command("check", (name,), does="what is wrong with which row; sends nothing"), "")
    say_step(Command("run", (name,), (Option("test-to", "-"),), does="asks for your number, sends one test there"), "")
    if session.credentials is None:
        say_step(Command("login", does="first: both ask Studio, which needs credentials"), "")


def _pasteable(file: str) -> str:
    """A name that begins with a dash would be an option."""
    return f"./{file}" if file.startswith("-") else file
