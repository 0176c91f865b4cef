"""What an answer proves: every row of the table in `studio/outcomes.py`, and whatever else a server may say."""

from __future__ import annotations

import math
import sqlite3
from email.utils import formatdate
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import (
    AuthenticationError,
    CertificateUntrusted,
    ExitCode,
    FlowNotFound,
    PermissionRefused,
)
from dispatcher.model import STATE_AFTER, Outcome, RowState
from dispatcher.studio.outcomes import (
    MESSAGE_MAX,
    Answer,
    Asked,
    Failure,
    classify,
    parse_retry_after,
    parse_time,
    server_time_s,
)

SID = "FN" + "0" * 32
OTHER_SID = "FN" + "1" * 32
NOW_S = 1_750_000_000
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def error_body(status: int, code: int | None, message: str = "some words", **more: Any) -> bytes:
    body: dict[str, Any] = {"message": message, "status": status, **more}
    if code is not None:
        body |= {"code": code, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
    return orjson.dumps(body)


def execution_body(*, created_s: float = NOW_S, sid: str = SID, **more: Any) -> bytes:
    stamp = parse_time_text(created_s)
    return orjson.dumps({"sid": sid, "status": "active", "context": {}, "date_created": stamp, **more})


def parse_time_text(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- created ---


@pytest.mark.parametrize(("version", "status"), [("v2", 201), ("v2", 200), ("v1", 200), ("v1", 201)])
def test_a_success_with_an_execution_sid_is_created(version: str, status: int) -> None:
    answer = Answer(status, execution_body(), date=formatdate(NOW_S, usegmt=True))
    verdict = classify(answer, api_version=version)
    assert (verdict.outcome, verdict.execution_sid, verdict.http_status) == (Outcome.created, SID, status)
    assert not verdict.trouble
    assert verdict.stop is None


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"null",
        b"true",
        b"17",
        b"[]",
        b'["sid"]',
        b'"FN00000000000000000000000000000000"',
        b"{}",
        b'{"sid": null}',
        b'{"sid": 5}',
        b'{"sid": ""}',
        b'{"sid": "CA00000000000000000000000000000000"}',
        b'{"sid": ["FN00000000000000000000000000000000"]}',
        b'{"sid": "FN',  # cut
        b'{"sid": "FN00000000000000000000000000000000"',  # cut one byte early
        b'{"sid": "\xff\xfe"}',
        b"\x00" * 64,
        HTML,
        b"{" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_success_without_an_execution(version: str, body: bytes) -> None:
    """A success whose body names no execution is unknown."""
    for status in (200, 201):
        verdict = classify(Answer(status, body), api_version=version)
        assert (verdict.outcome, verdict.execution_sid) == (Outcome.unknown, None)
        assert verdict.trouble


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    "sid", ["FN", "FN1", "FN" + "0" * 31, "FN" + "0" * 33, "FN" + "g" * 32, "fn" + "0" * 32, SID + "\n", "FN../" * 7]
)
def test_a_success_with_an_odd_sid(version: str, sid: str) -> None:
    """What is not `FN` and 32 hex digits names no execution."""
    verdict = classify(Answer(201, execution_body(sid=sid)), api_version=version, always_check=True)
    assert (verdict.outcome, verdict.execution_sid, verdict.check_sid) == (Outcome.unknown, None, None)
    assert verdict.trouble


ASKED = Asked("AC" + "a" * 32, "FW" + "b" * 32, "+14155550100")
OUR_OWN: dict[str, Any] = {
    "account_sid": ASKED.account_sid,
    "flow_sid": ASKED.flow_sid,
    "contact_channel_address": ASKED.to,
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contact_channel_address", "+14155550101"),
        ("contact_channel_address", ""),
        ("contact_channel_address", ["+14155550100"]),
        ("flow_sid", "FW" + "c" * 32),
        ("flow_sid", 5),
        ("account_sid", "AC" + "c" * 32),
        ("account_sid", True),
    ],
)
def test_a_success_about_something_else(version: str, name: str, value: object) -> None:
    """An answer about another contact, flow or account is no answer to this request."""
    body = execution_body(**OUR_OWN | {name: value})
    verdict = classify(Answer(201, body), api_version=version, asked=ASKED, always_check=True)
    assert (verdict.outcome, verdict.execution_sid, verdict.check_sid) == (Outcome.unknown, None, None)
    assert verdict.trouble
    assert verdict.message is not None
    assert "another" in verdict.message


