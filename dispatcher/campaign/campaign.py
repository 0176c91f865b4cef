"""A campaign under its account's lease: every thing that can be done to it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign.account_rate import rate_of
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.courier import TRIES, Courier, Posted
from dispatcher.campaign.planning import PlanOptions, plan
from dispatcher.campaign.preflight import preflight
from dispatcher.campaign.retry_choice import RetryChoice
from dispatcher.campaign.stop import StopRequests
from dispatcher.campaign.suppression import list_ids
from dispatcher.campaign.view import CampaignView
from dispatcher.ledger.records import CampaignStatus, PlanCounts
from dispatcher.ledger.suppressed import LeftOut
from dispatcher.model import Reason

if TYPE_CHECKING:
    from dispatcher.campaign.entrusting import Entrusting
    from dispatcher.campaign.result import RunResult
    from dispatcher.campaign.run import CampaignRun
    from dispatcher.campaign.stop import StopRequest
    from dispatcher.errors import DispatcherError
    from dispatcher.intake.mappings import Contacts
    from dispatcher.sending.reconcile import Reconciled
    from dispatcher.studio.preflight import Finding
    from dispatcher.tracking.results import RecallResult


class Campaign(CampaignView):
    """Made by `open_campaign`; one task at a time may plan or send."""

    def __init__(self, context: CampaignContext, stops: StopRequests, give_back: Callable[[], Awaitable[None]]) -> None:
        """`give_back`: ends the account's lease."""
        super().__init__(context, stops)
        self._end_lease = give_back

    async def plan(
        self, contacts: Contacts, options: PlanOptions | None = None, *, source: str | None = None
    ) -> PlanCounts:
        """Read all contacts, check them, and put them into the campaign. Nothing is sent.

        `contacts`: a file's path; `-`, standard input; or rows of your own, an iterable of mappings: columns are the
        keys of the first, values are text, whole numbers, `Decimal`, or None for an empty cell. They are taken one by
        one, in other threads, and not kept. `source` is what such rows are called in messages and in `status`.

        On a cluster workers send nothing more of it until it is ordered anew, by `entrust` or `order_out`.
        Rows that a file has no more are not sent from now on, and taken out by `send`. Rows of your own are a part,
        and take out none, unless the options say that they are the `whole`.
        Raises: InputError, ColumnError, UsageError, SuppressionError, SettingsError, CampaignMismatch, LedgerError;
        why it was stopped; what the iterable raises, as it is. The campaign is then as it was.
        """
        with self._stops.operation() as stop:
            return await plan(self._context, contacts, stop, options or PlanOptions(), name=source)

    async def preflight(self) -> list[Finding]:
        """Whether the flow can do what the planned rows want of it: errors first, then warnings and notes.

        Asks Studio for the flow and its published revision (two reads; on v1 one), and sends nothing. `refuse` of
        `dispatcher.studio.preflight` turns errors into PreflightFailed.
        Raises: AuthenticationError, PermissionRefused, FlowNotFound, StudioError, SettingsError; why it was stopped.
        """
        with self._stops.operation() as stop:
            return await preflight(self._context, await self._look(stop))

    async def send(
        self,
        *,
        whole_campaign: bool = False,
        limit: int | None = None,
        again: bool = False,
        may_look_short: bool = False,
        report: Path | None = None,
    ) -> RunResult:
        """Send the planned rows of the latest file, or of the whole campaign, and resolve rows left unknown.

        A contact whom the account has reached on the flow in the last `repeat_after_h` is skipped, or with `again` not.
        Where Studio lists too many executions to tell (LookCutShort) nothing is sent, or all the same with
        `may_look_short`. `report`: where the report will be, for the notices, which are written with the run's end;
        `post` delivers them.

        Returns when every row has its answer or something stopped the run: see `RunResult.error`.
        Raises: only what is a bug or a ledger that cannot be written.
        """
        with self._stops.operation() as stop:
            ledger = self._context.ledger
            await ledger.remove_rows(await self._context.current())
            run = await self._run(stop)
            return await run.send(
                whole_campaign=whole_campaign, limit=limit, again=again, may_look_short=may_look_short, report=report
            )

    async def take_rate(self) -> float | None:
        """Plan by the account's own rate, if it has one; the settings' other one that does not count, or None."""
        limits, asked = await self._context.ledger.account_limits(self.record.account), self.settings
        self._context = replace(self._context, settings=rate_of(asked, limits))
        return asked.rate.per_second if self.settings != asked else None

    async def entrust(self, entrusting: Entrusting, *, again: bool = False, may_look_short: bool = False) -> RunResult:
        """Have workers of a cluster send all that waits, as `send` would with these; look on until it is done.

        The account is given back before that: afterwards this campaign can be looked at, and no more. `stop` ends the
        looking on alone, with Interrupted: the workers go on.
        Raises: only what is a bug or a ledger that cannot be used; SettingsError.
        """
        from dispatcher.campaign.entrusting import Entrusted
        from dispatcher.campaign.ordering import settings_of_order

        settings = settings_of_order(self.settings, again=again, look_short=may_look_short)
        with self._stops.operation() as stop:
            return await Entrusted(self._context, stop, entrusting).send(settings, self.give_back)

    async def order_out(
        self, due_ms: int, *, again: bool = False, may_look_short: bool = False
    ) -> DispatcherError | None:
        """Have workers of a cluster send all that waits from then on, as `entrust` does, and do not look on.

        Returns why nobody may, where it is paused. Raises: LedgerError, SettingsError.
        """
        from dispatcher.campaign.ordering import order, settings_of_order

        await self._context.ledger.remove_rows(await self._context.current())
        settings = settings_of_order(self.settings, again=again, look_short=may_look_short)
        return await order(self._context, settings, due_ms)

    async def give_back(self) -> None:
        """Give the account's lease back before the campaign is closed: others may plan and send from now on."""
        self._context = replace(self._context, account=None)
        await self._end_lease()

    async def post(self, courier: Courier, *, tries: int = TRIES, over: StopRequest | None = None) -> Posted:
        """Deliver the campaign's notices, and those that others have left for the same receivers. Never raises.

        Returns when each is delivered, or a receiver has failed so many times in a row, or a minute is over; `over`
        ends it before, otherwise `stop` does.
        """
        with contextlib.nullcontext(over) if over is not None else self._stops.operation() as stop:
            ledger, campaign_id = self._context.ledger, self._context.record.campaign_id
            return await courier.post(ledger.notices, stop, tries=tries, campaign_id=campaign_id)

    async def reconcile(self) -> tuple[Reconciled, CampaignStatus]:
        """Look up rows left unknown, without sending. Rows in flight of a run that died become unknown first.

        Raises: StudioError, AuthenticationError, LedgerError; why it was stopped.
        """
        with self._stops.operation() as stop:
            run = await self._run(stop)
            return await run.reconcile()

    async def look_back(self, *, may_be_short: bool = False) -> int:
        """Leave out planned rows whose contacts others have started a short time ago; `send` does the same.

        Others: another ledger, machine or program, as Studio's list shows. Returns how many rows.
        Raises: LookCutShort where more are listed than are looked through, unless `may_be_short`; StudioError,
        AuthenticationError, LedgerError; why it was stopped.
        """
        with self._stops.operation() as stop:
            run = await self._run(stop)
            return await run.look_back(may_be_short=may_be_short)

    async def count_unknown(self) -> int:
        """How many unknown rows `risk_unknown` would plan again."""
        return await self._context.ledger.risk_rows(await self._context.current(), count_only=True)

    async def risk_unknown(self) -> int:
        """Plan unknown rows again, though nothing proves that nothing was created: whoever asks for it takes the risk.

        `reconcile` first: what can be found is found. Returns how many; their evidence is kept.
        """
        return await self._context.ledger.risk_rows(await self._context.current())

    async def _run(self, stop: StopRequest) -> CampaignRun:
        from dispatcher.campaign.requests import requests_of
        from dispatcher.campaign.run import CampaignRun

        return CampaignRun(self._context, stop, await requests_of(self._context))

    async def retry(
        self,
        *,
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        skipped: Sequence[Reason] = (),
        count_only: bool = False,
        most: int | None = None,
    ) -> int:
        """Plan refused rows again, and those left out for these reasons; `send` then sends them.

        Returns how many; `count_only` changes nothing. `most`: the first so many; the others stay as they are.
        """
        return await self._context.ledger.retry_rows(
            await self._context.current(),
            codes=codes,
            all_rejected=all_rejected,
            busy=busy,
            skipped=skipped,
            count_only=count_only,
            most=most,
        )

    async def count_left_out(self, choice: RetryChoice | None = None) -> LeftOut:
        """How many rows that wait would be left out: suppressed, or reached in the last `repeat_after_h` by others.

        As if the chosen rows were planned again. Others: other campaigns of the account. Raises: SuppressionError.
        """
        chosen = choice or RetryChoice()
        return await self._context.ledger.count_left_out(
            await self._context.current(),
            repeat_after_ms=self.settings.repeat_after_ms,
            list_ids=await list_ids(self._context),
            codes=chosen.codes,
            all_rejected=chosen.all_rejected,
            busy=chosen.busy,
            skipped=chosen.reasons,
        )

    async def accept_canary(self) -> None:
        """Let all rows go, though there is no verdict on the first ones yet."""
        await self._context.ledger.canaries.accept(await self._context.current())

    async def recall(self) -> RecallResult:
        """End the executions of this campaign that are still active, those that the ledger has created and no others.

        `track(details=False)` before tells how many there are. May be stopped and gone on with.
        Raises: AuthenticationError, FlowNotFound, StudioError, LedgerError; what ends it later is in the result.
        """
        from dispatcher.campaign.tracking import recall

        with self._stops.operation() as stop:
            return await recall(self._context, stop)
