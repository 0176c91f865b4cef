"""The report as a page for people: one file, no scripts, nothing loaded, counts only (docs/report.md)."""

from __future__ import annotations

import asyncio
import itertools
import string
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path

from dispatcher.clock import now_ms
from dispatcher.ledger.executions import ExecutionCounts
from dispatcher.ledger.records import CampaignStatus, ReportRow
from dispatcher.model import ExecutionStatus, RowState
from dispatcher.plurals import counted
from dispatcher.reporting.chart import Placed, RateChart, placed, rate_chart, ticks
from dispatcher.reporting.replacement import check_target, replacing
from dispatcher.reporting.summary import CampaignState, Problem, Summary, summarize
from dispatcher.reporting.wording import STATES
from dispatcher.studio.advice import CODES

#: This many lines of problems are shown one by one; the rest is one line.
PROBLEMS_MAX = 40
STEPS_MAX = 40

_STATUS_WORDS: dict[ExecutionStatus, str] = {
    ExecutionStatus.active: "the flow is still under way",
    ExecutionStatus.ended: "the flow came to its end",
    ExecutionStatus.gone: "Studio no longer keeps it",
}
_STATE_WORDS: dict[CampaignState, str] = {
    CampaignState.planned: "nothing has been sent yet",
    CampaignState.running: "a run is active; these numbers are of the moment",
    CampaignState.finished: "no row waits",
    CampaignState.waiting: "rows wait for their time; resume the campaign then",
    CampaignState.stopped: "rows wait; resume the campaign to go on",
    CampaignState.interrupted: "the last run was killed; resume the campaign to go on",
    CampaignState.paused: "nothing more is sent until somebody resumes it",
}


async def write_page(
    path: Path,
    status: CampaignStatus,
    rows: AsyncIterator[list[ReportRow]],
    *,
    executions: ExecutionCounts | None = None,
    window_s: float = 10.0,
    overwrite: bool = False,
) -> int:
    """Write a campaign's numbers as a page; returns of how many rows. `rows`: the latest file's, batch by batch.

    `executions`: what tracking has found, if it has looked. The file appears whole or not at all, memory does not grow
    with the rows, and what blocks is done in a thread. Raises: ReportError, as `write_report`; what `rows` raises.
    """
    await asyncio.to_thread(check_target, path, overwrite=overwrite)
    summary = await summarize(status, rows)
    text = page(summary, executions, window_s=window_s, as_of_ms=now_ms())
    await asyncio.to_thread(_write, path, text, overwrite=overwrite)
    return summary.total


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    with replacing(path, overwrite=overwrite) as file:
        file.write(text.encode())


def page(summary: Summary, executions: ExecutionCounts | None, *, window_s: float, as_of_ms: int) -> str:
    """The page's text. Every value from outside passes through `escape`; no cell of a row is on it."""
    chart = rate_chart(summary.departures, window_limit=summary.status.window_limit, window_s=window_s)
    body = [
        _head(summary, as_of_ms),
        _tiles(summary, window_s),
        _states(summary),
        _problems(summary),
        _rate(summary, chart, window_s),
        _executions(executions) if executions else "",
        _foot(as_of_ms),
    ]
    title = f"{escape(summary.status.campaign.name)} · campaign report"
    return _template().substitute(title=title, body="\n".join(filter(None, body)))


@cache
def _template() -> string.Template:
    return string.Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


def _head(summary: Summary, as_of_ms: int) -> str:
    status = summary.status
    words = _STATE_WORDS[summary.state]
    if status.stop_reason and summary.state is CampaignState.stopped:
        words = f"{status.stop_reason.rstrip('.')}; resume the campaign to go on"
    account = status.campaign.account
    facts = [
        f"<span>Flow <code>{escape(status.campaign.flow_sid)}</code></span>",
        f"<span>Account …{escape(account.account_sid[-4:])} at {escape(account.base_url)}</span>",
    ]
    if status.first_started_at_ms is not None:
        facts.append(f"<span>Started {_moment(status.first_started_at_ms)}</span>")
    facts.append(f"<span>As of {_moment(as_of_ms)}</span>")
    return f"""<header>
<p class="kicker">Campaign report</p>
<h1>{escape(status.campaign.name)}</h1>
<p><span class="pill">{summary.state.value}</span> <span class="muted">{escape(words)}</span></p>
<div class="facts">{"".join(facts)}</div>
</header>"""


