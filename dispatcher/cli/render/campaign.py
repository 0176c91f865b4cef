"""A campaign's numbers: what a file holds, what a send would do, how it went, what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from dispatcher.cli.render.numbers import clock_text, duration_text, local_text, rate_text, states_text, time_text
from dispatcher.cli.render.remedies import remedy_text, say_fix, say_step
from dispatcher.cli.render.terminal import pairs, print_json, say, say_labelled, visible
from dispatcher.model import PausedBy, Reason
from dispatcher.plurals import counted
from dispatcher.remedies import Command, Option, Setting

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign, RunResult
    from dispatcher.campaign.courier import Posted
    from dispatcher.campaign.launch import Launched
    from dispatcher.campaign.outlook import Outlook
    from dispatcher.campaign.prospect import Prospect
    from dispatcher.campaign.timing import Waiting
    from dispatcher.events import Snapshot
    from dispatcher.ledger.records import CampaignRecord, CampaignStatus, PlanCounts
    from dispatcher.model import Pause
    from dispatcher.settings import Settings


def planned(source: str, counts: PlanCounts, examples: Mapping[str, Sequence[int]] | None = None) -> Table:
    """What the file holds; `examples` are row numbers for each reason why a row is left out."""
    lines: list[tuple[str, Text | str]] = [
        ("file", f"{visible(source)}, {counted(counts.total, 'row')}"),
        ("rows", states_text(counts.rows)),
    ]
    if counts.corrected:
        lines.append(
            ("corrected", counted(counts.corrected, "row that was wrong before", "rows that were wrong before"))
        )
    if counts.changed:
        lines.append(("changed", f"{_changed_text(counts.changed)}: not sent again"))
    label = "left out"
    for reason, n in sorted(counts.reasons.items(), key=lambda item: -item[1]):
        lines.append((label, f"{reason} {n:,}{_rows_text((examples or {}).get(reason, ()), n)}"))
        label = ""
    if counts.repeats:
        lines.append(
            (
                "again",
                counted(
                    counts.repeats,
                    "row whose contact was reached a short time ago",
                    "rows whose contacts were reached a short time ago",
                ),
            )
        )
    if counts.missing:
        lines.append(
            (
                "removed",
                counted(
                    counts.missing,
                    "row that waits is not in the file any more: not sent",
                    "rows that wait are not in the file any more: not sent",
                ),
            )
        )
    if counts.left_planned:
        wait = counted(counts.left_planned, "row of an earlier file waits", "rows of earlier files wait")
        text = f"{wait}; `dispatcher resume` goes on with that"
        lines.append(("elsewhere", text))
    return pairs(lines)


def _changed_text(n: int) -> str:
    return counted(
        n, "row was sent with other values than the file has", "rows were sent with other values than the file has"
    )


def _rows_text(numbers: Sequence[int], n: int) -> str:
    if not numbers:
        return ""
    shown = ", ".join(f"{number:,}" for number in numbers)
    return f" (row{'s' if n > 1 else ''} {shown}{', …' if n > len(numbers) else ''})"


def identity(record: CampaignRecord) -> list[tuple[str, Text | str]]:
    """Which account, by enough to tell one from another, and which flow."""
    account = record.account
    shown = f"{account.account_sid[:4]}…{account.account_sid[-4:]} at {account.base_url}"
    return [("account", shown), ("flow", record.flow_sid)]


def outlook(
    campaign: Campaign, ahead: Outlook, waiting: Sequence[Waiting] = (), prospect: Prospect | None = None
) -> Table:
    """What sending would do. `waiting`: rows that have no hours now; `prospect`: what becomes of all by the clock."""
    from dispatcher.reporting.ledger_place import place_text

    lines = [("campaign", Text(campaign.name, style="bold")), *identity(campaign.record)]
    lines.append(("ledger", place_text(ahead.ledger)))
    if campaign.settings.is_cluster and ahead.most:
        lines.append(("sent by", "the cluster's workers, also once this command has ended"))
    elif ahead.due_ms is not None and not campaign.settings.is_cluster:
        lines.append(("server", Text(f"{due_text(ahead.due_ms)}; what is sent here it does not send", style="yellow")))
    if ahead.most:
        lines.append(("to send", Text(counted(ahead.most, "row"), style="bold")))
        if ahead.unresolved:
            looked_up = counted(ahead.unresolved, "row is looked up first", "rows are looked up first")
            text = f"{looked_up}; sent only where it is proved that nothing was created"
            lines.append(("unknown", text))
        if ahead.again:
            lines.append(("again", f"{ahead.again:,} of them to contacts who were reached a short time ago"))
        if ahead.cooled_off:
            are = f"{ahead.cooled_off:,} of them {'is' if ahead.cooled_off == 1 else 'are'}"
            lines.append(("cooled off", f"{are} left out: reached as often as is allowed"))
        lines.append(("takes", duration_text(ahead.duration_s, campaign.settings)))
        lines += hours_lines(campaign.settings, waiting)
        lines += prospect_lines(prospect)
    else:
        lines.append(("to send", "nothing: every row has its answer"))
    if ahead.contacted:
        lines.append(
            ("contacted", f"{counted(ahead.contacted, 'row is', 'rows are')} left out: reached a short time ago")
        )
    if ahead.suppressed:
        text = f"{counted(ahead.suppressed, 'row is', 'rows are')} left out: on a suppression list"
        lines.append(("suppressed", text))
    if ahead.removed:
        lines.append(
            ("removed", f"{counted(ahead.removed, 'row is', 'rows are')} not in the latest file any more: not sent")
        )
    return pairs(lines)


def result_lines(result: RunResult, now: Snapshot, report: str | None) -> list[tuple[str, Text | str]]:
    """How a run ended, as labels and values: `now`, what this run has done, before what the campaign has come to."""
    sent = "nothing"
    if now.requests:
        took_s = now.elapsed_s or 0.0
        sent = f"{counted(now.requests, 'request')} in {clock_text(took_s)}"
        sent += f" ({rate_text(now.requests / took_s)})" if took_s else ""
    lines: list[tuple[str, Text | str]] = [("this run sent", sent), *status_lines(result.status, report)]
    if result.status.attempts == now.requests:
        # The run was the whole campaign: once is enough.
        lines = [(label if label != "this run sent" else "sent", text) for label, text in lines if label != "sent"]
    lines[2:2] = waiting_pairs(result.waiting)
    if result.found_by_reconcile:
        text = f"{counted(result.found_by_reconcile, 'row')} without an answer found to exist"
        lines.insert(1, ("looked up", text))
    return lines


#: So many of them are told apart.
WAITING_SHOWN = 6


def waiting_lines(waiting: Sequence[Waiting]) -> list[str]:
    """Rows that wait, until when in the contacts' own words."""
    lines = [
        f"{counted(one.rows, 'row')} until {local_text(one.until_ms, one.zone)}"
        + {
            "hours": "",
            "start": " (the start)",
            "row": " (own time)",
            "cool_off": " (cooling off)",
            "cap": " (enough for today)",
        }[one.why]
        for one in waiting[:WAITING_SHOWN]
    ]
    if len(waiting) > WAITING_SHOWN:
        rest = sum(one.rows for one in waiting[WAITING_SHOWN:])
        lines.append(f"{counted(rest, 'row')} later")
    return lines


