"""Taking a person, or campaigns that are over, out of the ledger and off the disk.

Under the lease of every account of the ledger: a process that sends or plans has rows in its memory, and would write
of them again. First what is known goes, in one transaction; then the file is written anew, so that nothing of it is
left on pages that are free. Whatever interrupts the second, the next that forgets or prunes does it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.campaign.archive import Aged
from dispatcher.campaign.suppressions import actor, addresses_of
from dispatcher.errors import AccountLocked, CampaignNotFound, NotForgotten
from dispatcher.events import EventBus, WaitKind
from dispatcher.ledger import Ledger, clean_ledger, has_rehearsals, ledger_folder, open_ledger
from dispatcher.ledger.erasing import Obstacle, Traces
from dispatcher.ledger.erasures import Erasure
from dispatcher.ledger.striking import DIGITS_MIN, Person
from dispatcher.model import RowState, contact_of
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy
from dispatcher.settings import Settings

#: Studio keeps executions for so long; after that nothing proves what became of a row.
_STUDIO_KEEPS_MS = 30 * 24 * 3_600_000


@dataclass(slots=True)
class Progress:
    """How far it is; written from the ledger's thread, looked at by whoever shows it."""

    what: str = "looking through the ledger"
    done: int = 0
    total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def begin(self, what: str) -> None:
        """The next thing that is done."""
        with self._lock:
            self.what, self.done, self.total = what, 0, 0

    def tell(self, done: int, total: int) -> None:
        """So much of so much."""
        with self._lock:
            self.done, self.total = done, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a person stands, over all ledgers that were looked through."""

    rows: int
    waiting: int
    campaigns: tuple[str, ...]
    mentions: int
    reports: tuple[str, ...]
    #: Files of suppression lists.
    lists: tuple[str, ...]
    is_suppressed: bool


class Forgetting:
    """Made by `open_forgetting`: the ledgers that are open, and whose accounts are held."""

    def __init__(self, settings: Settings, ledgers: Sequence[tuple[Ledger, bool]], held: Sequence[set[int]]) -> None:
        """`ledgers`: each with whether it is of this machine's hosts; the first is the one that is meant.

        `held`: of each the accounts that are held.
        """
        self._settings = settings
        self._ledgers = ledgers
        self._held = held
        self.progress = Progress()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the ledgers are: what the page keeps lies beside them, or where they would be, if a server has them."""
        return tuple(ledger_folder(self._settings.state, loopback=loopback) for _, loopback in self._ledgers)

    async def look(self, person: Person) -> Found:
        """Find a person. Raises: NotForgotten, LedgerError."""
        self.progress.begin("looking through the ledger")
        traces = [await one.erasures.look(person, self.progress.tell) for one, _ in self._ledgers]
        for (ledger, _), of_it in zip(self._ledgers, traces, strict=True):
            self._check(of_it, ledger)
        return _found(traces)

    async def forget(self, person: Person, *, suppress: bool) -> Found:
        """Take a person out of every campaign: of each ledger all or nothing. Raises: NotForgotten, LedgerError.

        `suppress`: and keep them out of what is planned from now on.
        """
        traces = []
        for (ledger, loopback), held in zip(self._ledgers, self._held, strict=True):
            self.progress.begin("forgetting")
            of_it = await ledger.erasures.forget(
                person,
                self.progress.tell,
                suppress=suppress and loopback == self._settings.is_loopback,
                actor=actor(),
                held=held,
            )
            self._check(of_it, ledger)
            traces.append(of_it)
        return _found(traces)

    async def prune(self, old: Sequence[Aged]) -> tuple[list[Aged], int]:
        """Take cells and addresses out of campaigns that are over, one after the other.

        Those to which anything has happened since they were looked at stay as they are. Returns which were pruned, and
        of how many rows. Raises: AccountLocked, LedgerError.
        """
        ledger, _ = self._ledgers[0]
        ages = await ledger.erasures.ages()
        still = [one for one in old if ages[one.status.campaign.campaign_id].active_at_ms == one.age.active_at_ms]
        pruned: list[Aged] = []
        rows = 0
        self.progress.begin("pruning")
        for done, one in enumerate(still):
            self.progress.tell(done, len(still))
            if n := await ledger.erasures.prune(one.status.campaign, actor=actor(), held=self._held[0]):
                pruned.append(one)
                rows += n
        return pruned, rows

    async def clean(self) -> list[Path]:
        """Write the ledgers' files anew; returns ledgers that lie beside them and are as they were.

        Of a server's ledger nothing can be written anew from here, and there is nothing to wait for.
        Raises: LedgerFull, LedgerUnreachable: what was forgotten is out of the ledger, and not yet off the disk.
        """
        aside: list[Path] = []
        for ledger, loopback in self._ledgers:
            self.progress.begin("writing the ledger anew")
            aside += await clean_ledger(self._settings.state, self.progress.tell, loopback=loopback)
            await ledger.erasures.cleaned()
        return aside

    async def is_unclean(self) -> bool:
        """Whether anything was forgotten and is not off the disk yet: whoever was at it was interrupted."""
        logs = [await ledger.erasures.log() for ledger, _ in self._ledgers]
        return any(one.cleaned_at_ms is None for log in logs for one in log)

    def _check(self, traces: Traces, ledger: Ledger) -> None:
        """Raises: NotForgotten."""
        if not traces.obstacles:
            return
        # What may be on the wire is told first.
        obstacle = min(traces.obstacles, key=lambda one: (one.state is RowState.planned, one.campaign, one.row_number))
        more = counted(len(traces.obstacles) - 1, "more row", "more rows") if len(traces.obstacles) > 1 else ""
        error = _refusal(obstacle, self._settings, f" (and {more})" if more else "")
        if ledger is not self._ledgers[0][0]:
            folder = Path(ledger.location).parent
            error.fix = Advice(f"rehearsals reach nobody: remove {folder}, or give its host (base_url)")
        raise error


