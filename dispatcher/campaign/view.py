"""A campaign as anybody may look at it, whoever works on it meanwhile: counts, rows, report, what became of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher.campaign import pausing
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.preflight import seen_flow
from dispatcher.campaign.preview import BUDGET_S, ROWS_MAX, FlowPreview, preview
from dispatcher.campaign.report_target import check_no_input, input_files, report_target
from dispatcher.campaign.stop import StopRequest, StopRequests
from dispatcher.errors import CampaignNotFound, DispatcherError, Interrupted, LedgerUnwritable
from dispatcher.events import EventBus, ReportWritten
from dispatcher.ledger import LedgerSnapshot
from dispatcher.ledger.executions import ExecutionCounts
from dispatcher.ledger.records import CampaignRecord, CampaignStatus, InputRecord, ReportRow
from dispatcher.ledger.wishes import Wish
from dispatcher.model import Pause, PausedBy, RowState
from dispatcher.remedies import Command
from dispatcher.settings import Settings
from dispatcher.settings.ordered import settings_to_send

if TYPE_CHECKING:
    from dispatcher.campaign.hours_shown import HoursShown, Standing
    from dispatcher.campaign.prospect import Prospect
    from dispatcher.campaign.timing import Waiting
    from dispatcher.reporting.columns import ExtraColumns
    from dispatcher.reporting.selection import Selection
    from dispatcher.reporting.summary import Summary
    from dispatcher.studio.preflight import SeenFlow
    from dispatcher.tracking.results import TrackResult


class CampaignView:
    """Made by `view_campaign`."""

    def __init__(self, context: CampaignContext, stops: StopRequests) -> None:
        self._context = context
        self._stops = stops
        #: The flow as Studio showed it last.
        self._seen: SeenFlow | None = None

    @property
    def name(self) -> str:
        """The campaign's name."""
        return self._context.name

    @property
    def record(self) -> CampaignRecord:
        """The campaign as it was when it was opened: its account and its flow."""
        return self._context.record

    @property
    def settings(self) -> Settings:
        """The settings that it was opened with."""
        return self._context.settings

    @property
    def may_ask(self) -> bool:
        """Whether it was opened with credentials with which Studio can be asked."""
        credentials = self._context.credentials
        return credentials is not None and credentials.has_secret

    @property
    def bus(self) -> EventBus:
        """Where its events are told, and the live state."""
        return self._context.bus

    @property
    def location(self) -> str:
        """Where its ledger lies."""
        return self._context.ledger.location

    @property
    def seen_revision(self) -> int | None:
        """The flow's revision that executions would run, as `preflight` or `preview` saw it; None: it is not known."""
        published = self._seen.published if self._seen is not None else None
        return published.revision if published is not None else None

    @property
    def seen_flow(self) -> SeenFlow | None:
        """The flow as Studio showed it last; None: it was not asked."""
        return self._seen

    def take_flow(self, seen: SeenFlow) -> None:
        """Use this answer of Studio's, which somebody else has got a moment ago, instead of asking again."""
        self._seen = seen

    @property
    def is_blocked(self) -> bool:
        """Whether another program keeps its ledger from being written."""
        return self._context.ledger.blocked_by() is not None

    async def everything(self) -> AsyncIterator[list[dict[str, Any]]]:
        """All that the ledger knows of it, as of one moment: JSON objects, hundreds at once. Raises: LedgerError."""
        async with self._context.ledger.snapshot() as snapshot:
            async for objects in snapshot.everything(await self._context.current()):
                yield objects

    def stop(self, error: DispatcherError | None = None, *, hard: bool = False) -> bool:
        """Stop what runs now: what is in flight is finished, or with `hard` given up as unknown.

        Returns whether anything ran. A stop is for that alone: `send` called afterwards goes on.
        """
        return self._stops.request(error or Interrupted(fix=Command("resume", (self.name,))), hard=hard)

    # --- counts ---

    async def status(self) -> CampaignStatus:
        """Counts, from the ledger. Raises: CampaignNotFound, LedgerError, as everything below."""
        return await self._context.ledger.status(await self._context.current())

    async def reasons(self, *, whole_campaign: bool = False) -> dict[str, int]:
        """Why rows of the latest file, or of all, are left out: reason → how many."""
        return await self._context.ledger.reasons(await self._context.current(), whole_campaign=whole_campaign)

    async def rows_to_remove(self) -> int:
        """How many rows that wait are not in the latest file any more: a send takes them out."""
        return await self._context.ledger.rows_to_remove(await self._context.current())

    async def waiting(self, *, whole_campaign: bool = False) -> list[Waiting]:
        """Rows of the latest file, or of all, that wait for their hours now; the first to go first.

        Where hours are only warned of, those that would have to. Raises: SettingsError.
        """
        from dispatcher.campaign.forecast import forecast

        record = await self._context.current()
        return await forecast(self._context, None if whole_campaign else record.input_id)

    async def cooled_off(self, *, whole_campaign: bool = False) -> int:
        """How many of these rows would be left out, as their contacts were reached as often as `[cooloff]` allows."""
        from dispatcher.campaign.forecast import cooled_off

        record = await self._context.current()
        return await cooled_off(self._context, None if whole_campaign else record.input_id)

    async def prospect(self, *, whole_campaign: bool = False, limit: int | None = None) -> Prospect | None:
        """What becomes of these rows if they are sent from now on, so many at most; None: they go at any time.

        Raises: SettingsError.
        """
        from dispatcher.campaign.prospect import prospect

        record = await self._context.current()
        return await prospect(self._context, None if whole_campaign else record.input_id, limit=limit)

    async def ahead(
        self, *, whole_campaign: bool = False, limit: int | None = None
    ) -> tuple[list[Waiting], Prospect | None]:
        """Both `waiting` and `prospect`; what a cool-off holds is looked for once. Raises: SettingsError."""
        from dispatcher.campaign.forecast import forecast, held_now
        from dispatcher.campaign.prospect import prospect

        context, record = self._context, await self._context.current()
        input_id = None if whole_campaign else record.input_id
        held = await held_now(context, input_id)
        waiting = await forecast(context, input_id, held=held)
        return waiting, await prospect(context, input_id, limit=limit, held=held)

    async def hours(self) -> tuple[HoursShown, list[tuple[int, Standing]]]:
        """The hours that hold, and the places of its rows that wait, each with how many. Raises: SettingsError."""
        from dispatcher.campaign.hours_shown import HoursShown
        from dispatcher.clock import now_ms

        shown = HoursShown(self.settings, now_ms())
        return shown, await shown.campaign(self._context)

    async def inputs(self) -> list[InputRecord]:
        """The campaign's files, oldest first."""
        return await self._context.ledger.inputs(await self._context.current())

    async def executions(self) -> ExecutionCounts:
        """What became of the executions, counted, as far as they were tracked."""
        return await self._context.ledger.execution_counts(await self._context.current())

    async def is_busy(self) -> bool:
        """Whether somebody holds its account: whoever plans or sends, this campaign or another."""
        return await self._context.ledger.is_leased(self._context.record.account)

    # --- what is wanted of it ---

    async def wish(self) -> Wish:
        """Whether it is paused or ordered, and the version by which that is changed."""
        return await self._context.ledger.wishes.of(await self._context.current())

    async def pause(self, reason: str = "") -> tuple[Pause, bool]:
        """Pause it: when this returns, no more of its rows are claimed, whoever sends it. Needs no lease.

        What was claimed is sent and recorded. Returns the pause that holds, and whether it is this one: one that is
        paused already stays so, for the reason it was.
        """
        return await pausing.pause(self._context, reason)

    async def hold(self, reason: str) -> tuple[Pause, bool]:
        """Pause it as its server, for what a person has to look at: a sentence for people. Otherwise as `pause`."""
        return await pausing.hold(self._context, reason)

    async def order(self, seen: Wish, due_ms: int | None, settings: Settings | None = None) -> bool:
        """Have a server send it from `due_ms` on (None: no more), if what was seen holds; whether that is so.

        `settings`: workers of a cluster, with these; None: as was said before.
        """
        text = None if settings is None else settings_to_send(settings)
        return await self._context.ledger.wishes.order(await self._context.current(), seen, due_ms, text)

    async def cancel(self, reason: str) -> int:
        """Take the rows that are not sent yet out of the campaign. Returns how many."""
        return await self._context.ledger.cancel_rows(await self._context.current(), reason)

    async def seen_pause(self, accepted: Collection[PausedBy] = ()) -> Wish:
        """What is wanted of it, for `lift_pause`.

        Raises: GuardTripped, CanaryStopped: a verdict has paused it that is not among those accepted.
        """
        wish = await self.wish()
        pausing.check_may_lift(self._context, wish, accepted)
        return wish

    async def lift_pause(self, seen: Wish) -> None:
        """Have it sent again, if it is paused as it was seen. Raises: CampaignPaused: it was paused anew meanwhile."""
        await pausing.lift(self._context, seen)

    async def check_not_paused(self) -> None:
        """Raises: CampaignPaused."""
        pausing.check_not_paused(self._context, await self.wish())

    # --- rows ---

    async def rows(
        self,
        *,
        only: Selection | None = None,
        reason: str | None = None,
        after_row: int = 0,
        whole_campaign: bool = False,
    ) -> AsyncGenerator[list[ReportRow], None]:
        """The latest file's rows in file order, some hundred at a time, as they stand when the first is read.

        `only`: rows in these states; `reason`: rows left out for this reason; `after_row`: those behind this number.
        `whole_campaign`: those of all its files, the oldest first.
        """
        record = await self._context.current()
        if record.input_id is None:
            return
        files = [file.input_id for file in await self.inputs()] if whole_campaign else [record.input_id]
        async with self._context.ledger.snapshot() as view:
            states = only.states if only is not None else None
            for input_id in files:
                async for batch in view.rows(input_id, after_row=after_row, states=states, reason=reason):
                    yield batch

    async def each_row(
        self, *, only: Selection | None = None, reason: str | None = None, after_row: int = 0
    ) -> AsyncGenerator[ReportRow, None]:
        """The same rows one by one, as they stand when the first is read, whatever is sent meanwhile.

        Whoever leaves the loop early closes it: `async with contextlib.aclosing(campaign.each_row()) as rows`. Until
        then the ledger keeps what is shown.
        """
        async with contextlib.aclosing(self.rows(only=only, reason=reason, after_row=after_row)) as batches:
            async for batch in batches:
                for row in batch:
                    yield row

    async def report_target(
        self, chosen: Path | None = None, *, source: str | None = None, page: bool = False, overwrite: bool = False
    ) -> Path:
        """Where the report goes: as chosen, else where the last one went, else `<campaign>-report.csv` in this folder.

        `source`: the file that is about to be read; `page`: it may be the page of numbers; `overwrite`: a file that is
        no report of this program's may be replaced. A campaign's input never is.
        Raises: ReportError: nothing can be written there, or what is there is not to be replaced.
        """
        return await report_target(self._context, chosen, source=source, page=page, overwrite=overwrite)

    async def report(
        self,
        path: str | Path,
        *,
        only: Selection | None = None,
        remember: bool = True,
        overwrite: bool = False,
        whole_campaign: bool = False,
    ) -> int:
        """Write the report of the latest file; returns its rows. `remember`: the next one goes there, too.

        `whole_campaign`: of all its files, the oldest first, under the columns of all; what a later file has, too, is
        shown there.
        Raises: ReportError: it cannot be written; a campaign's input is there, or, unless `overwrite`, any other file
        that is no report of this program's.
        """
        from dispatcher.campaign.timing import wait_columns, waits_may_be_told
        from dispatcher.reporting.files import rows_of_files
        from dispatcher.reporting.outcome_columns import OutcomeColumns
        from dispatcher.reporting.report import write_report
        from dispatcher.reporting.wait_columns import together

        ledger, record = self._context.ledger, await self._context.current()
        inputs = {item.input_id: item for item in await ledger.inputs(record)}
        if record.input_id is None:
            raise CampaignNotFound(f"campaign {self.name!r} has no rows yet", fix=Command("run", ("FILE",)))
        files = list(inputs.values()) if whole_campaign else [inputs[record.input_id]]
        check_no_input(Path(path), await input_files(ledger))
        tracked = await ledger.is_tracked(record)
        async with ledger.snapshot() as view:
            variables = self.settings.tracking.named_variables
            extra: list[ExtraColumns] = []
            if any([await waits_may_be_told(self._context, file.input_id) for file in files]):
                extra.append(await wait_columns(self._context, view, inputs))
            if tracked:
                extra.append(OutcomeColumns(view.executions, variables))
            states = only.states if only is not None else None
            header, rows = rows_of_files(files, lambda file: view.rows(file.input_id, states=states))
            count = await write_report(
                Path(path), header, rows, campaign=self.name, extra=together(extra), overwrite=overwrite
            )
        if only is None and remember:
            # The next run may be begun in another folder. Whoever may only look has the report all the same.
            with contextlib.suppress(LedgerUnwritable):
                await ledger.set_report_path(record, os.path.abspath(path))  # noqa: ASYNC240, PTH100 - asks no disk
        self.bus.emit(ReportWritten(path=str(path), rows=count))
        return count

    async def summary(self) -> Summary:
        """The campaign in numbers: rows by state, and why rows were refused."""
        from dispatcher.reporting.summary import summarize

        status = await self.status()
        async with self._context.ledger.snapshot() as view:
            return await summarize(status, _rows(view, status.campaign))

    async def page(self, path: str | Path, *, overwrite: bool = False) -> int:
        """Write the page of the campaign's numbers (HTML); returns its rows. Raises: ReportError, as `report`."""
        from dispatcher.reporting.html import write_page

        status = await self.status()
        executions = await self.executions() if await self._context.ledger.is_tracked(status.campaign) else None
        window_s = self.settings.rate.window_s
        check_no_input(Path(path), await input_files(self._context.ledger))
        async with self._context.ledger.snapshot() as view:
            rows = _rows(view, status.campaign)
            return await write_page(
                Path(path), status, rows, executions=executions, window_s=window_s, overwrite=overwrite
            )

    # --- what contacts get ---

    async def preview(
        self,
        *,
        row_number: int | None = None,
        limit: int | None = None,
        rows_max: int | None = ROWS_MAX,
        budget_s: float | None = BUDGET_S,
    ) -> FlowPreview:
        """The texts of a row of the latest file (the first planned one), and what those of its planned rows come to.

        `limit`: so many are to be sent at the most, which the cost is of.
        Looks at `rows_max` rows at the most, evenly over the file, and no longer than `budget_s`; None: at all of them.
        Asks Studio for the flow unless `preflight` has. A text that cannot be rendered is shown as it stands.
        Raises: UsageError: the file has no such row, or it can never be sent; AuthenticationError, PermissionRefused,
        FlowNotFound, StudioError, SettingsError, LedgerError; why it was stopped.
        """
        with self._stops.operation() as stop:
            seen = self._seen or await self._look(stop)
            work = preview(
                self._context, seen, row_number=row_number, limit=limit, rows_max=rows_max, budget_s=budget_s
            )
            return await stop.race(work)

    async def _look(self, stop: StopRequest) -> SeenFlow:
        """Ask Studio for the flow, and keep the answer."""
        self._seen = await stop.race(seen_flow(self._context, stop))
        return self._seen

    # --- what became of it ---

    async def track(self, *, details: bool = True, follow: bool = False) -> TrackResult:
        """Read what became of the executions and keep it in the ledger: status, path, errors, chosen values.

        Reads only what is not known yet: about one read per execution that has ended, a list page per thousand for the
        status. Without `details` only the status. `follow`: look again every `[tracking] every_s` until none is active.
        May be stopped (`stop`) and gone on with. Needs no lease.
        Raises: SettingsError without credentials, AuthenticationError, FlowNotFound, StudioError, LedgerError; what
        ends it later is in the result.
        """
        from dispatcher.campaign.tracking import track

        with self._stops.operation() as stop:
            return await track(self._context, stop, details=details, follow=follow)


async def _nothing() -> AsyncIterator[list[ReportRow]]:
    nothing: list[list[ReportRow]] = []
    for rows in nothing:
        yield rows


def _rows(view: LedgerSnapshot, record: CampaignRecord) -> AsyncIterator[list[ReportRow]]:
    return _nothing() if record.input_id is None else view.rows(record.input_id)


def waiting_rows(status: CampaignStatus) -> int:
    """Rows of all the campaign's files that wait to be sent."""
    return status.rows[RowState.planned] + status.earlier_rows.get(RowState.planned, 0)
