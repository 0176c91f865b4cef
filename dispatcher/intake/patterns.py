"""Regular expressions for plain phone numbers, built from phonenumbers' own metadata.

phonenumbers reads about fifty thousand numbers a second, and most numbers in a file are written plainly. A pattern
here accepts a text only where phonenumbers would find the same number valid; everything that it does not accept is
for phonenumbers to judge. So a pattern may be too strict, never too lenient: the tests hold both against each other in
every region.

The rules that the patterns repeat are those of phonenumbers 9.0: `_region_code_for_number_from_list`,
`_number_type_helper`, `_maybe_extract_country_code` and `_maybe_strip_national_prefix_carrier_code` in
phonenumberutil.py.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, REGION_CODE_FOR_NON_GEO_ENTITY, PhoneMetadata

#: Every kind of number that makes `is_valid_number` true. The common ones come first: a pattern stops at the first hit.
_KINDS = (
    "mobile",
    "fixed_line",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)


def calling_code_of(digits: str) -> str | None:
    """The country calling code that the digits of an international number start with; None: there is none such."""
    for length in (1, 2, 3):
        if len(digits) > length and digits[0] != "0" and int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE:
            return digits[:length]
    return None


def international_pattern(calling_code: str) -> re.Pattern[str]:
    """A pattern for `+`, the calling code and a valid national number, without any punctuation."""
    main = _metadata(COUNTRY_CODE_TO_REGION_CODE[int(calling_code)][0], calling_code)
    plus = rf"\+{calling_code}"
    # phonenumbers takes a national prefix off even here (+44 0…): such numbers are left to it.
    prefix = main.national_prefix_for_parsing
    no_prefix = rf"(?!(?:{prefix})(?<!\A{plus}))" if prefix else ""
    return re.compile(f"{plus}{no_prefix}{_valid(calling_code)}", re.ASCII)


def begins_with_trunk(digits: str) -> bool:
    """Whether, behind their calling code, digits begin as if they were dialled within that country."""
    code = calling_code_of(digits)
    return code is not None and _trunk_pattern(code).match(digits, len(code)) is not None


@lru_cache
def _trunk_pattern(calling_code: str) -> re.Pattern[str]:
    prefix = _metadata(COUNTRY_CODE_TO_REGION_CODE[int(calling_code)][0], calling_code).national_prefix_for_parsing
    return re.compile(prefix or r"(?!)", re.ASCII)


def national_pattern(region: str) -> re.Pattern[str] | None:
    """A pattern for the digits of a number without calling code; the one of two groups that took part is the number.

    `bare`: without the trunk prefix; `behind`: after it. (phonenumbers' own patterns have groups, too.) None: the
    region's rules are too special for a pattern.
    """
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return None
    code = str(metadata.country_code)
    valid = _valid(code)
    general = _fullmatch(metadata.general_desc.national_number_pattern)
    lengths = _lengths(metadata.general_desc.possible_length)
    dial_out = metadata.international_prefix
    no_dial_out = f"(?!{dial_out})" if dial_out else ""
    prefix = metadata.national_prefix_for_parsing
    no_prefix = rf"(?!(?:{prefix})(?!\A))" if prefix else ""
    alternatives = [rf"{no_prefix}{lengths}{general}(?P<bare>{valid})"]
    trunk = metadata.national_prefix
    if trunk and _is_literal(prefix, trunk):
        alternatives.append(rf"{trunk}{lengths}{general}(?P<behind>{valid})")
    return re.compile(f"{no_dial_out}(?:{'|'.join(alternatives)})", re.ASCII)


def trunk_of(region: str) -> str | None:
    """What is dialled before a number within the region; None: nothing."""
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    return None if metadata is None else metadata.national_prefix


def usual_digits(region: str) -> frozenset[int]:
    """How many digits the region's mobile and fixed numbers usually have: those of its examples."""
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return frozenset()
    usual = (metadata.mobile, metadata.fixed_line)
    return frozenset(len(kind.example_number) for kind in usual if kind is not None and kind.example_number)


def has_optional_trunk(region: str) -> bool:
    """True where numbers are usually written with a trunk prefix that spreadsheets lose (a leading 0).

    Not in North America, where ten digits without the 1 are how numbers are written.
    """
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    return metadata is not None and metadata.national_prefix is not None and metadata.country_code != 1


def _valid(calling_code: str) -> str:
    """What `is_valid_number` accepts as national number under a calling code, up to the text's end."""
    regions = COUNTRY_CODE_TO_REGION_CODE[int(calling_code)]
    alternatives: list[str] = []
    led: list[str] = []
    for region in regions:
        metadata = _metadata(region, calling_code)
        kinds = _kinds(metadata)
        if not kinds:
            continue
        # A region with leading digits claims every number that starts so, valid or not. Its turn comes in the list's
        # order, so whoever stands behind it may only have the rest.
        claimed = f"(?!{'|'.join(led)})" if led else ""
        if len(regions) > 1 and metadata.leading_digits:
            alternatives.append(f"{claimed}(?={metadata.leading_digits}){kinds}")
            led.append(metadata.leading_digits)
        else:
            alternatives.append(f"{claimed}{kinds}")
    return rf"(?:{'|'.join(alternatives)})\Z"


def _kinds(metadata: Any) -> str:
    """What makes a number valid in a region.

    But for one that is a mobile number with the country's code before it once more: where lengths vary it passes for
    a landline's, and nobody has it.
    """
    general = metadata.general_desc
    kinds: list[str] = []
    twice = ""
    for name in _KINDS:
        kind = getattr(metadata, name)
        if kind is None or not kind.national_number_pattern:
            continue
        if name == "mobile" and metadata.same_mobile_and_fixed_line_pattern:
            continue
        # A kind's lengths are among the general ones; without any of its own it has those.
        lengths = _lengths(kind.possible_length) or _lengths(general.possible_length)
        pattern = rf"{lengths}(?:{kind.national_number_pattern})\Z"
        kinds.append(twice + pattern)
        if name == "mobile":
            twice = f"(?!{metadata.country_code}{pattern})"
    if not kinds:
        return ""
    return f"{_fullmatch(general.national_number_pattern)}(?:{'|'.join(kinds)})"


def _lengths(lengths: tuple[int, ...]) -> str:
    known = [length for length in lengths if length > 0]
    if not known:
        return ""
    return _fullmatch("|".join(rf"\d{{{length}}}" for length in known))


def _fullmatch(pattern: str) -> str:
    return rf"(?=(?:{pattern})\Z)"


def _is_literal(prefix: str, trunk: str) -> bool:
    """Whether taking the trunk prefix off is all that the parsing rule does to a number that starts with it."""
    alternatives = prefix.split("|")
    others = [text for text in alternatives if text != trunk]
    return (
        all(text.isdigit() for text in alternatives)
        and trunk in alternatives
        and not any(text.startswith(trunk) or trunk.startswith(text) for text in others)
    )


def _metadata(region: str, calling_code: str) -> Any:
    code = int(calling_code)
    if region == REGION_CODE_FOR_NON_GEO_ENTITY:
        return PhoneMetadata.metadata_for_nongeo_region(code)
    return PhoneMetadata.metadata_for_region(region)
