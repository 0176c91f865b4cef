"""`resume`: a campaign goes on without its file."""

from __future__ import annotations

from dispatcher.cli import options

EPILOG = options.examples(
    ("dispatcher resume spring", "after Ctrl-C, a crash, `run --limit`"),
    ("dispatcher resume spring --yes --json", "for scripts"),
)


@options.reads_settings(
    "rate.per_second",
    "guard.max_rows",
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
    wait: options.Wait = False,
    wait_until_done: options.WaitUntilDone = False,
    json: options.Json = False,
) -> int:
    """Go on with a campaign, without its file.

    Sends every row of it that still waits. Rows left unknown are looked up first.
    Rows that were refused are left: see `dispatcher retry`.
    """
    from dispatcher.campaign.retry_choice import RetryChoice
    from dispatcher.campaign.retry_choices import count_rows, plan_again
    from dispatcher.cli import launching
    from dispatcher.model import Reason

    choice = RetryChoice(skipped=(Reason.contacted,)) if again else RetryChoice()
    prepared = launching.prepare(session, report=report, overwrite=overwrite, limit=limit, yes=yes, again=again)
    waits = launching.waits_for_hours(wait_until_done, json)
    async with session.working(campaign, wait=wait) as opened:
        extra = await count_rows(opened, choice) if choice else 0
        left_out = await opened.count_left_out(choice)
        launch = await prepared(opened)
        launched = await launching.send(
            opened,
            launch,
            yes=yes,
            as_json=json,
            waits=waits,
            extra=extra,
            repeats=max(extra, left_out.contacted),
            suppressed=left_out.suppressed,
            before=(lambda: plan_again(opened, choice)) if choice else None,
        )
    return await launching.until_done(session, campaign, launched, launch, waits=waits, as_json=json)
