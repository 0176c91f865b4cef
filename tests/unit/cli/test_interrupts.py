"""What signals do: the first stops in good order, the second gives up what is in flight, the third leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time

import pytest

from dispatcher.cli import interrupts
from dispatcher.cli.interrupts import LOOK_S, Interrupts, raised, run_async, stopping
from dispatcher.errors import Interrupted
from dispatcher.events import EventBus, Phase, PhaseChanged


class Campaign:
    """Notes how it is stopped."""

    def __init__(self, answer: bool, *, blocked: bool = False) -> None:
        self.answer = answer
        self.is_blocked = blocked
        self.stops: list[bool] = []

    def stop(self, *, hard: bool = False) -> bool:
        self.stops.append(hard)
        return self.answer


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the program was left at once."""
    found: list[int] = []
    monkeypatch.setattr(interrupts, "_leave", lambda: found.append(1))
    return found


async def signalled(campaign: Campaign | None, times: int, phase: Phase = Phase.planning) -> bool:
    """Send so many signals; whether the program's task was cancelled."""
    task = asyncio.create_task(asyncio.sleep(10))
    bus = EventBus()
    bus.emit(PhaseChanged(phase=phase))
    found = Interrupts(task)
    for _ in range(times):
        if campaign is None:
            found.handle()
        else:
            with found.watching(campaign, bus):
                found.handle()
    was_cancelled = bool(task.cancelling())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return was_cancelled


async def test_the_first_signal_stops_what_runs(left: list[int]) -> None:
    """After the first signal the command goes on: it reports, and ends by itself."""
    campaign = Campaign(True)
    assert not await signalled(campaign, 1)
    assert (campaign.stops, left) == ([False], [])


async def test_where_nothing_runs_the_command_ends(left: list[int]) -> None:
    """A campaign that is only open, or none at all."""
    assert await signalled(Campaign(False), 1)
    assert await signalled(None, 1)
    assert left == []


async def test_a_report_is_finished(left: list[int]) -> None:
    """After the sending nothing runs that could be stopped; a second signal leaves."""
    assert not await signalled(Campaign(False), 1, Phase.finished)
    assert left == []
    await signalled(Campaign(False), 2, Phase.finished)
    assert left == [1]


async def test_who_looks_on_stops_nobody(left: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    """While workers send, a signal ends the looking on, and says that they go on; a second leaves."""
    campaign = Campaign(True)
    await signalled(campaign, 2, Phase.watching)
    assert (campaign.stops, left) == ([False], [1])
    said = capsys.readouterr().err
    assert "the workers go on" in said
    assert "stopping" not in said


async def test_a_second_signal_gives_up_requests(left: list[int]) -> None:
    """While sending, a second signal gives up what is in flight; the third leaves."""
    campaign = Campaign(True)
    await signalled(campaign, 2, Phase.sending)
    assert (campaign.stops, left) == ([False, True], [])
    await signalled(campaign, 3, Phase.sending)
    assert left == [1]


async def test_a_second_signal_and_a_locked_ledger(left: list[int]) -> None:
    """What cannot be written is not waited for: not where the ledger is locked, nor where it becomes so."""
    await signalled(Campaign(True, blocked=True), 2, Phase.sending)
    assert left == [1]
    left.clear()
    campaign, bus = Campaign(True), EventBus()
    bus.emit(PhaseChanged(phase=Phase.sending))
    task = asyncio.create_task(asyncio.sleep(10))
    found = Interrupts(task)
    with found.watching(campaign, bus):
        found.handle()
        found.handle()
        assert left == []
        campaign.is_blocked = True
        await asyncio.sleep(2 * interrupts.LOOK_S)
    assert left
    task.cancel()


async def test_a_second_signal_leaves_when_not_sending(left: list[int]) -> None:
    """Reading, reconciling, tracking: nothing in flight would be lost, so a second signal leaves at once."""
    campaign = Campaign(True)
    await signalled(campaign, 2, Phase.tracking)
    assert (campaign.stops, left) == ([False], [1])
    await signalled(None, 2)
    assert left == [1, 1]


def test_a_signal_before_there_is_a_campaign_is_told() -> None:
    """As Interrupted, whatever the command was at."""

    async def main(_: Interrupts) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(10)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(Interrupted):
            run_async(main)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


async def test_what_works_until_it_is_told_is_told_twice(left: list[int]) -> None:
    """In good order, then hard; the third leaves. Outside the block signals do what they did."""
    before, stops = signal.getsignal(signal.SIGTERM), list[bool]()
    with stopping(stops.append):
        for n in (1, 2, 3):
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(5):
                while len(stops) + len(left) < n:  # noqa: ASYNC110 - a signal sets no event
                    await asyncio.sleep(0.01)
    assert (stops, left) == ([False, True], [1])
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals of threads are Unix's")
def test_a_signal_that_wakes_no_read() -> None:
    """It comes in the moment before a question waits, or in another thread: the question ends all the same."""
    here, there = os.pipe()
    asked, typed = threading.Event(), list[bool]()

    def elsewhere() -> None:
        time.sleep(0.2)  # until the read waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        typed.append(not asked.wait(20 * LOOK_S))
        if typed[0]:
            os.write(there, b"12\n")

    other = threading.Thread(target=elsewhere)
    alarms = signal.getsignal(signal.SIGALRM)

    def ask() -> None:
        with raised():
            other.start()
            os.read(here, 100)

    with pytest.raises(Interrupted):
        ask()
    asked.set()
    other.join()
    os.close(here)
    os.close(there)
    assert typed == [False]
    assert signal.getsignal(signal.SIGALRM) is alarms
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