@pytest.mark.parametrize(
    "told",
    [
        {},
        OUR_OWN,
        dict.fromkeys(OUR_OWN),
        OUR_OWN | {"account_sid": ASKED.account_sid.upper(), "flow_sid": ASKED.flow_sid.upper()},
        OUR_OWN | {"contact_channel_address": "sms:+14155550100"},
    ],
)
def test_a_success_about_what_was_asked(told: dict[str, Any]) -> None:
    """Fields may be null or left out, SIDs in another case, and the address may name its channel."""
    verdict = classify(Answer(201, execution_body(**told)), api_version="v2", asked=ASKED)
    assert (verdict.outcome, verdict.execution_sid) == (Outcome.created, SID)


@pytest.mark.parametrize("status", [202, 203, 204, 205, 206, 207, 226, 299])
def test_another_2xx_proves_nothing_even_with_a_sid(status: int) -> None:
    assert classify(Answer(status, execution_body()), api_version="v2").outcome is Outcome.unknown


# --- v1's answer for a busy contact: 200 with the old execution ---


def v1(created_s: float, *, elapsed_s: float = 0.1, date: str | None = "now", always: bool = False) -> Outcome:
    answer = Answer(
        200,
        execution_body(created_s=created_s),
        date=formatdate(NOW_S, usegmt=True) if date == "now" else date,
        elapsed_s=elapsed_s,
    )
    verdict = classify(answer, api_version="v1", always_check=always)
    if verdict.outcome is Outcome.busy:
        assert verdict.check_sid == SID
        assert verdict.execution_sid is None
    return verdict.outcome


def test_v1_with_an_older_execution() -> None:
    """v1's answer with an older execution is busy, and names it for a closer look."""
    assert v1(NOW_S - 60) is Outcome.busy
    assert v1(NOW_S - 2) is Outcome.busy


def test_v1_with_an_execution_of_this_moment() -> None:
    """v1's answer with an execution of this very moment is created."""
    assert v1(NOW_S) is Outcome.created
    assert v1(NOW_S - 1) is Outcome.created  # whole seconds: it may have begun in the second before
    assert v1(NOW_S + 1) is Outcome.created


def test_v1_and_the_request_s_duration() -> None:
    """How old v1's execution may be takes the request's own duration into account."""
    assert v1(NOW_S - 4, elapsed_s=3.5) is Outcome.created
    assert v1(NOW_S - 5, elapsed_s=3.5) is Outcome.busy


def test_v1_without_dates_to_compare() -> None:
    """v1's answer without dates to compare is looked at more closely."""
    assert v1(NOW_S, date=None) is Outcome.busy
    assert v1(NOW_S, date="yesterday") is Outcome.busy
    no_date = Answer(200, orjson.dumps({"sid": SID}), date=formatdate(NOW_S, usegmt=True))
    assert classify(no_date, api_version="v1").outcome is Outcome.busy


def test_v1_where_rows_share_a_contact() -> None:
    """v1's answer is always looked at more closely where two rows may share a contact."""
    assert v1(NOW_S, always=True) is Outcome.busy


def test_v2_with_an_older_date() -> None:
    """v2 never answers with an older execution, so that its date does not matter."""
    answer = Answer(201, execution_body(created_s=NOW_S - 3600), date=formatdate(NOW_S, usegmt=True))
    assert classify(answer, api_version="v2", always_check=True).outcome is Outcome.created


# --- refusals ---

