"""The table `[tracking]`: what is read of executions; and how a variable of their context is named."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from dispatcher.settings.table import Positive, Table

#: What a variable's path may begin with, and its steps: .name, ["any name"] or [0].
_PATH_START = re.compile(r"(trigger|contact|flow|widgets)(?=[.\[])")
_PATH_STEP = re.compile(r"""\.([\w-]+)|\["([^"]+)"\]|\['([^']+)'\]|\[([0-9]+)\]""")


def variable_path(text: str) -> tuple[str, ...]:
    """The steps of a path into an execution's context: `widgets.ask.inbound.Body`, `flow.data["First name"]`.

    Raises: ValueError where it is none.
    """
    start = _PATH_START.match(text)
    if start is None:
        raise ValueError("must begin with trigger., contact., flow. or widgets.")
    steps, position = [start[1]], start.end()
    while position < len(text):
        step = _PATH_STEP.match(text, position)
        if step is None:
            raise ValueError(f"cannot be read at {text[position : position + 20]!r}")
        steps.append(step[step.lastindex or 0])
        position = step.end()
    return tuple(steps)


class TrackingSettings(Table):
    """What `track` reads of the executions."""

    variables: list[str] | dict[str, str] = Field(
        default_factory=list,
        description="What the report shows of each execution's context: a list of paths, or a table name = path; the"
        " column is dispatch_outcome_<name>, for a list dispatch_outcome_<path>.",
    )
    steps: Literal["auto", "always", "never"] = Field(
        "auto",
        description="How the path through the widgets is found. auto: from the context and the flow's definition, and"
        " from the steps where these do not prove it (about one read per execution); always: from the steps (two"
        " reads); never: only where the context proves it.",
    )
    concurrency: Annotated[int, Field(ge=1, le=100)] = Field(10, description="Reads at once.")
    per_second: Positive = Field(50.0, description="The most reads per second.")
    every_s: Positive = Field(30.0, description="When following until none is active: seconds between two looks.")

    @field_validator("variables")
    @classmethod
    def _check_variables(cls, value: list[str] | dict[str, str]) -> list[str] | dict[str, str]:
        for path in value if isinstance(value, list) else value.values():
            try:
                variable_path(path)
            except ValueError as error:
                raise ValueError(f"{path!r} {error}") from None
        reserved = ("status", "last_step", "path", "ended_at", "error_code", "error_message", "advice")
        for name in value if isinstance(value, dict) else ():
            if name in reserved or not re.fullmatch(r"\w[\w .-]*", name):
                raise ValueError(
                    f"{name!r} cannot be a column's name: letters, digits, and none of {', '.join(reserved)}"
                )
        return value

    @property
    def named_variables(self) -> dict[str, str]:
        """Name -> path."""
        return self.variables if isinstance(self.variables, dict) else {path: path for path in self.variables}
