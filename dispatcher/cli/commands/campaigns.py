"""`campaigns`: the months after. What there is, taken along, forgotten, pruned."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dispatcher.cli import options
from dispatcher.cli.render.numbers import time_text
from dispatcher.cli.render.terminal import print_json, print_line, print_rows, say, visible
from dispatcher.errors import CampaignNotFound, ExitCode
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dispatcher.campaign.archive import Aged
    from dispatcher.campaign.forgetting import Forgetting, Found
    from dispatcher.settings import Settings
    from dispatcher.web.forgetting import Holding

LIST_EPILOG = options.examples("dispatcher campaigns list", ("dispatcher campaigns list --json", "for scripts"))
EXPORT_EPILOG = options.examples(
    ("dispatcher campaigns export spring spring.jsonl", "for yourself alone: it holds everybody's numbers"),
    ("dispatcher campaigns export spring - | gzip > spring.jsonl.gz", "to another program"),
)
FORGET_EPILOG = options.examples(
    ("dispatcher campaigns forget +12025550123", "shows where they stand, and asks"),
    ("dispatcher campaigns forget - --suppress", "the number is typed, and nothing is sent to it any more"),
)
PRUNE_EPILOG = options.examples(
    ("dispatcher campaigns prune --older-than 90d --dry-run", "what would go"),
    ("dispatcher campaigns prune --older-than 90d --yes", "for cron"),
)

app = typer.Typer(no_args_is_help=True, help="Campaigns of long ago: list, export, forget a person, prune.")

_SETTINGS = ("account.base_url", "state.dir")


@app.command("list", epilog=LIST_EPILOG)
@options.reads_settings(*_SETTINGS)
async def list_(
    session: options.Session,
    forgotten: Annotated[
        bool, typer.Option("--forgotten", help="Instead: who and what was forgotten, when and by whom.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Show every campaign with its age, its rows, how much their cells take, and its last run."""
    from dispatcher.campaign.archive import aged_campaigns

    if forgotten:
        return await _log(session, json)
    found = await aged_campaigns(session.settings)
    if json:
        print_json([one.as_json() for one in found])
    elif not found:
        say("no campaigns yet: dispatcher run FILE", "bright_black")
    else:
        print_rows(
            ("campaign", "made", "rows", "size", "last run", ""),
            [_row(one) for one in found],
            right=("rows", "size"),
        )
    return ExitCode.OK


def _row(one: Aged) -> tuple[Text | str, ...]:
    last_ms = one.age.last_run_at_ms
    return (
        Text(visible(one.status.campaign.name), style="bold"),
        time_text(one.age.created_at_ms),
        f"{one.rows:,}",
        _size(one.age.size_bytes),
        "never" if last_ms is None else time_text(last_ms),
        "pruned" if one.age.is_pruned else "" if one.age.is_over else "not over",
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:,.1f} kB"


async def _log(session: options.Session, as_json: bool) -> int:
    from dispatcher.campaign.forgetting import erasures

    found = await erasures(session.settings)
    if as_json:
        print_json(
            [
                {
                    "at_ms": one.at_ms,
                    "action": one.action,
                    "campaign": one.campaign,
                    "contact": one.contact,
                    "rows": one.rows,
                    "by": one.actor,
                    "cleaned_at_ms": one.cleaned_at_ms,
                }
                for one in found
            ]
        )
        return ExitCode.OK
    if not found:
        say("nobody was forgotten, and nothing pruned", "bright_black")
        return ExitCode.OK
    rows = [
        (
            time_text(one.at_ms),
            one.action,
            visible(one.campaign or one.contact or ""),
            f"{one.rows:,}",
            visible(one.actor),
            "" if one.cleaned_at_ms is not None else "file not written anew yet",
        )
        for one in found
    ]
    print_rows(("at", "", "campaign or person", "rows", "by", ""), rows, right=("rows",))
    return ExitCode.OK