#: (HTTP status, Twilio code) of a create → outcome. Those of the dictionary for creates, and codes that may be absent.
REFUSED: list[tuple[int, int | None, Outcome]] = [
    (400, 20001, Outcome.rejected),
    (400, 81023, Outcome.rejected),
    (400, 21211, Outcome.rejected),
    (400, 21212, Outcome.rejected),
    (400, 21217, Outcome.rejected),
    (400, 21408, Outcome.rejected),
    (400, 21610, Outcome.rejected),
    (400, 21614, Outcome.rejected),
    (400, None, Outcome.rejected),
    (402, None, Outcome.rejected),
    (405, 20004, Outcome.rejected),
    (406, None, Outcome.rejected),
    (410, None, Outcome.rejected),
    (411, None, Outcome.rejected),
    (413, None, Outcome.rejected),
    (414, None, Outcome.rejected),
    (415, None, Outcome.rejected),
    (418, None, Outcome.rejected),
    (422, 20422, Outcome.rejected),
    (431, None, Outcome.rejected),
    (451, None, Outcome.rejected),
    (499, None, Outcome.rejected),
    (408, None, Outcome.unknown),
    (408, 20408, Outcome.unknown),
    (500, 20500, Outcome.unknown),
    (500, None, Outcome.unknown),
    (501, None, Outcome.unknown),
    (502, None, Outcome.unknown),
    (503, 20503, Outcome.unknown),
    (503, None, Outcome.unknown),
    (504, None, Outcome.unknown),
    (520, None, Outcome.unknown),
    (599, None, Outcome.unknown),
    (300, None, Outcome.unknown),
    (301, None, Outcome.unknown),
    (302, None, Outcome.unknown),
    (303, None, Outcome.unknown),
    (304, None, Outcome.unknown),
    (307, None, Outcome.unknown),
    (308, None, Outcome.unknown),
    (101, None, Outcome.unknown),
    (600, None, Outcome.unknown),
    (999, None, Outcome.unknown),
]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("status", "code", "outcome"), REFUSED)
def test_refusals_of_one_row(version: str, status: int, code: int | None, outcome: Outcome) -> None:
    """A refusal moves one row, and an answer that proves nothing leaves it unknown."""
    for body in (error_body(status, code), HTML, b""):
        verdict = classify(Answer(status, body), api_version=version)
        assert verdict.outcome is outcome
        assert verdict.http_status == status
        assert verdict.error_code == (code if body.startswith(b"{") else None)
        assert verdict.stop is None
        assert verdict.trouble is (outcome is Outcome.unknown)
        assert verdict.message == ("some words" if body.startswith(b"{") else f"HTTP {status}")


@pytest.mark.parametrize(
    ("status", "code", "kind", "exit_code"),
    [
        (401, 20003, AuthenticationError, ExitCode.AUTHENTICATION),
        (401, None, AuthenticationError, ExitCode.AUTHENTICATION),
        (403, 20003, PermissionRefused, ExitCode.AUTHENTICATION),
        (403, 20403, PermissionRefused, ExitCode.AUTHENTICATION),
        (403, 20005, PermissionRefused, ExitCode.AUTHENTICATION),
        (403, 20008, PermissionRefused, ExitCode.AUTHENTICATION),
        (403, 70051, PermissionRefused, ExitCode.AUTHENTICATION),
        (404, 20404, FlowNotFound, ExitCode.USAGE),
        (407, None, AuthenticationError, ExitCode.AUTHENTICATION),
    ],
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_refusals_of_every_row(
    version: str, status: int, code: int | None, kind: type[Exception], exit_code: ExitCode
) -> None:
    """What would be the same for every row stops the run, and leaves the row planned."""
    for body in (error_body(status, code), HTML, b""):
        verdict = classify(Answer(status, body), api_version=version)
        assert verdict.outcome is Outcome.not_sent
        assert STATE_AFTER[verdict.outcome] is RowState.planned
        assert type(verdict.stop) is kind
        assert verdict.stop.exit_code is exit_code
        assert verdict.stop.fix


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_429_is_throttled(version: str) -> None:
    """A 429 is throttled, whatever its body, and gives the row back."""
    for body in (error_body(429, 20429), error_body(429, None), HTML, b""):
        verdict = classify(Answer(429, body, retry_after="7"), api_version=version)
        assert (verdict.outcome, verdict.retry_after_s, verdict.trouble) == (Outcome.throttled, 7.0, False)
        assert STATE_AFTER[verdict.outcome] is RowState.planned


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("details", "sid"),
    [
        ({"conflicting_execution_sid": OTHER_SID}, OTHER_SID),
        ({"conflicting_execution_sid": None}, None),
        ({"conflicting_execution_sid": 7}, None),
        ({"conflicting_execution_sid": "CA" + "0" * 32}, None),
        ({"conflicting_execution_sid": "FN1"}, None),
        ({"conflicting_execution_sid": "FN" + "/" * 32}, None),
        ({}, None),
        (None, None),
        ([OTHER_SID], None),
        ("conflicting_execution_sid", None),
    ],
)
def test_a_409_is_busy(version: str, details: Any, sid: str | None) -> None:
    """A 409 is busy, and names the other execution where the answer does."""
    verdict = classify(Answer(409, error_body(409, 20409, details=details)), api_version=version)
    assert (verdict.outcome, verdict.check_sid, verdict.error_code) == (Outcome.busy, sid, 20409)
    assert verdict.execution_sid is None
    assert classify(Answer(409, HTML), api_version=version).outcome is Outcome.busy


