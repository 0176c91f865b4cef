"""The short config.toml: what was answered, and nothing that a name could smuggle in."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.settings import Settings
from dispatcher.settings.first_config import first_config

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def test_only_what_was_answered() -> None:
    """Each setting with its comment and its remark; what is None is left out."""
    text = first_config(
        {"columns.to": "Téléphone", "columns.region": None, "campaign.purpose": "marketing"},
        heading=["Settings for a file.", "Secrets never stand here."],
        remarks={"columns.to": "12 of 12 look like numbers"},
    )
    assert tomllib.loads(text) == {"campaign": {"purpose": "marketing"}, "columns": {"to": "Téléphone"}}
    assert text.startswith("# Settings for a file.\n# Secrets never stand here.\n\n[campaign]  # ")
    assert '# 12 of 12 look like numbers\nto = "Téléphone"\n' in text
    assert "transactional" in text
    assert "region" not in text


@given(to=TEXTS, parameters=st.dictionaries(TEXTS, TEXTS, max_size=4), remark=TEXTS, heading=TEXTS)
def test_any_name_comes_back_as_it_is(to: str, parameters: dict[str, str], remark: str, heading: str) -> None:
    """Quotation marks, brackets, line ends: the file says what was meant, and nothing else."""
    values = {"columns.to": to, "columns.parameters": parameters, "input.sheet": to}
    remarks = dict.fromkeys(values, remark)
    text = first_config(values, heading=[heading], remarks=remarks)
    read = tomllib.loads(text)
    assert read == {"columns": {"to": to, "parameters": parameters}, "input": {"sheet": to}}
    Settings.model_validate(read)