def _found(traces: Sequence[Traces]) -> Found:
    return Found(
        rows=sum(one.rows for one in traces),
        waiting=sum(one.waiting for one in traces),
        campaigns=tuple(dict.fromkeys(name for one in traces for name in one.campaigns)),
        mentions=sum(one.mentions for one in traces),
        reports=tuple(dict.fromkeys(path for one in traces for path in one.reports)),
        lists=tuple(dict.fromkeys(path for one in traces for path in one.lists)),
        is_suppressed=any(one.is_suppressed for one in traces),
    )


def _refusal(one: Obstacle, settings: Settings, more: str) -> NotForgotten:
    row = f"row {one.row_number} of campaign {one.campaign!r}{more}"
    fix: Remedy
    if one.is_others and one.state is RowState.planned:
        cancel = Command("cancel", (one.campaign,), (Option("reason", "…"),))
        return NotForgotten(
            f"the number stands in another contact's row that is still to be sent: {row}",
            fix=AnyOf(Command("resume", (one.campaign,), does="sends it"), cancel),
        )
    known_ms = (one.ended_at_ms or (one.begun_at_ms or 0) + int(settings.timeouts.answer_s * 1000)) + int(
        settings.reconcile.settle_s * 1000
    )
    fix = Command("reconcile", (one.campaign,), does="finds out what became of it")
    last_ms = (one.begun_at_ms or 0) + _STUDIO_KEEPS_MS
    risk = Command("retry", (one.campaign,), (Option("unknown"),), does="ends the doubt, and may reach them twice")
    fix = InTurn(
        fix, AnyOf(Advice(f"where that still does not tell on {_utc(last_ms)}, Studio has no trace left"), risk)
    )
    what = "is in flight" if one.state is RowState.sending else "is unknown: it may or may not have been started"
    return NotForgotten(
        f"{row} {what}", found=f"what became of it can be told from {_utc(known_ms)} on, and not before", fix=fix
    )


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d at %H:%M:%S UTC")


def person_of(text: str, settings: Settings) -> Person:
    """Who is meant by what somebody typed. Raises: UsageError: it is no number and no address."""
    from dispatcher.intake.phones import national_digits

    (address,) = addresses_of([text], settings)
    contact = contact_of(address)
    digits = national_digits(contact)
    return Person(contact, digits if len(digits) >= DIGITS_MIN else "")


async def erasures(settings: Settings) -> list[Erasure]:
    """Who and what was forgotten, oldest first; nothing where there is no ledger. Raises: LedgerError."""
    try:
        ledger = await open_ledger(settings.state, create=False, loopback=settings.is_loopback)
    except CampaignNotFound:
        return []
    try:
        return await ledger.erasures.log()
    finally:
        await ledger.close()


@contextlib.asynccontextmanager
async def open_forgetting(
    settings: Settings, *, bus: EventBus, wait: bool, rehearsals: bool
) -> AsyncIterator[Forgetting]:
    """Open the ledger, and hold every account of it. `rehearsals`: and that of this machine's hosts beside it.

    Raises: CampaignNotFound: there is no ledger; AccountLocked: a process is at work for one of them; LedgerError.
    """
    async with contextlib.AsyncExitStack() as stack:
        kinds = [settings.is_loopback]
        if rehearsals and not settings.is_loopback and has_rehearsals(settings.state):
            kinds.append(True)
        ledgers: list[tuple[Ledger, bool]] = []
        held: list[set[int]] = []
        for loopback in kinds:
            try:
                ledger = await open_ledger(settings.state, create=False, loopback=loopback)
            except CampaignNotFound:
                place = settings.state.shown_url or str(ledger_folder(settings.state, loopback=loopback))
                raise CampaignNotFound("there is no ledger, so nobody is known", found=place) from None
            stack.push_async_callback(ledger.close)
            held.append(await _hold(stack, ledger, bus, wait=wait))
            ledgers.append((ledger, loopback))
        yield Forgetting(settings, ledgers, held)


async def _hold(stack: contextlib.AsyncExitStack, ledger: Ledger, bus: EventBus, *, wait: bool) -> set[int]:
    """Returns the numbers of the accounts."""
    why = "a process sends or plans for an account of this ledger, and would write of its people again"

    def waiting() -> None:
        bus.wait(WaitKind.account, why, None)

    # In one order, whoever holds several.
    accounts = {(one.account.account_sid, one.account.base_url): one.account for one in await ledger.campaigns()}
    for _, account in sorted(accounts.items()):
        try:
            await stack.enter_async_context(ledger.lease(account, wait=wait, waiting=waiting))
        except AccountLocked as error:
            raise AccountLocked(why, found=account.account_sid, fix=error.fix) from None
    bus.resume(WaitKind.account)
    return {account.account_id for account in accounts.values()}
