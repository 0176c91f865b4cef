"""A campaign's page in texts: how far it is, why nothing leaves, and how fast it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.events import EventBus, Phase, PhaseChanged, Snapshot, WaitKind
from dispatcher.events.live import Wait
from dispatcher.ledger.records import LatestRun
from dispatcher.model import Pause, PausedBy, RowState
from dispatcher.web.running import Button, Serving, Shown, State
from dispatcher.web.standing import TONES, all_rows, standing, state_meaning
from tests.unit.web.running.test_state import ACCOUNT, status

NOW = 1_795_788_180_000  # 14:03 UTC on 27 November 2026
SENDING = Shown(state=State.sending, buttons=(Button.pause, Button.stop))
BERLIN = "Europe/Berlin"


def at(phase: Phase, **more: object) -> Snapshot:
    """What is done now."""
    bus = EventBus()
    bus.emit(PhaseChanged(phase=phase))
    return replace(bus.snapshot(), **more)  # type: ignore[arg-type]


def reason(shown: Shown, snapshot: Snapshot | None = None) -> str:
    return standing(shown, status(), snapshot, zone=BERLIN, now_ms=NOW).texts["reason"]


@pytest.mark.parametrize(
    ("rows", "earlier", "progress", "left_out"),
    [
        ({}, {}, "0 of 0 contacts", "0"),
        ({"planned": 1}, {}, "0 of 1 contact, 0 %", "0"),
        ({"planned": 1_234, "created": 412}, {}, "412 of 1,646 contacts, 25 %", "0"),
        # Refused, busy and unknown ones are dealt with; those on the way are not.
        ({"created": 1, "rejected": 1, "busy": 1, "unknown": 1, "sending": 1}, {}, "4 of 5 contacts, 80 %", "0"),
        ({"created": 2, "invalid": 3, "skipped": 1_000}, {}, "2 of 2 contacts, 100 %", "1,003"),
        ({"created": 199, "planned": 1}, {}, "199 of 200 contacts, 99 %", "0"),
        ({"created": 1, "planned": 999}, {}, "1 of 1,000 contacts, less than 1 %", "0"),
        ({"planned": 2}, {"created": 2, "skipped": 5}, "2 of 4 contacts, 50 %", "5"),
        ({"invalid": 3}, {}, "0 of 0 contacts", "3"),
    ],
)
def test_how_far_it_is(rows: dict[str, int], earlier: dict[str, int], progress: str, left_out: str) -> None:
    """Of the rows of all files that are to be sent, those with an answer; left out are those that never go."""
    kept = status(rows, earlier_rows={RowState(state): n for state, n in earlier.items()})
    found = standing(SENDING, kept, None, zone=BERLIN, now_ms=NOW)
    assert (found.texts["progress"], found.texts["rows-left-out"]) == (progress, left_out)
    assert f"{found.done:,} of {found.total:,} " in found.texts["progress"]
    assert {f"rows-{state.value}" for state in RowState} < set(found.texts)


def test_a_run_s_own_numbers_come_first() -> None:
    """Those of this moment, with earlier files' rows, which no run has in memory; before it has any, the ledger's."""
    kept = status({"planned": 10}, earlier_rows={RowState.created: 5})
    running = at(Phase.sending, rows={RowState.created: 4, RowState.planned: 6})
    assert all_rows(kept, running)[RowState.created] == 9
    assert all_rows(kept, running)[RowState.planned] == 6
    assert all_rows(kept, at(Phase.planning))[RowState.planned] == 10
    assert sum(all_rows(None, None).values()) == 0


def test_other_buttons_are_another_page() -> None:
    """A page is loaded anew where its state or its buttons change, and not for each number."""
    one, more = (standing(SENDING, status({"created": n}), None, zone=BERLIN, now_ms=NOW) for n in (1, 2))
    assert one.page == more.page
    assert one != more
    pages = {
        standing(shown, status(), None, zone=BERLIN, now_ms=NOW).page
        for shown in (SENDING, replace(SENDING, buttons=(Button.pause,)), replace(SENDING, state=State.settling))
    }
    assert len(pages) == 3
    assert one.as_json() == {"page": one.page, "done": 1, "total": 1, "texts": dict(one.texts)}


def pause(by: PausedBy, why: str) -> Shown:
    return Shown(state=State.paused, pause=Pause(at_ms=NOW, by=by, reason=why))


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Shown(state=State.scheduled, until_ms=NOW + 60_000), "It begins today 15:04 (Berlin), by itself."),
        (
            Shown(state=State.waiting, until_ms=NOW + 86_400_000),
            "The others may be reached later. It goes on tomorrow 15:03 (Berlin), by itself.",
        ),
        (Shown(state=State.queued), "It begins in a moment."),
        (Shown(state=State.queued, place=1), "1 campaign of the account comes before it. It begins by itself."),
        (Shown(state=State.queued, place=2), "2 campaigns of the account come before it. It begins by itself."),
        (
            Shown(state=State.queued, place=0, waits_for="account"),
            "Another program sends for this account. It begins when that has finished.",
        ),
        (pause(PausedBy.user, ""), "Paused since today 15:03."),
        (pause(PausedBy.user, "  "), "Paused since today 15:03."),
        # As it was typed: a name keeps its letters.
        (pause(PausedBy.user, "Anna asked for it"), "Paused since today 15:03: Anna asked for it."),
        (pause(PausedBy.user, "SMS costs?"), "Paused since today 15:03: SMS costs?"),
        (pause(PausedBy.user, "Stop!"), "Paused since today 15:03: Stop!"),
        (pause(PausedBy.guard, "12 of 20 refused"), "Stopped by the guard since today 15:03: 12 of 20 refused."),
        (pause(PausedBy.canary, "3 of 5"), "Stopped after the first contacts since today 15:03: 3 of 5."),
        (pause(PausedBy.held, "Studio refuses. Ask."), "Held since today 15:03. Studio refuses. Ask."),
        (pause(PausedBy.held, "dispatcher was off"), "Held since today 15:03: dispatcher was off."),
        (SENDING, ""),
    ],
)
def test_why_nothing_leaves(shown: Shown, text: str) -> None:
    """A whole sentence in the zone's times; of what goes as it should nothing."""
    assert reason(shown) == text


