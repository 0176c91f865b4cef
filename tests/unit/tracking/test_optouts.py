"""What of an execution's context says that its contact wants nothing any more."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.settings import OPT_OUT_WORDS
from dispatcher.studio.definition import read_definition
from dispatcher.tracking.context_values import widget_errors
from dispatcher.tracking.optouts import opted_out

WORDS = [*OPT_OUT_WORDS, "cancel", "Ende"]


def context(**inbound: Any) -> dict[str, Any]:
    return {"widgets": {"hello": {"outbound": {"Body": "STOP"}}, "ask": {"inbound": inbound}}, "flow": {}}


def told(of: dict[str, Any], compared: str | None = None) -> str | None:
    """`compared`: what a widget of the flow compares a reply with."""
    conditions = [{"type": "matches_any_of", "value": compared}]
    states = [
        {"name": "split", "type": "split-based-on", "transitions": [{"event": "match", "conditions": conditions}]}
    ]
    flow = read_definition({"states": states}) if compared is not None else None
    return opted_out(of, widget_errors(of), WORDS, flow)


@pytest.mark.parametrize(
    "reply", ["STOP", "stop", " Stop. ", "“STOP”", "stopall", "Unsubscribe!", "OPTOUT", "revoke", "ende"]
)
def test_an_opt_out_word_as_the_whole_reply(reply: str) -> None:
    """In any case, and with what people put around it."""
    assert (told(context(Body=reply)) or "").startswith("the reply was ")


@pytest.mark.parametrize("reply", ["stop by at ten", "please STOP", "no", "", "END", "QUIT", "arrête", None, 5])
def test_anything_else_is_no_opt_out(reply: Any) -> None:
    """A word among others, and words that are not named."""
    assert told(context(Body=reply)) is None


def test_what_twilio_says_itself() -> None:
    """Its own mark of an opt-out, and its refusal of a message to whom it knows to have opted out."""
    assert told(context(Body="laissez-moi", OptOutType="STOP")) == "the reply was an opt-out"
    assert told(context(Body="START", OptOutType="START")) is None
    assert told({"widgets": {"hello": {"ErrorCode": "21610"}}}) == "Twilio refused a message: 21610"
    assert told({"widgets": {"hello": {"ErrorCode": "30003"}}}) is None


@pytest.mark.parametrize("compared", ["CANCEL", "confirm, Cancel"])
def test_a_word_that_the_flow_asks_for(compared: str) -> None:
    """CONFIRM or CANCEL is an appointment's reminder; STOP is an opt-out whatever the flow makes of it."""
    assert told(context(Body="cancel")) == "the reply was CANCEL"
    assert told(context(Body="cancel"), compared) is None
    assert told(context(Body="cancel"), "YES") == "the reply was CANCEL"
    assert told(context(Body="stop"), f"{compared}, STOP") == "the reply was STOP"


@pytest.mark.parametrize(
    "odd", [{}, {"widgets": None}, {"widgets": []}, {"widgets": {"a": "STOP", "b": {"inbound": "STOP"}}}]
)
def test_an_odd_context_says_nothing(odd: dict[str, Any]) -> None:
    """Whatever is in it."""
    assert told(odd) is None


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize("reply", ["", " ", "!", "..."])
def test_a_blank_word_is_none(blank: str, reply: str) -> None:
    """A blank among the words does not make an opt-out of a reply without one."""
    assert opted_out(context(Body=reply), (), [blank], None) is None
