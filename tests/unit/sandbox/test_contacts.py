"""The people at the other end."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.errors import SettingsError
from dispatcher.sandbox.contacts import Contact, ContactScript

SCRIPT = ContactScript(replies={"Yes": 0.5, "No": 0.2}, delivery_errors={21610: 0.1}, reply_after_s=10)
ADDRESSES = [f"+1555{n:07}" for n in range(5_000)]


def test_shares_of_replies() -> None:
    """Contacts reply in the shares and after the mean time that the script says, and the rest never answer."""
    replies = [Contact(SCRIPT, 1, address).reply("ask", 1) for address in ADDRESSES]
    texts = [reply[0] if reply else None for reply in replies]
    assert texts.count("Yes") == pytest.approx(2_500, rel=0.06)
    assert texts.count("No") == pytest.approx(1_000, rel=0.1)
    assert texts.count(None) == pytest.approx(1_500, rel=0.1)
    times = [reply[1] for reply in replies if reply]
    assert sum(times) / len(times) == pytest.approx(10, rel=0.1)
    assert min(times) >= 0


def test_the_share_of_delivery_errors() -> None:
    """Delivery errors strike the share of the contacts that the script says."""
    errors = [Contact(SCRIPT, 1, address).delivery_error() for address in ADDRESSES]
    assert errors.count(21610) == pytest.approx(500, rel=0.15)
    assert set(errors) == {None, 21610}


def test_a_contact_s_behaviour_repeats() -> None:
    """A contact behaves the same whenever it is asked, and differently with another seed."""

    def behaviour(seed: int) -> list[Any]:
        return [Contact(SCRIPT, seed, address).reply("ask", 1) for address in ADDRESSES[:50]]

    assert behaviour(1) == behaviour(1)
    assert behaviour(1) != behaviour(2)


def test_a_widget_can_have_answers_of_its_own() -> None:
    script = ContactScript(replies={"Yes": 1}, replies_by_widget={"rate": {"5": 1}})
    reply = Contact(script, 0, "+1").reply("rate", 1)
    assert reply is not None
    assert reply[0] == "5"


@pytest.mark.parametrize(
    "changed",
    [
        {"replies": {"Yes": 0.9, "No": 0.2}},
        {"replies": {"Yes": -0.1}},
        {"replies_by_widget": {"ask": {"Yes": 1.1}}},
        {"delivery_errors": {99999: 0.1}},
        {"delivery_errors": {21610: 2}},
        {"reply_after_s": -1},
        {"speed": 0},
    ],
)
def test_a_script_that_makes_no_sense_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        ContactScript(**changed)
