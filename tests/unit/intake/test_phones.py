"""A cell is an address, or there is a reason; an ambiguous number is never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.intake import patterns
from dispatcher.intake.phones import Addresses, national_digits
from dispatcher.model import Reason, Refusal

ADDRESSES = {region: Addresses(region) for region in (None, "US", "GB", "DE", "ES", "IT")}
NUMBER = "+12025550123"


def read(text: str, region: str | None = "US") -> str | Refusal:
    """Both ways in must agree: the column's fast one and the single one."""
    addresses = ADDRESSES[region]
    one = addresses.read(text)
    column, refusals = addresses.read_column(["+442079460958", text, "+12025550199"])
    assert column[0] is not None
    assert column[2] is not None
    assert (column[1] if column[1] is not None else refusals[1]) == one
    return one


@pytest.mark.parametrize(
    "text",
    [
        "+12025550123",
        "+1 202 555 0123",
        "+1 (202) 555-0123",
        "(+1) 202 555 0123",
        "+1.202.555.0123",
        "202-555-0123",
        "(202) 555-0123",
        "202.555.0123",
        "2025550123",
        "12025550123",
        "1-202-555-0123",
        "202/555/0123",
        "011 1 202 555 0123",
        " 202 555 0123 ",
        "'+12025550123",
        "’2025550123",
        "’+12025550123",
        '="+12025550123"',
        '="202 555 0123"',
        "\u2018+12025550123",
        "\u00b4+12025550123",
        "\u00a0+1\u00a0202\u00a0555\u00a00123\u00a0",
        "\u202a+1 202 555 0123\u202c",
        "\ufeff+1202\u200b555\u200d0123",
        "202\u2011555\u20130123",
        "\uff0b" + "".join(chr(0xFF10 + int(digit)) for digit in "12025550123"),
        "".join(chr(0x0660 + int(digit)) for digit in "2025550123"),
        "\t+12025550123\n",
    ],
)
def test_every_way_to_write_a_number_is_read(text: str) -> None:
    """One number is understood in every way people write it."""
    assert read(text) == NUMBER


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("07400 123456", "GB", "+447400123456"),
        ("7400123456", "GB", "+447400123456"),
        ("0044 7400 123456", "GB", "+447400123456"),
        ("+44 (0)7400 123456", "US", "+447400123456"),
        ("030/901820", "DE", "+4930901820"),
        ("0049 30 901820", "DE", "+4930901820"),
        ("612.345.678", "ES", "+34612345678"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("+39 06 1234 5678", "US", "+390612345678"),
        ("0049151/12345678", "DE", "+4915112345678"),
        ("0345/279/580", "DE", "+49345279580"),
        ("+49 30 / 90182-0", "DE", "+4930901820"),
        ("04921 12345", "DE", "+49492112345"),
        ("tel:+12025550123", "DE", "+12025550123"),
        ("tel:+1-202-555-0123;phone-context=+1", "DE", "+12025550123"),
    ],
)
def test_a_number_without_country_is_the_regions(text: str, region: str, number: str) -> None:
    """A number without a country code is one of the region; a number with one stays of its country."""
    assert read(text, region) == number


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("4.41E+11", "'4.41E+11' is a rounded number (E-notation): its last digits are lost"),
        ("1,20256E+10", "'1,20256E+10' is a rounded number (E-notation): its last digits are lost"),
        ("12025550123.0", "…23.0 was turned into a decimal number; its + or leading zeros may be lost"),
        ("12025550123,00", "…3,00 was turned into a decimal number; its + or leading zeros may be lost"),
        ("12,025,550,123", "…,123 was turned into an amount; its + or leading zeros may be lost"),
        ("-2025550123", "…0123 is a negative number"),
        ("−2025550123", "…0123 is a negative number"),
        ("#N/A", "#N/A is a spreadsheet's error, not a number"),
        ("#REF!", "#REF! is a spreadsheet's error, not a number"),
        ("#VALUE!", "#VALUE! is a spreadsheet's error, not a number"),
        ("#NAME?", "#NAME? is a spreadsheet's error, not a number"),
        ("########", "######## is a spreadsheet's error, not a number"),
        ("=A2", "the cell holds a formula, not its result"),
        ("447400123456", "…3456 seems to have lost its + (it is a number of another country)"),
    ],
)
def test_what_a_spreadsheet_mangled_is_refused(text: str, sentence: str) -> None:
    """What a spreadsheet mangled is refused with what happened to it."""
    assert read(text) == Refusal(Reason.to_mangled, sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("202555012", "…5012 is too short for a number of country code +1"),
        ("2025550123456", "…3456 is too long for a number of country code +1"),
        ("5550100", "…0100 is too short for a number of country code +1"),
        ("+12005550123", "…0123 is a number that country code +1 does not have"),
        ("+999123456789", "…6789 is no phone number"),
        ("+", "'+' is no phone number"),
        ("1-800-FLOWERS", "'1-800-FLOWERS' has letters in it"),
        ("202-555-0123 ext. 5", "…t. 5 has an extension, which cannot be reached"),
        ("202-555-0123x5", "…23x5 has an extension, which cannot be reached"),
        ("202-555-0123 #5", "…3 #5 has an extension, which cannot be reached"),
        ("2025550123 / 2025550124", "the cell holds 2 numbers"),
        ("2025550123, 2025550124", "the cell holds 2 numbers"),
        ("2025550123; 2025550124; 2025550125", "the cell holds 3 numbers"),
        ("2025550123 or 2025550124", "the cell holds 2 numbers"),
        ("2025550123\n2025550124", "the cell holds 2 numbers"),
        ("+12025550123+12025550124", "…0124 has a + inside: two numbers in one cell?"),
        ("++12025550123", "…0123 has a + inside: two numbers in one cell?"),
        ("2025550123*", "…123* has '*' in it"),
        ("tel:+12025550123;ext=5", "…xt=5 has an extension, which cannot be reached"),
        ("mailto:ann@example.com", "is an e-mail address"),
        ("xmpp:ann@example.com", "'xmpp': is no kind of address that Studio takes"),
        ("1-202-555-0123/4", "the cell holds 2 numbers"),
        ("2025550123/25/26", "the cell holds 3 numbers"),
        ("2025550123, 4", "the cell holds 2 numbers"),
        ("0044 7400 123456", "…3456 starts with 00, which is not what US dials: it must start with +44"),
        ("+52 1 55 1234 5678", "…5678 has the 1 after +52 that Mexico's numbers have no more: write it without"),
        ("whatsapp:+5215512345678", "…5678 has the 1 after +52 that Mexico's numbers have no more: write it without"),
        ("Ann", "'Ann' has letters in it"),
        ("\U0001f4f1 2025550123", "…0123 has '\U0001f4f1' in it"),
        ("whatsapp:", "whatsapp: is not followed by a number"),
        ("client:", "client: must be followed by a name without spaces"),
        ("client:two words", "client: must be followed by a name without spaces"),
        ("sip:@example.org", "is neither a phone number nor a SIP address (name@host)"),
        ("a@example.org;b@example.org", "is neither a phone number nor a SIP address (name@host)"),
        ("ann@", "is neither a phone number nor a SIP address (name@host)"),
        ("a b@example.com", "is neither a phone number nor a SIP address (name@host)"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(text: str, sentence: str) -> None:
    """A cell that is no number, a wrong one, or more than one is refused with a sentence that says which."""
    assert read(text) == Refusal(Reason.to_invalid, sentence)


@pytest.mark.parametrize("text", ["", "   ", "\u00a0", "\u200b", "-", "n/a", "N/A", "none", "NULL", "nan", "?"])
def test_a_cell_with_nothing_in_it_is_missing(text: str) -> None:
    """Blanks, dashes and words like n/a are a missing number, not a wrong one."""
    answer = read(text)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.to_missing


@pytest.mark.parametrize("text", ["2025550123", "12025550123", "(202) 555-0123", "15551234567"])
def test_digits_without_a_region_have_no_country(text: str) -> None:
    """Without a plus and without a region a number has no country and is refused."""
    answer = read(text, None)
    assert isinstance(answer, Refusal)
    assert answer == Refusal(Reason.to_no_country, f"…{text[-4:]} has no country code")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("4915112345678", "DE"),
        ("49 151 12345678", "DE"),
        ("49(0)345279580", "DE"),
        ("447400123456", "GB"),
        ("39 333 1234567", "IT"),
        ("34612345678", "ES"),
    ],
)
def test_the_regions_own_code_without_its_plus(text: str, region: str) -> None:
    """It is refused as any other country's is: read as a number of the region it would be a stranger's, or nearly."""
    answer = read(text, region)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.to_mangled
    assert "seems to have lost its +" in answer.sentence


