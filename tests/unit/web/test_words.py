"""What errors, reasons, findings, waits and states say on a page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher import Settings, errors
from dispatcher.errors import (
    BreakerOpen,
    ColumnError,
    DispatcherError,
    InputError,
    LedgerCorrupt,
    LedgerFull,
    SettingsError,
    SuppressionError,
)
from dispatcher.events import WaitKind
from dispatcher.intake import open_input
from dispatcher.model import Reason, RowState
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy, Setting
from dispatcher.settings import loading
from dispatcher.studio.preflight import Finding, Severity
from dispatcher.web.error_words import ERROR_WORDS, Said
from dispatcher.web.running import errors as running_errors
from dispatcher.web.words import (
    FINDING_CODES,
    STATE_WORDS,
    TEXT_MAX,
    WAIT_WORDS,
    Words,
    finding_words,
    is_fit,
    reason_words,
    remedy_words,
    words_of,
)


def tree(kind: type[DispatcherError] = DispatcherError) -> Iterator[type[DispatcherError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


def checked(*texts: str) -> None:
    """A text of ours is there, fits, and is a whole sentence for people without a terminal."""
    for text in texts:
        assert text
        assert len(text) <= TEXT_MAX
        assert is_fit(text), text
        assert "--" not in text
        assert "[" not in text
        assert "dispatcher " not in text


KINDS = [kind for kind in tree() if kind.__module__.startswith((errors.__name__, running_errors.__name__))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_words(kind: type[DispatcherError]) -> None:
    """Of the whole tree, by its code; as a bare error, and as one that names all that a page must not."""
    assert kind.code in ERROR_WORDS
    bare = kind()
    unfit = kind(
        "[state] dir: run dispatcher resume spring --wait",
        found="/srv/state/ledger.sqlite3",
        fix=AnyOf(Setting("state.dir"), Option("wait"), Command("resume", ("spring",))),
    )
    for error in (bare, unfit):
        said = words_of(error)
        checked(said.message, said.what_to_do)
        assert said.found == ""
        assert said.field == ""
        assert said.message.endswith(".")
        assert said.what_to_do.endswith(".")


def test_no_words_for_errors_that_are_gone() -> None:
    """The table has the tree's codes and no other."""
    assert set(ERROR_WORDS) == {kind.code for kind in KINDS}
    for said in ERROR_WORDS.values():
        checked(said.message, said.what_to_do)


