"""What an answer proves: `classify(answer) -> Verdict`, a pure function, tested by table.

| answer                                             | outcome   | and                                             |
|----------------------------------------------------|-----------|-------------------------------------------------|
| 200/201 with an execution SID                      | created   | v1: busy where the execution is an older one    |
| 2xx without one, cut or unparsable                 | unknown   |                                                 |
| 2xx about another contact, flow or account         | unknown   | it went astray; its SID is used for nothing     |
| 429                                                | throttled | never processed (docs/api/errors/20429)         |
| 409                                                | busy      | created where the conflicting one carries our id|
| 401, 403, 404, 407                                 | not_sent  | the run stops: it would be the same for all     |
| 408                                                | unknown   | an intermediary's word, not Studio's            |
| other 4xx                                          | rejected  |                                                 |
| 3xx, 5xx                                           | unknown   | a 500 may have created (docs/api/errors/20500)  |
| no connection: refused, DNS, connect or TLS timeout| not_sent  | the request never left                          |
| certificate not trusted                            | not_sent  | the run stops                                   |
| reset, disconnect, timeout, garbage after that     | unknown   | the server may have read the whole request      |
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeGuard

import orjson

from dispatcher.errors import (
    AuthenticationError,
    CertificateUntrusted,
    DispatcherError,
    FlowNotFound,
    PermissionRefused,
)
from dispatcher.model import Outcome, contact_of
from dispatcher.remedies import Advice, AnyOf, Command, Setting
from dispatcher.studio.advice import meaning

#: Studio's times are whole seconds; an execution this much older than the request's own second is an older one.
DATE_GRANULARITY_S = 1.0
MESSAGE_MAX = 300
#: Twilio's codes have five digits. A larger number is not one, and the ledger's integers end at 2**63.
CODE_MAX = 2**31 - 1
_EXECUTION_SID = re.compile("FN[0-9a-fA-F]{32}", re.ASCII)
#: Retry-After in seconds: digits (RFC 9110 §10.2.3), and fractions, which some servers send.
_SECONDS = re.compile(r"-?[0-9]{1,9}(\.[0-9]{0,9})?", re.ASCII)


class Failure(StrEnum):
    """Why there is no whole HTTP answer."""

    #: The connection could not be made: nothing left.
    not_connected = "not_connected"
    #: The server is not the one it should be: nothing left.
    certificate = "certificate"
    #: The connection broke, or its time was up, after the request may have left.
    broken = "broken"
    timeout = "timeout"


class Answer(NamedTuple):
    """What came back for one request: an HTTP answer (status) or a failure.

    A tuple, as `Verdict` is: one is made for each request, and a frozen dataclass takes four times as long.
    """

    status: int = 0
    body: bytes = b""
    failure: Failure | None = None
    #: For a failure: what it was, without addresses or secrets.
    detail: str = ""
    date: str | None = None
    retry_after: str | None = None
    request_id: str | None = None
    #: From sending to the end of the answer.
    elapsed_s: float = 0.0


class Asked(NamedTuple):
    """What a create request asked for: an answer about anything else is no answer to it."""

    account_sid: str
    flow_sid: str
    to: str


class Verdict(NamedTuple):
    """What an answer proved about its row."""

    outcome: Outcome
    execution_sid: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    message: str | None = None
    #: The execution whose Context tells whether it is ours after all (409, v1's older execution).
    check_sid: str | None = None
    #: What stops the whole run.
    stop: DispatcherError | None = None
    retry_after_s: float | None = None
    #: No connection could be made, or it broke: counts towards the breaker.
    trouble: bool = False

    @property
    def summary(self) -> str:
        """What came back, in words that may be shown anywhere."""
        if self.trouble and (self.http_status is None or self.http_status in _CREATED_STATUS):
            return self.message or "no answer"  # our own words
        return describe_status(self.http_status or 0, self.error_code)


_CREATED_STATUS = (200, 201)

NO_SUCH_FLOW = AnyOf(Command("flows", does="lists the account's flows"), Setting("campaign.flow"))
UNTRUSTED = AnyOf(Setting("account.base_url"), Advice("check the clock and the machine's certificates (SSL_CERT_FILE)"))


def classify(answer: Answer, *, api_version: str, asked: Asked | None = None, always_check: bool = False) -> Verdict:
    """What `answer` proves of the request `asked`; None: it is not known what was asked for.

    `always_check`: on v1, confirm every 200 by its Context (two rows may share a contact).
    """
    if answer.failure is not None:
        return _failure(answer)
    status = answer.status
    if status in _CREATED_STATUS:
        payload = _object(answer.body)
        sid = payload.get("sid")
        if is_execution_sid(sid):
            if asked is not None and (astray := _astray(payload, asked)) is not None:
                return Verdict(Outcome.unknown, http_status=status, message=astray, trouble=True)
            if api_version == "v1" and (always_check or _is_older(answer, payload)):
                return Verdict(Outcome.busy, http_status=status, check_sid=sid, message=_v1_message(sid))
            return Verdict(Outcome.created, sid, status)
        return Verdict(Outcome.unknown, http_status=status, message="the answer has no execution SID", trouble=True)
    payload = _object(answer.body)
    code = error_code(payload)
    message = _message(payload, status)
    if status == 429:
        return Verdict(
            Outcome.throttled,
            http_status=status,
            error_code=code,
            message=message,
            retry_after_s=parse_retry_after(answer.retry_after, answer.date),
        )
    if status == 409:
        details = payload.get("details")
        conflicting = details.get("conflicting_execution_sid") if isinstance(details, dict) else None
        check = conflicting if is_execution_sid(conflicting) else None
        return Verdict(Outcome.busy, http_status=status, error_code=code, message=message, check_sid=check)
    stop = stop_reason(status, code)
    if stop is not None:
        return Verdict(Outcome.not_sent, http_status=status, error_code=code, message=message, stop=stop)
    if 400 <= status < 500 and status != 408:
        return Verdict(Outcome.rejected, http_status=status, error_code=code, message=message)
    return Verdict(Outcome.unknown, http_status=status, error_code=code, message=message, trouble=True)


def is_execution_sid(value: object) -> TypeGuard[str]:
    """Whether it is `FN` and 32 hex digits: anything else names no execution, and never gets into an address."""
    return isinstance(value, str) and _EXECUTION_SID.fullmatch(value) is not None


def _astray(payload: dict[str, Any], asked: Asked) -> str | None:
    """What of the answer is not what was asked for; None: all that it tells is. (Fields may be null or left out.)"""
    account_sid, flow_sid, to = asked
    told = payload.get("account_sid")
    if told != account_sid and told is not None and not _is_same_sid(told, account_sid):
        return "the answer is about another account"
    told = payload.get("flow_sid")
    if told != flow_sid and told is not None and not _is_same_sid(told, flow_sid):
        return "the answer is about another flow"
    told = payload.get("contact_channel_address")
    if told != to and told is not None and not (isinstance(told, str) and contact_of(told) == contact_of(to)):
        return "the answer is about another contact"
    return None


def _is_same_sid(told: object, wanted: str) -> bool:
    return isinstance(told, str) and told.lower() == wanted.lower()


def describe_status(status: int, code: int | None) -> str:
    """An answer in words that may be shown anywhere: `400/21211, the phone number is not valid`.

    The server's own message may hold the number it is about. It goes into the report, and nowhere else.
    """
    words = meaning(code) if code is not None else None
    return f"{status}" + (f"/{code}" if code is not None else "") + (f", {words}" if words else "")


def stop_reason(status: int, code: int | None) -> DispatcherError | None:
    """The error for answers that would be the same for every row; None where the answer is about this one."""
    shown = describe_status(status, code)
    if status in (401, 407):
        return AuthenticationError(
            "Studio refused the credentials" if status == 401 else "the proxy asks for credentials",
            found=shown,
            fix="check the account SID, the API key and its secret, and their region",
        )
    if status == 403:
        return PermissionRefused(
            found=shown,
            fix="use a key that may create Studio executions; check that the account is active",
        )
    if status == 404:
        return FlowNotFound(found=shown, fix=NO_SUCH_FLOW)
    return None


def _failure(answer: Answer) -> Verdict:
    if answer.failure is Failure.not_connected:
        return Verdict(Outcome.not_sent, message=f"no connection: {answer.detail}", trouble=True)
    if answer.failure is Failure.certificate:
        return Verdict(
            Outcome.not_sent,
            message="the server's certificate is not trusted",
            stop=CertificateUntrusted(
                found=answer.detail,
                fix=UNTRUSTED,
            ),
        )
    status = answer.status or None
    return Verdict(Outcome.unknown, http_status=status, message=f"no answer: {answer.detail}", trouble=True)


def _is_older(answer: Answer, payload: dict[str, Any]) -> bool:
    """v1 answers a busy contact with the old execution: it was created before our request reached the server."""
    created = parse_time(payload.get("date_created"))
    now = _http_date(answer.date)
    if created is None or now is None:
        return True  # nothing shows that it is new: the Context decides
    return (now - created).total_seconds() >= answer.elapsed_s + DATE_GRANULARITY_S


def _v1_message(sid: str) -> str:
    return f"Execution {sid} was already active for this contact"


def parse_time(text: object) -> datetime | None:
    """Studio's `YYYY-MM-DDThh:mm:ssZ`; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        # In UTC, so that no later arithmetic leaves the calendar.
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None  # the parser has more ways to refuse than its documentation tells


def server_time_s(date: str | None) -> float | None:
    """A Date header as seconds since the epoch."""
    parsed = _http_date(date)
    return parsed.timestamp() if parsed else None


def parse_retry_after(text: str | None, date: str | None = None) -> float | None:
    """Retry-After in seconds (RFC 9110 §10.2.3: seconds, or a date read against the answer's own Date)."""
    if not text:
        return None
    if _SECONDS.fullmatch(text.strip()):
        return max(0.0, float(text))
    until, now = _http_date(text), _http_date(date) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return payload if isinstance(payload, dict) else {}


def error_code(payload: dict[str, Any]) -> int | None:
    """Twilio's error code; None where there is none, or something that is no code."""
    code = payload.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) and 0 < code <= CODE_MAX else None


def _message(payload: dict[str, Any], status: int) -> str:
    message = payload.get("message")
    text = message if isinstance(message, str) and message else f"HTTP {status}"
    return text[:MESSAGE_MAX]