@pytest.mark.parametrize(
    ("text", "region"), [("0151 1234567/8", "DE"), ("+12025550123/4", None), ("2025550123/4", "US")]
)
def test_a_second_numbers_end_is_not_the_firsts(text: str, region: str | None) -> None:
    """A slash and a digit or two after a whole number are a second number, not the end of the first."""
    assert read(text, region) == Refusal(Reason.to_invalid, "the cell holds 2 numbers")


@pytest.mark.parametrize("text", ["15712345678", "12025550123"])
def test_a_lost_zero_or_plus_is_not_guessed(text: str) -> None:
    """A number that lost either its zero or its plus is refused, since one of both is a stranger.

    +1 571 234 5678 is a number in Virginia, and 0157 12345678 one in Germany.
    """
    answer = read(text, "DE")
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.to_mangled
    assert read("0" + "15712345678", "DE") == "+4915712345678"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("client:ann", "client:ann"),
        ("Client:Ann.B", "client:Ann.B"),
        ("whatsapp:+12025550123", "whatsapp:+12025550123"),
        ("WhatsApp: +1 (202) 555-0123", "whatsapp:+12025550123"),
        ("whatsapp:2025550123", "whatsapp:+12025550123"),
        ("sip:Ann@SIP.Example.com", "sip:Ann@sip.example.com"),
        ("sips:ann@example.com:5061;transport=tls", "sips:ann@example.com:5061;transport=tls"),
        ("ann@example.com", "ann@example.com"),
    ],
)
def test_addresses_are_taken_as_the_api_does(text: str, address: str) -> None:
    """Addresses that are no numbers (client, WhatsApp, SIP) are taken as the API takes them."""
    assert read(text) == address


