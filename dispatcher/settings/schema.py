"""Every setting: its name, its default, its unit and what is a wrong value. Nothing is read here."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dispatcher.hosts import is_loopback
from dispatcher.settings.cluster import ClusterSettings
from dispatcher.settings.flow_sids import is_broken_sid, is_flow_sid
from dispatcher.settings.notify import NotifySettings
from dispatcher.settings.rate import RateSettings
from dispatcher.settings.rules import (
    CanarySettings,
    CapsSettings,
    CoolOffSettings,
    GuardSettings,
    HoursSettings,
    ScheduleSettings,
    SuppressSettings,
)
from dispatcher.settings.state import StateSettings as StateSettings
from dispatcher.settings.table import NotNegative, Positive, Table
from dispatcher.settings.tracking import TrackingSettings
from dispatcher.settings.web import WebSettings

DEFAULT_BASE_URL = "https://studio.twilio.com"


class AccountSettings(Table):
    """Which Studio to talk to."""

    base_url: str = Field(DEFAULT_BASE_URL, description="Studio's address. Point it at a sandbox to rehearse.")
    insecure_http: bool = Field(
        False,
        description="Allow a base_url of http:// that is not this machine's. Whoever is on the way reads the"
        " credentials and the numbers: for a lab.",
    )
    api_version: Literal["v1", "v2"] = Field(
        "v2", description="The API version. v2 tells a busy contact from a new execution."
    )
    region: str | None = Field(
        None, description="Twilio region, for example ie1. Set edge with it. Default: TWILIO_REGION."
    )
    edge: str | None = Field(
        None, description="Twilio edge, for example dublin. Set region with it. Default: TWILIO_EDGE."
    )

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        value = value.rstrip("/")
        parts = urlsplit(value)
        if "engagements" in value.lower():
            raise ValueError("/Engagements ceased in January 2019 and is called /Executions now; give only the host")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be http(s)://host[:port]")
        try:
            _ = parts.port
        except ValueError:
            raise ValueError("must be http(s)://host[:port], the port a number up to 65535") from None
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; set TWILIO_API_KEY and TWILIO_API_SECRET instead")
        if parts.path or parts.query or parts.fragment:
            raise ValueError("must be the host alone, without a path")
        return value

    @model_validator(mode="after")
    def _check_encrypted(self) -> AccountSettings:
        if not self.insecure_http and urlsplit(self.base_url).scheme == "http" and not is_loopback(self.base_url):
            raise PydanticCustomError(
                "insecure_http",
                "http:// would send the credentials and the contacts' numbers unencrypted through the network;"
                " use https://, or set insecure_http = true for a lab",
                # For `loading`: whose error it is, and what was found.
                {"setting": "base_url", "found": self.base_url},
            )
        return self

    @field_validator("region", "edge")
    @classmethod
    def _check_label(cls, value: str | None) -> str | None:
        """They become part of the host that gets the credentials: nothing in them may end its name early."""
        if value and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
            raise ValueError("must be small letters, digits and hyphens, like us1 or frankfurt")
        return value


class CampaignSettings(Table):
    """What is started, and for whom."""

    flow: str | None = Field(None, description="The Studio Flow: its SID (FW…), or its name. Required to send.")
    from_: str | None = Field(
        None, alias="from", description="The sender: +E.164, MG… or another address. Or set from_column."
    )
    from_column: str | None = Field(None, description="The column that holds each row's own sender.")
    on_busy: Literal["skip", "wait", "end"] = Field(
        "skip",
        description="When the contact has another active execution: skip the row, wait and ask again, or end the other"
        " one first (this cuts a live conversation).",
    )
    busy_wait_s: Positive = Field(60.0, description="With on_busy = wait: seconds until a busy contact is asked again.")
    busy_give_up_s: Positive = Field(
        3600.0, description="With on_busy = wait: seconds after which a busy contact is left busy."
    )
    id_parameter: str = Field(
        "dispatch_id",
        description="The name under which each row's id travels inside Parameters. It is the proof that reconcile looks"
        ' for; "" turns it off, and unknown rows then stay unknown.',
    )
    purpose: Literal["marketing", "transactional"] | None = Field(
        None,
        description="transactional (an alert, a code, a reminder that was asked for): hours and cool-off do not hold;"
        " suppression always does. Default: marketing.",
    )
    repeat_after_h: NotNegative = Field(
        16.0,
        description="A contact whom any campaign of this account has started on this flow within so many hours is"
        " skipped; 0: nobody is.",
    )
    repeat_look_back_max: Annotated[int, Field(ge=1)] = Field(
        100_000,
        description="The most executions of the flow that are listed at the start of a run to find such contacts that"
        " this ledger does not know of.",
    )

    @field_validator("flow")
    @classmethod
    def _check_flow(cls, value: str | None) -> str | None:
        if value is not None and not is_flow_sid(value) and (not value or is_broken_sid(value)):
            raise ValueError("must be FW and 32 hex digits, or the flow's name, as the Studio console shows it")
        return value


class ColumnsSettings(Table):
    """Which column is what. Nothing is guessed."""

    to: str | None = Field(None, description="The column that holds the contact's number or address. Required.")
    region: str | None = Field(
        None, description="Two-letter country for numbers without a country code, for example US."
    )
    parameters: list[str] | dict[str, str] | None = Field(
        None,
        description="The columns sent as Parameters: a list of columns, or a table parameter = column."
        " Default: every column but the contact's and the sender's.",
    )
    constants: dict[str, str] = Field(default_factory=dict, description="Parameters that are the same for every row.")
    key: list[str] = Field(
        default_factory=list,
        description="The columns that make a row the same row on a re-run. Default: the normalised number.",
    )

    zone: str | None = Field(
        None, description="The column with the contact's time zone (America/New_York). An empty cell: by the number."
    )
    area: str | None = Field(
        None, description="The column with the contact's state (FL or US-FL), where that is not the number's."
    )
    not_before: str | None = Field(
        None,
        description="The column with the time from which the row may be sent: 2026-12-01T09:00, on the contact's own"
        " clock; or with an offset.",
    )
    not_after: str | None = Field(
        None, description="The column with the time until which the row may be sent; a date alone: to its end."
    )

    @field_validator("region")
    @classmethod
    def _check_region(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z]{2}", value):
            raise ValueError("must be a two-letter country code, for example US")
        return value.upper() if value else value


class InputSettings(Table):
    """How the file is read."""

    sheet: str | None = Field(None, description="The sheet of a workbook. Default: the only visible one that has rows.")
    delimiter: str | None = Field(
        None, description='One character, or "tab" or "space". Default: found out from the header line.'
    )
    encoding: str | None = Field(
        None, description="The text's encoding, for example cp1252. Default: UTF-8, or what its BOM says."
    )
    header_row: Annotated[int, Field(ge=0)] = Field(
        0, description="The row with the columns' names, counted as a spreadsheet does. 0: the first that is not blank."
    )
    dates: str = Field(
        "",
        description="How dates of a workbook or a Parquet file are written, for example"
        ' "%d.%m.%Y". Default: 2026-03-31.',
    )
    parameters_max_bytes: Annotated[int, Field(gt=0)] = Field(
        16_384, description="The most bytes a row's Parameters may have as JSON; longer rows are invalid."
    )
    cell_max_bytes: Annotated[int, Field(gt=0)] = Field(
        1_000_000, description="The most bytes one cell may have; a longer one makes the row invalid."
    )
    fill_short_rows: bool = Field(
        False,
        description="Take rows with too few cells as if the rest were empty, instead of calling them invalid."
        " For files whose writer leaves trailing delimiters out.",
    )

    @field_validator("dates")
    @classmethod
    def _check_dates(cls, value: str) -> str:
        """A pattern of another program's (dd.mm.yyyy) would be sent as it stands, in each row."""
        days = (datetime.date(2026, 3, 31), datetime.date(2027, 11, 2))
        if value and len({day.strftime(value) for day in days}) < len(days):
            raise ValueError('must say the day in strftime\'s words, like "%d.%m.%Y" (02.03.2026) or "%Y-%m-%d"')
        return value


