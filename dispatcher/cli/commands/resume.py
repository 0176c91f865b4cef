"""`resume`: a campaign goes on without its file."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render import answers

EPILOG = options.examples(
    ("dispatcher resume spring", "after Ctrl-C, a crash, `run --limit`"),
    ("dispatcher resume spring --yes --json", "for scripts"),
    ("dispatcher resume spring --yes --unless-paused", "for cron: a pause is somebody's to lift"),
)


@options.reads_settings(
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
async def resume(
    session: options.Session,
    campaign: options.CampaignName,
    report: options.Report = None,
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
    limit: options.Limit = None,
    again: options.Again = False,
    accept_guard: Annotated[
        bool, typer.Option("--accept-guard", help="Go on although the guard has stopped it: with a fresh window.")
    ] = False,
    accept_canary: Annotated[
        bool, typer.Option("--accept-canary", help="Go on although the canary has stopped it, or has no verdict yet.")
    ] = False,
    unless_paused: Annotated[
        bool, typer.Option("--unless-paused", help="Leave a paused campaign alone (exit code 5).")
    ] = False,
    wait: options.Wait = False,
    wait_until_done: options.WaitUntilDone = False,
    json: options.Json = False,
    json_events: options.JsonEvents = False,
) -> int:
    """Go on with a campaign, without its file.

    Sends every row of it that still waits. Rows left unknown are looked up first. A pause is lifted once the number is
    typed; one of the guard's needs --accept-guard, one of the canary's --accept-canary.
    Rows that were refused are left: see `dispatcher retry`.
    """
    from dispatcher.campaign.retry_choice import RetryChoice
    from dispatcher.campaign.retry_choices import count_rows, plan_again
    from dispatcher.cli import launching
    from dispatcher.cli.render.campaign import pause_text
    from dispatcher.cli.render.terminal import say
    from dispatcher.model import PausedBy, Reason

    json = json or json_events
    choice = RetryChoice(skipped=(Reason.contacted,)) if again else RetryChoice()
    prepared = launching.prepare(session, report=report, overwrite=overwrite, limit=limit, yes=yes, again=again)
    waits = launching.waits_for_hours(wait_until_done, json)
    answers.know(campaign=campaign)
    wait = wait or session.settings.is_cluster  # a worker makes room for whoever plans
    async with session.working(campaign, wait=wait) as opened, launching.answered(opened):
        if unless_paused:
            await opened.check_not_paused()
        accepted = [PausedBy.guard] * accept_guard + [PausedBy.canary] * accept_canary
        seen = await opened.seen_pause(accepted)
        if seen.pause is not None:
            say(f"{pause_text(seen.pause)}. Going on lifts that", "yellow")
        extra = await count_rows(opened, choice) if choice else 0
        left_out = await opened.count_left_out(choice)
        launch = await prepared(opened)

        async def before() -> None:
            await opened.lift_pause(seen)
            if accept_canary:
                await opened.accept_canary()
            if choice:
                await plan_again(opened, choice)

        launched = await launching.send(
            opened,
            launch,
            yes=yes,
            as_json=json,
            extra=extra,
            repeats=max(extra, left_out.contacted),
            suppressed=left_out.suppressed,
            waits=waits,
            before=before,
        )
    return await launching.until_done(session, campaign, launched, launch, waits=waits, as_json=json)