def test_whatsapp_numbers_are_checked_like_others() -> None:
    """A WhatsApp address with a mangled number is refused as the number alone would be."""
    answer = read("whatsapp:4.41E+11")
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.to_mangled


SERVICE = "MG" + "0" * 32


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (SERVICE, SERVICE),
        (f" {SERVICE} ", SERVICE),
        ("+12025550100", "+12025550100"),
        ("(202) 555-0100", "+12025550100"),
        ("12345", "12345"),
        ("whatsapp:+12025550100", "whatsapp:+12025550100"),
        ("MG12", Refusal(Reason.from_invalid, "'MG12' is no Messaging Service SID: it is MG and 32 hex digits")),
        ("Acme", Refusal(Reason.from_invalid, "'Acme' has letters in it")),
        ("+1202", Refusal(Reason.from_invalid, "'+1202' is too short for a number of country code +1")),
        ("", Refusal(Reason.from_missing, "no sender is given")),
    ],
)
def test_what_a_sender_may_be(text: str, answer: str | Refusal) -> None:
    """A sender is an address, a Messaging Service or a short code; anything else is refused with the reason."""
    assert ADDRESSES["US"].read_sender(text) == answer


def test_a_contact_is_no_messaging_service() -> None:
    """The SID of a Messaging Service is refused as a contact."""
    assert isinstance(read(SERVICE), Refusal)


def test_a_refusal_does_not_show_the_number() -> None:
    """A refusal shows at most the last four characters of a number."""
    for text in ("2025550123 ext. 77", "+12005550123", "12025550123.0", "447400123456", "2025550123*"):
        answer = read(text)
        assert isinstance(answer, Refusal)
        assert not re.search(r"\d{5,}", answer.sentence), answer.sentence


def test_an_unknown_region_is_refused() -> None:
    """A region that is no country raises a ValueError that names it."""
    with pytest.raises(ValueError, match="ZZ"):
        Addresses("ZZ")


@given(st.text(max_size=40))
def test_any_text_has_an_answer(text: str) -> None:
    """Any text has an answer: an address in its normal form, or a refusal with a sentence."""
    answer = read(text)
    if isinstance(answer, Refusal):
        assert answer.sentence
    else:
        assert re.fullmatch(r"(whatsapp:)?\+[1-9]\d{6,14}|client:\S+|\S+@\S+", answer)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+494915112345678", None),
        ("+49 4915112345678", "US"),
        ("00494915112345678", "DE"),
        ("049 151 12345678", "DE"),
        ("(0)4915112345678", "DE"),
        ("+6262812345678", None),
        ("062812345678", "ID"),
        ("+38338343201234", None),
    ],
)
def test_a_country_code_twice(text: str, region: str | None) -> None:
    """A mobile number behind its code twice, which phonenumbers takes for a long one of a landline, is refused."""
    answer = Addresses(region).read(text)
    assert isinstance(answer, Refusal)
    assert answer.reason is Reason.to_mangled
    assert "twice" in answer.sentence
    column, _ = Addresses(region).read_column([text])
    assert column == [None]


