"""config.toml as people write it: every wrong line is named, with how it must look."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.errors import SettingsError
from dispatcher.settings import load
from dispatcher.settings.required import required_settings

GOOD = '[columns]\nto = "phone"\n'


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-8"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_notepad_saves_is_read(tmp_path: Path, encoding: str, end: str) -> None:
    """With a byte order mark, as "Unicode", with its line ends."""
    path = tmp_path / "config.toml"
    path.write_bytes(GOOD.replace("\n", end).encode(encoding))
    assert load(path, environ={}).settings.columns.to == "phone"


def problems(path: Path, text: str, **environ: str) -> str:
    path = path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(path, environ=environ)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("name = \u201cx\u201d", 'typographic quotation marks; it must read: name = "x"'),
        ("from = \u2018+15550001111\u2019", 'it must read: from = "+15550001111"'),
        ("name = \u201cAnn\u2019s list\u201d", 'it must read: name = "Ann\u2019s list"'),
        ("from: +15550001111", 'no = between name and value; it must read: from = "+15550001111"'),
        ('from: "+15550001111"', 'no = between name and value; it must read: from = "+15550001111"'),
        ('from == "+1"', 'no = between name and value; it must read: from = "+1"'),
        ('from = = "+1"', 'it must read: from = "+1"'),
        ('from => "+1"', 'it must read: from = "+1"'),
        ("name = spring recall", 'a text without quotation marks; it must read: name = "spring recall"'),
        ("name = C:\\data", "it must read: name = 'C:\\data'"),
        ('name = "C:\\data\\x"', "a backslash in double quotation marks; it must read: name = 'C:\\data\\x'"),
        ("[campaign]", "[campaign] stands in line 1 already; keep one of them"),
        ("on_busy = 'skip'\non_busy = 'wait'", "[campaign] on_busy stands in line 2 already"),
        ("= 3", 'neither a [table] nor name = "value" nor a # comment; it reads: = 3'),
        ("the flow of spring", 'neither a [table] nor name = "value" nor a # comment; it reads: the flow of spring'),
        ("name =", "no value; write one, or put # before the line; it reads: name ="),
        ("name = # later", "no value; write one, or put # before the line"),
        ('name = "spring', 'a quotation mark without its other half; it must read: name = "spring"'),
        ('name = spring"', 'a quotation mark without its other half; it must read: name = "spring"'),
        ("name = \"spring'", 'it must read: name = "spring"'),
        ('from = +1555"', 'it must read: from = "+1555"'),
        ("insecure_http = True", "true and false are written small; it must read: insecure_http = true"),
        ("per_second = 12,5", "a comma in a number; it must read: per_second = 12.5"),
        ("most = 100,000", "separated thousands; it must read: most = 100000"),
        ("per_second = 20/s", "a number with its unit; it must read: per_second = 20"),
        ("repeat_after_h = 16 h", "a number with its unit; it must read: repeat_after_h = 16"),
        ("// what follows is ours", "a comment that does not begin with #; it must read: # what follows is ours"),
        ("; what follows is ours", "it must read: # what follows is ours"),
        ('name = "x" // ours', 'a comment that does not begin with #; it must read: name = "x" # ours'),
        ('name\u00a0=\u00a0"x"', 'blanks that only look like blanks; it must read: name = "x"'),
        ('name\u200b = "x"', 'it must read: name = "x"'),
        ('name = "x",', 'a comma or semicolon at the end; it must read: name = "x"'),
        ('name = "x";', 'a comma or semicolon at the end; it must read: name = "x"'),
        ("busy wait s = 3", "a blank in the name; it must read: busy_wait_s = 3"),
        ("[rate", "brackets that do not fit; it must read: [rate]"),
        ("rate]", "brackets that do not fit; it must read: [rate]"),
        ("[columns]\nparameters = [name, city]", 'it must read: parameters = ["name", "city"]'),
        ("[columns]\nparameters = name, city", 'it must read: parameters = ["name", "city"]'),
        ('[columns]\nparameters = "name", "city"', 'it must read: parameters = ["name", "city"]'),
        ('[columns]\nparameters = ["name", "city"', 'it must read: parameters = ["name", "city"]'),
        ('[columns]\nparameters = ["name" "city"]', 'it must read: parameters = ["name", "city"]'),
        ('[columns]\nparameters = [\n  "name",\n  city\n]', 'it must read: parameters = ["name", "city"]'),
        (
            '[columns]\nparameters = {\n  first = "name",\n  town = "city"\n}',
            'a table in braces over several lines; it must read: parameters = { first = "name", town = "city" }',
        ),
    ],
)
def test_a_wrong_line_says_how_it_must_look(tmp_path: Path, line: str, told: str) -> None:
    """Its number, what is wrong with it, and the line as it would be right."""
    text = problems(tmp_path, f"[campaign]\n{line}\n")
    assert told in text
    assert f"{tmp_path / 'config.toml'}, line " in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[campaign]\nfrom = +15550001111", 'it must read: from = "+15550001111" ({}, line 2)'),
        ("[campaign]\nfrom = 12.50 # ours", 'it must read: from = "12.50" ({}, line 2)'),
        ("[columns]\nto = true", 'a text stands in quotation marks; it must read: to = "true" ({}, line 2)'),
        ("[columns]\n\nparameters = 'name'", 'must be a list, ["first", "second"], or a table'),
        ("[columns]\nkey = 'name'", 'must be a list, ["first", "second"]; found \'name\' ({}, line 2)'),
        ("[rate]\nper_second = 'fast'", "[rate] per_second: must be a number; found 'fast' ({}, line 2)"),
        ("[caps]\nper_day_per_sender = true", "per_day_per_sender: must be a whole number; found true ({}, line 2)"),
        ("[rate]\nper_second = true", "[rate] per_second: must be a number; found true ({}, line 2)"),
        ("[cost]\nper_segment = false", "[cost] per_segment: must be a number; found false ({}, line 2)"),
        ("[rate]\nper_second = 0", "[rate] per_second: must be greater than 0; found 0 ({}, line 2)"),
        ("[Rate]\nper_second = 1", "[Rate]: no such setting; did you mean rate?"),
        ('flow = "x"', "flow: it belongs below [campaign] ({}, line 1)"),
        ('region = "US"', "region: it stands outside a [table] ({}, line 1)"),
        ("[reconcile]\nat_end = 'maybe'", "[reconcile] at_end: must be true or false; found 'maybe' ({}, line 2)"),
        ("[rate]\nin_flight = 10.5", "[rate] in_flight: must be a whole number; found 10.5 ({}, line 2)"),
        ("[campaign]\nfrom = 2026-01-01", 'it must read: from = "2026-01-01" ({}, line 2)'),
        ("[[columns]]\nto = 'x'", "[[columns]]: double brackets; it must read: [columns] ({})"),
        ("[colums]\nto = 'x'", "[colums]: no such setting; did you mean columns? ({})"),
        ("campaign:\n  from: '+1'", "{}, line 1: a table without brackets; it must read: [campaign]"),
        (
            "[columns]\nparameters = ['a']\n[columns.parameters]\nx = 'y'",
            "line 3: [columns.parameters]: parameters stands in line 2 already; keep one of them",
        ),
        ("[hours]\nopen = 5", 'it must read: open = "5" ({}, line 2)'),
        ("[columns]\nconstants = { n = 5, b = 'x' }", 'it must read: n = "5" ({}, line 2)'),
        ("[columns.constants]\nn = true", 'a text stands in quotation marks; it must read: n = "true"'),
        ("[suppress]\nfiles = 'a.csv'", '[suppress] files: must be a list, ["first", "second"]; found \'a.csv\''),
        (
            '[columns] parameters = { a = "b" }',
            'a table and a setting in one line; it must read: parameters = { a = "b" }, in a line of its own below',
        ),
        ('[state]\ndir = "C:\\temp\\new"', "[state] dir: holds a control character"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(tmp_path: Path, text: str, told: str) -> None:
    """With its line, and how it must read."""
    assert told.replace("{}", str(tmp_path / "config.toml")) in problems(tmp_path, text)


@pytest.mark.parametrize("name", ["auth_token", "api_secret", "password", "TWILIO_AUTH_TOKEN", "export API_SECRET"])
@pytest.mark.parametrize(
    "form", ['{} = "{}"', "{} = \u201c{}\u201d", "{}: {}", "{} = {}", "{}={} # mine", '{} = "{}', "{} {}"]
)
@pytest.mark.parametrize("table", ["", "[account]\n", "[campaign]\n"])
def test_a_secret_in_the_file_is_never_shown(tmp_path: Path, table: str, form: str, name: str) -> None:
    """Whatever keeps its line from being read, and wherever it stands; it is said where it belongs."""
    secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    text = problems(tmp_path, table + form.format(name, secret))
    assert secret[:8] not in text
    assert secret[-8:] not in text


def test_a_secret_is_told_where_it_belongs(tmp_path: Path) -> None:
    """Not another setting's name that is spelled alike."""
    text = problems(tmp_path, '[account]\nauth_token = "x"\naccount_sid = "AC1"\nbase_url = https://me:pw@x.org\n')
    assert "auth_token: not a setting; take it out of the file and set TWILIO_AUTH_TOKEN in the environment" in text
    assert "set TWILIO_ACCOUNT_SID in the environment" in text
    assert ("did you mean" in text, "me:pw" in text) == (False, False)


