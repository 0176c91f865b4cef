"""Faults by name and probability: which request is hit is decided here, what the client sees is made in `wire.py`.

A name says what happens and when: `500_before` answers 500 and creates nothing, `500_after` creates and then answers
500. A client cannot tell the two apart, and that is what they are for. `500` alone means `500_before`. Faults for reads
(lists, fetches, contexts, steps, flows) begin with `read_`, faults for ending and deleting an execution with `update_`.
"""

from __future__ import annotations

import difflib
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dispatcher.errors import SettingsError
from dispatcher.remedies import Option
from dispatcher.sandbox.dates import to_us


class Target(StrEnum):
    """The kinds of request that have faults of their own; the value is the prefix of their names."""

    CREATE = ""
    READ = "read_"
    UPDATE = "update_"


class Effect(StrEnum):
    """What the client sees. The first group are ordinary HTTP answers, the second are made on the socket."""

    THROTTLED = "429"
    REJECTED = "reject"
    UNAUTHENTICATED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    HTML_502 = "html_502"
    REDIRECT_307 = "redirect_307"
    BAD_PAGE_TOKEN = "page_token"
    BAD_RETRY_AFTER = "bad_retry_after"
    UNPARSABLE = "unparsable"
    NO_SID = "no_sid"
    BAD_SID = "bad_sid"
    OTHER_SID = "other_sid"
    OTHER_TO = "other_to"
    OTHER_FLOW = "other_flow"
    OTHER_ACCOUNT = "other_account"
    OTHER_CONTEXT = "other_context"
    NO_META = "no_meta"
    EMPTY_LIST = "empty_list"
    BAD_DATE = "bad_date"
    HUGE = "huge"

    RESET = "reset"
    RESET_LATE = "reset_late"
    DISCONNECT = "disconnect"
    HANG = "hang"
    GARBAGE = "garbage"
    CUT_HEAD = "cut_head"
    CUT_BODY = "cut_body"
    DRIP = "drip"
    SLOW = "slow"
    SECOND_ANSWER = "second_answer"


@dataclass(frozen=True, slots=True)
class Fault:
    """One named fault. `after` = the request is carried out first; otherwise nothing happens to any execution."""

    name: str
    target: Target
    effect: Effect
    after: bool
    text: str


_ALL = (Target.CREATE, Target.READ, Target.UPDATE)
_WRITES = (Target.CREATE, Target.UPDATE)

#: Answered instead of carrying the request out; the plain word is the name.
_INSTEAD: tuple[tuple[Effect, tuple[Target, ...], str], ...] = (
    (Effect.THROTTLED, _ALL, "429/20429, with Retry-After if the sandbox has one set; not carried out"),
    (Effect.BAD_RETRY_AFTER, _ALL, "429/20429 with a Retry-After that is no time, or one that no number holds"),
    (Effect.REJECTED, (Target.CREATE,), "400/21211: the To number is not valid; nothing created"),
    (Effect.UNAUTHENTICATED, _ALL, "401/20003: as if the credentials were wrong"),
    (Effect.FORBIDDEN, _ALL, "403/20403: as if the key lacked the permission"),
    (Effect.NOT_FOUND, _ALL, "404/20404: as if the resource were gone"),
    (Effect.REDIRECT_307, _ALL, "307 to the same URL; not carried out (a client that follows sends it again)"),
    (Effect.BAD_PAGE_TOKEN, (Target.READ,), "400/21481 to a request with a PageToken, as if it had expired"),
)
#: Can strike before or after the request was carried out; reads have no such difference and take the plain word.
_EITHER: tuple[tuple[Effect, str], ...] = (
    (Effect.SERVER_ERROR, "500/20500"),
    (Effect.UNAVAILABLE, "503/20503"),
    (Effect.HTML_502, "502 with an HTML page, as an edge proxy answers"),
    (Effect.RESET, "the connection is reset (RST) without an answer"),
    (Effect.DISCONNECT, "the connection is closed (FIN) without an answer"),
    (Effect.HANG, "no answer until the client gives up"),
    (Effect.GARBAGE, "bytes that are not HTTP, then the end"),
)
#: Spoil the answer of a request that was carried out.
_SPOILED: tuple[tuple[Effect, tuple[Target, ...], str], ...] = (
    (Effect.SLOW, _ALL, "the answer comes slow_s seconds late"),
    (Effect.DRIP, _ALL, "the body comes one byte at a time and never ends"),
    (Effect.CUT_HEAD, _ALL, "the connection ends inside the headers"),
    (Effect.CUT_BODY, _ALL, "the connection ends before the announced length of the body"),
    (Effect.UNPARSABLE, _ALL, "the right status with a body that is not JSON"),
    (Effect.NO_SID, (Target.CREATE,), "the right status with a JSON body that has no sid"),
    (Effect.BAD_SID, (Target.CREATE, Target.READ), "the right answer, but for SIDs that are none (`FN/../…`)"),
    (Effect.OTHER_SID, (Target.CREATE,), "the right answer, but for the SID: another execution's"),
    (Effect.OTHER_TO, (Target.CREATE,), "the right answer, but about another contact's address"),
    (Effect.OTHER_FLOW, (Target.CREATE,), "the right answer, but about another flow"),
    (Effect.OTHER_ACCOUNT, (Target.CREATE,), "the right answer, but about another account"),
    (Effect.OTHER_CONTEXT, (Target.READ,), "to a Context that was asked for: another execution's"),
    (Effect.NO_META, (Target.READ,), "a list without its `meta`"),
    (Effect.EMPTY_LIST, (Target.READ,), "a list without its `meta` and with nothing in it"),
    (Effect.BAD_DATE, _ALL, "the right answer with a Date header that is no date, or one that no number holds"),
    (Effect.HUGE, _ALL, "the right answer, followed by spaces: huge_bytes long"),
    (Effect.SECOND_ANSWER, _ALL, "the right answer, and second_answer_s later the same again, unasked for"),
)
_SPOILED_WITH_AFTER = frozenset({Effect.SLOW, Effect.DRIP})


