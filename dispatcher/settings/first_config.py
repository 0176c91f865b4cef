"""A config.toml with a few settings, each with its comment: what `init` was answered, and where the full list is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dispatcher.settings.example import COMMENT_WIDTH, toml
from dispatcher.settings.profiles import TABLE as PROFILES
from dispatcher.settings.schema import setting_names, tables


def first_config(
    values: Mapping[str, Any], *, heading: Sequence[str], remarks: Mapping[str, str], profile: str | None = None
) -> str:
    """The file's text. `values`: `table.name` -> value, None: not set. `heading`: paragraphs above all of them.

    `remarks`: `table.name` -> a line of its own below the setting's description. Texts may hold whatever they like.
    `profile`: whoever has chosen it goes on with it, and no command takes one that the file does not have.
    """
    lines = [line for paragraph in heading for line in _comment(paragraph)]
    for table, model in tables():
        wanted = [name for name in setting_names(model) if values.get(f"{table}.{name}") is not None]
        if wanted:
            lines += ["", f"[{table}]  # {(model.__doc__ or '').strip()}"]
        for name in wanted:
            dotted = f"{table}.{name}"
            info = model.model_fields[setting_names(model)[name]]
            remark = remarks.get(dotted)
            lines += ["", *_comment(info.description or ""), *(_comment(remark) if remark else ())]
            lines.append(f"{name} = {toml(values[dotted])}")
    if profile is not None:
        what = f"What differs for this profile stands in tables like [{PROFILES}.{profile}.rate]."
        lines += ["", f"[{PROFILES}.{profile}]", *_comment(what)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> Iterator[str]:
    """Whatever the text holds stays in the comment, which ends with its line and takes no control characters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    for line in textwrap.wrap(plain, COMMENT_WIDTH, break_long_words=False) or [""]:
        yield f"# {line}".rstrip()