def waiting_pairs(waiting: Sequence[Waiting]) -> list[tuple[str, Text | str]]:
    """The same as labels and values."""
    return [("" if at else "waiting", line) for at, line in enumerate(waiting_lines(waiting))]


def hours_lines(settings: Settings, waiting: Sequence[Waiting]) -> list[tuple[str, Text | str]]:
    """Which rows have no hours now, and what becomes of them."""
    lines: list[tuple[str, Text | str]] = []
    if settings.hours_mode == "warn":
        night = sum(one.rows for one in waiting if one.why == "hours")
        waiting = [one for one in waiting if one.why != "hours"]
        if night:
            n = counted(night, "contact has", "contacts have")
            lines.append(("hours", Text(f"{n} night now and would be reached all the same", style="yellow")))
            lines.append(("", f"({remedy_text(Setting('hours.mode', 'wait'))}: they wait)"))
    lines += waiting_pairs(waiting)
    if waiting and settings.campaign.purpose is None and any(one.why == "hours" for one in waiting):
        alert = remedy_text(Setting("campaign.purpose", "transactional"))
        lines.append(("", Text(f"alerts and codes, which go at any hour: {alert}", style="bright_black")))
    if settings.hours.override:
        lines.append(("overridden", ", ".join(settings.hours.override)))
    return lines


