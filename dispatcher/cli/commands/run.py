"""`run`: a file's rows are sent."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render import answers
from dispatcher.errors import UsageError
from dispatcher.remedies import AnyOf, Command, Option

EPILOG = options.examples(
    ("dispatcher run contacts.csv", "counts, a question, then it sends"),
    ("dispatcher run contacts.csv --dry-run", "what would be sent"),
    ("dispatcher run contacts.csv --test-to -", "the first row's values, to your own phone"),
    ("dispatcher run contacts.csv --limit 100", "the first hundred"),
    (
        "dispatcher run contacts.csv --campaign spring --yes --wait --json",
        "for cron: no question, no error while another sends",
    ),
    "zcat big.csv.gz | dispatcher run - --campaign big --yes",
    ("dispatcher run contacts.csv --base-url http://127.0.0.1:8700", "a rehearsal: see `dispatcher sandbox`"),
)


_TEST_TO = "Send the first row's values (--row: another's) to this number instead, once; - asks for it."


@options.reads_settings(
    *options.OF_A_FILE,
    "rate.per_second",
    "guard.max_rows",
    "canary.rows",
    "rate.pace",
    "campaign.on_busy",
    "account.api_version",
    "account.base_url",
    "hours.mode",
    "schedule.start_at",
    "schedule.deadline",
    "suppress.accept_unreadable",
    "state.dir",
    sends=True,
)
async def run(
    session: options.Session,
    file: options.File,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", help="The campaign's name.", show_default="the file's, without its suffix"),
    ] = None,
    report: options.Report = None,
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
    limit: options.Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    test_to: Annotated[
        str | None,
        typer.Option("--test-to", metavar="NUMBER", help=_TEST_TO),
    ] = None,
    row: options.Row = None,
    again: options.Again = False,
    add: options.Add = False,
    remove: options.Remove = False,
    no_preflight: Annotated[
        bool, typer.Option("--no-preflight", help="Do not compare the file with the flow before sending.")
    ] = False,
    wait: options.Wait = False,
    wait_until_done: options.WaitUntilDone = False,
    json: options.Json = False,
    json_events: options.JsonEvents = False,
) -> int:
    """Send a file's rows: every valid row once, at the account's rate.

    Running the same campaign again goes on with it: created rows are never sent again, new and corrected ones are, and
    rows that the file has no more are left out. Nor is anybody reached again whom this account has reached on this flow
    a short time ago, under whatever name or key: [bold]--again[/bold] does that.
    The whole file is read and checked before anything is sent, and so is whether the flow fits it; the number of rows
    has to be typed, or --yes given.
    """
    json = json or json_events
    if dry_run and test_to:
        ways = AnyOf(Option("dry-run"), Option("test-to", test_to))
        raise UsageError("--dry-run sends nothing and --test-to sends one", fix=ways)
    if row is not None and not test_to:
        ways = AnyOf(Option("test-to", "+1…"), Command("preview", (file,), (Option("row", row),)))
        raise UsageError("--row names the row of a test", fix=ways)
    if add and remove:
        raise UsageError("a file that is added takes nothing out", fix=AnyOf(Option("add"), Option("remove")))
    from dispatcher.cli.asking import ask_encoding
    from dispatcher.settings.required import required_settings

    required_settings(lambda: session.settings, flow=not dry_run)
    ask_encoding(session, file)
    if dry_run or test_to:
        from dispatcher.cli import rehearsing

        if not test_to:
            return await rehearsing.dry_run(
                session, file, campaign, again=again, add=add, limit=limit, check=not no_preflight, as_json=json
            )
        return await rehearsing.send_test(session, file, campaign, to=test_to, row=row, wait=wait, as_json=json)
    from dispatcher.cli import entrusting, launching

    await session.find_flow()
    into, again = await launching.destination_of(session, file, campaign, again=again, yes=yes)
    prepared = launching.prepare(
        session, report=report, overwrite=overwrite, limit=limit, yes=yes, again=again, file=file
    )
    waits = launching.waits_for_hours(wait_until_done, json)
    planning = into.plan_options(again=again, add=add, guard=yes and not remove)
    answers.know(campaign=into.name)
    wait = wait or session.settings.is_cluster  # a worker makes room for whoever plans
    async with (
        session.working(into.name, create=True, wait=wait) as opened,
        launching.answered(opened),
        entrusting.agreed(opened),
    ):
        launch = await prepared(opened)
        check = not no_preflight and session.may_ask
        repeats = await launching.plan(opened, file, planning, launch, yes=yes, check=check)
        await entrusting.refuse_again(opened, again=again)
        launched = await launching.send(
            opened,
            launch,
            yes=yes,
            as_json=json,
            repeats=repeats if again else 0,
            removal_agreed=True,
            waits=waits,
        )
    return await launching.until_done(session, into.name, launched, launch, waits=waits, as_json=json)