def test_a_new_error_has_those_of_its_kind() -> None:
    """An error of a later version, or of another room, is told as the nearest above it."""

    class Unreadable(InputError):
        """Of tomorrow."""

        code = "unreadable_of_tomorrow"

    assert words_of(Unreadable("row 7 cannot be read")).message == "Row 7 cannot be read."
    assert words_of(Unreadable()).what_to_do == ERROR_WORDS["input"].what_to_do


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ColumnError(
                '[columns] to: the file has no column "phone"',
                found='"Phone", "name"',
                fix=Setting("columns.to", "Phone"),
            ),
            Words(
                message='The file has no column "phone".',
                found='"Phone", "name"',
                what_to_do="Choose the column with the phone numbers, for example Phone.",
                field="columns.to",
            ),
        ),
        (
            SettingsError(
                "the sender is not set", fix=AnyOf(Setting("campaign.from", "+1…"), Setting("campaign.from_column"))
            ),
            Words(
                message="The sender is not set.",
                what_to_do="Choose the sender, or choose the column with the sender.",
                field="campaign.from",
            ),
        ),
        (
            InputError("/srv/up/u1/file.csv is empty", fix="save the contacts into it, with a header line"),
            Words(message="spring.csv is empty.", what_to_do="Save the contacts into it, with a header line."),
        ),
        (
            InputError("/srv/up/u2/file.csv is empty", fix="chmod u+r /srv/up/u2/file.csv"),
            Words(message=ERROR_WORDS["input"].message, what_to_do=ERROR_WORDS["input"].what_to_do),
        ),
        (
            LedgerFull(found="/srv/state: no space left", fix="free some space"),
            Words(message=ERROR_WORDS["disk_full"].message, what_to_do=ERROR_WORDS["disk_full"].what_to_do),
        ),
        (
            LedgerCorrupt("the file is another program's", fix="set [state] dir to a folder of its own"),
            Words(message=ERROR_WORDS["ledger_corrupt"].message, what_to_do=ERROR_WORDS["ledger_corrupt"].what_to_do),
        ),
        (
            SuppressionError("[suppress] files: /etc/stop.csv is missing", fix=Setting("suppress.files")),
            Words(message=ERROR_WORDS["suppression"].message, what_to_do=ERROR_WORDS["suppression"].what_to_do),
        ),
        (
            BreakerOpen("the first 20 rows were all refused: 21211", found="21211 (20 times)"),
            Words(
                message="The first 20 rows were all refused: 21211.",
                found="21211 (20 times)",
                what_to_do=ERROR_WORDS["breaker_open"].what_to_do,
            ),
        ),
    ],
)  # fmt: skip
def test_an_error_in_a_page_s_words(error: DispatcherError, told: Words) -> None:
    """Its own words where they fit, the page's where they do not; uploads by the name that they had."""
    assert words_of(error, names={"/srv/up/u1/file.csv": "spring.csv"}) == told


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            {"rate.per_second": "fast", "columns.region": "United"},
            Words(
                message="The country of numbers without a country code:"
                " must be a two-letter country code, for example US.",
                found="'United'",
                what_to_do="Correct it: the country of numbers without a country code.",
                field="columns.region",
            ),
        ),
        (
            {"rate.per_second": "fast"},
            Words(message=ERROR_WORDS["settings"].message, what_to_do=ERROR_WORDS["settings"].what_to_do),
        ),
    ],
)
def test_a_wrong_choice_is_told_at_its_field(flags: dict[str, str], told: Words) -> None:
    """What can be chosen at the page comes first; of a server's setting only that one is wrong."""
    with pytest.raises(loading.UnusableSettings) as caught:
        loading.load(flags=flags, environ={}, no_file=True)
    assert words_of(caught.value) == told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "spring.csv is empty."),
        ("phone,name\n", "spring.csv has a header and no rows."),
        ("phone;name,x\n+14152000000;A,b\n", "spring.csv: the delimiter is not clear."),
        ("tel,name\n+14152000000,A\n", 'The file has no column "phone".'),
        ("phone,phone\n+14152000000,A\n", 'The file has 2 columns named "phone".'),
    ],
)
def test_a_real_file_in_a_page_s_words(tmp_path: Path, content: str, message: str) -> None:
    """What reading says, without the server's path."""
    path = tmp_path / "file.csv"
    path.write_text(content)
    settings = Settings.model_validate(
        {"columns": {"to": "phone", "region": "US"}, "campaign": {"flow": "FW" + "0" * 32, "from": "+14155550000"}}
    )
    with pytest.raises(DispatcherError) as caught, open_input(path, settings) as opened:
        list(opened.batches())
    said = words_of(caught.value, names={str(path): "spring.csv"})
    assert said.message == message
    checked(said.what_to_do)
    assert str(tmp_path) not in f"{said}"


@pytest.mark.parametrize(
    ("remedy", "told"),
    [
        (Advice("free some space"), "Free some space."),
        (Advice("run `dispatcher doctor`, or add --wait"), ""),
        (Command("resume", ("spring",)), ""),
        (Option("wait"), ""),
        (Setting("state.dir", "x"), ""),
        (Setting("input.delimiter", ";"), "Choose the character between the columns, for example ;."),
        (Setting("campaign.flow", "FW…"), "Choose the flow."),
        (AnyOf(Option("wait"), Advice("wait a minute")), "Wait a minute."),
        (InTurn(Option("wait"), Advice("wait a minute")), ""),
        (InTurn(Advice("correct it"), Advice("upload it again")), "Correct it, then upload it again."),
    ],
)
def test_what_to_do_is_for_the_page(remedy: Remedy, told: str) -> None:
    """What somebody at the page can do; nothing of what only a terminal can."""
    assert remedy_words(remedy) == told


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (Words(message="A.", found="7 of 9", what_to_do="B."), "A. Found: 7 of 9. B."),
        (Words(message="A.", found="It is 7.", what_to_do="B."), "A. It is 7. B."),
        (Words(message="A.", what_to_do="B."), "A. B."),
        (Words(message="A."), "A."),
    ],
)
def test_words_in_one_paragraph(words: Words, text: str) -> None:
    """Each part is a sentence, and what is not there leaves no trace."""
    assert words.in_one == text


