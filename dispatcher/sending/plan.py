"""What a sender needs to know of its campaign."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.ledger.records import GrantedRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPlan:
    """The same for all rounds of a run."""

    flow_sid: str
    api_version: str
    #: A row → the create request's body.
    form: Callable[[GrantedRow], bytes]
    #: The most requests on the wire at once.
    in_flight: int
    #: How long requests in flight may take after a stop.
    stop_s: float
    #: The input whose rows are sent; None: all of the campaign.
    input_id: int | None = None
    #: A row's key → the id that travels in its Parameters, kept with the attempt; None: there is none.
    dispatch_id: Callable[[str], str] | None = None
    #: A contact whom the account has reached on the flow in so many ms is skipped; 0: nobody is.
    repeat_after_ms: int = 0
    #: The suppression lists that apply beside the account's own.
    list_ids: Sequence[int] = ()
    #: Rows that wait for less than so many seconds are waited for; else the round ends.
    wait_max_s: float = math.inf
    #: Above which share of refusals among so many answers the run stops and the campaign is paused; 0: it never is.
    guard_rows: int = 0
    max_rejected: float = 0.0
    #: On v1: confirm every answer by its Context.
    always_check: bool = False
