"""The settings of the guard."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dispatcher.settings.table import Table


class GuardSettings(Table):
    """What is not let happen by mistake."""

    max_rows: Annotated[int, Field(ge=0)] = Field(
        0,
        description="The most rows that one run may send: more are refused before the first one, as they come from a"
        " wrong file, say, that a scheduled job was given. 0: as many as there are.",
    )
    window_rows: Annotated[int, Field(ge=10)] = Field(
        200,
        description="Of how many of a run's last answers max_rejected is a share: one with fewer goes on.",
    )
    max_rejected: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2,
        description="A run stops, and its campaign is paused, where more than this share of the last answers were"
        " refusals: to go on then must be asked for. 0: it never does.",
    )
    max_opted_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05,
        description="The same where more than this share of the executions tracked ended in an opt-out (error 21610, or"
        " STOP as a reply), of window_rows or more. Needs track_every_min. 0: it never does.",
    )
    track_every_min: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="How often a run tracks its executions while it sends, in minutes, for max_opted_out: about one"
        " read for each that has ended. 0: never.",
    )
