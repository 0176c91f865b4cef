"""The people at the other end: who answers what, how soon, and to whom nothing can be delivered; drawn by seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dispatcher.errors import SettingsError

T = TypeVar("T")

#: Delivery errors that a widget's context can show, with the status of the message that they end (Twilio's dictionary).
DELIVERY_ERRORS: Mapping[int, tuple[str, str]] = {
    21610: ("failed", "Attempt to send to unsubscribed recipient"),
    21614: ("failed", "To number is not a valid mobile number"),
    30003: ("undelivered", "Unreachable destination handset"),
    30004: ("undelivered", "Message blocked"),
    30005: ("undelivered", "Unknown destination handset"),
    30006: ("undelivered", "Landline or unreachable carrier"),
    30007: ("undelivered", "Carrier violation"),
    30008: ("undelivered", "Unknown error"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactScript:
    """How contacts behave. A contact behaves the same in every run with the same seed, in whatever order rows are sent.

    `replies`: text → share of the contacts who answer with it; the rest never answers. `replies_by_widget` replaces it
    for the widgets it names. `delivery_errors`: error code → share of the contacts whose messages all fail with it.
    """

    replies: Mapping[str, float] = field(
        default_factory=lambda: {"Yes": 0.5, "yes please": 0.1, "No": 0.15, "Who is this?": 0.05, "STOP": 0.02}
    )
    replies_by_widget: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    delivery_errors: Mapping[int, float] = field(default_factory=lambda: {30003: 0.02, 21610: 0.01, 30007: 0.01})
    reply_after_s: float = 20.0  #: mean; some answer at once, a few take many times as long (exponential)
    widget_s: float = 0.3  #: what a widget takes that does not wait for anyone
    speed: float = 1.0  #: how much faster than that, and than the flow's own timeouts, time passes in flows

    def __post_init__(self) -> None:
        for name, shares in {"replies": self.replies, **self.replies_by_widget}.items():
            _check_shares(f"The shares of {name}", shares.values())
        _check_shares("The shares of delivery_errors", self.delivery_errors.values())
        if unknown := set(self.delivery_errors) - set(DELIVERY_ERRORS):
            fix = f"one of {', '.join(map(str, DELIVERY_ERRORS))}"
            raise SettingsError("Unknown delivery error", found=str(min(unknown)), fix=fix)
        for name in ("reply_after_s", "widget_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise SettingsError(f"{name} must be at least 0", found=f"{getattr(self, name):g}")
        if not (math.isfinite(self.speed) and self.speed > 0):
            raise SettingsError("speed must be more than 0", found=f"{self.speed:g}")


class Contact:
    """One contact: a function of the seed and the address alone."""

    __slots__ = ("_address", "_script", "_seed")

    def __init__(self, script: ContactScript, seed: int, address: str) -> None:
        self._script = script
        self._seed = seed
        self._address = address

    def delivery_error(self) -> int | None:
        """Why no message reaches this contact, or None if messages do."""
        return _pick(self._script.delivery_errors, self._draw("delivery"))

    def reply(self, widget: str, visit: int) -> tuple[str, float] | None:
        """What the contact answers to a widget's n-th message, and after how many seconds of flow time; None: never."""
        replies = self._script.replies_by_widget.get(widget, self._script.replies)
        text = _pick(replies, self._draw("reply", widget, visit))
        if text is None:
            return None
        return text, -math.log(1.0 - self._draw("after", widget, visit)) * self._script.reply_after_s

    def _draw(self, *what: str | int) -> float:
        """Evenly from [0, 1); a hash rather than a generator, so that no draw depends on another having been made."""
        text = "\0".join(map(str, (self._seed, self._address, *what)))
        return (int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 11) / (1 << 53)


def _pick(shares: Mapping[T, float], drawn: float) -> T | None:
    for value, share in shares.items():
        drawn -= share
        if drawn < 0:
            return value
    return None


def _check_shares(what: str, shares: Collection[float]) -> None:
    if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 1 + 1e-9:
        raise SettingsError(f"{what} must be between 0 and 1, and not more than 1 together", found=f"{sum(shares):g}")
