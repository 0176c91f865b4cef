"""What needs the account for a while, between two turns: stop for good, recall, look up, retry, a test send."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dispatcher.campaign import Campaign, open_campaign, rehearse_campaign
from dispatcher.campaign.outlook import outlook
from dispatcher.campaign.requested import SentTest
from dispatcher.campaign.retry_choices import count_rows, plan_again
from dispatcher.errors import DispatcherError, UsageError
from dispatcher.events import EventBus
from dispatcher.model import Reason
from dispatcher.web.figures import masked
from dispatcher.web.running.buttons import Buttons
from dispatcher.web.running.errors import MoreThanConfirmed, SomebodyWasFirst
from dispatcher.web.running.line import polled
from dispatcher.web.store import Draft

if TYPE_CHECKING:
    from dispatcher.campaign.retry_choice import RetryChoice
    from dispatcher.sending.reconcile import Reconciled
    from dispatcher.tracking.results import RecallResult

T = TypeVar("T")

#: How much longer than a run has to stop somebody waits for the account whom it makes room for.
ROOM_S = 20.0
#: Whoever tests makes nobody stop, and waits for so long.
TEST_S = 15.0
_KEPT_OF_TEST = ("row_number", "outcome", "execution_sid", "http_status", "error_code", "error_message", "advice")


class Works(Buttons):
    """Of the supervisor: what needs the account's lease. They may take minutes; `running` tells how far they are."""

    async def stop_for_good(self, draft: Draft, *, who: str, source: str = "", reason: str) -> int:
        """Take out the rows that are not sent yet, for a reason that stands in the report; returns how many.

        It stands still as soon as this begins, whatever comes then. Raises: UsageError without a reason; AccountBusy:
        the rows are not taken out yet, and wait.
        """
        reason = reason.strip()
        if not reason:
            raise UsageError("why it is stopped is missing")
        view = await self.view_of(draft)
        await view.pause(reason)
        await self._order(view, None)
        await self._note("stopped", draft, who=who, source=source, reason=reason)
        return await self._work(draft, lambda campaign: campaign.cancel(reason))

    async def put_back(self, draft: Draft, *, who: str, source: str = "", seen: int, confirmed: int) -> Draft:
        """Take a stop for good back: its rows wait again, and are sent now. `seen`: as `go_on`.

        Raises: SomebodyWasFirst, MoreThanConfirmed, AccountBusy.
        """
        view = await self.view_of(draft)
        if (await view.wish()).version != seen:
            raise SomebodyWasFirst

        async def again(campaign: Campaign) -> None:
            chosen = (Reason.cancelled,)
            rows = await campaign.retry(skipped=chosen, count_only=True)
            if rows > confirmed:
                raise MoreThanConfirmed(found=f"{confirmed:,} were confirmed, and it is {rows:,}")
            await campaign.retry(skipped=chosen)

        await self._work(draft, again)
        await self._note("put_back", draft, who=who, source=source)
        return await self.go_on(draft, who=who, source=source, seen=seen, confirmed=confirmed)

    async def recall(self, draft: Draft, *, who: str, source: str = "") -> RecallResult:
        """End the executions of this campaign that are still active, no others. What is left of it is paused first.

        Raises: AccountBusy; AuthenticationError, FlowNotFound, StudioError. What ends it later is in the result.
        """
        view = await self.view_of(draft)
        if (await view.wish()).due_ms is not None:
            await view.pause(f"recalled by {who}")
        await self._note("recalled", draft, who=who, source=source)
        return await self._work(draft, lambda campaign: campaign.recall(), asks=True)

    async def reconcile(self, draft: Draft, *, who: str, source: str = "") -> Reconciled:
        """Look up rows in doubt. What is proved not to have been created waits again, and is sent.

        Raises: AccountBusy; AuthenticationError, StudioError.
        """
        await self._note("looked_up", draft, who=who, source=source)
        found, _ = await self._work(draft, lambda campaign: campaign.reconcile(), asks=True)
        if found.planned:
            await self._have_sent(await self.view_of(draft))
        return found

    async def retry(
        self,
        draft: Draft,
        choice: RetryChoice,
        *,
        confirmed: int,
        who: str,
        source: str = "",
        seen: int | None = None,
    ) -> Draft:
        """Send refused rows once more; `confirmed`: how many, as it was typed. A pause that holds is not lifted.

        `seen`: the draft's version as the form has shown it: what was typed once is done once, also where as many are
        refused again. Raises: MoreThanConfirmed, SomebodyWasFirst, AccountBusy, UsageError: no row is of that kind.
        """
        if seen is not None and (await self._fresh(draft)).version != seen:
            raise SomebodyWasFirst

        async def again(campaign: Campaign) -> int:
            rows = await count_rows(campaign, choice)
            if not rows:
                raise UsageError("no row is of that kind")
            if rows > confirmed:
                raise MoreThanConfirmed(found=f"{confirmed:,} were confirmed, and it is {rows:,}")
            await plan_again(campaign, choice)
            return outlook(await campaign.status(), campaign.settings, whole_campaign=True).most

        await self._note("retried", draft, who=who, source=source, confirmed=confirmed, codes=list(choice.codes))
        most = await self._work(draft, again)
        draft = await self._confirm_anew(await self._fresh(draft), most, None)
        await self._have_sent(await self.view_of(draft))
        return draft

    async def test_send(
        self, draft: Draft, *, to: str, row_number: int | None, who: str, source: str = ""
    ) -> dict[str, Any]:
        """Send one row's values (None: the first's) to a number of one's own; what came of it. It makes nobody stop.

        One form is one test, however often it comes. Raises: SomebodyWasFirst: the draft is not as it was shown;
        AccountBusy: what is being sent on the account; UsageError, StudioError, AuthenticationError.
        """
        sends = await self.settings_of(draft)
        credentials = sends.required()
        account = await self.register.account(sends.settings, credentials)
        scratch = self.store.uploads.check_folder(draft.draft_id) / "ledger.sqlite3"
        async with self.line(account.account_id).between(interrupts=False, give_up_s=TEST_S):
            # A second click waited here for the first one's test.
            if (await self._fresh(draft)).version != draft.version:
                raise SomebodyWasFirst
            await self._note("tested", draft, who=who, source=source, row_number=row_number)
            opening = rehearse_campaign(draft.name, sends.settings, credentials, scratch=scratch)
            async with opening as rehearsal:
                sent = SentTest(*await polled(lambda: rehearsal.test_send(to, row_number=row_number), give_up_s=TEST_S))
            # Of the row's values nothing is kept, and of the number what its owner knows it by.
            found = {name: value for name, value in sent.as_json().items() if name in _KEPT_OF_TEST}
            found |= {"to": masked(sent.request.to), "at_ms": self._now_ms(), "who": who}
            while True:
                draft = await self._fresh(draft)
                if await self.store.drafts.change(draft.draft_id, draft.version, test=found) is not None:
                    return found

    # --- the account, between two turns ---

    async def _work(self, draft: Draft, work: Callable[[Campaign], Awaitable[T]], *, asks: bool = False) -> T:
        """Do this to the open campaign; what is being sent on the account stands still meanwhile, and goes on.

        `asks`: Studio; on a cluster all else can be done without this machine's having the account's secret.
        """
        sends = await self.settings_of(draft)
        view = await self.view_of(draft)
        give_up_s = sends.settings.timeouts.stop_s + ROOM_S

        async def once() -> T:
            async with self._open(draft, asks=asks) as campaign:
                return await work(campaign)

        line = self.line(view.record.account.account_id)
        async with line.between(interrupts=True, give_up_s=give_up_s):
            return await polled(once, give_up_s=ROOM_S)

    @contextlib.asynccontextmanager
    async def _open(self, draft: Draft, *, asks: bool) -> AsyncIterator[Campaign]:
        sends = await self.settings_of(draft)
        credentials = sends.required() if asks else sends.sender()
        bus = EventBus()
        async with open_campaign(draft.name, sends.settings, credentials, bus=bus, create=False) as campaign:
            self._working[draft.draft_id] = campaign, bus
            try:
                yield campaign
            finally:
                del self._working[draft.draft_id]

    def _stop_working(self, error: DispatcherError, *, hard: bool) -> None:
        for campaign, _ in list(self._working.values()):
            campaign.stop(error, hard=hard)