def prospect_lines(prospect: Prospect | None) -> list[tuple[str, Text | str]]:
    """What does not leave before its place closes, what never does, and when all is done; nothing where all go now."""
    if prospect is None:
        return []
    ahead, lines = prospect.estimate, list[tuple[str, Text | str]]()
    if prospect.missed_ms is not None:
        text = f"the start was missed by all, {prospect.missed_ms // 60_000:,} minutes ago"
        text += f": nothing goes without {remedy_text(Setting('schedule.late', 'send'))}"
        lines.append(("late", Text(text, style="yellow")))
    if prospect.closing is not None:
        closes = local_text(prospect.closing.at_ms, prospect.closing.zone)
        text = f"{ahead.open_now - ahead.held_back:,} of {counted(ahead.open_now, 'row')} that may go now leave before"
        text += f" their places close, the first at {closes}; at this rate {ahead.held_back:,} do not"
        lines.append(("closing", Text(text, style="yellow")))
    elif 0 < ahead.open_now < ahead.rows:
        lines.append(("now", f"{ahead.open_now:,} of {counted(ahead.rows, 'row')} may go"))
    too_late = ahead.expired + prospect.left_out.get(Reason.expired, 0)
    if too_late:
        text = f"{counted(too_late, 'row is', 'rows are')} left out (expired): the deadline comes before their turn"
        text = text if ahead.expired else f"{text}, or the start was missed"
        lines.append(("too late", Text(text, style="yellow")))
    for reason, rows in prospect.left_out.items():
        if reason is not Reason.expired:
            lines.append(("left out", f"{counted(rows, 'row')} ({reason.value})"))
    if prospect.queued is not None:
        closes = local_text(prospect.queued.closing.at_ms, prospect.queued.closing.zone)
        text = f"{counted(prospect.queued.rows, 'row')} would still be in Twilio's queue when their places close, the"
        text += (
            f" first at {closes}, and be texted at night: a long code such as {prospect.queued.sender} carries about"
        )
        text += " one message a second"
        lines.append(("queue", Text(text, style="yellow")))
        lines.append(("", f"({remedy_text(Setting('rate.messages_per_second', 1))}: no faster than that)"))
    if ahead.done_ms is not None and (ahead.capped or ahead.open_now - ahead.held_back < ahead.rows):
        lines.append(("done", f"{local_text(ahead.done_ms, prospect.zone)}, at the earliest"))
    elif ahead.done_ms is None and ahead.rows:
        lines.append(("done", "not within two months, at this rate"))
    return lines


def say_contacted(launched: Launched) -> None:
    """How to reach those who were left out as reached a short time ago."""
    if launched.contacted:
        setting, option = Setting("campaign.repeat_after_h"), Option("again")
        text = counted(
            launched.contacted,
            "row was left out: its contact was reached a short time ago",
            "rows were left out: their contacts were reached a short time ago",
        )
        say(f"{text} ({remedy_text(setting)}; {remedy_text(option)} sends to them all the same)", "yellow")


def say_clock(ahead_ms: int) -> None:
    """Where Studio's clock is so far ahead of this machine's (or behind it) that what waits goes by Studio's."""
    if ahead_ms:
        how = "behind" if ahead_ms > 0 else "ahead of"
        apart = clock_text(abs(ahead_ms) / 1000)
        say(f"this machine's clock is {apart} {how} Studio's: hours and other times go by Studio's", "yellow")
        say_fix("put this machine's clock right (NTP)")


def say_posted(posted: Posted | None) -> None:
    """What is left of the notices, in one line, and how to deliver that."""
    if posted is not None and posted.left:
        are = counted(posted.left, "notice is not delivered", "notices are not delivered")
        flush = remedy_text(Command("notify flush"))
        say_labelled("warning", "yellow", f"{are} ({posted.error}): the next run tries again, and so does {flush}")


