"""config.example.toml: generated, valid, and equal to the defaults when its comments are taken away."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.settings import Settings, load, setting_names, tables
from dispatcher.settings.example import EXAMPLES, REQUIRED, example, toml

NAMES = [f"{table}.{name}" for table, model in tables() for name in setting_names(model)]


def test_the_file_is_what_the_code_says(root: Path) -> None:
    text = (root / "config.example.toml").read_text(encoding="utf-8")
    assert text == example(), "python -c 'from dispatcher.settings.example import example; print(example(), end=\"\")'"


def test_as_it_is_it_sets_the_required_settings_and_nothing_else(root: Path) -> None:
    loaded = load(root / "config.example.toml", environ={})
    assert set(loaded.provenance) == set(REQUIRED)


def uncommented() -> dict[str, dict[str, Any]]:
    return tomllib.loads(re.sub(r"(?m)^#(?=\w+ = )", "", example()))


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_stands_there_once_with_its_default_or_an_example(name: str) -> None:
    table, _, short = name.partition(".")
    assert len(re.findall(rf"(?m)^#?{short} = ", example().partition(f"[{table}]")[2].partition("\n[")[0])) == 1
    value = uncommented()[table][short]
    field = dict(tables())[table].model_fields[setting_names(dict(tables())[table])[short]]
    expected = field.get_default(call_default_factory=True)
    if name in REQUIRED:
        assert value == REQUIRED[name]
    elif expected in (None, [], {}):
        assert value == EXAMPLES[name]
    else:
        assert value == expected


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_is_explained_with_its_unit(name: str) -> None:
    table, _, short = name.partition(".")
    part = example().partition(f"[{table}]")[2]
    before = part.partition(f"\n{short} = ")[0] if name in REQUIRED else part.partition(f"\n#{short} = ")[0]
    comment = before.rpartition("\n\n")[2]
    assert comment.startswith("# ")
    if short.endswith("_s"):
        assert "second" in comment
    if short.endswith("_bytes"):
        assert "bytes" in comment


def test_the_examples_are_settings_that_can_be_used() -> None:
    found = uncommented()
    # Two ways of saying one thing stand there both; one of them is meant.
    found["campaign"].pop("from_column")
    Settings.model_validate(found)


values = st.recursive(
    st.booleans() | st.integers(-(10**12), 10**12) | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=5,
)


@given(values)
def test_values_are_written_as_toml_reads_them(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value