@pytest.mark.parametrize("by", PausedBy)
def test_whoever_stops_it_has_a_word(by: PausedBy) -> None:
    """No kind of pause is missing."""
    assert " since today 15:03: x." in reason(pause(by, "x"))


@pytest.mark.parametrize("kind", WaitKind)
def test_every_wait_is_told(kind: WaitKind) -> None:
    """With how long it lasts, where that is known; but for the window, which is full whenever all is well."""
    for remaining_s, end in ((12.2, " Goes on in 12 s."), (None, ""), (0.0, "")):
        told = reason(SENDING, at(Phase.sending, waiting=Wait(kind=kind, reason="r", remaining_s=remaining_s)))
        if kind is WaitKind.window:
            assert told == ""
        else:
            assert told.endswith(f".{end}")
            assert ("Goes on" in told) is bool(end)


@pytest.mark.parametrize("phase", Phase)
def test_what_goes_on_beside_sending_is_told(phase: Phase) -> None:
    """Each phase that a person waits in has a sentence."""
    silent = {Phase.sending, Phase.finished, Phase.waiting}
    assert bool(reason(SENDING, at(phase))) is (phase not in silent)


def test_how_fast_it_is() -> None:
    """Only while it sends; when it is done only where that is known, by day where it is another one."""
    pace = {"rate_per_s": 19.83, "rate_limit_per_s": 20.0, "worst_window": 1_198, "window_limit": 1_200}
    run = at(Phase.sending, elapsed_s=3.0, **pace)

    def texts(snapshot: Snapshot | None) -> tuple[str, ...]:
        found = standing(SENDING, status(), snapshot, zone=BERLIN, now_ms=NOW).texts
        return found["rate"], found["window"], found["eta"]

    speed = ("19.8 of 20 a second", "1,198 of 1,200 in ten seconds")
    assert texts(run) == (*speed, "")
    assert texts(replace(run, eta_s=60.0)) == (*speed, "Done at about 15:04.")
    assert texts(replace(run, eta_s=86_400.0)) == (*speed, "Done at about tomorrow 15:03.")
    for nothing in (None, replace(run, elapsed_s=None), replace(run, phase=Phase.tracking)):
        assert texts(nothing) == ("", "", "")


