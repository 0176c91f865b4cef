"""What servers send: what workers of a cluster are told of an order, and what people are told while they look on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from dispatcher.campaign.entrusting import Entrusting
from dispatcher.cli.render.remedies import say_fix
from dispatcher.cli.render.terminal import say
from dispatcher.errors import LedgerError, UsageError
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Remedy, Setting

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign
    from dispatcher.cli.session import Session
    from dispatcher.ledger.records import CampaignRecord
    from dispatcher.settings import Settings

#: A server for the hint that does not answer is not waited for any longer.
HINT_S = 5.0


def entrusting_of(settings: Settings, *, until_done: bool) -> Entrusting | None:
    """How a launch is entrusted to workers; None: the ledger is this machine's, and so is the sending."""
    if not settings.is_cluster:
        return None

    async def hint(record: CampaignRecord) -> None:
        from dispatcher.cluster.app import hint_shift

        async with asyncio.timeout(HINT_S):
            await hint_shift(settings, record)

    return Entrusting(hint=hint, tell=_tell, until_done=until_done)


def refuse_limit(settings: Settings, limit: int | None) -> None:
    """Raises: UsageError: an order is for all that waits."""
    if limit is not None and settings.is_cluster:
        raise UsageError(
            "workers of a cluster send all that waits in a campaign, and no part of it",
            fix=AnyOf(Setting("canary.rows", limit), Advice("put so many rows into a file of their own")),
        )


@contextlib.asynccontextmanager
async def agreed(campaign: Campaign) -> AsyncIterator[None]:
    """From the planning of a file to its order: where that comes to nothing, no server sends its rows.

    Nor what it would have sent before: an order is for all that waits. Workers' is taken back, and a page's held.
    """
    before = await campaign.status()
    try:
        yield
    except BaseException:
        with contextlib.suppress(LedgerError):
            after = await campaign.status()
            is_new = after.campaign.input_id != before.campaign.input_id and not after.is_settled
            if is_new and before.due_ms is not None:
                if before.is_settled:
                    while not await campaign.order(await campaign.wish(), None):
                        pass
                else:
                    await campaign.hold("a file was put into it at a terminal, and nobody has agreed to its rows")
                who = "workers send" if before.is_settled else "its server sends"
                say(f"nobody has agreed to these rows, so {who} nothing more of the campaign", "yellow")
                say_fix(Command("resume", (campaign.name,), does="sends what waits of all its files"))
        raise


async def refuse_again(campaign: Campaign, *, again: bool) -> None:
    """An order is for all that waits: of people in other files nobody was asked whether they may be reached again.

    Raises: UsageError.
    """
    if not (again and campaign.settings.is_cluster):
        return
    earlier = (await campaign.status()).earlier_rows.get(RowState.planned, 0)
    if earlier:
        name = campaign.name
        raise UsageError(
            "--again would hold for rows of earlier files, too: workers send all that waits in a campaign",
            found=f"{counted(earlier, 'row')} of earlier files of campaign {name!r} still to be sent",
            fix=AnyOf(
                InTurn(Command("resume", (name,)), Advice("then run the file again, with --again")),
                Advice("run the file as a campaign of its own (--campaign NAME)"),
            ),
        )


def say_who_asks(session: Session) -> None:
    """Where Studio cannot be asked from here: who does, and when."""
    if session.settings.is_cluster and not session.may_ask:
        say(
            "the account's secret is not known here: its worker compares the file with the flow and looks for people"
            " reached elsewhere before its first request, and holds the campaign for what it finds",
            "yellow",
        )


async def take_rate(campaign: Campaign) -> None:
    """On a cluster the account's own rate counts, whoever plans for it: say so where the settings have another."""
    asked = await campaign.take_rate() if campaign.settings.is_cluster else None
    if asked is not None:
        own = campaign.settings.rate.per_second
        say(
            f"the account sends {own:g} a second, as its ledger says; {asked:g} of the settings does not count",
            "yellow",
        )
        say_fix(Command("ledger rate", (f"{asked:g}",), does="for every machine, from now on"))


def tell_notices(settings: Settings) -> None:
    """Who is told of a run's end is whom the worker's own settings name: a program of this machine may not be there."""
    if settings.is_cluster and (settings.notify.webhook or settings.notify.command):
        say("[notify] of this machine does not count: whom the worker's own settings name is told", "yellow")


def _tell(text: str, fix: Remedy | None) -> None:
    say(text, "yellow")
    if fix is not None:
        say_fix(fix)
