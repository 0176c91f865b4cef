"""What all tables of settings have in common."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

Positive = Annotated[float, Field(gt=0, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]


class Table(BaseModel):
    """One table of config.toml: no name that it does not know, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _check_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """`true` is no number: for pydantic it is 1, and a cap of one text a day is not what anybody means by it."""
        if isinstance(value, bool) and info.field_name is not None:
            kinds = _kinds(cls.model_fields[info.field_name].annotation)
            if bool not in kinds and (int in kinds or float in kinds):
                raise PydanticKnownError("float_type" if float in kinds else "int_type")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The types that a setting may be of."""
    parts = get_args(annotation)
    return {annotation} if not parts else {kind for part in parts if part is not None for kind in _kinds(part)}