def test_long_texts_are_cut() -> None:
    """No text is longer than a page has room for."""
    said = words_of(InputError("row 3 " + "x" * 500, found="y" * 500, fix="z" * 500))
    assert {len(said.message), len(said.found), len(said.what_to_do)} == {TEXT_MAX}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Row 3 of 4: see [3]", True),
        ("rename {{flow.data.name}}", True),
        ("an e-mail, a half-hour", True),
        ("and/or", True),
        ("add -y", False),
        ("add --again", False),
        ("dispatcher resume", False),
        ("[columns] to", False),
        ("in config.toml", False),
        ("TWILIO_AUTH_TOKEN", False),
        ("open /home/anna/x.csv", False),
        ("(~/x.csv)", False),
        ("C:\\x.csv", False),
        ("two\nlines", False),
    ],
)
def test_what_fits_a_page(text: str, fits: bool) -> None:
    """Flags, commands, settings, paths and line breaks do not; what only looks a little like them does."""
    assert is_fit(text) is fits


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    """What it means, and what to do about it at the page: nobody there "runs again"."""
    said = reason_words(reason)
    checked(said.meaning, said.what_to_do)
    assert "run again" not in said.what_to_do
    assert said.what_to_do.endswith(".")


def test_every_state_and_wait_has_words() -> None:
    """No kind is missing, none is there that is no more."""
    assert list(STATE_WORDS) == list(RowState)
    assert list(WAIT_WORDS) == list(WaitKind)
    for said in STATE_WORDS.values():
        checked(said.meaning, said.what_to_do)
    checked(*WAIT_WORDS.values())
    assert WAIT_WORDS[WaitKind.throttled] == "Studio asked for a pause (too many requests)."


def codes_in(path: Path) -> set[str]:
    """The codes of all findings that a module makes: `Finding(code="…")` and `_note("…", …)`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = [word.value for word in node.keywords if word.arg == "code"] if node.func.id == "Finding" else []
            given += node.args[:1] if node.func.id == "_note" else []
            found |= {word.value for word in given if isinstance(word, ast.Constant) and isinstance(word.value, str)}
    return found


def test_every_finding_has_words(root: Path) -> None:
    """Of each code that the preflight can find, and of one that is new."""
    codes = codes_in(root / "dispatcher/studio/preflight.py")
    assert codes == FINDING_CODES
    for code in (*codes, "tomorrow"):
        said = finding_words(Finding(severity=Severity.warning, code=code, message="in send_1"))
        checked(said.message)
        assert said.found == "In send_1."
        assert said.what_to_do or code == "unused_parameter"


def test_a_finding_names_what_it_found() -> None:
    """The column to rename, the widget, and the field where it is chosen."""
    said = finding_words(
        Finding(
            severity=Severity.error,
            code="missing_parameter",
            message="the flow uses flow.data.name in send_1, and nothing sends it: it would be blank",
            fix=AnyOf(Setting("columns.parameters", (("name", "Name"),)), Advice("rename the column 'Name' to 'name'")),
        )
    )
    assert said == Words(
        message="The flow uses a value that no column brings.",
        found="The flow uses flow.data.name in send_1, and nothing sends it: it would be blank.",
        what_to_do="Choose the columns that the flow gets, or rename the column 'Name' to 'name'.",
        field="columns.parameters",
    )


def test_words_of_our_own_are_not_about_the_program() -> None:
    """The server's own troubles show nothing of what was found there."""
    own = {code for code, said in ERROR_WORDS.items() if said.own_found}
    assert own == {
        "usage",
        "settings",
        "hours",
        "input",
        "sheet",
        "column",
        "preflight",
        "breaker_open",
        "guard",
        "canary",
        "somebody_was_first",
        "name_taken",
        "more_than_confirmed",
        "flow_changed",
        "account_busy",
    }
    assert Said(message="a", what_to_do="b").own is False