@pytest.mark.parametrize("text", ["+49 4921 12345", "+46 46 8123456", "+62 62 8350123", "+55 55 40041234"])
def test_an_area_code_may_be_the_countrys(text: str) -> None:
    """An area's landlines may begin as the country's code does."""
    assert read(text, None) == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+0093 23 456 7890", "KR"),
        ("+0049 151 12345678", "DE"),
        ("+0151 12345678", "DE"),
        ("+011 44 7400 123456", "US"),
        ("+02486412345", "SC"),
        ("+(0)2486412345", "SC"),
        ("whatsapp:+0093234567890", "KR"),
    ],
)
def test_no_country_code_begins_with_a_zero(text: str, region: str) -> None:
    """A + before a 0 is refused: read as a number of the region it may be somebody else's."""
    answer = Addresses(region).read(text)
    assert isinstance(answer, Refusal)
    assert answer.sentence.endswith("has a 0 after its +, where the country code belongs")


@pytest.mark.parametrize(
    ("text", "region"), [("0044 74001 2345", "SG"), ("0065 6581234567", "SG"), ("00666621234567", "TH")]
)
def test_two_zeros_that_are_a_part_of_what_a_region_dials(text: str, region: str) -> None:
    """Where one dials 00 and a digit more, 00 and a wrong number of another country are not a third one's."""
    answer = Addresses(region).read(text)
    assert isinstance(answer, Refusal)
    assert "starts with 00" in answer.sentence


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("001 44 7400 123456", "SG", "+447400123456"),
        ("001 1 202 555 0123", "KR", "+12025550123"),
        ("009 57 300 1234567", "CO", "+573001234567"),
        ("0015 55 11 91234 5678", "BR", "+5511912345678"),
    ],
)
def test_what_a_region_dials_is_read(text: str, region: str, number: str) -> None:
    """What a region dials before country codes is left out."""
    assert Addresses(region).read(text) == number


def _international(number: phonenumbers.PhoneNumber) -> Iterator[str]:
    """A number with its country code, as people and programs write it."""
    code, national = str(number.country_code), phonenumbers.national_significant_number(number)
    yield f"+{code}{national}"
    yield phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    yield phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.RFC3966)
    yield f"+{code} ({national[:3]}) {national[3:]}"
    yield f"+{code} (0) {national}"
    for before in ("", "00", "+00"):
        yield f"{before}{code}{national}"
        yield f"{before} {code} {national[:2]} {national[2:]}"
        yield f"{before}{code}/{national}"
        yield f"{before}{code}(0){national}"


def _national(number: phonenumbers.PhoneNumber, region: str) -> Iterator[str]:
    """A number without its country code."""
    national, trunk = phonenumbers.national_significant_number(number), patterns.trunk_of(region) or ""
    for digits in (
        national,
        trunk + national,
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL),
    ):
        yield digits
        yield digits.replace(" ", "-")
    for cut in (2, 3, 4):
        yield f"{trunk}{national[:cut]}/{national[cut:]}"
        yield f"{trunk}{national[:cut]} / {national[cut:]}"


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_regions_numbers_are_right_or_refused(region: str) -> None:
    """However a region's numbers are written, and wherever that is read, they are themselves or refused."""
    metadata: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
    code = metadata.country_code
    own = Addresses(region)
    readers = [own, *(ADDRESSES[other] for other in (None, "US", "DE", "GB"))]
    wrong = []
    for kind in kinds(metadata):
        if not kind.example_number:
            continue
        number = phonenumbers.parse(f"+{code}{kind.example_number}", None)
        right = f"+{code}{phonenumbers.national_significant_number(number)}"
        asked = [(own, text) for text in _national(number, region)]
        asked += [(reader, text) for text in _international(number) for reader in readers]
        for reader, text in asked:
            if reader.region == "US" and sum(map(str.isdigit, text)) == 10 and text[0] != "+":
                continue  # how numbers of North America are written
            answer = reader.read(text)
            if isinstance(answer, str) and answer != right:
                wrong.append((text, reader.region, answer))
        assert own.read(right) == right
        assert own.read(f"00{code}{kind.example_number}") == right or metadata.international_prefix != "00"
    assert not wrong


# --- the patterns against phonenumbers ---

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
INTERNATIONAL = {str(code): patterns.international_pattern(str(code)) for code in CODES}


