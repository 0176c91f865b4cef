"""The settings of a campaign's rules: to whom, when, and how much at most."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dispatcher.settings.table import NotNegative, Table


class GuardSettings(Table):
    """What is not let happen by mistake."""

    max_rows: Annotated[int, Field(ge=0)] = Field(
        0,
        description="The most rows that one run may send: more are refused before the first one, as they come from a"
        " wrong file, say, that a scheduled job was given. 0: as many as there are.",
    )
    window_rows: Annotated[int, Field(ge=10)] = Field(
        200,
        description="Of how many of a run's last answers max_rejected is a share: one with fewer goes on.",
    )
    max_rejected: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2,
        description="A run stops, and its campaign is paused, where more than this share of the last answers were"
        " refusals: to go on then must be asked for. 0: it never does.",
    )
    max_opted_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05,
        description="The same where more than this share of the executions tracked ended in an opt-out (error 21610, or"
        " STOP as a reply), of window_rows or more. Needs track_every_min. 0: it never does.",
    )
    track_every_min: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="How often a run tracks its executions while it sends, in minutes, for max_opted_out: about one"
        " read for each that has ended. 0: never.",
    )


class CanarySettings(Table):
    """Some rows first: the others follow once it is seen that nothing is wrong."""

    rows: Annotated[int, Field(ge=0)] = Field(
        0,
        description="So many rows, spread over the file, are sent before the others, once in a campaign that has more:"
        " 200 tell a bad list or text from a good one. 0: none.",
    )
    wait_min: Annotated[float, Field(ge=0)] = Field(
        15.0,
        description="So many minutes later a run tracks them: it waits again, at most four times, while less than 80 %"
        " have ended.",
    )
    max_failed: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05,
        description="The campaign is paused where more than this share was refused, was not delivered or is unknown: to"
        " go on then must be asked for. 0: it never is.",
    )
    max_opted_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.02,
        description="The same where more than this share has opted out (error 21610, or STOP as a reply). 0: it"
        " never is.",
    )


class HoursSettings(Table):
    """When contacts may be reached, by their own clocks."""

    mode: Literal["wait", "warn", "off"] | None = Field(
        None,
        description="wait: rows wait for their hours; warn: say how many have night, and send all the same; off: send"
        " at any hour. Default: wait, but off where Studio is on this machine (a rehearsal).",
    )
    presets: list[str] = Field(
        default_factory=lambda: ["floor", "texts"],
        description="Hours that come with the program: floor (08:00 to 21:00 everywhere), texts (all for marketing"
        " texts, by country and state), or single ones, each with its source.",
    )
    open: str | dict[str, str] | None = Field(
        None,
        description='Your own hours, which narrow the presets: "09:00-20:00", or by day: { mon-fri = "09:00-20:00" }.',
    )
    override: list[str] = Field(
        default_factory=list, description="Presets that do not hold, on purpose: every run says so."
    )
    holidays: Literal["open", "closed"] = Field(
        "open", description="closed: nothing on public holidays of the contact's country or state."
    )
    close_early_min: Annotated[int, Field(ge=0, le=600)] = Field(
        5, description="Nothing leaves in the last minutes: the message leaves after the create."
    )
    zone_unknown: Literal["skip", "default"] = Field(
        "skip", description="Numbers of no known zone: left out, or taken to be in default_zone."
    )
    default_zone: str | None = Field(
        None, description="The zone of contacts of whom nothing tells it, where zone_unknown = default."
    )


class ScheduleSettings(Table):
    """From when and until when a campaign is sent."""

    start_at: str | None = Field(
        None, description="Nothing before: 2026-12-01T09:00, by the clocks that zone says; or with an offset."
    )
    deadline: str | None = Field(
        None, description="Nothing after: rows that are not sent by then are left out (expired)."
    )
    zone: str = Field(
        "contact",
        description="By whose clock a start or a deadline without an offset is: contact, each contact's own; or an IANA"
        " name (America/New_York), one instant for all.",
    )
    missed_local: Literal["now", "next_day", "skip"] = Field(
        "now",
        description="Contacts by whose clock the start (zone = contact) had passed, by more than grace_min, when the"
        " campaign began. now: they go at once; next_day: at that time of the next day; skip: left out (expired).",
    )
    late: Literal["hold", "send", "skip"] = Field(
        "hold",
        description="A campaign of which nothing was sent when its start had passed by more than grace_min (the machine"
        " was off, say). hold: stop and ask; send: go on; skip: leave its rows out (expired).",
    )
    grace_min: Annotated[int, Field(ge=0)] = Field(60, description="So many minutes late is not late.")


class CoolOffSettings(Table):
    """How often a contact may be reached, over all campaigns and flows of the account."""

    max: Annotated[int, Field(ge=0)] = Field(
        0,
        description="The most times in period_h. 0: as often as there are rows, but for the presets' own (us-fl, us-md"
        " and us-ok: 3 in 24 hours), where their hours are waited for.",
    )
    period_h: Annotated[int, Field(ge=1, le=8760)] = Field(
        24, description="So many hours back, from each moment; not a calendar day."
    )
    action: Literal["wait", "skip"] = Field(
        "wait",
        description="Rows above it wait until the oldest time is so long ago, or are left out (cooled_off).",
    )


class CapsSettings(Table):
    """How much at most a day, over all campaigns of the account in this ledger."""

    per_day: Annotated[int, Field(ge=0)] = Field(
        0, description="The most executions from midnight to midnight; rows above it wait. 0: as many as there are."
    )
    per_day_per_sender: Annotated[int, Field(ge=0)] = Field(
        0,
        description="The same of each sender: each From, a Messaging Service (MG…) being one. Rows above it wait; those"
        " of other senders go on. 0: as many as there are.",
    )
    day_zone: str = Field("America/Los_Angeles", description="Whose midnight that is: an IANA time zone.")

    @property
    def is_set(self) -> bool:
        """Whether there is any."""
        return bool(self.per_day or self.per_day_per_sender)


#: Replies that Twilio itself takes for an opt-out, without CANCEL, END and QUIT, which also mean other things.
OPT_OUT_WORDS = ["STOP", "STOPALL", "UNSUBSCRIBE", "OPTOUT", "REVOKE"]


class SuppressSettings(Table):
    """Whom nothing may be sent to. A list that cannot be read stops everything."""

    files: list[str] = Field(
        default_factory=list,
        description="Lists of contacts, in any format that contacts are read in. They are read again at each run.",
    )
    column: str | None = Field(
        None, description="The lists' column with the contacts. Default: as in [columns] to, or the only one there is."
    )
    sha256_files: list[str] = Field(
        default_factory=list,
        description="Lists of digests: SHA-256 of the number in E.164 with its plus (+12025550123), 64 hex digits.",
    )
    max_age_days: NotNegative = Field(
        0.0,
        description="A list whose file was changed longer ago stops the run; 0: none does. Registries ask for 31 days.",
    )
    accept_unreadable: bool = Field(False, description="Use a list all the same that has lines which name nobody.")
    learn: bool = Field(
        True,
        description="Whoever has opted out, as tracking sees (Twilio's error 21610, an opt-out word as the whole"
        " reply), is never sent anything again from this account, until `suppress remove`.",
    )
    keywords: list[str] = Field(
        default_factory=lambda: list(OPT_OUT_WORDS),
        description="The replies that are an opt-out, in any case. Others than these five (CANCEL, END, QUIT) are none"
        " where the flow itself looks for the word.",
    )