def _tiles(summary: Summary, window_s: float) -> str:
    status, total = summary.status, summary.total
    created = status.rows[RowState.created]
    attention = sum(
        status.rows[state] for state in (RowState.rejected, RowState.busy, RowState.unknown, RowState.invalid)
    )
    waiting = status.rows[RowState.planned] + status.rows[RowState.sending]
    left = [f"{waiting:,} still wait"] if waiting else []
    left += [f"{status.rows[RowState.skipped]:,} skipped"] if status.rows[RowState.skipped] else []
    throttled = f", {status.throttled:,} more were asked to wait (429)" if status.throttled else ""
    tiles = [
        _tile("Executions started", f"{created:,}", f"{_share(created, total)} of {_rows(total)}"),
        _tile("Need a look", f"{attention:,}", ", ".join(left) or "every other row is done"),
        _tile("Sending took", _duration(status.duration_s), f"{counted(status.attempts, 'request')}{throttled}"),
    ]
    if status.window_limit:
        worst = f"busiest {window_s:g} s: {status.worst_window:,} of {status.window_limit:,}"
        bar = _bar(status.worst_window, status.window_limit)
        rate = f'{summary.rate_per_s:.1f}<span class="unit">per second</span>'
        tiles.append(_tile("Average rate", rate, worst, bar))
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def _tile(name: str, value: str, note: str, more: str = "") -> str:
    return f'<div class="tile"><dt>{name}</dt><dd>{value}</dd><dd>{note}{more}</dd></div>'


def _states(summary: Summary) -> str:
    rows, total = summary.status.rows, summary.total
    shares = []
    left = 0.0
    for state in RowState:
        if rows[state]:
            width = 100 * rows[state] / total
            shares.append(f'<rect class="of {state}" x="{left:.3f}%" y="0" width="{width:.3f}%" height="100%"/>')
            left += width
    lines = "".join(
        f'<tr{"" if rows[state] else " class=nothing"}><th scope="row" class="state">{_swatch(state)}{state}</th>'
        f'<td class="wide">{STATES[state].meaning}</td><td class="n">{rows[state]:,}</td>'
        f'<td class="n">{_share(rows[state], total)}</td></tr>'
        for state in RowState
    )
    earlier = summary.status.earlier_rows
    more = ", ".join(f"{n:,} {state}" for state, n in earlier.items() if n)
    note = (
        f'<p class="note">Not counted: rows of earlier files that the latest file does not have ({more}).</p>'
        if more
        else ""
    )
    return f"""<section class="card" aria-labelledby="states">
<h2 id="states">Rows by state</h2>
<svg class="stack" role="img" aria-label="Rows by state; the table below has the numbers">{"".join(shares)}</svg>
<table>
<thead><tr><th scope="col">State</th><th scope="col" class="wide">Meaning</th>
<th scope="col" class="n">Rows</th><th scope="col" class="n">Share</th></tr></thead>
<tbody>{lines}</tbody>
</table>{note}
</section>"""


def _problems(summary: Summary) -> str:
    found = summary.problems
    if not found:
        text = "No row was refused or left out, and none is unknown." if summary.total else "The campaign has no rows."
        return f'<section class="card"><h2>What needs a look</h2><p class="note">{text}</p></section>'
    most = max(problem.rows for problem in found)
    lines = "".join(_problem(problem, most) for problem in found[:PROBLEMS_MAX])
    rest = found[PROBLEMS_MAX:]
    if rest:
        lines += (
            f'<tr class="nothing"><th scope="row">{len(rest):,} more reasons</th><td>the report file has them</td>'
            f'<td class="n">{sum(problem.rows for problem in rest):,}</td></tr>'
        )
    return f"""<section class="card" aria-labelledby="problems">
<h2 id="problems">What needs a look</h2>
<p class="note">Rows that were refused, left out or are unknown. Which rows they are, the report file says.</p>
<table class="problems">
<thead><tr><th scope="col">Reason</th><th scope="col">What it means, and what to do</th>
<th scope="col" class="n">Rows</th></tr></thead>
<tbody>{lines}</tbody>
</table>
</section>"""