class RetrySettings(Table):
    """What happens after a 429, a failed connection, consecutive failures."""

    backoff_base_s: Positive = Field(
        0.2, description="The first pause after a 429 without Retry-After, in seconds; it doubles."
    )
    backoff_max_s: Positive = Field(30.0, description="The longest such pause, in seconds.")
    connect_attempts: Annotated[int, Field(ge=1)] = Field(
        10,
        description="Stop the run after this many consecutive attempts to connect that failed (nothing was sent).",
    )
    breaker_failures: Annotated[int, Field(ge=1)] = Field(
        20,
        description="Stop the run after this many consecutive failures (5xx, resets, time-outs, no connection).",
    )
    throttled_give_up_s: Positive = Field(
        900.0, description="Stop the run (resumable) after this many seconds of nothing but 429."
    )
    read_attempts: Annotated[int, Field(ge=1)] = Field(5, description="How often a read (list, fetch) is tried.")


class TimeoutSettings(Table):
    """How long to wait for what, in seconds."""

    connect_s: Positive = Field(10.0, description="Until a connection stands, TLS included.")
    answer_s: Positive = Field(
        30.0, description="From sending a request to the end of its answer; then the row is unknown."
    )
    stop_s: Positive = Field(
        35.0, description="After Ctrl-C: until requests in flight are given up (their rows are unknown)."
    )


