"""The table `[cluster]`: many machines with one ledger on PostgreSQL."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from dispatcher.settings.table import Table

#: So long after the ledger's yes a request may leave (`sending.claims.CONFIRMED_FOR_S`, and a test holds that it is the
#: same). Whoever takes an account over whose lease has run out must find nothing on its way any more.
CONFIRMED_FOR_S = 5.0
LEASE_MAX_S = 300.0


class ClusterSettings(Table):
    """Many machines with one ledger: its `[state] url`. What `worker` does on this one."""

    lease_s: float = Field(
        6.0,
        description="An account is another machine's to take once its holder was not heard of for so many seconds."
        " Above 5, and the same on all machines.",
    )
    tick_s: Annotated[int, Field(ge=1, le=30)] = Field(
        2, description="How often it is looked up what is to be sent and nobody sends, in seconds."
    )
    shifts: Annotated[int, Field(ge=1, le=200)] = Field(
        8, description="The most accounts that one worker sends for at once."
    )
    credentials_dir: str = Field(
        "",
        description="A folder with the credentials of the accounts that this machine's worker sends for, beside those"
        " of the environment: a file for each, of mode 0600, with lines such as TWILIO_API_KEY=SK….",
    )

    @field_validator("lease_s")
    @classmethod
    def _check_lease(cls, value: float) -> float:
        if not CONFIRMED_FOR_S < value <= LEASE_MAX_S:
            raise ValueError(
                f"must be above {CONFIRMED_FOR_S:g}, for so long a request may leave after the ledger's yes, and at"
                f" most {LEASE_MAX_S:g}"
            )
        return value
