"""All that can be set. What the real API leaves undocumented is a switch here, never a guess in the code."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dispatcher.errors import SettingsError
from dispatcher.remedies import Option
from dispatcher.sandbox.contacts import ContactScript
from dispatcher.sandbox.dates import to_us
from dispatcher.sandbox.faults import FaultPhase
from dispatcher.sandbox.flows import SandboxFlow, default_flow

#: What can be changed while requests come in: everything else is the account, or was counted by already.
CHANGEABLE = frozenset(
    {
        "bare_conflict_share",
        "clock_skew_s",
        "context_lag_s",
        "date_created_skew_s",
        "date_header_skew_s",
        "drip_s",
        "ends_after_s",
        "huge_bytes",
        "initiated_by",
        "late_s",
        "latency_jitter_s",
        "latency_s",
        "list_lag_s",
        "null_address_share",
        "retry_after_s",
        "second_answer_s",
        "slow_s",
    }
)
_MAY_BE_NONE = frozenset({"ends_after_s", "retry_after_s"})
_INITIATED_BY = ("given", "null", "missing")


def parse_change(text: str) -> tuple[str, object]:
    """`"context_lag_s=5"` as written on a command line: a number, a word, or `none`. Raises SettingsError."""
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError("A setting is written NAME=VALUE", found=text[:40], fix=Option("set", "context_lag_s=5"))
    try:
        return name, None if value == "none" else float(value)
    except ValueError:
        return name, value


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """How the sandbox behaves. Raises SettingsError for a value that makes no sense."""

    host: str = "127.0.0.1"
    port: int = 0  #: 0: the operating system chooses a free one
    ipv6: bool = False  #: listen on [::1] too, at the same port, where the machine has it
    account_sid: str = "AC" + "0" * 32
    credentials: Mapping[str, str] | None = None
    """Username → password. None accepts any AC… or SK… SID with a password that is not empty."""

    limit_per_s: float = 20.0
    """The account's creates per second, averaged over `window_s`; 0: no limit."""
    window_s: float = 10.0
    """Length of the exact sliding window: the (limit_per_s · window_s + 1)-th create in it is answered 429/20429."""
    count_refused: bool = False
    """Unknown in the real API: whether creates refused with 429 count against the window as well."""
    concurrency_limit: int = 0
    """Requests at once, above which any is answered 429/20429; 0: none. The real number is not published."""
    retry_after_s: float | None = None
    """Retry-After on every 429. Not documented for Studio, so off."""

    latency_s: float = 0.0  #: every answer comes this late; the request is carried out when it arrives
    latency_jitter_s: float = 0.0  #: and up to this much later, drawn evenly

    ends_after_s: float | None = 2.0
    """An execution ends this long after it was created; None: only by an update. A flow that walks decides itself."""
    conflict_key_includes_flow: bool = True
    """Unknown: whether a contact that is active in another flow conflicts too. True: only within the same flow."""
    list_lag_s: float = 0.0
    """An execution appears in lists this long after it was created; fetching it by its SID works at once."""
    retention_days: float = 30.0  #: after that an execution is gone: 404, and in no list

    parameters_check: Literal["object", "json", "none"] = "object"
    """Unknown: the answer to Parameters that are not a JSON object. `object` refuses them with 400/20001, `json` only
    what is not JSON, `none` nothing."""
    parameters_max_bytes: int = 0
    """Unknown: the largest Parameters. 0: no limit but that of the body; else 400/20001 above it."""
    unpublished_flow: Literal["reject", "not_found", "end"] = "reject"
    """Unknown: a create on a flow that is only a draft. 400/20001, 404/20404, or an execution that ends at once."""
    status_active_update: Literal["reject", "ignore"] = "reject"
    """Unknown: an update to `Status=active`. 400/20001, or 200 and nothing changes."""
    delete_active: Literal["delete", "reject"] = "delete"
    """Unknown: deleting an active execution. 204, or 409/20409."""
    external_id: Literal["ignore", "reject"] = "ignore"
    """Unknown: the undocumented form field ExternalId. Ignored, or 400/20001."""
    max_body_bytes: int = 1 << 20  #: a larger body is answered 413

    # What the documents do not exclude, and what servers and proxies on the way have done: it proves nothing.
    context_lag_s: float = 0.0
    """The Context of an execution is 404 this long after it was created."""
    null_address_share: float = 0.0
    """Share of the executions whose contact_channel_address is null (the published description allows it)."""
    bare_conflict_share: float = 0.0
    """Share of the conflicts that do not say which execution is in the way."""
    initiated_by: Literal["given", "null", "missing"] = "given"
    """Whether v2 says what began an execution: older servers do not."""
    date_header_skew_s: float = 0.0  #: added to the Date header alone, beside `clock_skew_s`
    date_created_skew_s: float = 0.0  #: added to the dates of the executions that are created meanwhile, alone
    huge_bytes: int = 34 << 20  #: size of the answers of a `huge` fault
    second_answer_s: float = 0.0  #: how long after the first answer that of a `second_answer` fault comes

    contacts: ContactScript = field(default_factory=ContactScript)
    """Who answers what, in the flows that walk."""
    flows: tuple[SandboxFlow, ...] = field(default_factory=lambda: (default_flow(),))
    dispatch_id_parameter: str = "dispatch_id"
    """The name inside Parameters whose value the statistics count, to show what was created twice."""

    faults: Mapping[str, float] = field(default_factory=dict)  #: name → probability; the names are in `faults.py`
    slow_s: float = 5.0  #: how late the answer of a `slow` fault comes
    late_s: float = 2.0  #: how long after a `reset_late` fault its execution appears
    drip_s: float = 0.2  #: between two bytes of a `drip` fault
    seed: int = 0  #: the same seed and the same requests: the same SIDs, faults and contacts
    clock_skew_s: float = 0.0  #: added to the Date header and to every date; lists are asked by it, too
    keepalive_timeout_s: float = 75.0  #: an idle connection is closed after this long

    def __post_init__(self) -> None:
        if not re.fullmatch(r"AC[0-9a-f]{32}", self.account_sid):
            raise SettingsError(
                "Not an account SID", found=self.account_sid[:4] + "…", fix="AC and 32 lower-case hex digits"
            )
        if not 0 <= self.port <= 65535:
            raise SettingsError("Not a port", found=str(self.port), fix="0 lets the system choose a free one")
        for name in (
            "limit_per_s",
            "concurrency_limit",
            "latency_s",
            "latency_jitter_s",
            "list_lag_s",
            "parameters_max_bytes",
            "slow_s",
            "late_s",
            "context_lag_s",
            "second_answer_s",
        ):
            self._at_least(name, 0, below=False)
        for name in ("window_s", "retention_days", "drip_s", "keepalive_timeout_s", "max_body_bytes", "huge_bytes"):
            self._at_least(name, 0, below=True)
        for name in ("retry_after_s", "ends_after_s"):
            if getattr(self, name) is not None:
                self._at_least(name, 0, below=False)
        for name in ("clock_skew_s", "date_header_skew_s", "date_created_skew_s"):
            if not math.isfinite(getattr(self, name)):
                raise SettingsError(f"{name} is not a number of seconds", found=str(getattr(self, name)))
        for name in ("null_address_share", "bare_conflict_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is not between 0 and 1", found=f"{getattr(self, name):g}")
        if self.initiated_by not in _INITIATED_BY:
            raise SettingsError(
                "initiated_by is not known", found=str(self.initiated_by)[:40], fix=f"one of {', '.join(_INITIATED_BY)}"
            )
        if self.limit_per_s and self.limit_per_s * self.window_s < 1:
            raise SettingsError(
                "limit_per_s · window_s is below 1: no create could ever pass",
                found=f"{self.limit_per_s:g}/s over {self.window_s:g} s",
                fix="a longer window_s, or limit_per_s = 0 for no limit",
            )
        if len({flow.sid for flow in self.flows}) < len(self.flows):
            raise SettingsError("Two flows have the same SID", fix="give each flow its own")
        FaultPhase(faults=self.faults)

    def _at_least(self, name: str, bound: float, *, below: bool) -> None:
        value = getattr(self, name)
        if not math.isfinite(value) or value < bound or (below and value == bound):
            raise SettingsError(f"{name} must be {'more than' if below else 'at least'} {bound:g}", found=f"{value:g}")

    def changed(self, changes: Mapping[str, object]) -> SandboxSettings:
        """These settings with some of them changed, as `POST /_sandbox/settings` asks for it. Raises SettingsError."""
        if unknown := changes.keys() - CHANGEABLE:
            raise SettingsError(
                "Not a setting that can be changed while the sandbox runs",
                found=", ".join(sorted(unknown))[:80],
                fix=f"the settings are {', '.join(sorted(CHANGEABLE))}",
            )
        values: dict[str, Any] = {}
        for name, value in changes.items():
            if name == "initiated_by" or (value is None and name in _MAY_BE_NONE):
                values[name] = value
            elif isinstance(value, bool) or not isinstance(value, (int, float)):
                raise SettingsError(
                    f"{name} is a number", found=repr(value)[:40], fix=f"as it is: {getattr(self, name)}"
                )
            else:
                values[name] = int(value) if name.endswith("_bytes") else float(value)
        return replace(self, **values)

    @property
    def window_us(self) -> int:
        return to_us(self.window_s)

    @property
    def limit_per_window(self) -> int | None:
        """Creates that fit into one window; None: no limit."""
        # 0.3 · 10 must be 3 even where floating point makes it 2.999….
        return math.floor(self.limit_per_s * self.window_s + 1e-9) if self.limit_per_s else None
