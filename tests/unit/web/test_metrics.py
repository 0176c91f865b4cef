"""Prometheus' text format, read again by a grammar that knows nothing of what wrote it; and the server's health."""

from __future__ import annotations

import asyncio
import math
import re
import time
from dataclasses import dataclass, field, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.events import AttemptsEnded, EventBus, RunStarted, Snapshot, Waiting, WaitKind
from dispatcher.model import RowState
from dispatcher.web.health import KEPT_S, LATE_S, LOOK_S, Health, LoopLag
from dispatcher.web.metrics import CampaignNumbers, ServerNumbers, exposition

SID = "AC" + "0123456789abcdef" * 2
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|Inf)|NaN", re.ASCII)
Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class Parsed:
    kinds: dict[str, str] = field(default_factory=dict)
    samples: dict[Key, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        """Of a metric with one sample."""
        (value,) = [value for (known, _), value in self.samples.items() if known == name]
        return value

    def of(self, name: str, **labels: str) -> float:
        return self.samples[name, frozenset(labels.items())]


class Reader:
    """The format's grammar, character by character: prometheus.io/docs/instrumenting/exposition_formats."""

    def __init__(self, line: str) -> None:
        self.line, self.at = line, 0

    def take(self, text: str) -> None:
        assert self.line.startswith(text, self.at), (self.line, self.at, text)
        self.at += len(text)

    def match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.line, self.at)
        assert found is not None, (self.line, self.at, pattern)
        self.at = found.end()
        return found[0]

    def peek(self) -> str:
        return self.line[self.at : self.at + 1]

    def quoted(self) -> str:
        self.take('"')
        text = ""
        while (character := self.peek()) != '"':
            assert character, self.line
            self.at += 1
            if character == "\\":
                character = {"\\": "\\", "n": "\n", '"': '"'}[self.peek()]
                self.at += 1
            text += character
        self.take('"')
        return text

    def labels(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self.peek() == "{":
            self.take("{")
            while self.peek() != "}":
                name = self.match(LABEL)
                assert name not in found
                self.take("=")
                found[name] = self.quoted()
                if self.peek() == ",":
                    self.take(",")
            self.take("}")
        return found


def parse(text: str) -> Parsed:
    """Raises: AssertionError where it is no such text, or names a series twice or apart."""
    assert text.endswith("\n")
    found, helped, present = Parsed(), set(), ""
    for line in text.removesuffix("\n").split("\n"):
        reader = Reader(line)
        if line.startswith("# "):
            word, name, rest = line.removeprefix("# ").split(" ", 2)
            assert NAME.fullmatch(name)
            assert rest
            if word == "HELP":
                assert name not in helped
                helped.add(name)
            else:
                assert (word, rest in ("counter", "gauge")) == ("TYPE", True)
                assert name in helped
                assert name not in found.kinds
                found.kinds[name] = rest
                present = name
            continue
        name = reader.match(NAME)
        assert name == present, "samples of a metric stand together, behind its type"
        key = name, frozenset(reader.labels().items())
        reader.take(" ")
        number = reader.match(NUMBER)
        assert reader.peek() == ""
        assert key not in found.samples
        found.samples[key] = float(number.replace("Inf", "inf"))
    assert helped == set(found.kinds)
    return found


def sending(campaign: str = "spring") -> Snapshot:
    """A run in the middle: 12 answers, one 429, waiting for Studio's pause."""
    bus = EventBus()
    rows = dict.fromkeys(RowState, 0) | {RowState.planned: 100}
    bus.emit(
        RunStarted(
            campaign=campaign, rows=rows, to_send=100, recovered=0, rate_limit_per_s=20, window_limit=200, window_s=10
        )
    )
    bus.emit(
        AttemptsEnded(
            rows={RowState.created: 12}, requests=13, throttled=1, in_flight=3, window_now=13, worst_window=17
        )
    )
    bus.emit(Waiting(kind=WaitKind.throttled, reason="too many requests from +15551234534", for_s=12))
    return bus.snapshot()


def numbers(name: str = "spring", live: Snapshot | None = None) -> CampaignNumbers:
    rows = {RowState.planned: 88, RowState.created: 12}
    return CampaignNumbers(campaign=name, account_sid=SID, rows=rows, live=live)


def test_a_server_with_a_run_and_without() -> None:
    """Rows of each campaign by state; live numbers of what runs here alone."""
    server = ServerNumbers(
        version="0.1.0",
        campaigns=(numbers(live=sending()), numbers("may")),
        runs_begun=7,
        queued=2,
        uploads=3,
        uploads_bytes=12_345_678_901,
        checks=1,
        loop_lag_s=0.0125,
    )
    found = parse(exposition(server))
    assert found.of("dispatcher_info", version="0.1.0") == 1
    assert found["dispatcher_runs_total"] == 7
    assert found["dispatcher_runs_active"] == 1
    assert found["dispatcher_runs_queued"] == 2
    assert found["dispatcher_uploads"] == 3
    assert found["dispatcher_uploads_bytes"] == 12_345_678_901
    assert found["dispatcher_checks"] == 1
    assert found["dispatcher_loop_lag_seconds"] == 0.0125
    for name in ("spring", "may"):
        of = {"campaign": name, "account": "…cdef"}
        assert found.of("dispatcher_rows", **of, state="created") == 12
        assert found.of("dispatcher_rows", **of, state="unknown") == 0
    spring = {"campaign": "spring", "account": "…cdef"}
    assert found.of("dispatcher_requests_total", **spring) == 13
    assert found.of("dispatcher_throttled_total", **spring) == 1
    assert found.of("dispatcher_requests_in_flight", **spring) == 3
    assert found.of("dispatcher_window_requests", **spring) == 13
    assert found.of("dispatcher_window_worst_requests", **spring) == 17
    assert found.of("dispatcher_window_limit_requests", **spring) == 200
    waits = {kind: found.of("dispatcher_waiting", **spring, kind=kind.value) for kind in WaitKind}
    assert [kind for kind, value in waits.items() if value] == [WaitKind.throttled]
    assert len([key for key in found.samples if key[0] == "dispatcher_requests_total"]) == 1
    assert {name for name, kind in found.kinds.items() if kind == "counter"} == {
        "dispatcher_runs_total",
        "dispatcher_requests_total",
        "dispatcher_throttled_total",
    }


def test_an_idle_server() -> None:
    """Nothing of campaigns, and no type without a sample."""
    found = parse(exposition(ServerNumbers(version="0.1.0")))
    assert len(found.samples) == len(found.kinds) == 8


def test_nothing_of_a_contact_and_no_whole_sid() -> None:
    """What a wait says to people stays out, and of the account's SID most."""
    text = exposition(ServerNumbers(version="1", campaigns=(numbers(live=sending()),)))
    assert "1555" not in text
    assert SID[:-4] not in text
    assert set(re.findall(r"[{,](\w+)=", text)) == {"version", "campaign", "account", "state", "kind"}


def test_two_of_one_name_are_one_series() -> None:
    """Two accounts may end alike, and a rehearsal have a campaign's name: a series that is there twice breaks all."""
    twice = (numbers(live=sending()), replace(numbers(live=sending()), account_sid="AC" + "9" * 28 + "cdef"))
    found = parse(exposition(ServerNumbers(version="1", campaigns=twice)))
    assert found.of("dispatcher_rows", campaign="spring", account="…cdef", state="planned") == 176
    assert found["dispatcher_requests_total"] == 26


@given(st.text())
def test_any_name_comes_back(name: str) -> None:
    """Backslashes, quotes, line ends, braces, emoji: a name is a label's value as it is."""
    found = parse(exposition(ServerNumbers(version="1", campaigns=(numbers(name),))))
    assert found.of("dispatcher_rows", campaign=name, account="…cdef", state="created") == 12


def test_half_a_character_does_not_break_it() -> None:
    """A name that is no whole text can still be encoded."""
    text = exposition(ServerNumbers(version="1", campaigns=(numbers("a\ud800b"),)))
    text.encode()
    assert parse(text).of("dispatcher_rows", campaign="a?b", account="…cdef", state="created") == 12


@given(st.floats())
def test_any_number_comes_back(value: float) -> None:
    """Whole numbers without a point; what is no number as the format writes it."""
    found = parse(exposition(ServerNumbers(version="1", loop_lag_s=value)))["dispatcher_loop_lag_seconds"]
    assert found == value or (math.isnan(found) and math.isnan(value))


async def test_a_blocked_loop_is_late() -> None:
    """What holds the loop up shows while it does, and as the worst afterwards."""
    lag = LoopLag()
    looking = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    assert lag.worst_s() < 0.1
    time.sleep(LOOK_S + 0.3)  # noqa: ASYNC251 - it is to be blocked
    assert lag.worst_s() >= 0.3
    await asyncio.sleep(0.01)
    assert lag.worst_s() >= 0.3
    looking.cancel()


def test_the_worst_is_forgotten() -> None:
    """After a minute it says nothing of now."""
    now_s = [0.0]
    lag = LoopLag(lambda: now_s[0])
    lag._due_s = 0.0
    now_s[0] = 5.0
    lag.look()
    assert lag.worst_s() == 5.0
    now_s[0] = 5.0 + KEPT_S
    assert lag.worst_s() == 5.0
    now_s[0] += 0.1
    assert lag.worst_s() == 0.0


@pytest.mark.parametrize(
    ("health", "status", "ok"),
    [
        (Health(loop_lag_s=0.0042), 200, True),
        (Health(loop_lag_s=LATE_S), 200, True),
        (Health(loop_lag_s=LATE_S + 0.01), 503, False),
        (Health(loop_lag_s=0.0, stores_ok=False), 503, False),
    ],
)
def test_what_a_probe_is_told(health: Health, status: int, ok: bool) -> None:
    """Whether it goes well, by the status, too; and nothing else than how late the loop is."""
    assert health.status == status
    assert health.as_json() == {"ok": ok, "loop_lag_s": round(health.loop_lag_s, 3)}
