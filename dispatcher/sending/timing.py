"""When a run's rows may go: asked at each claim, once more when a request leaves, and by whoever waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dispatcher.clock import now_ms as local_ms
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import AttemptEnd, GrantedRow, Run
from dispatcher.model import Outcome
from dispatcher.rules.caps import Capped, DailyCap, SenderCap, capped
from dispatcher.rules.cooloff import CoolOffs
from dispatcher.rules.gate import Gate, Schedule

#: Clocks that differ by more are not both right, and Studio's is: what it is at night is not for a wrong clock to say.
SKEW_BELIEVED_MS = 60_000


class Timing:
    """The rules about time of one run. `schedule` None: hours are off."""

    def __init__(
        self,
        ledger: Ledger,
        run: Run,
        input_id: int | None,
        schedule: Schedule | None,
        *,
        clock_skew_s: Callable[[], float | None],
        cooloffs: CoolOffs | None = None,
        cap: DailyCap | None = None,
        sender_cap: SenderCap | None = None,
        sender: Callable[[GrantedRow], str] = lambda row: row.from_address or "",
    ) -> None:
        """`clock_skew_s`: Studio's clock less ours, as far as its answers have told it. `sender`: whose a row is."""
        self._ledger = ledger
        self._run = run
        self._input_id = input_id
        self._schedule = schedule
        self._clock_skew_s = clock_skew_s
        self._cooloffs = cooloffs
        self._cap = cap
        self._sender_cap = sender_cap
        self._sender = sender

    def now_ms(self) -> int:
        """The time that hours go by: this machine's, or Studio's where the two are far apart."""
        return local_ms() + self.ahead_ms

    @property
    def ahead_ms(self) -> int:
        """That time less this machine's."""
        skew_ms = (self._clock_skew_s() or 0.0) * 1000
        return round(skew_ms) if abs(skew_ms) > SKEW_BELIEVED_MS else 0

    def gate(self) -> Gate:
        """What may be claimed now."""
        at_ms = self.now_ms()
        places = None if self._schedule is None else self._schedule.gate(at_ms).places
        rooms = None if self._sender_cap is None else self._sender_cap.rooms(at_ms)
        return Gate(places, at_ms, self._cooloffs, rooms)

    async def begin(self) -> None:
        """Count what was begun today, before a round: what reconcile has found since then counts, too, or no more."""
        account, at_ms = self._run.campaign.account, self.now_ms()
        # Intents have this machine's time.
        ahead_ms = at_ms - local_ms()
        if self._cap is not None:
            self._cap.seed(await self._ledger.begun_since(account, self._cap.day(at_ms)[0] - ahead_ms), at_ms)
        if self._sender_cap is not None:
            since_ms = self._sender_cap.day(at_ms)[0] - ahead_ms
            self._sender_cap.seed(await self._ledger.senders.begun_since(account, since_ms), at_ms)

    async def has_room_again(self) -> bool:
        """Whether rows that a cap held back may go now, as some that were unknown were not created after all."""
        if self._cap is None and self._sender_cap is None:
            return False
        await self.begin()
        enough = self.capped()
        due_ms = None if enough.everyone else await self._next_due_by_sender_ms(enough)
        return due_ms is not None and due_ms <= self.now_ms()

    def room(self, limit: int) -> int:
        """Of so many rows how many may be claimed today."""
        return limit if self._cap is None else min(limit, self._cap.room(self.now_ms()))

    def begun(self, rows: Sequence[GrantedRow]) -> None:
        """These were claimed."""
        if self._cap is not None:
            for row in rows:
                self._cap.begin(row.attempt_id)
        if self._sender_cap is not None:
            self._sender_cap.begin((row.attempt_id, self._sender(row)) for row in rows)

    def ended(self, ends: Sequence[AttemptEnd]) -> None:
        """It is known, and in the ledger, what became of these."""
        for cap in (self._cap, self._sender_cap):
            if cap is not None:
                for one in ends:
                    cap.end(one.attempt_id, counts=one.outcome in (Outcome.created, Outcome.unknown))

    def capped(self) -> Capped:
        """Of whom nothing more may be claimed, where that is enough for today."""
        return capped(self.now_ms(), self._cap, self._sender_cap)

    def is_too_late(self, row: GrantedRow) -> bool:
        """Whether a row's request must not leave any more."""
        return bool(row.leave_by_ms) and self.now_ms() >= row.leave_by_ms

    async def sweep(self) -> int:
        """Leave out rows that can never be sent any more; returns how many. Raises: LedgerError."""
        places = self._ledger.places
        if self._schedule is None:
            return await places.expire(self._run, self._input_id, self.now_ms())
        return await places.sweep(self._run, self._input_id, self._schedule, self.now_ms())

    async def next_due(self) -> tuple[int, float] | None:
        """When the first of the rows that wait may be sent, and in how many seconds; None: none waits for a time.

        Those that can never be sent any more are left out first: they are waited for in vain. Raises: LedgerError.
        """
        await self.sweep()
        due_ms = await self._next_due_ms()
        return None if due_ms is None else (due_ms, (due_ms - self.now_ms()) / 1000)

    async def _next_due_ms(self) -> int | None:
        """When the first of the rows that wait may be sent; None: none waits for a time. Raises: LedgerError."""
        campaign, enough = self._run.campaign, self.capped()
        if enough.some:
            return await self._next_due_by_sender_ms(enough)
        capped_ms = enough.everyone_ms
        if self._schedule is not None:
            due = await self._ledger.places.due(campaign, self._input_id)
            return self._schedule.next_ms(due, capped_ms or self.now_ms())
        if capped_ms is None:
            return await self._ledger.next_due_ms(campaign, self._input_id)
        first_ms = await self._ledger.places.first_due_ms(campaign, self._input_id)
        return None if first_ms is None else max(first_ms, capped_ms)

    async def _next_due_by_sender_ms(self, enough: Capped) -> int | None:
        """As that, where some senders have sent enough for today."""
        schedule, at_ms = self._schedule, self.now_ms()
        placed = schedule is not None
        moments: list[int | None] = []
        for sender, due, _ in await self._ledger.senders.due(self._run.campaign, self._input_id, placed=placed):
            from_ms = enough.of_ms(sender) or at_ms
            moments.append(max(due.first_ms, from_ms) if schedule is None else schedule.earliest_ms(due, from_ms))
        return min((moment for moment in moments if moment is not None), default=None)