@app.command(epilog=EXPORT_EPILOG)
@options.reads_settings(*_SETTINGS)
async def export(
    session: options.Session,
    campaign: options.CampaignName,
    path: Annotated[str, typer.Argument(metavar="PATH", help="The file to write; - is standard output.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> int:
    """Write everything that the ledger knows of a campaign, as of one moment: JSON Lines.

    Its files, runs, rows with their cells, every request and what became of it. Only its owner may read the file.
    """
    count = 0
    async with session.viewing(campaign) as opened:
        with _output(path, overwrite) as file:
            async for objects in opened.everything():
                file.write("".join(_line(one) for one in objects))
                count += len(objects)
    if path != "-":
        say(counted(count, "line"), "bright_black")
        print_line(path)
    return ExitCode.OK


def _line(one: dict[str, Any]) -> str:
    import json

    return json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n"


@contextlib.contextmanager
def _output(path: str, overwrite: bool) -> Iterator[IO[str]]:
    from dispatcher.campaign.exports import private_file
    from dispatcher.cli.opening import stdout_told

    if path == "-":
        with stdout_told():
            yield sys.stdout
            sys.stdout.flush()
    else:
        with private_file(Path(path), overwrite=overwrite) as file:
            yield file


@app.command(epilog=FORGET_EPILOG)
@options.reads_settings("columns.region", *_SETTINGS)
async def forget(
    session: options.Session,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The number or address; - has it typed.")],
    suppress: Annotated[
        bool, typer.Option("--suppress", help="Send nothing to them any more, whatever file names them.")
    ] = False,
    yes: options.DoNotAsk = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """Take a person out of every campaign of the ledger: cells, address, texts. This cannot be undone.

    Counts, times and execution SIDs stay, and a keyed hash of the number: by that nobody is reached twice, and an
    opt-out holds. Reports and lists are files of yours: those that name the person are shown. Files that were uploaded
    to the page and name them are removed whole. A later file with the number is a new row, unless --suppress is given.
    Rows that wait are left out.
    """
    from dispatcher.campaign.forgetting import open_forgetting, person_of
    from dispatcher.campaign.suppressions import actor
    from dispatcher.cli.asking import ask, must_be_able_to_ask, typed_number
    from dispatcher.cli.render.progress import working
    from dispatcher.clock import now_ms
    from dispatcher.web import forgetting as page

    person = person_of(typed_number(number, ""), session.settings)
    must_be_able_to_ask(yes)
    async with open_forgetting(session.settings, bus=session.bus, wait=wait, rehearsals=True) as opened:
        async with working(lambda: (opened.progress.what, opened.progress.done, opened.progress.total)):
            found = await opened.look(person)
        holding = await page.look(opened.folders, person)
        if not json:
            _say_found(found, page.own_reports(opened.folders, found.reports))
            _say_holding(holding)
        ask(found.rows, "forget this person", yes)
        async with working(lambda: (opened.progress.what, opened.progress.done, opened.progress.total)):
            found = await opened.forget(person, suppress=suppress)
            holding = await page.remove(opened.folders, person, who=actor(), now_ms=now_ms())
            aside = await _cleaned(opened)
    _say_aside(aside)
    _say_what_servers_keep(session.settings)
    if json:
        print_json(
            {
                "rows": found.rows,
                "campaigns": list(found.campaigns),
                "mentions": found.mentions,
                "suppressed": found.is_suppressed or suppress,
                "reports": page.own_reports(opened.folders, found.reports),
                "lists": list(found.lists),
                "uploads": [{"campaign": one.campaign, "files": list(one.files)} for one in holding],
                "other_ledgers": [str(path) for path in aside],
            }
        )
    else:
        kept = "; nothing is sent to them any more" if found.is_suppressed or suppress else ""
        print_line(f"forgotten: {counted(found.rows, 'row')}{kept}")
    return ExitCode.OK


def _say_found(found: Found, reports: Sequence[str]) -> None:
    in_campaigns = f" in {', '.join(found.campaigns)}" if found.campaigns else ""
    say(f"{counted(found.rows, 'row')}{in_campaigns}" if found.rows else "no row is theirs")
    if found.waiting:
        say(f"{counted(found.waiting, 'of them waits', 'of them wait')} to be sent, and will be left out", "yellow")
    if found.mentions:
        theirs = counted(found.mentions, "row", "rows")
        say(f"the number stands in {theirs} of other contacts, and is taken out of their cells")
    if found.is_suppressed:
        say("they are suppressed, and stay so: as a hash")
    _say_files("reports are yours, and stay as they are", reports)
    _say_files("lists name them, and are yours to change", found.lists)


def _say_holding(holding: Sequence[Holding]) -> None:
    for one in holding:
        files = ", ".join(visible(name) for name in one.files)
        say(
            f"uploaded to the page for {visible(one.campaign)}, and removed with what was made of it: {files}", "yellow"
        )
        if one.is_unsent:
            say("  what of it is not sent yet needs another file then", "yellow", whole=True)


def _say_files(what: str, paths: Sequence[str]) -> None:
    if paths:
        say(f"{what}:", "yellow")
        for path in paths:
            say(f"  {visible(path)}", whole=True)


def _say_what_servers_keep(settings: Settings) -> None:
    if settings.is_cluster:
        say(
            "PostgreSQL keeps old versions of rows on its pages until they are written over (VACUUM FULL writes them"
            " anew), and its backups and archived logs have them for as long as you keep those",
            "yellow",
        )


def _say_aside(aside: Sequence[Path]) -> None:
    _say_files("other ledgers lie beside this one, and are as they were", [str(path) for path in aside])


async def _cleaned(opened: Forgetting) -> list[Path]:
    """Raises: LedgerError, which says that what was forgotten is out of the ledger all the same."""
    from dispatcher.errors import LedgerError

    try:
        return await opened.clean()
    except LedgerError as error:
        error.message = f"forgotten, but not yet off the disk: {error.message}"
        raise


@app.command(epilog=PRUNE_EPILOG)
@options.reads_settings(*_SETTINGS)
async def prune(
    session: options.Session,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Since their last run: 90d, 12w, 36h.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and change nothing.")] = False,
    yes: options.DoNotAsk = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """Take cells, addresses and texts out of campaigns that are over for so long. This cannot be undone.

    Counts, times and execution SIDs stay, and keyed hashes: nobody is reached twice, and a file that is run again is
    told that its rows were sent. Campaigns with rows that wait, are in flight or unknown are left alone.
    """
    from dispatcher.campaign.archive import age_ms, aged_campaigns, old_enough
    from dispatcher.campaign.forgetting import open_forgetting
    from dispatcher.cli.asking import ask, must_be_able_to_ask
    from dispatcher.cli.render.progress import working
    from dispatcher.clock import now_ms

    older_ms = age_ms(older_than)
    if not dry_run:
        must_be_able_to_ask(yes)
    old, not_over = old_enough(await aged_campaigns(session.settings), older_ms, now_ms())
    rows = sum(one.rows for one in old)
    if not json:
        for one in old:
            say(f"{visible(one.status.campaign.name)}: {counted(one.rows, 'row')}, {_size(one.age.size_bytes)}")
        for one in not_over:
            say(f"{visible(one.status.campaign.name)} is not over: rows of it wait, or are unknown", "yellow")
    aside: list[Path] = []
    if not dry_run:
        if old:
            ask(rows, "prune these rows", yes)
        with contextlib.suppress(CampaignNotFound):
            async with (
                open_forgetting(session.settings, bus=session.bus, wait=wait, rehearsals=False) as opened,
                working(lambda: (opened.progress.what, opened.progress.done, opened.progress.total)),
            ):
                old, rows = await opened.prune(old)
                aside = await _cleaned(opened) if old or await opened.is_unclean() else []
        _say_aside(aside)
        if old:
            _say_what_servers_keep(session.settings)
    names = [one.status.campaign.name for one in old]
    if json:
        left = [one.status.campaign.name for one in not_over]
        print_json({"campaigns": names, "rows": rows, "not_over": left, "dry_run": dry_run})
    elif not old:
        print_line("no campaign is over for so long: there is nothing to prune")
    else:
        print_line(
            f"{'would prune' if dry_run else 'pruned'}: {counted(rows, 'row')} of {counted(len(old), 'campaign')}"
        )
    return ExitCode.OK
