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
    """config.example.toml is the text that the code writes."""
    text = (root / "config.example.toml").read_text(encoding="utf-8")
    assert text == example(), "python -c 'from dispatcher.settings.example import example; print(example(), end=\"\")'"


def test_the_example_sets_what_is_required(root: Path) -> None:
    """As it is, the example sets the required settings and nothing else."""
    loaded = load(root / "config.example.toml", environ={})
    assert set(loaded.provenance) == set(REQUIRED)


def uncommented() -> dict[str, dict[str, Any]]:
    return tomllib.loads(re.sub(r"(?m)^#(?=\w+ = )", "", example()))


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_stands_there_once(name: str) -> None:
    """Each setting stands in the example once, with its default or, where that is empty, with an example."""
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
    """Each setting has a comment above it, which names seconds and bytes where they are its unit."""
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
    """The example is accepted as settings when its comments are taken away."""
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
    """Whatever value a setting has, TOML reads back what is written for it."""
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value