def test_wrong_lines_hide_no_other_problem(tmp_path: Path) -> None:
    """Names that are no settings, wrong values, and those that are missing: all in one go."""
    path = tmp_path / "config.toml"
    path.write_text(
        "[campaign]\nflow = \u201cFW1\u201d\non_bussy = 'skip'\n[rate]\nper_second = -1\n", encoding="utf-8"
    )
    with pytest.raises(SettingsError) as caught:
        required_settings(lambda: load(path, environ={}).settings, flow=True)
    text = str(caught.value)
    for told in (
        "line 2: typographic",
        "[campaign] flow: must be FW and 32 hex digits, or the flow's name",
        "did you mean campaign.on_busy? (",
        "line 3)",
        "[rate] per_second: must be greater than 0",
        "[campaign] from: missing",
        "[columns] to: missing",
    ):
        assert told in text
    assert "flow: missing" not in text


@pytest.mark.parametrize("name", ["config.toml.txt", "Config.toml", "config.toml.toml"])
def test_a_file_that_is_nearly_named_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Notepad adds .txt; a limit in a file that is not read is no limit."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"{name} is not read: .*config\.toml"):
        load(environ={})
    (tmp_path / name).rename(tmp_path / "config.toml")
    assert load(environ={}).settings.columns.to == "phone"


