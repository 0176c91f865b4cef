"""A text that is no UTF-8 is shown as it would look, so that a person sees which is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.intake.encodings import LOOKED_AT_BYTES, samples

NAMES = {
    "cp1252": "Zo\u00eb \u20ac",
    "cp1250": "\u0141ukasz",
    "cp1251": "\u0410\u043d\u043d\u0430",
    "mac-roman": "Zo\u00eb",
}


@pytest.mark.parametrize(("encoding", "name"), NAMES.items())
def test_the_right_one_is_among_them(tmp_path: Path, encoding: str, name: str) -> None:
    """Each with the line as it would be read; those that read it alike are one."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"phone,name\n+12025550101,Ann\n+12025550102," + name.encode(encoding) + b"\n")
    found = {sample.encoding: sample.text for sample in samples(path)}
    assert found[encoding].endswith(name)
    assert len(set(found.values())) == len(found)


def test_nothing_is_asked_of_other_files(tmp_path: Path) -> None:
    """UTF-8, cut in the middle of a letter too; marked, binary, compressed and missing ones."""
    path = tmp_path / "a.csv"
    letter = "\u00eb"
    contents = [b"", f"phone\n{letter}".encode(), f"{letter}\n".encode("utf-16"), b"PK\x03\x04\xff", b"\x1f\x8b\xff"]
    contents.append(("x" * 1000 + "\n").encode() * (LOOKED_AT_BYTES // 1001) + letter.encode() * 1000)
    for content in contents:
        path.write_bytes(content)
        assert samples(path) == []
    assert samples(tmp_path / "missing.csv") == []