def status_lines(status: CampaignStatus, report: str | None) -> list[tuple[str, Text | str]]:
    """A campaign's numbers as labels and values."""
    lines: list[tuple[str, Text | str]] = [("rows", states_text(status.rows))]
    if any(status.earlier_rows.values()):
        lines.append(("earlier files", states_text(status.earlier_rows)))
    if status.changed:
        lines.append(("changed", f"{_changed_text(status.changed)}; the report shows what was sent"))
    if status.attempts:
        rate = status.attempts / status.duration_s if status.duration_s else 0.0
        lines.append(
            ("sent", f"{counted(status.attempts, 'request')} in {clock_text(status.duration_s)} ({rate_text(rate)})")
        )
        lines.append(("worst window", f"{status.worst_window:,} of {status.window_limit:,}"))
    if status.throttled:
        lines.append(("429s", f"{status.throttled:,}, each sent again later"))
    if report:
        lines.append(("report", Text(report, style="bold")))
    return lines


def say_next_steps(name: str, status: CampaignStatus, *, by_workers: bool = False) -> None:
    """What to do next, one command a line. `by_workers`: the ledger is a cluster's."""
    from dispatcher.campaign.next_steps import next_steps

    for step in next_steps(name, status, by_workers=by_workers):
        say_step(step)


def say_undo(name: str, status: CampaignStatus) -> None:
    """What can be taken back, one command a line."""
    from dispatcher.campaign.next_steps import undo_steps

    for step in undo_steps(name, status):
        say_step(step)


def print_status_object(
    status: CampaignStatus, reasons: Mapping[str, int], settings: Settings, waiting: Sequence[Waiting] | None = None
) -> None:
    """The campaign as JSON, with the report that it had last. `waiting`: rows without hours now; None: not asked."""
    from dispatcher.campaign.objects import status_answer

    print_json(status_answer(status, status.report_path, reasons, waiting, settings))


def state_text(status: CampaignStatus) -> Text:
    """The campaign's state, with why it stopped."""
    from dispatcher.reporting.summary import campaign_state

    state = campaign_state(status)
    text = Text(state)
    if status.paused is not None:
        why = pause_text(status.paused)
        text.append(f" ({why.removeprefix('paused ') if state == 'paused' else why})", style="bright_black")
    elif status.due_ms is not None and state != "running":
        text.append(f" ({due_text(status.due_ms, is_settled=status.is_settled)})", style="bright_black")
    elif state == "waiting" and status.next_at_ms is not None:
        text.append(f" (next at {time_text(status.next_at_ms)})", style="bright_black")
    elif status.stop_reason:
        text.append(f" ({status.stop_reason})", style="bright_black")
    return text


def sender_pairs(status: CampaignStatus, *, is_busy: bool) -> list[tuple[str, Text | str]]:
    """On a cluster: which host sends it, how fast it may, and what for it waits. `is_busy`: its account is held."""
    run = status.run
    if not status.running or run is None:
        return [("account", "busy: somebody plans, or sends another campaign")] if is_busy else []
    rate = f", {rate_text(run.rate_per_s)} allowed" if run.rate_per_s is not None else ""
    lines: list[tuple[str, Text | str]] = [("sent by", f"{visible(run.host) or 'a host that is not known'}{rate}")]
    if run.waits:
        until = f", until {time_text(run.waits_until_ms)}" if run.waits_until_ms is not None else ""
        lines.append(("waits", Text(f"{visible(run.waits)}{until}", style="yellow")))
    return lines


def due_text(due_ms: int, *, is_settled: bool | None = None) -> str:
    """Who is to send it, and from when on. `is_settled`: see `CampaignStatus`."""
    if is_settled is False:
        return "whoever has planned it has not ordered it yet"
    return f"its {'workers are' if is_settled else 'server is'} to send it, from {time_text(due_ms)} on"


def pause_text(pause: Pause) -> str:
    """Since when it is paused, by whom, and why."""
    by = f"paused by the {pause.by.value}" if pause.by.is_verdict else "paused"
    by = "held by its server" if pause.by is PausedBy.held else by
    return f"{by} since {time_text(pause.at_ms)}" + (f": {visible(pause.reason)}" if pause.reason else "")
