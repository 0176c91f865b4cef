"""What people decide: launch, pause, go on, stop for good. Each is a compare-and-set, and a line in the history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dispatcher.campaign.ordering import settings_of_order
from dispatcher.campaign.witness import CUT_SHORT
from dispatcher.errors import CampaignPaused, UsageError
from dispatcher.model import PausedBy
from dispatcher.web.running.desk import Desk
from dispatcher.web.running.errors import NameTaken, SomebodyWasFirst
from dispatcher.web.store import Draft, Stage

if TYPE_CHECKING:
    from dispatcher.campaign.view import CampaignView
    from dispatcher.ledger.wishes import Wish
    from dispatcher.model import Pause
    from dispatcher.settings import Settings

#: A file that is being planned stops within this time.
UNSCHEDULE_S = 20.0


class Buttons(Desk):
    """Of the supervisor: what needs no account. `who` and `source` are for the history."""

    async def launch(
        self,
        draft: Draft,
        *,
        who: str,
        source: str = "",
        confirmed: int,
        revision: int | None = None,
        again: bool = False,
        due_ms: int | None = None,
        zone: str | None = None,
    ) -> Draft:
        """Have a checked draft sent, from `due_ms` on (None: now); of two at once, one does.

        Raises: SomebodyWasFirst, NameTaken, UsageError; AuthenticationError, SettingsError, CampaignMismatch.
        """
        now_ms = self._now_ms()
        if draft.stage is not Stage.checked:
            raise SomebodyWasFirst(found=f"{draft.launched_by} has launched it" if draft.launched_by else None)
        if due_ms is not None and due_ms <= now_ms:
            raise UsageError("that time has passed")
        sends = await self.settings_of(draft)
        view = await self.register.make(draft.name, sends.settings, sends.sender())
        seen = await view.wish()
        await self._check_free(draft, view, seen)
        detail = {"confirmed": confirmed, "again": again, "due_ms": due_ms, "revision": revision}
        changed = await self.store.drafts.change(
            draft.draft_id,
            draft.version,
            audit=self._audit("scheduled" if due_ms else "launched", draft, who=who, source=source, **detail),
            stage=Stage.launched,
            confirmed=confirmed,
            revision=revision,
            again=again,
            due_ms=due_ms,
            zone=zone,
            launched_at_ms=now_ms,
            launched_by=who,
        )
        launched = await self._first(changed, draft)
        if not await view.order(seen, due_ms or now_ms):
            await self.store.drafts.change(launched.draft_id, launched.version, stage=Stage.checked)
            raise NameTaken(found=draft.name)
        self._drafts[view.record.campaign_id] = draft.draft_id
        self._look_soon(view, is_ordered=False)
        return launched

    async def _check_free(self, draft: Draft, view: CampaignView, seen: Wish) -> None:
        """A name that is new, or one of which nothing was ever planned or ordered. Raises: NameTaken."""
        if self.is_cluster:
            # Another page may have ordered it a moment ago; what this draft has left when it was taken back is its own.
            was_own = draft.launched_at_ms is not None and not (await view.status()).attempts
            if not was_own and (seen.due_ms is not None or await view.inputs()):
                raise NameTaken(found=draft.name)
            return
        named = [one for one in await self.store.drafts.named(draft.name) if one.stage is Stage.launched]
        if await view.inputs() or (seen.due_ms is not None and named):
            raise NameTaken(found=draft.name)

    async def unschedule(self, draft: Draft, *, who: str, source: str = "") -> Draft:
        """Take a launch back that has not begun: it is a checked draft again.

        Raises: SomebodyWasFirst; on a cluster AccountBusy: its file is being planned.
        """
        if not self.is_cluster:
            return await self._unschedule(draft, who=who, source=source)
        line = self.line((await self.view_of(draft)).record.account.account_id)
        async with line.between(interrupts=True, give_up_s=UNSCHEDULE_S):
            # What was planned ahead of its time stays in the ledger, and nobody is to send it: a launch plans it anew.
            return await self._unschedule(await self._fresh(draft), who=who, source=source)

    async def _unschedule(self, draft: Draft, *, who: str, source: str) -> Draft:
        view = await self.view_of(draft)
        wish = await view.wish()
        if (draft.planned and not self.is_cluster) or wish.due_ms is None or wish.due_ms <= self._now_ms():
            raise SomebodyWasFirst("it has begun meanwhile")
        # The draft first: what is ordered and not launched is not sent.
        changed = await self.store.drafts.change(
            draft.draft_id,
            draft.version,
            audit=self._audit("unscheduled", draft, who=who, source=source),
            stage=Stage.checked,
            due_ms=None,
            planned=0,
        )
        taken_back = await self._first(changed, draft)
        await self._order(view, None)
        self.wake()
        return taken_back

    async def pause(self, draft: Draft, *, who: str, source: str = "", reason: str = "") -> Pause:
        """When this returns, nothing more of it is taken up. Returns the pause that holds: it may be an earlier one."""
        view = await self.view_of(draft)
        held, is_new = await view.pause(reason.strip() or f"by {who}")
        if is_new:
            await self._note("paused", draft, who=who, source=source, reason=held.reason)
        self.wake()
        return held

    async def go_on(
        self,
        draft: Draft,
        *,
        who: str,
        source: str = "",
        seen: int,
        confirmed: int | None = None,
        revision: int | None = None,
    ) -> Draft:
        """Lift the pause, or the hold, that was shown; `seen`: the version of the wish that the page has shown.

        `confirmed`: typed anew. `revision`: confirmed anew; a hold that has told of one confirms that.
        Raises: SomebodyWasFirst.
        """
        view = await self.view_of(draft)
        wish = await view.wish()
        if wish.version != seen:
            raise SomebodyWasFirst
        if revision is None:
            revision = self._revisions.pop(draft.draft_id, None)
        if draft.draft_id in self._cut_short:
            self._cut_short.discard(draft.draft_id)
            self._look_short.add(draft.draft_id)
        draft = await self._confirm_anew(draft, confirmed, revision)
        if wish.pause is not None and wish.pause.by is PausedBy.canary:
            await self.register.accept_canary(view.record)
        now_ms = self._now_ms()
        if self.is_cluster and draft.planned:
            # With the settings as they are now: they may be what it was held for.
            settings = await self._settings_of_order(draft, wish)
            if not await view.order(wish, now_ms if wish.due_ms is None else wish.due_ms, settings):
                raise SomebodyWasFirst
            wish = replace(wish, version=wish.version + 1)
        elif wish.due_ms is None or (wish.due_ms <= now_ms and not draft.planned):
            # Its time was missed, or it was over: it is sent now.
            if not await view.order(wish, now_ms):
                raise SomebodyWasFirst
            wish = replace(wish, version=wish.version + 1)
        await self._note("went_on", draft, who=who, source=source, confirmed=confirmed)
        try:
            await view.lift_pause(wish)
        except CampaignPaused:
            raise SomebodyWasFirst from None
        self._unwritten.pop(view.record.campaign_id, None)
        self._look_soon(view)
        return draft

    async def _settings_of_order(self, draft: Draft, wish: Wish) -> Settings:
        """What workers are to send it with from now on. Raises: SettingsError."""
        if wish.pause is not None and wish.pause.by is PausedBy.held and CUT_SHORT in wish.pause.reason:
            # A worker has told it, and whoever goes on has read it.
            self._look_short.add(draft.draft_id)
        settings = (await self.settings_of(draft)).settings
        return settings_of_order(settings, again=draft.again, look_short=self.may_look_short(draft.draft_id))

    async def _confirm_anew(self, draft: Draft, confirmed: int | None, revision: int | None) -> Draft:
        if confirmed is None and revision is None:
            return draft
        changed = await self.store.drafts.change(
            draft.draft_id,
            draft.version,
            confirmed=draft.confirmed if confirmed is None else confirmed,
            revision=draft.revision if revision is None else revision,
        )
        return await self._first(changed, draft)

    async def correct(
        self, draft: Draft, upload_ids: tuple[str, ...], *, confirmed: int, who: str, source: str = ""
    ) -> Draft:
        """Add uploads of corrected rows to a launched campaign: they are planned at its next turn, as parts.

        `confirmed`: how many may be sent from then on, those that wait included. Raises: SomebodyWasFirst.
        """
        view = await self.view_of(draft)
        changed = await self.store.drafts.change(
            draft.draft_id,
            draft.version,
            audit=self._audit("corrected", draft, who=who, source=source, confirmed=confirmed),
            uploads=(*draft.uploads, *upload_ids),
            confirmed=confirmed,
        )
        corrected = await self._first(changed, draft)
        if self.is_cluster:
            # It is ordered once it is planned.
            self._look_soon(view, is_ordered=False)
        else:
            await self._have_sent(view)
        return corrected

    async def _have_sent(self, view: CampaignView) -> None:
        """Rows wait that did not before: they are sent now, unless it was stopped for good."""
        wish = await view.wish()
        if wish.due_ms is None and wish.pause is None:
            await self._order(view, self._now_ms())
        self._look_soon(view)

    def _look_soon(self, view: CampaignView, *, is_ordered: bool = True) -> None:
        """`is_ordered`: on a cluster workers have all that they need; otherwise the line gives it to them."""
        self.line(view.record.account.account_id).wake()
        if self.is_cluster and is_ordered:
            self._begin(self.hint(view.record))
