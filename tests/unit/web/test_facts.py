"""What sending would do, in labels and values, and what a person should stop at."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.campaign.estimate import Estimate
from dispatcher.campaign.outlook import Outlook
from dispatcher.campaign.prospect import End, Prospect, Queued
from dispatcher.campaign.timing import Waiting, WaitsFor
from dispatcher.ledger.records import LedgerPlace
from dispatcher.model import Reason
from dispatcher.settings import Settings
from dispatcher.web.facts import WAITING_SHOWN, ahead_facts, warnings

NOW = 1_795_788_180_000  # 14:03 UTC on 27 November 2026
HOUR, DAY = 3_600_000, 86_400_000
BERLIN = "Europe/Berlin"


def facts(
    *,
    waiting: list[Waiting] | None = None,
    prospect: Prospect | None = None,
    settings: dict[str, Any] | None = None,
    **ahead: Any,
) -> list[tuple[str, str]]:
    """Without those that are always there."""
    place = LedgerPlace(location="", since_ms=None)
    given = {"planned": 0, "unresolved": 0, "limit": None, "duration_s": 61.7, "ledger": place, **ahead}
    tables: dict[str, Any] = {"hours": {"mode": "off"}, "canary": {"rows": 0}, **(settings or {})}
    found = ahead_facts(
        Outlook(**given),
        waiting or [],
        prospect,
        Settings.model_validate(tables),
        account_sid="AC" + "0" * 28 + "4f2a",
        flow="Reminder",
        zone=BERLIN,
        now_ms=NOW,
    )
    assert [name for name, _ in found[:3]] == ["Flow", "From", "Account"]
    assert (found[0][1], found[2][1]) == ("Reminder", "…4f2a")
    return found[3:]


OFF = ("Hours", "not kept: they are switched off here")
TAKES = ("Takes", "about 1 min 2 s at 20 a second")


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        ({}, [OFF]),
        ({"planned": 1_234}, [TAKES, OFF]),
        ({"planned": 5, "limit": 0}, [OFF]),
        ({"unresolved": 1}, [TAKES, ("In doubt", "1 row is looked up first"), OFF]),
        ({"contacted": 1_000}, [("Left out", "1,000 contacts were reached a short time ago"), OFF]),
        ({"suppressed": 1}, [("Left out", "1 contact on a list of those who must not be reached"), OFF]),
        ({"cooled_off": 2}, [("Left out", "2 contacts reached as often as is allowed"), OFF]),
        ({"settings": {"canary": {"rows": 5}}}, [OFF, ("First", "5 contacts, then a look at what became of them")]),
    ],
)  # fmt: skip
def test_who_is_reached_and_who_is_not(ahead: dict[str, Any], told: list[tuple[str, str]]) -> None:
    """How long it takes where something is sent, and each way in which planned rows are left out."""
    rate = {"rate": {"per_second": 20, "headroom": 0.1}}
    assert facts(**{**ahead, "settings": {**rate, **ahead.get("settings", {})}}) == told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"hours": {"mode": "wait"}}, "kept: whoever has night waits for the morning"),
        ({"hours": {"mode": "warn"}}, "not kept; 3 contacts have night now"),
        ({"hours": {"mode": "off"}}, "not kept: they are switched off here"),
        ({"campaign": {"purpose": "transactional"}, "hours": {"mode": "wait"}}, "not kept: it is no marketing"),
    ],
)
def test_what_the_hours_do(settings: dict[str, Any], told: str) -> None:
    """Whether they are kept, and why not; where they only warn, nobody waits for them."""
    night = Waiting(rows=3, until_ms=NOW + 17 * HOUR, zone="America/New_York", why=WaitsFor.hours)
    own = Waiting(rows=1, until_ms=NOW + HOUR, zone=None, why=WaitsFor.row)
    found = facts(waiting=[night, own], settings=settings)
    assert found[0] == ("Hours", told)
    waits = [value for name, value in found if name == "Wait"]
    if "night now" not in told:
        assert waits.pop(0) == "3 contacts until tomorrow 02:03 in New York"
    assert waits == ["1 contact until today 16:03 (their own time)"]


def test_of_many_waits_the_first_are_told() -> None:
    """The others in one line; each reason has words."""
    waits = [Waiting(rows=1_000, until_ms=NOW + n * DAY, zone=None, why=WaitsFor.cap) for n in range(1, 10)]
    told = [value for name, value in facts(waiting=waits) if name == "Wait"]
    assert len(told) == WAITING_SHOWN + 1
    assert told[0] == "1,000 contacts until tomorrow 15:03 (enough for today)"
    assert told[-1] == "3,000 contacts later"
    for why in WaitsFor:
        (one,) = [value for _, value in facts(waiting=[Waiting(rows=1, until_ms=NOW, zone=None, why=why)])[1:]]
        assert one.endswith(")") is (why is not WaitsFor.hours)


def ahead(*, left_out: dict[Reason, int] | None = None, more: dict[str, Any] | None = None, **of: Any) -> Prospect:
    """What becomes of a hundred rows."""
    rows = {"rows": 100, "open_now": 100, "held_back": 0, "closing": None, "over": 0, "over_at": None}
    estimate = Estimate(**{**rows, "expired": 0, "capped": False, "done_ms": NOW + HOUR, **of})
    return Prospect(**{"estimate": estimate, "closing": None, "zone": None, "left_out": left_out or {}, **(more or {})})


@pytest.mark.parametrize(
    ("prospect", "told"),
    [
        (ahead(), []),
        (ahead(open_now=40), [("Done", "today 16:03 (Berlin), at the earliest")]),
        (ahead(capped=True, done_ms=NOW + DAY), [("Done", "tomorrow 15:03 (Berlin), at the earliest")]),
        (ahead(done_ms=None), [("Done", "not within two months, at this rate")]),
        (ahead(rows=0, open_now=0, done_ms=None), []),
        (
            ahead(expired=1, left_out={Reason.expired: 1, Reason.cancelled: 2}),
            [
                ("Too late", "2 contacts are left out: the end comes before their turn"),
                ("Left out", "2 contacts: "),
            ],
        ),
        (
            ahead(held_back=60, more={"closing": End(at_ms=NOW + HOUR, zone="Asia/Tokyo"), "zone": "Asia/Tokyo"}),
            [
                ("Today", "40 before night, the first places close at tomorrow 00:03"),
                ("Done", "tomorrow 00:03 (Tokyo), at the earliest"),
            ],
        ),
    ],
)
def test_what_is_foreseen(prospect: Prospect, told: list[tuple[str, str]]) -> None:
    """When it is done where that is not at once, in the zone of the most; and who comes too late."""
    found = facts(prospect=prospect)[1:]
    assert [name for name, _ in found] == [name for name, _ in told]
    assert all(value.startswith(said) for (_, value), (_, said) in zip(found, told, strict=True))


@pytest.mark.parametrize(
    ("missed_ms", "ago"),
    [(60_000, "1 min"), (65 * 60_000, "1 h 5 min"), (3 * DAY, "3 days"), (20_000, "20 s")],
)
def test_what_a_person_should_stop_at(missed_ms: int, ago: str) -> None:
    """No test, a start that was missed, messages that would arrive at night; nothing where all is well."""
    assert warnings(None, tested=True) == warnings(ahead(), tested=True) == []
    assert [one.title for one in warnings(None, tested=False)] == ["No test was sent"]
    late = Queued(sender="+12025550123", rows=1_500, closing=End(at_ms=NOW, zone=None))
    missed, night = warnings(ahead(more={"missed_ms": missed_ms, "queued": late}), tested=True)
    assert missed.text == f"All contacts should have been begun {ago} ago."
    assert "1,500 messages would still wait" in night.text