def test_every_state_that_is_launched_has_a_tone() -> None:
    """The steps before have none; each row's state has a meaning."""
    assert set(State) - set(TONES) == {State.draft, State.needs_columns, State.checked}
    assert all(state_meaning(state) for state in RowState)


SERVED = Serving(account=ACCOUNT, holder="mars:4711")
QUEUED = Shown(state=State.queued, serving=SERVED)
RUNS = {"running": True, "run": LatestRun(run_id=1, host="mars")}


@pytest.mark.parametrize(
    ("shown", "counts", "worker"),
    [
        (replace(SENDING, serving=SERVED), RUNS, "Sent by the worker on mars (process 4711)."),
        # Another has taken it over a moment ago.
        (replace(SENDING, serving=replace(SERVED, holder="venus:1")), RUNS, "Sent by the worker on mars."),
        (replace(SENDING, serving=replace(SERVED, holder=None)), RUNS, "Sent by the worker on mars."),
        (
            replace(SENDING, serving=SERVED),
            RUNS | {"run": LatestRun(run_id=1)},
            "Sent by the worker on a machine that is not known.",
        ),
        (QUEUED, {}, ""),
        (QUEUED, {"run": LatestRun(run_id=1, host="mars")}, ""),
        (SENDING, RUNS, ""),
    ],
)
def test_which_machine_sends_it(shown: Shown, counts: dict[str, Any], worker: str) -> None:
    """On a cluster, and only while it is sent."""
    assert standing(shown, status(**counts), None, zone=BERLIN, now_ms=NOW).texts["worker"] == worker


@pytest.mark.parametrize(
    ("shown", "counts", "text"),
    [
        (QUEUED, {}, "mars (process 4711) works for the account, for another campaign or file. It goes on by itself."),
        (replace(QUEUED, serving=replace(SERVED, holder=None)), {}, "It begins in a moment."),
        (
            replace(QUEUED, serving=replace(SERVED, holder=None, idle_since_ms=NOW - 30_000)),
            {},
            "No worker serves this account, since today 15:02. It is sent as soon as one does: ask whoever runs this"
            " server to start one with the credentials of account …0000.",
        ),
        (
            replace(QUEUED, serving=replace(SERVED, holder=None, idle_since_ms=NOW - 29_000)),
            {},
            "It begins in a moment.",
        ),
        (replace(SENDING, serving=SERVED), RUNS, ""),
        (
            replace(SENDING, serving=SERVED),
            RUNS | {"run": LatestRun(run_id=1, host="mars", waits="Studio asked for a pause")},
            "Its worker waits: Studio asked for a pause.",
        ),
        (
            replace(SENDING, serving=SERVED),
            RUNS | {"run": LatestRun(run_id=1, host="mars", waits="429", waits_until_ms=NOW + 60_000)},
            "Its worker waits: 429. Goes on today 15:04.",
        ),
        (
            replace(SENDING, serving=SERVED),
            RUNS | {"run": LatestRun(run_id=1, host="mars", waits="run dispatcher resume --now")},
            "Its worker waits.",
        ),
        (replace(pause(PausedBy.user, "x"), serving=SERVED), {}, "Paused since today 15:03: x."),
    ],
)
def test_why_nothing_leaves_on_a_cluster(shown: Shown, counts: dict[str, Any], text: str) -> None:
    """By what the ledger tells of who works for the account."""
    assert standing(shown, status(**counts), None, zone=BERLIN, now_ms=NOW).texts["reason"] == text