class ReconcileSettings(Table):
    """How unknown rows are resolved."""

    settle_s: NotNegative = Field(
        60.0,
        description="How long the Executions list may take to show an execution; then a missing one is sent again if"
        " the list shows later ones, else once. Must be above answer_s, but for a Studio on this machine.",
    )
    clock_skew_s: NotNegative = Field(
        5.0, description="Added to the measured difference between this clock and the server's."
    )
    at_end: bool = Field(
        True, description="Resolve unknown rows at the end of a run too (a run may take settle_s longer)."
    )
    concurrency: Annotated[int, Field(ge=1, le=100)] = Field(4, description="Reads at once.")


class CostSettings(Table):
    """What the texts cost, for the estimate before the question."""

    per_segment: NotNegative | None = Field(
        None,
        description="What you pay for one SMS segment, carriers' fees included, in whatever you count in. No price is"
        " built in; without one no cost is shown.",
    )


class Settings(Table):
    """Every setting, checked."""

    account: AccountSettings = AccountSettings()
    campaign: CampaignSettings = CampaignSettings()
    columns: ColumnsSettings = ColumnsSettings()
    input: InputSettings = InputSettings()
    rate: RateSettings = RateSettings()
    retry: RetrySettings = RetrySettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    canary: CanarySettings = CanarySettings()
    guard: GuardSettings = GuardSettings()
    suppress: SuppressSettings = SuppressSettings()
    hours: HoursSettings = HoursSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    cooloff: CoolOffSettings = CoolOffSettings()
    caps: CapsSettings = CapsSettings()
    notify: NotifySettings = NotifySettings()
    tracking: TrackingSettings = TrackingSettings()
    cost: CostSettings = CostSettings()
    state: StateSettings = StateSettings()
    cluster: ClusterSettings = ClusterSettings()
    web: WebSettings = WebSettings()

    @property
    def repeat_after_ms(self) -> int:
        """For how long nobody is reached a second time; 0: as often as there are rows."""
        return int(self.campaign.repeat_after_h * 3_600_000)

    @property
    def hours_mode(self) -> Literal["wait", "warn", "off"]:
        """Whether rows wait for their hours."""
        if self.campaign.purpose == "transactional":
            return "off"
        return self.hours.mode or ("off" if self.is_loopback else "wait")

    @property
    def keeps_places(self) -> bool:
        """Whether it matters where contacts are."""
        return self.hours_mode != "off" or self.schedule.start_at is not None or self.schedule.deadline is not None

    @property
    def rows_may_wait(self) -> bool:
        """Whether rows may wait for something else than busy contacts."""
        return self.keeps_places or self.columns.not_before is not None or bool(self.cooloff.max or self.caps.is_set)

    @property
    def window_limit(self) -> int:
        """The most create requests in any window, by the account's limit (headroom not taken off)."""
        return max(1, int(self.rate.per_second * self.rate.window_s + 1e-9))

    @property
    def is_cluster(self) -> bool:
        """Whether the ledger is a server's, for many machines."""
        return bool(self.state.url)

    @property
    def is_loopback(self) -> bool:
        """Whether the host to call is this machine: a sandbox."""
        return is_loopback(self.studio_url)

    @property
    def studio_url(self) -> str:
        """The host to call, region and edge put in as Twilio's SDKs do: studio.EDGE.REGION.twilio.com."""
        base = self.account.base_url
        region, edge = self.account.region, self.account.edge
        if base != DEFAULT_BASE_URL or not (region or edge):
            return base
        labels = ["studio"] + ([edge] if edge else []) + [region or "us1"]
        return f"https://{'.'.join(labels)}.twilio.com"


def tables() -> Iterator[tuple[str, type[Table]]]:
    """Each table's name and model, in the order of config.example.toml."""
    for name, info in Settings.model_fields.items():
        model = info.annotation
        assert isinstance(model, type)
        assert issubclass(model, Table)
        yield name, model


def takes_list(dotted: str) -> bool:
    """Whether a setting, `table.name`, may be a list."""
    return "list[" in _kinds(dotted)


def takes_table(dotted: str, *, alone: bool = False) -> bool:
    """Whether a setting may be a table of names and texts; `alone`: and nothing else."""
    return _kinds(dotted).startswith("dict[") if alone else "dict[" in _kinds(dotted)


def _kinds(dotted: str) -> str:
    """What a setting may be, as Python writes it; "" where there is none of that name."""
    table, _, name = dotted.partition(".")
    model = dict(tables()).get(table)
    field = setting_names(model).get(name) if model is not None else None
    return str(model.model_fields[field].annotation) if model is not None and field is not None else ""


def setting_names(model: type[Table]) -> dict[str, str]:
    """A table's setting names as the user writes them -> field names."""
    return {info.alias or name: name for name, info in model.model_fields.items()}