# --- no answer ---


@pytest.mark.parametrize("status", [0, 201, 500])
def test_what_a_failure_proves(status: int) -> None:
    """Only a failure to connect proves that nothing was sent."""
    outcomes = {
        failure: classify(Answer(status, failure=failure, detail="x"), api_version="v2").outcome for failure in Failure
    }
    assert outcomes == {
        Failure.not_connected: Outcome.not_sent,
        Failure.certificate: Outcome.not_sent,
        Failure.broken: Outcome.unknown,
        Failure.timeout: Outcome.unknown,
    }


def test_which_failure_stops_the_run() -> None:
    """A certificate that is not trusted stops the run, and a lost connection does not."""
    certificate = classify(Answer(failure=Failure.certificate, detail="x"), api_version="v2")
    assert isinstance(certificate.stop, CertificateUntrusted)
    for failure in (Failure.not_connected, Failure.broken, Failure.timeout):
        verdict = classify(Answer(failure=failure, detail="x"), api_version="v2")
        assert verdict.stop is None
        assert verdict.trouble


def test_a_failure_after_a_success_status() -> None:
    """A failure after a success status keeps the status, and claims no execution."""
    verdict = classify(Answer(201, failure=Failure.broken, detail="the answer was cut short"), api_version="v2")
    assert (verdict.outcome, verdict.http_status, verdict.execution_sid) == (Outcome.unknown, 201, None)
    assert verdict.message == "no answer: the answer was cut short"


# --- odd bodies: whatever a server says must fit into the ledger ---


@pytest.mark.parametrize(
    "code", [True, False, "20001", 20001.0, -1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 10**30, [1], {}]
)
def test_odd_error_codes(code: Any) -> None:
    """An odd error code is left out, or fits the ledger."""
    body = f'{{"code": {orjson.dumps(code).decode() if code != 10**30 else 10**30}, "message": "m"}}'.encode()
    verdict = classify(Answer(400, body), api_version="v2")
    assert verdict.outcome is Outcome.rejected
    assert not isinstance(verdict.error_code, bool)
    sqlite3.connect(":memory:").execute("SELECT ?", (verdict.error_code,))


@pytest.mark.parametrize("message", [None, 5, [], {}, "", "x" * 100_000, "\x00", "ü" * 1000, "line\nline", True])
def test_odd_messages(message: Any) -> None:
    """A message is text, and short, whatever the server says."""
    verdict = classify(Answer(400, orjson.dumps({"message": message})), api_version="v2")
    assert isinstance(verdict.message, str)
    assert 0 < len(verdict.message) <= MESSAGE_MAX
    sqlite3.connect(":memory:").execute("SELECT ?", (verdict.message,))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["sid", "code", "message", "details", "date_created", "conflicting_execution_sid", "x"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=200) | JSON.map(lambda value: orjson.dumps(value, default=str))
