"""Counts and addresses as a page shows them. Pure."""

from __future__ import annotations

import re

from dispatcher.model import contact_of, is_pseudonym

#: What stands for characters that are not shown; always as many, so that a name's length is not told either.
_HIDDEN = "•••"
_NUMBER = re.compile(r"\+([0-9]{4,20})", re.ASCII)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
#: The calling codes of one digit and of two (ITU-T E.164); all others have three.
_SHORT_CODES = frozenset(
    str(code)
    for code in (
        *(1, 7, 20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59)),
        *(*range(60, 67), 81, 82, 84, 86, *range(90, 96), 98),
    )
)
#: Of a number so many digits stay hidden, and so many at its end are shown.
_HIDDEN_DIGITS, _LAST_DIGITS = 5, 2
#: What may be a telephone number, however it is written; of it so much is enough to know the column by.
_LONG_DIGITS = re.compile(r"(?<![\d-])\+?(?!\d{4}-\d\d-\d\d(?!\d))\d(?:[\s()./\-\u00a0]{0,2}\d){6,}")
_SAMPLE_SHOWN = 6
_CHANNEL_NAMES = {"whatsapp": "WhatsApp", "sip": "SIP", "sips": "SIP", "rcs": "RCS", "sms": "SMS", "mms": "MMS"}


def number(n: int) -> str:
    """`1,234`."""
    return f"{n:,}"


def share(part: int, whole: int) -> str:
    """`33 %`; never 100 % while something is missing, nor 0 % of something. Of nothing: empty."""
    if whole <= 0:
        return ""
    percent = 100 * part // whole
    return "less than 1 %" if part > 0 and percent == 0 else f"{percent} %"


def rate(per_s: float) -> str:
    """`19.8 a second`, `1,000 a second`."""
    return f"{per_s:,.0f} a second" if per_s >= 100 else f"{per_s:.3g} a second"


def masked(address: str) -> str:
    """An address of a contact, most of it hidden: `+1 555 ••• ••34`, `WhatsApp +1 555 ••• ••34`, `client a•••`.

    A short number shows less; of who is forgotten nothing is shown, as nothing is known.
    """
    if is_pseudonym(address):
        return "forgotten"
    channel = address.partition(":")[0].lower() if contact_of(address) != address else ""
    shown = _contact(contact_of(address))
    return f"{_CHANNEL_NAMES.get(channel, channel)} {shown}" if channel else shown


def _contact(contact: str) -> str:
    found = _NUMBER.fullmatch(contact)
    if found is not None:
        return _number(found[1])
    if _DIGITS.fullmatch(contact):
        # A short code, or an id of a messenger: nobody's name begins it.
        return _HIDDEN + (contact[-_LAST_DIGITS:] if len(contact) >= _HIDDEN_DIGITS + _LAST_DIGITS else "")
    name, at, host = contact.partition("@")
    return f"{name[:1]}{_HIDDEN}" + (f"@{host[:1]}{_HIDDEN}" if at else "")


def _number(digits: str) -> str:
    code = next((digits[:n] for n in (1, 2) if digits[:n] in _SHORT_CODES), digits[:3])
    national = digits[len(code) :]
    first = national[: max(0, min(3, len(national) - _HIDDEN_DIGITS - _LAST_DIGITS))]
    last = national[-_LAST_DIGITS:] if len(national) >= _HIDDEN_DIGITS + _LAST_DIGITS else ""
    rest = "•" * (len(national) - len(first) - len(last)) + last
    groups = [f"+{code}"] + ([first] if first else [])
    while len(rest) > 4:
        groups.append(rest[:3])
        rest = rest[3:]
    return " ".join([*groups, rest]) if rest else " ".join(groups)


def sample(cell: str, most: int = 24) -> str:
    """A cell as an example of its column: long digits, which may be a number, are cut; `+12135…`."""
    return _LONG_DIGITS.sub(lambda found: f"{found[0][:_SAMPLE_SHOWN]}…", cell)[:most]


def masked_sid(sid: str) -> str:
    """An account's or an execution's SID by its last characters: `…4f2a`."""
    return f"…{sid[-4:]}" if sid else ""