def _faults() -> Iterator[Fault]:
    for effect, targets, text in _INSTEAD:
        for target in targets:
            yield Fault(f"{target}{effect}", target, effect, False, text)
    for effect, text in _EITHER:
        yield Fault(f"{Target.READ}{effect}", Target.READ, effect, False, text)
        for target in _WRITES:
            yield Fault(f"{target}{effect}_before", target, effect, False, f"{text}; not carried out")
            yield Fault(f"{target}{effect}_after", target, effect, True, f"{text}; carried out")
    for effect, targets, text in _SPOILED:
        for target in targets:
            suffix = "_after" if effect in _SPOILED_WITH_AFTER and target is not Target.READ else ""
            yield Fault(f"{target}{effect}{suffix}", target, effect, True, text)
    yield Fault(
        "reset_late",
        Target.CREATE,
        Effect.RESET_LATE,
        False,
        "the connection is reset, and the execution appears late_s seconds after",
    )


#: Every fault by its name.
FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _faults()}
#: `500` for `500_before`, and so on.
ALIASES: Mapping[str, str] = {name.removesuffix("_before"): name for name in FAULTS if name.endswith("_before")}


def fault_named(name: str) -> Fault:
    """The fault of that name or alias. Raises SettingsError with the nearest names for any other."""
    fault = FAULTS.get(ALIASES.get(name, name))
    if fault is None:
        near = difflib.get_close_matches(name, [*FAULTS, *ALIASES], n=3)
        fix = f"did you mean {' or '.join(near)}? " if near else ""
        raise SettingsError("Unknown fault", found=name, fix=f"{fix}The faults are: {', '.join(sorted(FAULTS))}")
    return fault


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPhase:
    """A fault table and how long it holds: `for_s` seconds, `for_requests` requests that it could hit, or for good."""

    faults: Mapping[str, float]
    for_s: float | None = None
    for_requests: int | None = None

    def __post_init__(self) -> None:
        totals: Counter[Target] = Counter()
        for name, probability in self.faults.items():
            fault = fault_named(name)
            if isinstance(probability, bool) or not isinstance(probability, (int, float)):
                raise SettingsError(f"The probability of the fault {name} is not a number", found=repr(probability))
            if not 0 <= probability <= 1:
                raise SettingsError(
                    f"The probability of the fault {name} is not between 0 and 1",
                    found=f"{probability:g}",
                    fix="0.3 means three of ten requests",
                )
            totals[fault.target] += probability  # type: ignore[assignment]
        for target, total in totals.items():
            if total > 1 + 1e-9:
                kind = {Target.CREATE: "creates", Target.READ: "reads", Target.UPDATE: "updates"}[target]
                raise SettingsError(f"The fault probabilities for {kind} add up to more than 1", found=f"{total:g}")
        if self.for_s is not None and not (math.isfinite(self.for_s) and self.for_s > 0):
            raise SettingsError("for_s must be more than 0 seconds", found=f"{self.for_s:g}")
        if self.for_requests is not None and self.for_requests < 1:
            raise SettingsError("for_requests must be at least 1", found=str(self.for_requests))