#: Dates with something wrong in one of their places, and what stands in a header by mistake.
ODD_NUMBERS = st.integers(-(10**22), 10**22).map(str) | st.sampled_from(["", "0", "00", "٣", "+9" * 9, "1e9", "GMT"])
ODD_DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Xyz", ""]),
    ODD_NUMBERS | st.integers(0, 32).map(str),
    st.sampled_from(["Jan", "Dec", "Foo", ""]),
    ODD_NUMBERS | st.sampled_from(["2024", "1", "9999"]),
    ODD_NUMBERS | st.integers(0, 24).map(str),
    ODD_NUMBERS | st.integers(0, 60).map(str),
    ODD_NUMBERS | st.integers(0, 61).map(str),
    ODD_NUMBERS | st.sampled_from(["GMT", "+0100", "-2359", "+99999999999999999999", "UT", "EST"]),
)
HEADERS = (
    st.none()
    | st.text(max_size=40)
    | ODD_DATES
    | ODD_NUMBERS
    | st.sampled_from(["Mon, 01 Jan 2024 00:00:00 GMT", "5", "nan", "inf"])
)


@given(
    status=st.integers(100, 999),
    body=BODIES,
    date=HEADERS,
    retry_after=HEADERS,
    version=st.sampled_from(["v1", "v2"]),
    always=st.booleans(),
)
def test_any_answer(
    status: int, body: bytes, date: str | None, retry_after: str | None, version: str, always: bool
) -> None:
    """No answer makes `classify` raise, and only a named execution is ever created."""
    answer = Answer(status, body, date=date, retry_after=retry_after, elapsed_s=0.1)
    verdict = classify(answer, api_version=version, always_check=always)
    if verdict.outcome is Outcome.created:
        assert status in (200, 201)
        assert verdict.execution_sid is not None
        assert verdict.execution_sid.encode() in body
    if verdict.outcome is Outcome.not_sent:
        assert verdict.stop is not None  # an HTTP answer gives a row back only where the run stops, or by 429
    if status >= 500 or status < 200 or 300 <= status < 400:
        assert verdict.outcome is Outcome.unknown
    assert verdict.retry_after_s is None or 0 <= verdict.retry_after_s < math.inf
    values = (verdict.execution_sid, verdict.error_code, verdict.message, verdict.http_status)
    sqlite3.connect(":memory:").execute("SELECT ?, ?, ?, ?", values)


# --- dates ---


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("soon", None),
        ("inf", None),
        ("-inf", None),
        ("Infinity", None),
        ("nan", None),
        ("1e400", None),
        (formatdate(NOW_S + 30, usegmt=True), 30.0),
        (formatdate(NOW_S - 30, usegmt=True), 0.0),
        (formatdate(NOW_S + 30).replace("-0000", "+0100"), 0.0),
        ("Mon, 99 Foo 2024 00:00:00 GMT", None),
        ("+99999999999999999999", None),
        ("9" * 30, None),
        ("1_000", None),
        ("٣", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    """Retry-After is seconds, or a date against the answer's own, and never endless."""
    assert parse_retry_after(text, formatdate(NOW_S, usegmt=True)) == seconds


def test_retry_after_without_a_date() -> None:
    """A Retry-After date is read against this clock where the answer has no date."""
    import time

    seconds = parse_retry_after(formatdate(time.time() + 100, usegmt=True), None)
    assert seconds is not None
    assert 90 < seconds <= 101


@given(st.text(max_size=60) | ODD_DATES | ODD_NUMBERS, st.text(max_size=60) | ODD_DATES)
def test_no_header_text_makes_the_parsers_raise(text: str, date: str) -> None:
    """Whatever stands in them, and what they say can be reckoned with."""
    for retry_after_s in (parse_retry_after(text, date), parse_retry_after(date, text)):
        assert retry_after_s is None or 0 <= retry_after_s < 1e12
    parsed = parse_time(text)
    assert parsed is None or abs(parsed.timestamp()) < 1e12
    at_s = server_time_s(date)
    assert at_s is None or abs(at_s) < 1e12


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-06-15T15:06:40Z", NOW_S),
        ("2025-06-15T17:06:40+02:00", NOW_S),
        ("2025-06-15T15:06:40", NOW_S),
        ("2025-06-15T15:06:40.5Z", NOW_S + 0.5),
        ("", None),
        (None, None),
        (NOW_S, None),
        ("yesterday", None),
        ("2025-13-45T00:00:00Z", None),
    ],
)
def test_studio_s_times_are_read_as_utc(text: object, seconds: float | None) -> None:
    parsed = parse_time(text)
    assert (parsed.timestamp() if parsed else None) == seconds
