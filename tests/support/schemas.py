"""The JSON Schemas of docs/schemas, as a stock library reads them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"


@cache
def validator(name: str) -> Any:
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def check(name: str, value: Any) -> None:
    """Raises: ValidationError; AssertionError: a key that the schema does not tell of."""
    schema = validator(name)
    schema.validate(value)
    told = [one["properties"] for one in schema.schema.get("oneOf", [schema.schema])]
    if name != "answer":
        assert any(set(value) <= set(one) for one in told), set(value)