def truth(text: str, region: str | None) -> str | None:
    """What phonenumbers says: E.164 of a valid number."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def metadata_of(region: str, code: int) -> Any:
    if region == "001":
        return phonenumbers.PhoneMetadata.metadata_for_nongeo_region(code)
    return phonenumbers.PhoneMetadata.metadata_for_region(region)


def kinds(metadata: Any) -> list[Any]:
    found = [getattr(metadata, name) for name in patterns._KINDS]
    return [kind for kind in found if kind is not None and kind.national_number_pattern]


def neighbours(number: str) -> Iterator[str]:
    """The number, and those one digit changed, left out or put in: both sides of every rule."""
    yield number
    for at in range(len(number)):
        yield number[:at] + str((int(number[at]) + 1 + at) % 10) + number[at + 1 :]
    for at in {0, len(number) // 2, len(number)}:
        yield number[:at] + "0" + number[at:]
        yield number[:at] + "1" + number[at:]
    yield number[1:]
    yield number[:-1]
    yield number[:-4] + "0000"


@pytest.mark.parametrize("code", CODES)
def test_the_international_pattern_is_no_wider(code: int) -> None:
    """The international pattern accepts only what phonenumbers does."""
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        for kind in kinds(metadata_of(region, code)):
            for national in neighbours(kind.example_number or ""):
                text = f"+{code}{national}"
                if INTERNATIONAL[str(code)].fullmatch(text):
                    assert truth(text, None) == text


def test_digits_that_a_country_strips_are_left_out() -> None:
    """Digits that a country strips are never taken as part of the number.

    Japan's carrier prefixes look like the start of valid numbers; phonenumbers takes them off.
    """
    assert truth("+810037689012345678", None) == "+819012345678"
    assert INTERNATIONAL["81"].fullmatch("+810037689012345678") is None
    assert ADDRESSES[None].read("+810037689012345678") == "+819012345678"
    assert Addresses("JP").read("0037689012345678") == "+819012345678"


def test_nearly_every_mobile_number_is_plain() -> None:
    """The patterns are of use: they match the mobile numbers of nearly every region."""
    plain = slow = 0
    for region in REGIONS:
        metadata = metadata_of(region, 0)
        if metadata.mobile is None or not metadata.mobile.example_number:
            continue
        text = f"+{metadata.country_code}{metadata.mobile.example_number}"
        if INTERNATIONAL[str(metadata.country_code)].fullmatch(text):
            plain += 1
        elif truth(text, None):
            slow += 1
    assert plain > 230
    assert slow <= 5


@pytest.mark.parametrize("region", REGIONS)
def test_the_national_pattern_is_no_wider(region: str) -> None:
    """A region's national pattern accepts only what phonenumbers does, and means the same number."""
    pattern = patterns.national_pattern(region)
    assert pattern is not None
    metadata = metadata_of(region, 0)
    code = str(metadata.country_code)
    trunk = metadata.national_prefix or ""
    for kind in kinds(metadata):
        for national in neighbours(kind.example_number or ""):
            for digits in {national, trunk + national, code + national, trunk + code + national}:
                match = pattern.fullmatch(digits)
                if match:
                    assert f"+{code}{match['bare'] or match['behind']}" == truth(digits, region), digits


@given(st.sampled_from(CODES), st.text("0123456789", min_size=4, max_size=14))
def test_any_number_the_pattern_accepts_is_valid(code: int, national: str) -> None:
    """Any international number that the pattern accepts is valid for phonenumbers, and is E.164 already."""
    text = f"+{code}{national}"
    if INTERNATIONAL[str(code)].fullmatch(text):
        assert truth(text, None) == text


@given(st.sampled_from(REGIONS), st.data())
def test_numbers_of_a_regions_own_patterns(region: str, data: st.DataObject) -> None:
    """Numbers made from a region's own patterns are read as phonenumbers reads them."""
    metadata = metadata_of(region, 0)
    kind = data.draw(st.sampled_from(kinds(metadata)))
    national = data.draw(st.from_regex(re.compile(kind.national_number_pattern, re.ASCII), fullmatch=True))
    text = f"+{metadata.country_code}{national}"
    answer = ADDRESSES[None].read(text)
    assert (answer if isinstance(answer, str) else None) == truth(text, None)


def test_every_kinds_lengths_are_general_ones() -> None:
    """Every kind's lengths are among the general ones.

    The patterns leave the general lengths out because of this.
    """
    for region in REGIONS:
        metadata = metadata_of(region, 0)
        for kind in kinds(metadata):
            assert {length for length in kind.possible_length if length > 0} <= set(
                metadata.general_desc.possible_length
            )


@pytest.mark.parametrize(
    ("contact", "digits"),
    [
        ("+12025550123", "2025550123"),
        ("+442079460958", "2079460958"),
        ("+390612345678", "0612345678"),
        ("+3546111234", "6111234"),
        ("alice", ""),
        ("1234567", ""),
    ],
)
def test_national_digits(contact: str, digits: str) -> None:
    """A number without its country code, with the zeros that are its own; of any other contact none."""
    assert national_digits(contact) == digits
