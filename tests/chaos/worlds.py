"""What Studio, the network and the people with the files may do while the kill loop runs: drawn at random.

A world holds while one campaign is sent. Those marked `proves_nothing` show answers, lists or clocks that a program may
take for proof and must not.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dispatcher.sandbox.settings import CHANGEABLE, SandboxSettings

HOUR_S = 3600.0
T = TypeVar("T")

#: Shares of the requests that go wrong in every world, before and after they are carried out.
FAULTS: Mapping[str, float] = {
    "reset_after": 0.02,
    "reset_before": 0.01,
    "disconnect_after": 0.01,
    "500_after": 0.02,
    "500_before": 0.01,
    "cut_body": 0.01,
    "hang_after": 0.005,
    "hang_before": 0.005,
    "429": 0.02,
    "read_429": 0.02,
    "read_500": 0.02,
    "read_reset": 0.02,
}


@dataclass(frozen=True, kw_only=True)
class World:
    """Settings of the sandbox, shares of faults beside the usual ones, and what else happens meanwhile."""

    name: str
    settings: Mapping[str, float | str] = field(default_factory=dict)
    faults: Mapping[str, float] = field(default_factory=dict)
    #: The server's clock jumps to one of these between two lives of the program.
    jumps_s: tuple[float, ...] = ()
    #: The machine's own clock is off by one of these, another in each life.
    clocks_s: tuple[float, ...] = ()
    #: Other programs, and the contacts themselves, begin executions.
    others: bool = False
    #: The account is spelled another way in each life.
    spellings: bool = False
    #: Hours hold (all day long), there is a cap that nobody comes to, some of the people are on a suppression list, and
    #: some were reached on another flow as often as the cool-off allows. Where nothing tells a wrong time, most
    #: campaigns have a deadline that comes while they are sent; the others have one tomorrow.
    rules: bool = False
    proves_nothing: bool = True

    @property
    def list_lag_s(self) -> float:
        return float(self.settings.get("list_lag_s", 0.0))


PLAIN = World(name="plain", proves_nothing=False)
WORLDS = (
    PLAIN,
    World(name="late lists", settings={"list_lag_s": 0.15}, proves_nothing=False),
    # Longer than settle_s. What is sent again meets the one that is hidden: where it has ended, nothing can tell. So
    # it lives longer than a busy machine lets the program stand still between a claim and its request.
    World(name="very late lists", settings={"list_lag_s": 1.0, "ends_after_s": 8.0}),
    World(name="late contexts", settings={"context_lag_s": 1.0, "ends_after_s": 1.5}),
    World(name="hidden addresses", settings={"null_address_share": 0.4}),
    World(name="bare conflicts", settings={"bare_conflict_share": 0.7, "ends_after_s": 1.5}),
    World(name="a clock ahead", settings={"clock_skew_s": 11.0}),
    World(name="a clock behind", settings={"clock_skew_s": -HOUR_S}),
    World(name="a clock that jumps", jumps_s=(0.0, 12.0, -9.0, HOUR_S)),
    World(name="a Date header ahead", settings={"date_header_skew_s": 12.0}),
    World(name="a Date header behind", settings={"date_header_skew_s": -12.0}),
    World(name="dates ahead", settings={"date_created_skew_s": 12.0}),
    World(name="dates behind", settings={"date_created_skew_s": -12.0}),
    World(name="our clock jumps", clocks_s=(0.0, 3.0, -3.0, HOUR_S, -HOUR_S)),
    World(name="wrong SIDs", faults={"bad_sid": 0.03, "no_sid": 0.02, "read_bad_sid": 0.05}),
    World(name="somebody else", faults={"other_to": 0.03, "other_flow": 0.02, "other_account": 0.02}),
    World(name="contexts astray", faults={"read_other_context": 0.2}),
    World(name="lists that are none", faults={"read_no_meta": 0.1, "read_empty_list": 0.1}),
    World(name="odd headers", faults={"bad_date": 0.05, "read_bad_date": 0.1, "bad_retry_after": 0.005}),
    World(name="huge and doubled answers", faults={"huge": 0.01, "second_answer": 0.03, "read_second_answer": 0.05}),
    World(name="other programs", others=True),
    World(name="other programs, older answers", settings={"initiated_by": "missing"}, others=True),
    World(name="many spellings", spellings=True),
    World(name="the rules of a campaign", rules=True, proves_nothing=False),
)


def is_suppressed(contact: str) -> bool:
    """Whether a contact is on the list, in a world with rules: one in ten."""
    return contact.endswith("7")


def is_cooled(contact: str) -> bool:
    """Whether a contact was reached on another flow before, in a world with rules: one in ten."""
    return contact.endswith("3")


class Deck(Generic[T]):
    """Cards in the order that chance says, shuffled anew when all have been drawn: a loop sees each of them."""

    def __init__(self, chance: random.Random, cards: Sequence[T]) -> None:
        self._chance = chance
        self._cards = cards
        self._left: list[T] = []

    def draw(self) -> T:
        if not self._left:
            self._left = self._chance.sample(self._cards, len(self._cards))
        return self._left.pop()


def deck(chance: random.Random, worlds: str) -> Deck[World]:
    """Of `all`: each alone, and as many pairs; else the one of that name. Raises: KeyError where there is none."""
    if worlds != "all":
        return Deck(chance, [{world.name: world for world in WORLDS}[worlds]])
    pairs = [joined(*chance.sample(WORLDS, 2)) for _ in range(len(WORLDS) // 2)]
    return Deck(chance, [*WORLDS, *pairs])


def joined(one: World, other: World) -> World:
    """Both at once; where they set the same thing, the second one's."""
    return World(
        name=f"{one.name} + {other.name}",
        settings={**one.settings, **other.settings},
        faults={**one.faults, **other.faults},
        jumps_s=one.jumps_s or other.jumps_s,
        clocks_s=one.clocks_s or other.clocks_s,
        others=one.others or other.others,
        spellings=one.spellings or other.spellings,
        rules=one.rules or other.rules,
        proves_nothing=one.proves_nothing or other.proves_nothing,
    )


def settings_of(world: World, usual: SandboxSettings) -> dict[str, object]:
    """Everything that can be changed, as it is in this world."""
    return {name: world.settings.get(name, getattr(usual, name)) for name in CHANGEABLE}


#: How the same people come again: nobody may be reached twice, whatever the file is called.
WAYS = (
    "another name",
    "another folder",
    "another ledger",
    "the report",
    "another key",
    "another spelling",
)
