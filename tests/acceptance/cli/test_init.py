"""`init`: from a file that nobody has explained to settings that `check` accepts, in a few answers."""

from __future__ import annotations

import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.acceptance.cli.program import (
    ACCOUNT_SID,
    CREDENTIALS,
    FLOW,
    Program,
    Result,
    SandboxProcess,
    phone,
    write_contacts,
)
from tests.acceptance.cli.test_terminal import ESCAPE, Terminal, terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")

SENDER = "+15550001111"
#: Accents, a title, an apostrophe; and a shell would take the name apart.
UNFAMILIAR = 'Rappel d\'été (Müller & fils) "v2".xlsx'
NOBODY: dict[str, str | None] = {
    "TWILIO_ACCOUNT_SID": None,
    "TWILIO_AUTH_TOKEN": None,
}


def workbook(path: Path, rows: list[list[Any]], *, sheet: str = "Feuille1") -> Path:
    """Numbers are numbers."""
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet(sheet)
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
    return path


def unfamiliar(folder: Path) -> Path:
    """Two title rows, accents, and mobile numbers of France as a spreadsheet keeps them."""
    names = ["Zoé", "Anaïs", "Chloé", "José", "Noël", "Eloïse"]
    rows: list[list[Any]] = [["Rappel de printemps 2026"], ["Édité par la clinique", "", "confidentiel"], []]
    rows.append(["Dossier", "Prénom", "Nom", "Téléphone mobile", "Rendez-vous"])
    rows += [[100 + n, name, "Müller", 612345670 + n, "mardi 10 h"] for n, name in enumerate(names)]
    return workbook(folder / UNFAMILIAR, rows)