def _problem(problem: Problem, most: int) -> str:
    state = problem.state
    code = f'<code class="say">{escape(problem.code)}</code>' if problem.code else ""
    return (
        f'<tr><th scope="row" class="state">{_swatch(state)}{state}{code}</th>'
        f'<td>{_sentence(problem.meaning)}<span class="say">{escape(problem.advice)}</span></td>'
        f'<td class="n bars">{problem.rows:,}{_bar(problem.rows, most)}</td></tr>'
    )


def _rate(summary: Summary, chart: RateChart, window_s: float) -> str:
    if not chart.segments:
        return ""
    unit = "second" if chart.column_s == 1 else f"{_duration(chart.column_s)}"
    cut = " Dotted: times without requests, cut out." if len(chart.segments) > 1 else ""
    note = (
        f"Each column is {'one second' if chart.column_s == 1 else unit}: the last request of each row.{cut} "
        f"The limit of {chart.limit_per_s:g} a second is an average over any {window_s:g} seconds: "
        f"the busiest had {summary.status.worst_window:,} requests of {summary.status.window_limit:,}."
    )
    periods = "".join(
        f'<tr><td>{_clock(period.start_s)}<span class="wide"> – {_clock(period.end_s, date=False)}</span></td>'
        f'<td class="n">{period.requests:,}</td><td class="n">{period.rate_per_s:.1f}</td></tr>'
        for period in chart.periods()
    )
    return f"""<section class="card" aria-labelledby="rate">
<h2 id="rate">Requests per second</h2>
<p class="note">{note}</p>
{_drawing(chart)}
<table>
<thead><tr><th scope="col">Time (UTC)</th><th scope="col" class="n">Requests</th>
<th scope="col" class="n">Per second</th></tr></thead>
<tbody>{periods}</tbody>
</table>
</section>"""


def _drawing(chart: RateChart) -> str:
    top = chart.top_per_s
    marks = ticks(top)
    labels = "".join(f'<span style="top:{100 - 100 * value / top:.2f}%">{value:g}</span>' for value in marks)
    widest = max((f"{value:g}" for value in marks), key=len)
    grid = "".join(_line("grid", 100 - 100 * value / top) for value in marks)
    segments = placed(chart)
    columns = "".join(
        f'<rect x="{left + 0.08 * width:.3f}" y="{y:.3f}" width="{0.84 * width:.3f}" height="{height:.3f}"/>'
        for segment in segments
        for left, y, width, height in segment.bars
    )
    pauses = "".join(
        f'<line class="pause" x1="{x:.3f}" x2="{x:.3f}" y1="0" y2="100"/>'
        for x in ((one.left + one.width + two.left) / 2 for one, two in itertools.pairwise(segments))
    )
    limit_y = 100 - 100 * chart.limit_per_s / top
    limit = _line("limit", limit_y) if chart.limit_per_s else ""
    tag = f'<span class="tag" style="top:{limit_y:.2f}%">limit {chart.limit_per_s:g}/s</span>' if limit else ""
    return f"""<figure class="chart" role="img" aria-label="Requests per second; the table below has the numbers">
<div class="y" aria-hidden="true"><i>{widest}</i>{labels}</div>
<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{grid}
<g class="columns">{columns}</g>{pauses}{limit}</svg>{tag}</div>
<div class="x" aria-hidden="true">{_time_labels(segments)}</div>
</figure>"""


def _line(kind: str, y: float) -> str:
    return f'<line class="{kind}" x1="0" x2="100" y1="{y:.3f}" y2="{y:.3f}"/>'


def _time_labels(segments: Sequence[Placed]) -> str:
    """The start of each segment that has room for it, and the end."""
    found: list[str] = []
    free_from = 0.0
    for place in segments:
        if place.left >= free_from and place.left < 75:
            text = _clock(place.segment.start_s, date=not found)
            found.append(f'<span style="left:{place.left:.2f}%">{text}</span>')
            free_from = place.left + (32 if len(found) == 1 else 22)
    end = _clock(segments[-1].segment.end_s, date=False)
    return "".join(found) + f'<span style="right:0">{end}</span>'