def parse_fault(text: str) -> tuple[str, float]:
    """`"429=0.3"` as written on a command line → `("429", 0.3)`. Raises SettingsError."""
    name, equals, probability = text.partition("=")
    try:
        value = float(probability)
    except ValueError:
        value = math.nan
    if not equals or math.isnan(value):
        raise SettingsError("A fault is written NAME=PROBABILITY", found=text, fix=Option("fault", "429=0.3"))
    fault_named(name)
    return name, value


def parse_phases(payload: object) -> tuple[FaultPhase, ...]:
    """The JSON of `POST /_sandbox/faults` → phases. Raises SettingsError.

    `{"429": 1, "for_s": 60, "then": {"429": 0.5}}`: every request for a minute, then half of them, for good. After the
    last phase, if it has an end, there are no faults.
    """
    phases: list[FaultPhase] = []
    while payload is not None:
        if not isinstance(payload, dict):
            raise SettingsError("A fault table is a JSON object of name: probability", found=type(payload).__name__)
        rest: dict[str, Any] = dict(payload)
        then, for_s, for_requests = rest.pop("then", None), rest.pop("for_s", None), rest.pop("for_requests", None)
        if for_s is not None and (isinstance(for_s, bool) or not isinstance(for_s, (int, float))):
            raise SettingsError("for_s is a number of seconds", found=repr(for_s))
        if for_requests is not None and (isinstance(for_requests, bool) or not isinstance(for_requests, int)):
            raise SettingsError("for_requests is a whole number", found=repr(for_requests))
        if then is not None and for_s is None and for_requests is None:
            raise SettingsError("A fault table with `then` needs for_s or for_requests, or it never ends")
        phases.append(FaultPhase(faults=rest, for_s=for_s, for_requests=for_requests))
        payload = then
    return tuple(phases)


class FaultPlan:
    """Draws a fault, or none, for each request from seeded generators: the n-th create of two runs draws the same."""

    def __init__(self, seed: int) -> None:
        self._random = {target: random.Random(f"{seed}/faults/{target.name}") for target in Target}
        self._later: list[FaultPhase] = []
        self._ladders: dict[Target, list[tuple[float, Fault]]] = {}
        self._end_us: int | None = None
        self._requests_left: int | None = None
        self.injected: Counter[str] = Counter()  #: what struck; a request that the rate limit refuses suffers no other

    def replace(self, phases: Sequence[FaultPhase], now_us: int) -> None:
        """From now on these phases, one after the other, instead of whatever held."""
        self._later = list(phases)
        self._next_phase(now_us)

    def draw(self, target: Target, now_us: int) -> Fault | None:
        """The fault that this request suffers, if any. Each call draws one random number, faults or not."""
        drawn = self._random[target].random()
        while self._end_us is not None and now_us >= self._end_us:
            self._next_phase(self._end_us)
        if target not in self._ladders:
            return None
        hit = next((fault for limit, fault in self._ladders[target] if drawn < limit), None)
        if self._requests_left is not None:
            self._requests_left -= 1
            if self._requests_left == 0:
                self._next_phase(now_us)
        return hit

    def _next_phase(self, start_us: int) -> None:
        phase = self._later.pop(0) if self._later else FaultPhase(faults={})
        # A table without faults counts creates: `{"for_requests": 5, "then": …}` lets five through first.
        self._ladders = {} if phase.faults else {Target.CREATE: []}
        for name, probability in phase.faults.items():
            fault = fault_named(name)
            ladder = self._ladders.setdefault(fault.target, [])
            ladder.append(((ladder[-1][0] if ladder else 0.0) + probability, fault))
        self._end_us = None if phase.for_s is None else start_us + to_us(phase.for_s)
        self._requests_left = phase.for_requests