def settings(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def answered(asked: Terminal, *answers: tuple[str, str]) -> tuple[int, str]:
    """Each question's end, and what is typed then."""
    for question, answer in answers:
        asked.read(until=question)
        asked.shown = ""
        asked.type(answer)
    code, shown = asked.end()
    return code, ESCAPE.sub("", shown)


def by_flags(program: Program, file: str | Path, *more: str, env: dict[str, str | None] | None = None) -> Result:
    return program("init", file, "--from", SENDER, *more, env=env)


@pytest.fixture
def rehearsing(program: Program, sandbox: SandboxProcess) -> Program:
    """No settings; the sandbox is where the environment says."""
    program.env["DISPATCHER_ACCOUNT_BASE_URL"] = sandbox.base_url
    program.env["DISPATCHER_STATE_DIR"] = str(program.folder / ".dispatcher")
    return program


def test_an_unfamiliar_workbook(program: Program, sandbox: SandboxProcess) -> None:
    """Title rows, accents, numbers as numbers: with the test's number five answers, and the test is accepted."""
    unfamiliar(program.folder)
    program.env["DISPATCHER_STATE_DIR"] = ".dispatcher"
    asked = terminal(program, "init", UNFAMILIAR, "--base-url", sandbox.base_url, columns=100)
    code, shown = answered(
        asked,
        ("for example US)?: ", "fr\n"),
        ("text for all [2: Pr\u00e9nom]: ", "\n"),
        ("sender?: ", f"{SENDER}\n"),
        ("[1: marketing]: ", "\n"),
    )
    assert code == 0, shown
    found = settings(program.folder / "config.toml")
    assert found == {
        "campaign": {"flow": FLOW, "from": SENDER, "purpose": "marketing"},
        "columns": {"to": "Téléphone mobile", "region": "FR", "parameters": {"first_name": "Prénom"}},
        "input": {"header_row": 4},
    }
    check, test = (
        shlex.split(line.strip().partition("   ")[0]) for line in shown.splitlines() if "dispatcher " in line
    )
    assert (check[:3], test[:3]) == (["dispatcher", "check", UNFAMILIAR], ["dispatcher", "run", UNFAMILIAR])
    checked = program(*check[1:])
    assert checked.code == 0, checked.err
    sent = terminal(program, *test[1:])
    assert answered(sent, ("send the test to: ", "+33612345699\n"))[0] == 0
    (create,) = sandbox.creates()
    assert (create["to"], create["parameters"]["first_name"]) == ("+33612345699", "Zoé")
    assert set(create["parameters"]) == {"first_name", "dispatch_id"}


def test_by_flags(rehearsing: Program) -> None:
    """Without a terminal, flags answer; what is certain is seen, and the file is as it is with answers."""
    unfamiliar(rehearsing.folder)
    given = (
        "--region",
        "FR",
        "--param",
        "first_name=Prénom",
        "--purpose",
        "transactional",
        "--flow",
        "Appointment reminder",
    )
    result = by_flags(rehearsing, UNFAMILIAR, *given)
    assert (result.code, result.out) == (0, "config.toml\n"), result.err
    assert settings(rehearsing.folder / "config.toml")["campaign"] == {
        "flow": FLOW,
        "from": SENDER,
        "purpose": "transactional",
    }
    assert rehearsing("check", UNFAMILIAR).code == 0


def test_what_is_missing_is_named(rehearsing: Program) -> None:
    """Exit code 2 with all the flags that are missing, as one command; nothing is written."""
    unfamiliar(rehearsing.folder)
    result = rehearsing("init", UNFAMILIAR, "--purpose", "marketing")
    assert result.code == 2
    assert "missing: --region, --param, --from" in result.err
    assert "--purpose marketing" in result.err
    (fix,) = [line.removeprefix("fix: ") for line in result.err.splitlines() if line.startswith("fix: ")]
    words = shlex.split(fix)
    assert words == ["dispatcher", "init", UNFAMILIAR, *words[3:]]
    assert "first_name=Prénom" in words
    assert not (rehearsing.folder / "config.toml").exists()
    filled = [{"CC": "FR", "+1…": SENDER}.get(word, word) for word in words[1:]]
    assert rehearsing(*filled).code == 0


def test_wrong_answers_are_asked_again(rehearsing: Program) -> None:
    """A number that is no choice, a country that there is not, no country of these numbers, a sender that is none."""
    rows: list[list[Any]] = [
        ["Handy", "Telefon", "Name"],
        *[[15112345670 + n, 3012345670 + n, "Zoë"] for n in range(5)],
    ]
    workbook(rehearsing.folder / "c.xlsx", rows)
    asked = terminal(rehearsing, "init", "c.xlsx")
    code, shown = answered(
        asked,
        ("[1: Handy]: ", "9\n"),
        ("type a number from 1 to 3", "handy\n"),
        ("type a number from 1 to 3", "\n"),
        ("for example US)?: ", "\n"),
        ("it must be typed", "Germany\n"),
        ("for example US)?: ", "FR\n"),
        ("none of these 5 is a number of FR", "DE\n"),
        ("[2: Name]: ", "=\n"),
        ("sender?: ", "me\n"),
        ("sender?: ", f"{SENDER}\n"),
        ("[1: marketing]: ", "transactional\n"),
    )
    assert code == 0, shown
    found = settings(rehearsing.folder / "config.toml")
    assert found["columns"]["to"] == "Handy"
    assert found["columns"]["region"] == "DE"
    assert found["columns"]["constants"] == {"first_name": ""}
    assert found["campaign"]["purpose"] == "transactional"


def test_a_second_run_replaces_nothing(rehearsing: Program) -> None:
    """Another name is offered; without a terminal it is exit code 2 with a name that is free."""
    contacts = write_contacts(rehearsing.folder / "spring.csv", 3)
    (rehearsing.folder / "config.toml").write_text("# mine\n", encoding="utf-8")
    refused = by_flags(rehearsing, contacts)
    assert refused.code == 2
    assert "config.toml exists, and is left as it is" in refused.err
    assert "fix: --path spring.toml" in refused.err
    asked = terminal(rehearsing, "init", "spring.csv", "--from", SENDER)
    code, shown = answered(
        asked, ("write [spring.toml]: ", "config.toml\n"), ("config.toml exists", "\n"), ("[1: marketing]: ", "\n")
    )
    assert code == 0, shown
    assert "dispatcher check spring.csv --config spring.toml" in shown
    assert (rehearsing.folder / "config.toml").read_text(encoding="utf-8") == "# mine\n"
    assert rehearsing("check", "spring.csv", "--config", "spring.toml").code == 0
    assert by_flags(rehearsing, contacts, "--path", "spring.toml").code == 2
    assert by_flags(rehearsing, contacts, "--path", "no/such/folder.toml").code == 2


def test_no_credentials(program: Program) -> None:
    """Nothing is asked of Studio, which is said; the flow is typed, by its SID or its name."""
    write_contacts(program.folder / "spring.csv", 3)
    program.env = {}
    asked = terminal(program, "init", "spring.csv", env=NOBODY)
    code, shown = answered(
        asked,
        ("or its name: ", "FW12\n"),
        ("FW and 32 hex digits", f"{FLOW}\n"),
        ("sender?: ", f"{SENDER}\n"),
        ("[1: marketing]: ", "\n"),
    )
    assert code == 0, shown
    assert settings(program.folder / "config.toml") == {
        "campaign": {"flow": FLOW, "from": SENDER, "purpose": "marketing"},
        "columns": {"to": "phone"},
    }
    result = by_flags(program, "spring.csv", "--flow", FLOW, "--path", "b.toml", env=NOBODY)
    assert result.code == 0
    assert "No credentials: TWILIO_ACCOUNT_SID is not set" in result.err
    assert "fix: export TWILIO_ACCOUNT_SID" in result.err
    assert program("check", "spring.csv", env=NOBODY).code == 0


def test_a_profile_of_the_environment(rehearsing: Program) -> None:
    """It needs no table anywhere yet: it says whose credentials are used, and the file that is written knows it."""
    contacts = write_contacts(rehearsing.folder / "spring.csv", 3)
    env: dict[str, str | None] = {"DISPATCHER_PROFILE": "eu", **NOBODY}
    refused = by_flags(rehearsing, contacts, env=env)
    assert "export TWILIO_EU_ACCOUNT_SID" in refused.err
    assert "dev/null" not in refused.err
    env |= {"TWILIO_EU_ACCOUNT_SID": ACCOUNT_SID, "TWILIO_EU_AUTH_TOKEN": CREDENTIALS["TWILIO_AUTH_TOKEN"]}
    result = by_flags(rehearsing, contacts, env=env)
    assert (result.code, result.out) == (0, "config.toml\n"), result.err
    assert settings(rehearsing.folder / "config.toml")["campaign"]["flow"] == FLOW
    assert "TWILIO_EU_API_KEY" in (rehearsing.folder / "config.toml").read_text(encoding="utf-8")
    assert rehearsing("check", "spring.csv", env=env).code == 0


def test_a_purpose_that_nobody_was_asked(rehearsing: Program) -> None:
    """Without a terminal it is marketing, which holds more back: that is said, and stands in the file to be changed."""
    contacts = write_contacts(rehearsing.folder / "spring.csv", 3)
    result = by_flags(rehearsing, contacts)
    assert result.code == 0, result.err
    assert "--purpose" in result.err
    assert settings(rehearsing.folder / "config.toml")["campaign"]["purpose"] == "marketing"
    text = (rehearsing.folder / "config.toml").read_text(encoding="utf-8")
    assert "# Nobody was asked" in text
    told = by_flags(rehearsing, contacts, "--purpose", "marketing", "--path", "b.toml")
    assert "--purpose" not in told.err
    assert "# Nobody was asked" not in (rehearsing.folder / "b.toml").read_text(encoding="utf-8")


def test_studio_that_does_not_answer(program: Program) -> None:
    """As without credentials: what is typed is taken."""
    contacts = write_contacts(program.folder / "spring.csv", 3)
    env: dict[str, str | None] = {"DISPATCHER_RETRY_READ_ATTEMPTS": "1"}
    result = by_flags(program, contacts, "--flow", "Spring sale", "--base-url", "http://127.0.0.1:9", env=env)
    assert result.code == 0
    assert "Studio cannot be asked" in result.err
    assert settings(program.folder / "config.toml")["campaign"]["flow"] == "Spring sale"


def test_a_flow_that_there_is_not(rehearsing: Program) -> None:
    """A flag that is wrong is told at once: the flow, the column, the country, the sender, a parameter."""
    contacts = write_contacts(rehearsing.folder / "spring.csv", 3)
    for flags, told in (
        (("--flow", "Remnider"), "has no flow named"),
        (("--to", "Phone"), "has no column 'Phone'"),
        (("--region", "XX"), "there is no country 'XX'"),
        (("--param", "first_name=Vorname"), "has no column 'Vorname'"),
        (("--param", "first_name"), "takes NAME="),
        (("--from", "me"), "[campaign] from"),
        (("--header-row", "99"), "has no row 99"),
    ):
        result = by_flags(rehearsing, contacts, *flags)
        assert (result.code, told in result.err) == (2, True), result.err
    assert not (rehearsing.folder / "config.toml").exists()


def test_a_column_that_is_there_twice(rehearsing: Program) -> None:
    """It cannot be named, and writing it as it stands in the file would not help: it has to be renamed there."""
    (rehearsing.folder / "dup.csv").write_text(f"phone,phone,name\n{phone(1)},{phone(2)},Ada\n", encoding="utf-8")
    for flags in (("--to", "phone"), ("--param", "first_name=phone")):
        result = by_flags(rehearsing, "dup.csv", *flags)
        assert (result.code, "several columns are named 'phone'" in result.err) == (2, True), result.err
        assert "fix: rename all but one of them in the file" in result.err


@pytest.mark.parametrize("keys", ["\x03", "\x04"])
def test_ctrl_c_leaves_nothing(rehearsing: Program, keys: str) -> None:
    """At any question: nothing is written."""
    write_contacts(rehearsing.folder / "spring.csv", 3)
    asked = terminal(rehearsing, "init", "spring.csv", "--from", SENDER)
    code, shown = answered(asked, ("[1: marketing]: ", keys))
    assert code == (130 if keys == "\x03" else 2), shown
    assert [path.name for path in rehearsing.folder.iterdir()] == ["spring.csv"]


HOSTILE = ['a"]\n[account]\nbase_url = "http://evil"', "[/bold] [red]x", "x = '''", 'tab\tand "quotes" \\', "]] #"]


def test_hostile_names(rehearsing: Program) -> None:
    """Markup, TOML, line ends: a name is a name; `check` takes the settings, which say what was meant."""
    rows: list[list[Any]] = [[*HOSTILE, "Téléphone"], *[["v"] * len(HOSTILE) + [612345670 + n] for n in range(4)]]
    workbook(rehearsing.folder / "h.xlsx", rows)
    result = by_flags(rehearsing, "h.xlsx", "--region", "FR", "--param", f"first_name={HOSTILE[0]}")
    assert result.code == 0, result.err
    found = settings(rehearsing.folder / "config.toml")
    assert set(found) == {"campaign", "columns"}
    assert found["columns"]["parameters"]["first_name"] == 'a"] [account] base_url = "http://evil"'
    assert rehearsing("check", "h.xlsx").code == 0
    asked = terminal(rehearsing, "init", "h.xlsx", "--from", SENDER, "--region", "FR", "--path", "b.toml", columns=120)
    code, shown = answered(asked, ("text for all: ", "2\n"), ("[1: marketing]: ", "\n"))
    assert code == 0, shown
    assert settings(rehearsing.folder / "b.toml")["columns"]["parameters"] == {"first_name": HOSTILE[1]}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.csv", None, "does not exist"),
        ("a.xlsx", b"PK\x03\x04 broken", "a.xlsx"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"Ada,+12025550123\nBob,+12025550124\n", "looks like the columns' names"),
        ("a.csv", b"name,phone\nZo\xeb,+12025550123\n", "--encoding"),
        ("-", b"", "a file that stays"),
    ],
)
def test_a_file_that_cannot_be_read(rehearsing: Program, name: str, content: bytes | None, told: str) -> None:
    """As `check` says it, exit code 2, and nothing is written."""
    if content is not None and name != "-":
        (rehearsing.folder / name).write_bytes(content)
    result = by_flags(rehearsing, name)
    assert result.code == 2
    assert told in result.err
    assert not (rehearsing.folder / "config.toml").exists()


