"""config.toml as people write it: every wrong line is named, with how it must look."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import SettingsError
from dispatcher.settings import load

GOOD = '[columns]\nto = "phone"\n'


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_notepad_saves_is_read(tmp_path: Path, encoding: str, end: str) -> None:
    """With a byte order mark, as "Unicode", with its line ends."""
    path = tmp_path / "config.toml"
    path.write_bytes(GOOD.replace("\n", end).encode(encoding))
    assert load(path, environ={}).settings.columns.to == "phone"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("flow = \u201cFW1\u201d", 'typographic quotation marks; it must read: flow = "FW1"'),
        ("from = \u2018+15550001111\u2019", 'it must read: from = "+15550001111"'),
        ("from: +15550001111", 'a colon; it must read: from = "+15550001111"'),
        ('from: "+15550001111"', 'a colon; it must read: from = "+15550001111"'),
        ("name = spring recall", 'a text without quotation marks; it must read: name = "spring recall"'),
        ("name = C:\\data", "it must read: name = 'C:\\data'"),
        ('name = "C:\\data\\x"', "a backslash in double quotation marks; write 'C:\\data\\x' in single ones"),
        ("[campaign]", "[campaign] stands in line 1 already; keep one of them"),
        ("on_busy = 'skip'\non_busy = 'wait'", "[campaign] on_busy stands in line 2 already"),
        ("= 3", "it reads: = 3"),
        ('name = "spring', "it reads: name = "),
    ],
)
def test_a_wrong_line_says_how_it_must_look(tmp_path: Path, line: str, told: str) -> None:
    """Its number, what is wrong with it, and the line as it would be right."""
    path = tmp_path / "config.toml"
    path.write_text(f"[campaign]\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(path, environ={})
    assert told in str(caught.value)
    assert f"{path}, line " in str(caught.value)


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
