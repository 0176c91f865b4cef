"""What Twilio's answers mean and what to do about them: one table by error code, one by HTTP status. Pure.

The codes are Twilio's; what they stand for is in its error dictionary (twilio.com/docs/api/errors) and, for Studio's
own answers, in its API documentation. The sentences are ours. They begin with a letter and hold no line break, flag,
command or name of a setting, so that they may stand in any table or page as they are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explained:
    """What an error code means, and what the person with the spreadsheet does about it."""

    meaning: str
    advice: str


_RECONCILE = "Reconcile the campaign: that finds out what was created."
_SETUP = "Ask whoever looks after the Twilio account"
_OPTED_OUT = "Take the contact off the list; only their own START lets messages through again."
_BAD_NUMBER = "Correct the phone number or take the contact off the list."
_LATER = "Try the contact again later."
_FLOW_LIMIT = "Make the flow smaller: with its subflows it may have 2,000 widgets."
_SLOWER = "Send more slowly, or from more numbers, and try the contact again later."

#: By Twilio error code: answers to the create request first, then what shows up later inside an execution.
CODES: dict[int, Explained] = {
    # The request itself
    20001: Explained("a required parameter is missing or wrong", "Correct the row (see the message) and run again."),
    20003: Explained("the credentials were refused", f"{_SETUP} to check the API key; then resume the campaign."),
    20004: Explained("the request's method is not allowed", "Check the host and the API version in the settings."),
    20005: Explained("the account is not active", f"{_SETUP} to activate it; then resume the campaign."),
    20008: Explained("test credentials cannot do this", "Use live credentials, then resume the campaign."),
    20403: Explained("the account may not do this", f"{_SETUP} to check its state; then resume the campaign."),
    20404: Explained("the flow was not found in this account", "Check the flow and the account, then resume."),
    20409: Explained(
        "the contact has another active execution",
        "Wait until that one has ended, then retry the busy rows; a run can also wait by itself.",
    ),
    20422: Explained("a value has the wrong form", "Correct the row (see the message) and run again."),
    20429: Explained("too many requests at once", "Nothing was created; the row is sent again by itself."),
    20500: Explained("Twilio had an internal error", _RECONCILE),
    20503: Explained("Twilio was unavailable", _RECONCILE),
    70051: Explained("the API key lacks a permission", f"{_SETUP} to allow Studio executions for it; then resume."),
    81023: Explained("To and From together are too long", "Shorten them: together they may have 300 bytes."),
    # Addresses
    21211: Explained("the phone number is not valid", f"{_BAD_NUMBER} Then run again."),
    21212: Explained("the sender is not valid", "Use a number or Messaging Service of the account as sender."),
    21217: Explained("the phone number does not seem to be valid", f"{_BAD_NUMBER} Then run again."),
    21214: Explained("the phone number cannot be reached", _BAD_NUMBER),
    21215: Explained("calls to this country are not permitted", f"{_SETUP} to allow the country for calls."),
    21219: Explained("a trial account may not call this number", "Verify the number in the Console, or upgrade."),
    21408: Explained("messages to this country are not permitted", f"{_SETUP} to allow the country for messages."),
    21601: Explained("the sender cannot send SMS", "Use a sender that can."),
    21606: Explained("the sender cannot message this number", "Use a sender that can."),
    21608: Explained("a trial account may not message this number", "Verify the number in the Console, or upgrade."),
    21610: Explained("the contact has opted out", _OPTED_OUT),
    21611: Explained("the sender's queue is full", _SLOWER),
    21612: Explained("the number cannot be reached from this sender", "Use another sender for this contact."),
    21614: Explained("the number is not a mobile number", "Use a mobile number for this contact."),
    21703: Explained("the Messaging Service has no sender", f"{_SETUP} to add a number to the Messaging Service."),
    # Delivery
    30001: Explained("the sender's queue is full", _SLOWER),
    30003: Explained("the handset was unreachable", _LATER),
    30004: Explained("the message was blocked", "Take the contact off the list: number or carrier refuses messages."),
    30005: Explained("the number is unknown", _BAD_NUMBER),
    30006: Explained("the number is a landline or its carrier takes no messages", "Use a mobile number instead."),
    30007: Explained(
        "a carrier filtered the message", "Change the text: no short links, say who sends and how to stop."
    ),
    30008: Explained("delivery failed for an unknown reason", _LATER),
    30022: Explained("the registered brand's rate was exceeded", _SLOWER),
    30023: Explained("the registered brand's daily cap was reached", "Try the contact again tomorrow."),
    30027: Explained("a carrier's daily cap was reached", "Try the contact again tomorrow."),
    30032: Explained("the toll-free number is not verified", f"{_SETUP} to verify it."),
    30034: Explained("the sender is not registered for US messages", f"{_SETUP} to register it (A2P 10DLC)."),
    63016: Explained("WhatsApp allows only templates now", "Let the flow begin with an approved template."),
    63018: Explained("WhatsApp's rate was exceeded", _SLOWER),
    10004: Explained("too many calls at once", "Send more slowly; try the contact again later."),
    # The flow
    81000: Explained("the execution took more than 1,000 steps", "Look for a loop in the flow."),
    81001: Explained("the execution came to one widget too often", "Look for a loop in the flow."),
    81002: Explained(
        "an event came that the flow did not expect", "Check whether the contact was in another execution."
    ),
    81008: Explained("the outgoing call failed", "Look at the call's own error in the Console."),
    81010: Explained("a Function failed", "Look at the Function's log."),
    81011: Explained("a message could not be sent", "Look at the message's own error in the Console."),
    81016: Explained("an HTTP request of the flow failed", "Look at the address that the flow's widget calls."),
    81017: Explained("a Function failed", "Look at the Function's log."),
    81018: Explained("a Liquid expression of the flow failed", "Correct the expression in the flow."),
    81020: Explained("the flow has no transition for REST calls", "Connect the trigger's REST API exit and publish."),
    81024: Explained("a limit of the flow or its subflows was reached", _FLOW_LIMIT),
    81025: Explained("a limit of the flow or its subflows was reached", _FLOW_LIMIT),
    81026: Explained("a limit of the flow or its subflows was reached", _FLOW_LIMIT),
}

_BY_HTTP_STATUS: dict[int, str] = {
    400: "Correct the row (see the message) and run again.",
    401: CODES[20003].advice,
    403: CODES[20403].advice,
    404: CODES[20404].advice,
    405: CODES[20004].advice,
    413: "Send fewer or shorter columns as parameters.",
    422: CODES[20422].advice,
}


def answer_advice(http_status: int | None, error_code: int | None) -> str | None:
    """One sentence: what to do after this answer, by its code or else its status; None where neither is known."""
    if error_code in CODES:
        return CODES[error_code].advice
    return _BY_HTTP_STATUS.get(http_status) if http_status is not None else None


def meaning(error_code: int) -> str | None:
    """What a Twilio error code says, in a few words; None for one that the table does not hold."""
    explained = CODES.get(error_code)
    return explained.meaning if explained else None
