"""What a run tells of itself, and what it leaves of its account's limit to whoever sends next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTotals:
    """What a run has done so far; kept in the ledger with every commit of results."""

    requests: int = 0
    throttled: int = 0
    #: Most create requests that left in any window, earlier runs on this ledger included.
    worst_window: int = 0
    window_limit: int = 0
    #: Studio's clock less ours; None: no answer has told it yet.
    clock_skew_ms: int | None = None
    #: Until when a pause after a 429 holds, for whoever sends next; 0: it is over; None: there was none.
    hold_until_ms: int | None = None
    #: What 429s have left of the rate; 0: all again; None: there were none.
    ceiling_per_s: float | None = None
    #: What the limiter allows now, in requests a second; None: not known.
    rate_per_s: float | None = None
    #: Why nothing leaves now, for people, and until when; None: it waits for nothing; not known.
    waits: str | None = None
    waits_until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """What an account's limit is, and what is left of it, as its ledger knows."""

    #: Its own rate, whoever plans for it; None: the settings'.
    per_second: float | None = None
    #: A pause after 429s holds until then; None: there is none.
    hold_until_ms: int | None = None
    #: What 429s have left of the rate; None: all.
    ceiling_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestRun:
    """A campaign's latest run, as it has told of itself; whether it is still at work: `CampaignStatus.running`."""

    run_id: int
    #: The machine that it sends from; empty: an older program has not told.
    host: str = ""
    #: Why nothing leaves now, for people; None: it waits for nothing.
    waits: str | None = None
    #: Until when; None: not known.
    waits_until_ms: int | None = None
    #: What its limiter allows now, in requests a second; None: it has not told.
    rate_per_s: float | None = None