@given(lines=st.lists(st.text("ab=[]{}\"',#.:1\\ \n\u201c", max_size=12), max_size=8))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_holds_it_is_told(tmp_path: Path, lines: list[str]) -> None:
    """Settings, or what is wrong with which line."""
    path = tmp_path / "config.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    told = str(path)
    try:
        load(path, environ={})
    except SettingsError as error:
        told = str(error)
    assert str(path) in told


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Each wrong line, and the variables besides."""
    path = tmp_path / "config.toml"
    path.write_text("[campaign]\nflow = \u201cFW1\u201d\n[columns]\nto = phone\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(path, environ={"DISPATCHER_RATE_PER_SECONDS": "1"})
    text = str(caught.value)
    assert ("line 2" in text, "line 4" in text, "DISPATCHER_RATE_PER_SECONDS" in text) == (True, True, True)


def test_curly_quotes_inside_a_text_are_a_text(tmp_path: Path) -> None:
    """And so is what stands in a comment."""
    path = tmp_path / "config.toml"
    text = '[columns.constants]\noffer = "the \u201cbest\u201d: C" # \u201cso: be it\u201d\n'
    path.write_text(text, encoding="utf-8")
    assert load(path, environ={}).settings.columns.constants == {"offer": "the \u201cbest\u201d: C"}


def test_bytes_that_are_no_text_name_their_line(tmp_path: Path) -> None:
    """Saved in another encoding: the line, and what to save it as."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"[campaign]\n# caf\xe9\n")
    with pytest.raises(SettingsError, match="line 2: not UTF-8; save the file as UTF-8"):
        load(path, environ={})


def test_another_file_named_by_mistake_is_told_in_a_line(tmp_path: Path) -> None:
    """Contacts are not settings: none of them is shown, and none is taken apart for its mistakes."""
    path = tmp_path / "contacts.csv"
    for lines in (3, 100_000):
        path.write_text("phone,first_name\n" + "+12025550123,Ada\n" * lines)
        with pytest.raises(SettingsError, match="holds no settings") as caught:
            load(path, environ={})
        assert "2025550123" not in f"{caught.value} {caught.value.found}"


def test_a_file_of_mistakes_is_told_to_its_hundredth(tmp_path: Path) -> None:
    """Nobody reads more, and a broken file takes no minutes."""
    told = problems(tmp_path, "[rate]\n" + "per_second = 20 = 20\n" * 5_000)
    assert 100 <= len(told.splitlines()) < 120
    assert "and what follows was not looked at" in told


def test_a_number_of_thousands_of_digits_is_told(tmp_path: Path) -> None:
    """Python itself refuses to read it."""
    assert "line 2" in problems(tmp_path, "[rate]\nper_second = " + "9" * 5_000)
    assert "must be" in problems(tmp_path, "", DISPATCHER_COLUMNS_KEY="[" + "9" * 5_000 + "]")
