"""A cell's text -> the address that Studio is given (E.164, client:, whatsapp:, SIP, MG…), or why there is none.

The safe answer to a number that is not certain is a refusal with its reason: a guessed digit texts a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import pairwise

import phonenumbers

from dispatcher.intake import patterns
from dispatcher.intake.spellings import (
    PUNCTUATION,
    clean,
    is_date,
    is_nothing,
    is_sheet_error,
    mangling,
    obstacle,
    shown,
)
from dispatcher.model import Reason, Refusal

Fullmatch = Callable[[str], re.Match[str] | None]

#: Studio's bound on To and From together, error 81023.
ADDRESSES_MAX_BYTES = 300

#: What plain national numbers start with; and besides digits they hold only `()- `, not dots: "15551234567.0".
_PLAIN_START = frozenset("(0123456789")
_BETWEEN_NUMBERS = re.compile(r"[/,;|&\n\r]|\bor\b|\band\b|\bund\b|\bou\b|\bet\b", re.IGNORECASE)
#: A part of a cell with fewer digits is no number by itself, whatever numbering plans say of short ones.
_WHOLE_DIGITS = 7
#: So few digits after a slash are the end of a second number, instead of its end the first one's.
_END_DIGITS = 3
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_SHORT_CODE = re.compile(r"\d{5,6}", re.ASCII)
_SIP = re.compile(
    r"(sips?:)?([^\s@:;<>\"]+(?::[^\s@;<>\"]+)?)@([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?([;?][^\s@]*)?",
    re.IGNORECASE,
)
_CLIENT = re.compile(r"client:\S+", re.IGNORECASE)
#: Schemes of SIP, which need not be written; `tel:` is a number's (RFC 3966).
_SIP_SCHEMES = ("sip", "sips")
_TEL = re.compile(r"tel:(?://)?([^;]+)(;.*)?", re.IGNORECASE)
#: What is dialled before a country code, in most countries, in North America, in Australia.
_DIALLED = ("00", "011", "0011")
_OPTIONAL_ZERO = re.compile(r"(\d[\s./\-]*)\(\s*0\s*\)", re.ASCII)


class Addresses:
    """Reads addresses for one region."""

    def __init__(self, region: str | None) -> None:
        """`region`: the two-letter country of numbers without country code; None: such numbers are refused.

        Raises: ValueError: phonenumbers knows no such region.
        """
        if region is not None:
            region = region.upper()
            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError(region)
        self.region = region
        self._calling_code = str(phonenumbers.country_code_for_region(region)) if region else ""
        self._optional_trunk = patterns.has_optional_trunk(region) if region else False
        self._usual_digits = patterns.usual_digits(region) if region else frozenset()
        # Not in North America, where 1 is what one dials before a number of the country itself.
        self._code_is_trunk = region is not None and patterns.trunk_of(region) == self._calling_code
        #: The number's first three digits -> the matcher of its calling code; filled as codes are met.
        self._international: dict[str, Fullmatch] = {}

    @cached_property
    def _national(self) -> Fullmatch:
        """The region's matcher; made when a number without a plus is met: some take a tenth of a second."""
        pattern = patterns.national_pattern(self.region) if self.region else None
        return pattern.fullmatch if pattern else _never

    def read_column(self, texts: Iterable[str]) -> tuple[list[str | None], dict[int, Refusal]]:
        """The addresses of a column, None where there is none, and the refusals by position."""
        addresses: list[str | None] = []
        refusals: dict[int, Refusal] = {}
        append, international, national, read = addresses.append, self._international, self._read_national, self.read
        usual: Fullmatch = _never
        for position, text in enumerate(texts):
            if usual(text):
                append(text)
                continue
            match = international.get(text[1:4], _never)
            if match(text):
                usual = match
                append(text)
                continue
            answer: str | Refusal | None = None
            if text[:1] in _PLAIN_START and not ("-" in text and is_date(text)):
                answer = national(text.replace("-", "").replace(" ", "").replace("(", "").replace(")", ""))
            answer = answer or read(text)
            if isinstance(answer, Refusal):
                refusals[position] = answer
                append(None)
            else:
                append(answer)
        return addresses, refusals

    def read(self, text: str) -> str | Refusal:
        """One contact's address, normalised: numbers as E.164, `whatsapp:` with E.164, the rest as written."""
        text = clean(text)
        if is_nothing(text):
            return Refusal(Reason.to_missing, f"{shown(text)} is no number" if text else "the cell is empty")
        if (":" in text or "@" in text) and not is_sheet_error(text):
            return self._read_identifier(text)
        return self._read_number(text)

    def read_sender(self, text: str) -> str | Refusal:
        """One sender: an address as `read` takes it, a Messaging Service SID, or a short code."""
        cleaned = clean(text)
        if is_nothing(cleaned):
            return Refusal(Reason.from_missing, "no sender is given")
        if cleaned[:2] == "MG" and not cleaned[2:3].isspace():
            if _SERVICE.fullmatch(cleaned):
                return cleaned
            return Refusal(
                Reason.from_invalid, f"{shown(cleaned)} is no Messaging Service SID: it is MG and 32 hex digits"
            )
        # The sender is the account's own: Twilio knows it, and a numbering plan need not (test numbers, new ranges).
        if _SHORT_CODE.fullmatch(cleaned) or _E164.fullmatch(cleaned):
            return cleaned
        answer = self.read(cleaned)
        if isinstance(answer, Refusal):
            return Refusal(Reason.from_invalid, answer.sentence)
        return answer

    def _read_identifier(self, text: str) -> str | Refusal:
        scheme, colon, rest = text.partition(":")
        kind = scheme.strip().lower() if colon else ""
        if kind == "whatsapp":
            number = self._read_number(clean(rest)) if rest.strip() else None
            if number is None:
                return Refusal(Reason.to_invalid, "whatsapp: is not followed by a number")
            return number if isinstance(number, Refusal) else f"whatsapp:{number}"
        if kind == "client":
            if _CLIENT.fullmatch(text):
                return f"client:{rest}"
            return Refusal(Reason.to_invalid, "client: must be followed by a name without spaces")
        tel = _TEL.fullmatch(text)
        if tel and ";ext=" in (tel[2] or "").lower():
            return Refusal(Reason.to_invalid, f"{shown(text)} has an extension, which cannot be reached")
        if tel:
            return self._read_number(clean(tel[1]))
        if kind.isalpha() and kind not in _SIP_SCHEMES:
            what = f"{shown(kind)}: is no kind of address that Studio takes"
            return Refusal(Reason.to_invalid, "is an e-mail address" if kind == "mailto" else what)
        sip = _SIP.fullmatch(text)
        if sip:
            # Names may differ by case, schemes and hosts do not.
            scheme, user, host, port, rest = (part or "" for part in sip.groups())
            return f"{scheme.lower()}{user}@{host.lower()}{port}{rest}"
        if "@" in text:
            return Refusal(Reason.to_invalid, "is neither a phone number nor a SIP address (name@host)")
        return self._read_number(text)

    def _read_number(self, text: str) -> str | Refusal:
        mangled = mangling(text)
        if mangled:
            return Refusal(Reason.to_mangled, mangled)
        several = self._several(text)
        unusable = f"the cell holds {several} numbers" if several else obstacle(text)
        if unusable:
            return Refusal(Reason.to_invalid, unusable)
        if _OPTIONAL_ZERO.search(text):
            return self._read_optional_zero(text)
        digits = text.translate(PUNCTUATION)
        if digits[:1] == "+":
            if self._is_international(digits):
                return digits
        else:
            number = self._read_national(digits)
            if number:
                return number
        return self._read_special(text, digits)

    def _read_optional_zero(self, text: str) -> str | Refusal:
        """A number with (0) in it: a country code stands before it, and the 0 is only for calls within the country."""
        before = text[: text.index("(", 1)].translate(PUNCTUATION)
        if before[:1] not in ("+", "0"):
            return Refusal(
                Reason.to_mangled, f"{shown(text)} seems to have lost its + (it has a country code before (0))"
            )
        kept = text.translate(PUNCTUATION)
        left_out = _OPTIONAL_ZERO.sub(r"\1", text, 1).translate(PUNCTUATION)
        with_zero, without = self._read_special(text, kept), self._read_special(text, left_out)
        if isinstance(without, Refusal):
            return with_zero
        if isinstance(with_zero, str) and with_zero != without:
            return Refusal(Reason.to_invalid, f"{shown(text)} is one number with its (0), and another without")
        return without

    def _several(self, text: str) -> int:
        """How many numbers the text holds, if more than one.

        A slash may stand in one number, after the area code (0049151/12345678), and between two, of which the second
        may be short (0151 1234567/8): what stands before it is then a number by itself.
        """
        parts = [part for part in _BETWEEN_NUMBERS.split(text) if any(map(str.isdigit, part))]
        if len(parts) < 2:
            return 0
        if text.count("/") == len(parts) - 1:
            digits = ""
            for part, following in pairwise(part.translate(PUNCTUATION) for part in parts):
                digits += part
                is_end = len(following) <= _END_DIGITS and len(digits) + len(following) > _WHOLE_DIGITS + _END_DIGITS
                if is_end or self._is_whole(digits):
                    return len(parts)
            return 0
        whole = [part for part in parts if sum(map(str.isdigit, part)) >= _WHOLE_DIGITS]
        return len(parts) if whole else 0

    def _is_whole(self, digits: str) -> bool:
        try:
            number = phonenumbers.parse(digits, self.region)
        except phonenumbers.NumberParseException:
            return self.region is None and len(digits) > _WHOLE_DIGITS + 2
        return phonenumbers.is_valid_number(number) and len(str(number.national_number)) >= _WHOLE_DIGITS

    def _read_national(self, digits: str) -> str | None:
        match = self._national(digits)
        if match is None:
            return None
        bare: str | None = match["bare"]
        if bare is not None and self._is_ambiguous(digits):
            return None
        return f"+{self._calling_code}{bare or match['behind']}"

    def _read_special(self, text: str, digits: str) -> str | Refusal:
        """What the patterns left over: rules of single countries, and everything that is wrong."""
        plus = digits[:1] == "+"
        if digits[:2] == "+0":
            # phonenumbers would take the plus away, and read what is left as dialled in the region.
            return Refusal(Reason.to_invalid, f"{shown(text)} has a 0 after its +, where the country code belongs")
        dialled = None if plus else self._dialled_from_elsewhere(digits)
        if dialled:
            return Refusal(Reason.to_invalid, f"{shown(text)} {dialled}")
        if not plus and self.region is None:
            return Refusal(Reason.to_no_country, f"{shown(text)} has no country code")
        if not plus and self._is_own(digits):
            code = f"it starts with {self.region}'s own country code, {self._calling_code}"
            return Refusal(Reason.to_mangled, f"{shown(text)} seems to have lost its + ({code})")
        foreign = not plus and self._is_foreign(digits) and not digits.startswith("0")
        try:
            number = phonenumbers.parse(digits, self.region)
        except phonenumbers.NumberParseException:
            return Refusal(Reason.to_invalid, f"{shown(text)} is no phone number")
        if not phonenumbers.is_valid_number(number):
            if foreign:
                return Refusal(
                    Reason.to_mangled, f"{shown(text)} seems to have lost its + (it is a number of another country)"
                )
            return Refusal(Reason.to_invalid, f"{shown(text)} {self._what_is_wrong(number)}")
        if _has_code_twice(number):
            return Refusal(Reason.to_mangled, f"{shown(text)} has its country code, {number.country_code}, twice")
        if foreign and self._is_ambiguous(digits):
            match = self._national(digits)
            if match is None or match["bare"] is not None:
                lost = " that lost its leading 0" if self._optional_trunk else ""
                return Refusal(
                    Reason.to_mangled,
                    f"{shown(text)} may be a number of {self.region}{lost}, or one of another country that lost its +",
                )
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def _dialled_from_elsewhere(self, digits: str) -> str | None:
        """What is wrong where the digits before the country code are those of another country's telephones."""
        here = _e164(digits, self.region)
        for prefix in _DIALLED:
            rest = f"+{digits.removeprefix(prefix)}" if digits.startswith(prefix) else None
            # Some regions dial 00 and more: a wrong number behind 00 may be a right one of a third country there.
            number = rest and (_e164(rest) or (_e164(rest, valid=False) if here and prefix == "00" else None))
            if not number:
                continue
            if self.region is None:
                return f"starts with {prefix}; without a region it must start with + and the country code"
            # Some countries dial more digits than these, so that the rest is another number.
            if here != number:
                code = patterns.calling_code_of(number[1:])
                return f"starts with {prefix}, which is not what {self.region} dials: it must start with +{code}"
        return None

    def _what_is_wrong(self, number: phonenumbers.PhoneNumber) -> str:
        where = f"country code +{number.country_code}"
        if number.country_code == 52 and str(number.national_number)[:1] == "1":
            return "has the 1 after +52 that Mexico's numbers have no more: write it without"
        match phonenumbers.is_possible_number_with_reason(number):
            case phonenumbers.ValidationResult.TOO_SHORT | phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
                return f"is too short for a number of {where}"
            case phonenumbers.ValidationResult.TOO_LONG:
                return f"is too long for a number of {where}"
            case phonenumbers.ValidationResult.INVALID_LENGTH:
                return f"has the wrong number of digits for {where}"
            case _:
                return f"is a number that {where} does not have"

    def _is_international(self, plus_and_digits: str) -> bool:
        key = plus_and_digits[1:4]
        match = self._international.get(key)
        if match is None:
            digits = plus_and_digits[1:]
            code = patterns.calling_code_of(digits) if digits.isascii() and digits.isdigit() else None
            if code is None or len(key) < 3:
                return False
            known = next((m for k, m in self._international.items() if k.startswith(code)), None)
            match = self._international[key] = known or patterns.international_pattern(code).fullmatch
        return match(plus_and_digits) is not None

    def _is_ambiguous(self, digits: str) -> bool:
        """Whether the digits of a number without trunk prefix are a number with a lost plus as well.

        Where numbers have no trunk prefix, their usual lengths are how they are written.
        """
        if self._is_own(digits):
            return True
        return (self._optional_trunk or len(digits) not in self._usual_digits) and self._is_foreign(digits)

    def _is_own(self, digits: str) -> bool:
        """Whether the digits with a plus before them are a valid number of the region's own calling code."""
        own = bool(self._calling_code) and not self._code_is_trunk and digits.startswith(self._calling_code)
        return own and _e164(f"+{digits}") is not None

    def _is_foreign(self, digits: str) -> bool:
        """Whether the digits with a plus before them are a valid number of another calling code than the region's."""
        if digits.startswith(self._calling_code or "+"):
            return False
        # The pattern leaves out numbers that begin with what their country dials before its numbers.
        return self._is_international(f"+{digits}") or (
            patterns.begins_with_trunk(digits) and _e164(f"+{digits}") is not None
        )


def countries() -> frozenset[str]:
    """The two-letter countries whose numbers are known."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def national_digits(contact: str) -> str:
    """The digits of a number in E.164 without its country code; empty for any other contact."""
    if not contact.startswith("+"):
        return ""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(contact))
    except phonenumbers.NumberParseException:
        return contact[1:] if contact[1:].isdecimal() else ""


def _has_code_twice(number: phonenumbers.PhoneNumber) -> bool:
    """Whether a mobile number stands behind its country's code, and once more behind that (patterns._kinds)."""
    code, national = str(number.country_code), phonenumbers.national_significant_number(number)
    if not national.startswith(code) or phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE:
        return False
    once = _e164(f"+{national}")
    return once is not None and (
        phonenumbers.number_type(phonenumbers.parse(once)) == phonenumbers.PhoneNumberType.MOBILE
    )


def _never(text: str) -> None:
    return None


def _e164(text: str, region: str | None = None, *, valid: bool = True) -> str | None:
    """The number as phonenumbers reads it; None: it is not valid, or has not even as many digits as it may have."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not (phonenumbers.is_valid_number(number) if valid else phonenumbers.is_possible_number(number)):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