def test_an_encoding_is_asked(rehearsing: Program) -> None:
    """Names as each would read them; the one that is picked stands in the settings."""
    (rehearsing.folder / "latin.csv").write_bytes(f"phone,first_name\n{phone(400)},Zo".encode() + b"\xeb\n")
    asked = terminal(rehearsing, "init", "latin.csv", "--from", SENDER)
    code, shown = answered(asked, ("[1: cp1252]: ", "\n"), ("[1: marketing]: ", "\n"))
    assert code == 0, shown
    assert settings(rehearsing.folder / "config.toml")["input"] == {"encoding": "cp1252"}
    assert rehearsing("check", "latin.csv").code == 0


def test_a_sheet_is_asked(rehearsing: Program) -> None:
    """The only one with numbers is the guess; without a terminal it is a flag."""
    with xlsxwriter.Workbook(str(rehearsing.folder / "two.xlsx")) as book:
        book.add_worksheet("Notes").write_column(0, 0, ["Note", "call them"])
        page = book.add_worksheet("Contacts d'été")
        page.write_column(0, 0, ["phone", *map(phone, range(100, 104))])
        page.write_column(0, 1, ["first_name", *["Zoé"] * 4])
    refused = by_flags(rehearsing, "two.xlsx")
    assert refused.code == 2
    assert "--sheet" in refused.err
    asked = terminal(rehearsing, "init", "two.xlsx", "--from", SENDER)
    code, shown = answered(asked, ("[2: Contacts d'été]: ", "\n"), ("[1: marketing]: ", "\n"))
    assert code == 0, shown
    assert settings(rehearsing.folder / "config.toml")["input"] == {"sheet": "Contacts d'été"}
    assert rehearsing("check", "two.xlsx").code == 0
