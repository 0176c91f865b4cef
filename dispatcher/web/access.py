"""Who may do what: one table of roles and actions, asked by every page each time; an address is no permission.

A role may what the one before may. Pausing is a preparer's, too: whoever sees that something is wrong can stop it.
"""

from __future__ import annotations

import re
from enum import StrEnum

from dispatcher.errors import UsageError
from dispatcher.model import contact_of
from dispatcher.web.store.records import Role, User

#: After so long the password is typed once more before something is sent.
PASSWORD_FRESH_MS = 15 * 60_000
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_PUNCTUATION = str.maketrans("", "", " \u00a0\u202f\t-–.()/")


class Action(StrEnum):
    """What a person may ask of the page."""

    #: All campaigns with their counts, live and afterwards.
    look = "look"
    #: Upload a file, say which column is what, check every row (and download the bad ones), see what contacts get.
    prepare = "prepare"
    #: Send a test to one of one's own numbers.
    test = "test"
    #: Hold what is being sent.
    pause = "pause"
    #: Remove a draft, or an upload's bytes, of which nothing was sent.
    delete_draft = "delete_draft"
    #: Send a test to any number.
    test_anybody = "test_anybody"
    #: Launch now or later, and take a time back.
    send = "send"
    #: Go on with what is paused or held.
    go_on = "go_on"
    #: Stop for good, and take that back.
    stop = "stop"
    #: Look up rows that are in doubt.
    reconcile = "reconcile"
    #: End executions that were started.
    recall = "recall"
    #: Send refused rows once more.
    retry = "retry"
    #: Download what became of each contact.
    download = "download"
    #: Remove the bytes of a file that was sent.
    delete_file = "delete_file"
    #: Read and download the history.
    history = "history"
    #: Add people, change what they may, sign them out.
    people = "people"
    #: Look at the server's health.
    health = "health"


#: The role from which on.
NEEDS: dict[Action, Role] = {
    Action.look: Role.viewer,
    Action.prepare: Role.preparer,
    Action.test: Role.preparer,
    Action.pause: Role.preparer,
    Action.delete_draft: Role.preparer,
    Action.test_anybody: Role.sender,
    Action.send: Role.sender,
    Action.go_on: Role.sender,
    Action.stop: Role.sender,
    Action.reconcile: Role.sender,
    Action.recall: Role.sender,
    Action.retry: Role.sender,
    Action.download: Role.sender,
    Action.delete_file: Role.sender,
    Action.history: Role.sender,
    Action.people: Role.sender,
    Action.health: Role.sender,
}
_ORDER = tuple(Role)


def may(role: Role, action: Action) -> bool:
    """Whether somebody of this role may."""
    return _ORDER.index(role) >= _ORDER.index(NEEDS[action])


def may_test(user: User | None, address: str) -> bool:
    """Whether this person may send a test there: a preparer to own numbers alone, or the page sent anybody anything.

    None: the one person of a page that is this machine's alone, who may all.
    """
    if user is None or may(user.role, Action.test_anybody):
        return True
    return may(user.role, Action.test) and contact_of(address.translate(_PUNCTUATION)) in user.own_numbers


def needs_password(user: User | None, password_at_ms: int | None, *, now_ms: int) -> bool:
    """Whether the password is to be typed once more before a launch: somebody else may sit there by now.

    Never of the one person without a password, on this machine alone.
    """
    if user is None:
        return False
    # A clock that was set back does not make an old password fresh.
    return password_at_ms is None or not 0 <= now_ms - password_at_ms < PASSWORD_FRESH_MS


def own_number(text: str) -> str:
    """A person's own number in E.164 form. Raises: UsageError: no country, or no number."""
    number = text.strip().translate(_PUNCTUATION)
    if not _NUMBER.fullmatch(number):
        raise UsageError(
            "a number begins with + and the country, such as +15550001111",
            found=text.strip() or "nothing",
            fix="write it so",
        )
    return number


def own_numbers(texts: list[str]) -> tuple[str, ...]:
    """Several of them, each once, in order. Raises: UsageError."""
    return tuple(dict.fromkeys(own_number(text) for text in texts))
