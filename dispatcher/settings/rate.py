"""The settings of the rate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dispatcher.settings.table import NotNegative, Positive, Table


class RateSettings(Table):
    """How fast requests may leave."""

    per_second: Positive = Field(20.0, description="The account's limit, in create requests per second.")
    window_s: Positive = Field(10.0, description="The seconds over which the limit is averaged.")
    pace: Literal["even", "spike"] = Field(
        "even", description="even: one after the other; spike: a whole window's worth at once, then a window's wait."
    )
    headroom: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.01, description="The share of the limit that is never used."
    )
    messages_per_second: NotNegative = Field(
        0.0,
        description="What the senders carry (a US long code: 1), where that is less than per_second: a pace that they"
        " keep up with, so that no queue of Twilio's sends at night. 0: no matter.",
    )
    messages_per_execution: Positive = Field(
        1.0, description="How many messages an execution sends at once, for messages_per_second."
    )
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = Field(100, description="The most requests on the wire at once.")

    @property
    def paced_per_second(self) -> float:
        """The pace, headroom not taken off: the limit, or what the senders carry, where that is less."""
        carried_per_s = self.messages_per_second / self.messages_per_execution
        return min(self.per_second, carried_per_s) if carried_per_s else self.per_second

    @property
    def unused_share(self) -> float:
        """The share of the limit that is not used: the headroom, or what is above the pace."""
        return max(self.headroom, 1 - self.paced_per_second / self.per_second)