def _executions(counts: ExecutionCounts) -> str:
    named = [(status.value, _STATUS_WORDS[status], n) for status, n in counts.by_status.items()]
    named += [("not seen yet", "never looked at", counts.unseen)] if counts.unseen else []
    lines = "".join(
        f'<tr><th scope="row">{name}</th><td class="wide">{words}</td>{_part(n, counts.created, counts.created)}</tr>'
        for name, words, n in named
    )
    recalled = f" {counts.recalled:,} of those that ended were ended by recall." if counts.recalled else ""
    as_of = f"As Studio told until {_moment(counts.seen_at_ms)}." if counts.seen_at_ms is not None else ""
    return f"""<section class="card" aria-labelledby="executions">
<h2 id="executions">What became of the executions</h2>
<p class="note">{as_of}{recalled}</p>
{_counts('<th scope="col">Status</th><th scope="col" class="wide">Meaning</th>', lines)}
{_steps(counts)}{_errors(counts)}
</section>"""


def _steps(counts: ExecutionCounts) -> str:
    steps = [(escape(step) or "not known", n) for step, n in counts.last_steps.items()]
    if not steps:
        return ""
    total, most = counts.read, max(counts.last_steps.values())
    rest = steps[STEPS_MAX:]
    lines = "".join(f'<tr><th scope="row">{step}</th>{_part(n, total, most)}</tr>' for step, n in steps[:STEPS_MAX])
    if rest:
        lines += f'<tr><th scope="row">{len(rest):,} more</th>{_part(sum(n for _, n in rest), total, total)}</tr>'
    return f"""<h3>How far they came</h3>
<p class="note">The last step of {total:,} executions whose steps were read.</p>
{_counts('<th scope="col">Last step</th>', lines)}"""


def _errors(counts: ExecutionCounts) -> str:
    if not counts.errors:
        return ""
    most = max(counts.errors.values())
    lines = "".join(
        f'<tr><th scope="row"><code>{code}</code></th><td>{_explained(code)}</td>'
        f'<td class="n bars">{n:,}{_bar(n, most)}</td></tr>'
        for code, n in counts.errors.items()
    )
    return f"""<h3>Errors inside executions</h3>
<table>
<thead><tr><th scope="col">Code</th><th scope="col">What it means, and what to do</th>
<th scope="col" class="n">Executions</th></tr></thead>
<tbody>{lines}</tbody>
</table>"""


def _explained(code: int) -> str:
    found = CODES.get(code)
    if found is None:
        return "see twilio.com/docs/api/errors"
    return f'{_sentence(found.meaning)}<span class="say">{escape(found.advice)}</span>'


def _part(n: int, whole: int, most: int) -> str:
    """The cells of a number, its share and its bar."""
    return (
        f'<td class="n">{n:,}</td><td class="n">{_share(n, whole)}</td>'
        f'<td class="share wide">{_bar(min(n, most), most)}</td>'
    )


def _counts(first: str, lines: str) -> str:
    return (
        f'<table><thead><tr>{first}<th scope="col" class="n">Executions</th><th scope="col" class="n">Share</th>'
        f'<td class="share wide"></td></tr></thead><tbody>{lines}</tbody></table>'
    )


def _foot(as_of_ms: int) -> str:
    return (
        "<footer>Counts only: this page names no contact. Times are UTC. "
        f"Made by dispatcher, {_moment(as_of_ms)}.</footer>"
    )


def _sentence(text: str) -> str:
    return escape(text[:1].upper() + text[1:])


def _swatch(state: RowState) -> str:
    return f'<span class="swatch of {state}"></span>'


def _bar(part: int, whole: int) -> str:
    width = 100 * part / whole if whole else 0
    return f'<svg class="bar" aria-hidden="true"><rect width="{width:.2f}%" height="100%"/></svg>'


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def _share(part: int, whole: int) -> str:
    """A share that is neither nought nor all is shown as neither."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if part != whole:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %".replace(".0 %", " %")


def _duration(seconds: float) -> str:
    if seconds < 59.95:
        text = f"{seconds:.1f}".removesuffix(".0")
        return f"{text} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [
        f"{hours} h" if hours else "",
        f"{minutes} min" if minutes else "",
        f"{rest_s} s" if rest_s and not hours else "",
    ]
    return " ".join(filter(None, parts))


def _moment(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{moment.day} {moment:%b %Y, %H:%M} UTC</time>'


def _clock(at_s: int, *, date: bool = True) -> str:
    moment = datetime.fromtimestamp(at_s, UTC)
    return f"{moment.day} {moment:%b, %H:%M:%S}" if date else f"{moment:%H:%M:%S}"
