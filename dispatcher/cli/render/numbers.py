"""Numbers in few letters: durations, rates, moments, rows by state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.cli.render.terminal import STATE_STYLES
from dispatcher.clock import now_ms
from dispatcher.model import RowState

if TYPE_CHECKING:
    from dispatcher.settings import Settings


def clock_text(seconds: float) -> str:
    """`0:07`, `12:05`, `3:12:05`."""
    whole = max(0, int(seconds + 0.5))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def rate_text(rate_per_s: float) -> str:
    """`19.8/s`, `1,000/s`."""
    return f"{rate_per_s:,.0f}/s" if rate_per_s >= 100 else f"{rate_per_s:.3g}/s"


def duration_text(duration_s: float, settings: Settings) -> str:
    """`0:10 at 20/s`, the estimate and what it rests on."""
    spike = ", a window's worth at once" if settings.rate.pace == "spike" else ""
    return f"{clock_text(duration_s)} at {rate_text(settings.rate.paced_per_second)}{spike}"


def time_text(at_ms: int) -> str:
    """Local time, to the minute."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def local_text(at_ms: int, zone: str | None) -> str:
    """A moment as the clock of a zone shows it, with the zone; None: as this machine's does."""
    if zone is None:
        return time_text(at_ms)
    from dispatcher.rules.clocks import wall_time

    wall = wall_time(zone, at_ms // 1000)
    today = wall_time(zone, now_ms() // 1000).date()
    day = "" if wall.date() == today else f" on {wall:%a %d %b}" + ("" if wall.year == today.year else f" {wall.year}")
    return f"{wall:%H:%M}{day} in {zone}"


def states_text(rows: Mapping[RowState, int]) -> Text:
    """`created 131 · rejected 4`: the states that have rows."""
    return counts_text([(state.value, n, STATE_STYLES[state]) for state, n in rows.items()])


def counts_text(counts: list[tuple[str, int, str]]) -> Text:
    """Names with their numbers, in their styles; those that there are."""
    text = Text()
    for name, n, style in counts:
        if n:
            text.append(" · " if text else "", style="bright_black")
            text.append(f"{name} ").append(f"{n:,}", style=f"bold {style}")
    return text or Text("none")
