"""A worker: takes up a row that has a permit, sends its request, and says what the answer proved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dispatcher.clock import now_ms
from dispatcher.errors import CampaignPaused, DispatcherError, LedgerError
from dispatcher.ledger.records import AttemptEnd, GrantedRow
from dispatcher.ledger.wishes import refusal
from dispatcher.model import FoundBy, Outcome
from dispatcher.sending.account import OpenAccount
from dispatcher.sending.breaker import BreakerState, SameRefusals, Turn
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.claims import Claims
from dispatcher.sending.feeder import Feeder
from dispatcher.sending.guard import Guard
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.plan import SendPlan
from dispatcher.sending.recorder import Recorder
from dispatcher.sending.tally import Tally, is_planned_again
from dispatcher.sending.timing import Timing
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Answer, Asked, Verdict, classify


class TooLate(Exception):
    """The row's hours are over: its request must not leave any more."""


class Worker:
    """One of the places for requests in flight. Whatever happens to a row that it took up, its outcome is recorded.

    Only a bug leaves a row without: the next run finds it `sending`, and takes it to be unknown.
    """

    def __init__(
        self,
        plan: SendPlan,
        *,
        account: OpenAccount,
        limiter: Limiter,
        studio: Studio,
        claims: Claims,
        feeder: Feeder,
        recorder: Recorder,
        busy: BusyPolicy,
        timing: Timing,
        refusals: SameRefusals,
        guard: Guard,
        tally: Tally,
        stop: Callable[[DispatcherError], None],
    ) -> None:
        """`stop`: stops the run."""
        self._plan = plan
        self._account = account
        self._breaker = account.breaker
        self._limiter = limiter
        self._studio = studio
        self._claims = claims
        self._feeder = feeder
        self._recorder = recorder
        self._busy = busy
        self._timing = timing
        self._refusals = refusals
        self._guard = guard
        self._tally = tally
        self._stop = stop
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        #: When the present request was sent, on the loop's clock and on the wall's; None: it was not, or there is none.
        self._sent_at_s: float | None = None
        self._sent_at_ms: int | None = None
        #: Whether the limiter has still to hear what became of the present row's permit.
        self._permitted = False
        self._turn: Turn | None = None
        self._row: GrantedRow | None = None
        self.task: asyncio.Task[None] = asyncio.create_task(self._work(), name="worker")

    def stop(self) -> None:
        """Take up nothing more. What has not been sent, never will be; what has been is waited for."""
        self._stopped = True
        if self._sent_at_s is None and self.task is not asyncio.current_task():
            # It waits for a row, for its turn, or for its connection.
            self.task.cancel()

    def leave(self) -> None:
        """Give up what was sent, too: its row is unknown."""
        self._stopped = True
        self.task.cancel()

    async def _work(self) -> None:
        queue = self._feeder.queue
        while not self._stopped:
            row = await queue.get()
            self._permitted, self._row = True, row
            try:
                self._record(await self._send(row))
            except TooLate:
                self._record(self._given_up(row))
            except asyncio.CancelledError:
                self._record(self._given_up(row))
                raise
            except (LedgerError, CampaignPaused) as error:
                self._record(self._given_up(row))
                self._stop(error)
            finally:
                self._end_turn()
                self._sent_at_s = self._sent_at_ms = None
                self._feeder.done()

    async def _send(self, row: GrantedRow) -> AttemptEnd:
        """One request, and what became of it. Raises: TooLate, LedgerError, CampaignPaused where it may not leave."""
        plan = self._plan
        answer = await self._create(row, plan.form(row))
        asked = Asked(self._account.record.account_sid, plan.flow_sid, row.to_address)
        verdict = classify(answer, api_version=plan.api_version, asked=asked, always_check=plan.always_check)
        self._end_permit(given_up=answer.failure is not None)
        self._learn(answer, verdict)
        found_by = FoundBy.answer
        again_ms: int | None = None
        if verdict.outcome is Outcome.busy:
            verdict, found_by, again_ms = await self._busy.resolve(row, verdict)
        return AttemptEnd(
            row.row_id,
            row.attempt_id,
            verdict.outcome,
            self._sent_at_ms,
            now_ms(),
            verdict.execution_sid,
            verdict.http_status,
            verdict.error_code,
            verdict.message,
            answer.request_id,
            found_by if verdict.outcome is Outcome.created else None,
            # By the clock that claims go by: this machine's may be wrong.
            None if again_ms is None else self._timing.now_ms() + again_ms,
        )

    async def _create(self, row: GrantedRow, form: bytes) -> Answer:
        """Send it, if the account is still ours and it is time.

        Raises: TooLate, CampaignPaused, LeaseLost, other LedgerErrors: it was not sent.

        Whoever takes the account over makes every row in flight unknown, waits until the list must show what came
        of it, and sends the others again. So a process that was suspended, or waited long, must ask before it goes on.
        """
        while True:
            if self._breaker.state is not BreakerState.closed:
                self._turn = await self._breaker.wait_for_turn()
            if not self._claims.confirmed:
                await self._claims.confirm()
            if self._timing.is_too_late(row):
                raise TooLate
            answer = await self._studio.create(self._plan.flow_sid, form, self._leaving)
            if answer is not None:
                return answer
            # Another may have the turn now, or the next pause is on.
            self._end_turn()

    def _leaving(self) -> bool:
        """The request leaves now. False: it must not; a pause has begun, or it must be asked again whether it may."""
        assert self._row is not None, "a request of no row"
        if not (self._breaker.may_send(self._turn) and self._claims.confirmed) or self._timing.is_too_late(self._row):
            return False
        self._limiter.record_sent()
        self._tally.requests += 1
        self._sent_at_s = self._loop.time()
        self._sent_at_ms = now_ms()
        return True

    def _end_permit(self, *, given_up: bool) -> None:
        """Its request never left, was answered, or was given up."""
        if not self._permitted:
            return
        self._permitted = False
        if self._sent_at_s is None:
            self._limiter.release()
        else:
            self._limiter.record_answer(self._sent_at_s, given_up=given_up)

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._breaker.end_turn(self._turn)
            self._turn = None

    def _learn(self, answer: Answer, verdict: Verdict) -> None:
        """What an answer means for the rows after it."""
        sent_at_s, outcome = self._sent_at_s, verdict.outcome
        if answer.failure is None:
            self._tally.took(answer.elapsed_s)
        if outcome is Outcome.throttled:
            assert sent_at_s is not None, "an answer to a request that was not sent"
            self._tally.throttled += 1
            self._account.throttled(verdict.retry_after_s, sent_at_s)
        elif sent_at_s is None or verdict.trouble:
            self._account.failed(verdict.summary, connected=sent_at_s is not None)
        else:
            self._account.answered(sent_at_s)
        if verdict.stop is not None:
            self._stop(verdict.stop)
        if self._refusals.watching:
            if outcome is Outcome.created:
                self._refusals.created()
            elif outcome is Outcome.rejected:
                error = self._refusals.refused(verdict.error_code, verdict.summary)
                if error is not None:
                    self._stop(error)
        pause = self._guard.answered(verdict)
        if pause is not None:
            self._recorder.pause(pause)
            self._stop(refusal(self._claims.campaign, pause))

    def _given_up(self, row: GrantedRow) -> AttemptEnd:
        """The outcome of a row whose worker was told to stop."""
        self._end_permit(given_up=True)
        if self._sent_at_s is None:
            return AttemptEnd(row.row_id, row.attempt_id, Outcome.not_sent, None, now_ms())
        return AttemptEnd(
            row.row_id,
            row.attempt_id,
            Outcome.unknown,
            self._sent_at_ms,
            now_ms(),
            error_message="stopped before the answer was known",
        )

    def _record(self, end: AttemptEnd) -> None:
        self._recorder.add(end)
        if is_planned_again(end):
            self._claims.put_back()
        elif self._busy.waiting:
            self._busy.forget(end.row_id)
