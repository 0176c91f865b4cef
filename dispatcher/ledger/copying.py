"""Copying a user's ledger into a database for many machines: all of it, checked, and from then on that one alone.

Held still from the first look to the end, so that nothing is sent by it meanwhile. Whatever kills the copy, the next
call goes on with it; until all is there the new ledger cannot be opened, and afterwards the old one cannot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dispatcher.errors import LedgerError, LedgerTooNew, UsageError
from dispatcher.ledger.sqlite.source import Source, Unfit, held_source
from dispatcher.ledger.tables import TABLES, Columns, Table
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy

if TYPE_CHECKING:
    from dispatcher.ledger.postgres.target import Progress, Target

#: What is done, with how many rows of how many; called on the thread that copies.
Tell: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What came of a copy."""

    #: What the old ledger is called now.
    aside: Path
    rows: int
    #: Those of them that an earlier call has brought over.
    rows_before: int
    duration_s: float
    #: Texts in which what cannot be stored was replaced.
    replaced: int


def copy(
    folder: Path,
    opened: Callable[[], AbstractContextManager[Target]],
    url: str,
    tell: Tell,
    *,
    replace: bool = False,
) -> Copied:
    """Copy the ledger of a folder. Blocking.

    `opened`: the ledger that it is copied into; `url`: where that is, told to whoever looks for the old one. `replace`:
    what a text must not hold there is replaced by U+FFFD, but never where something is told by it.
    Raises: UsageError: none is there, it is at work, one of its texts cannot be stored, or the other one is a ledger
    already; AccountLocked, LedgerError.
    """
    begun_s = time.monotonic()
    with held_source(folder) as source:
        source.replaces = replace
        key = source.key
        with opened() as target:
            found = target.found()
            if found is not None and found[2]:
                _check_same(found[0], source)
                done = sum(n for n, _ in found[1].values())
                rows, before, replaced = done, done, 0
            else:
                columns = {table.name: _columns(source, target, table) for table in TABLES}
                replaced = _check_fit(source, columns, tell, replace=replace)
                progress: Progress = {}
                if found is not None and found[0] == source.identity:
                    progress = found[1]
                else:
                    target.begin(source.identity, key)
                target.check_alone()
                before = sum(n for n, _ in progress.values())
                rows = _copy_rows(source, target, columns, progress, tell)
                _check_equal(source, target, columns, tell)
                target.number_on()
            # First nobody can open the old one any more, then everybody the new one.
            source.leave_note(url)
            target.end()
        aside = source.set_aside()
    return Copied(aside=aside, rows=rows, rows_before=before, duration_s=time.monotonic() - begun_s, replaced=replaced)


def _columns(source: Source, target: Target, table: Table) -> Columns:
    """As the target has them. Raises: LedgerTooNew: one of the two programs knows more than the other."""
    theirs, ours = source.columns(table), target.columns(table)
    if theirs.keys() != ours.keys():
        odd = ", ".join(sorted(theirs.keys() ^ ours.keys()))
        raise LedgerTooNew("the two ledgers are not of one version", found=f"{table.name}: {odd}")
    return ours


def _check_same(identity: str, source: Source) -> None:
    if identity != source.identity:
        raise UsageError(
            "there is a ledger already, and two cannot be made one",
            found="the database has another ledger's copy, or this one has been used since it was copied",
            fix=Advice("make an empty database, and set [state] url to it"),
        )


def _check_fit(source: Source, columns: dict[str, Columns], tell: Tell, *, replace: bool) -> int:
    """Returns how many texts are replaced. Raises: UsageError: some cannot be stored."""
    found: list[Unfit] = []
    for done, table in enumerate(TABLES):
        tell("looking at the texts", done, len(TABLES))
        found += source.unfit(table, columns[table.name])
    wrong = [one for one in found if one.is_key or not replace]
    if not wrong:
        return sum(one.n for one in found)
    # What nothing is told by can be mended by the copy itself.
    fix: Remedy = Option("replace")
    if any(one.is_key for one in wrong):
        prune = Command("campaigns prune", (), (Option("older-than", "…"),), does="keeps what stands for them alone")
        ways = AnyOf(prune, Advice("go on with the old ledger until these campaigns are over, and prune them"))
        fix = InTurn(Advice("take [state] url out of the settings"), ways)
    raise UsageError(
        "PostgreSQL cannot hold some texts of this ledger: with a NUL, not in UTF-8, or too long to be told by",
        found="; ".join(_told(one) for one in wrong),
        fix=fix,
    )


def _told(one: Unfit) -> str:
    named = [name for name in one.named if name]
    more = one.n - len(named) if named else 0
    of = f" ({', '.join(named)}{f' and {more:,} more' if more else ''})" if named else ""
    return f"{counted(one.n, 'text')} in {one.table}.{one.column}{of}"


def _copy_rows(source: Source, target: Target, columns: dict[str, Columns], progress: Progress, tell: Tell) -> int:
    total = sum(source.count(table) for table in TABLES)
    done = sum(n for n, _ in progress.values())
    for table in TABLES:
        of = columns[table.name]
        n, after = progress.get(table.name, (0, None))
        places = [list(of).index(name) for name in table.key]
        for rows in source.batches(table, of, after):
            n += len(rows)
            done += len(rows)
            progress[table.name] = n, [rows[-1][place] for place in places]
            target.add(table, of, rows, progress)
            tell("copying", done, total)
    return done


def _check_equal(source: Source, target: Target, columns: dict[str, Columns], tell: Tell) -> None:
    """Raises: LedgerError."""
    for done, table in enumerate(TABLES):
        tell("comparing", done, len(TABLES))
        of = columns[table.name]
        theirs, ours = source.figures(table, of), target.figures(table, of)
        if theirs != ours:
            raise LedgerError(
                "the copy is not what was copied, and nobody can open it; the old ledger is as it was",
                found=f"{table.name}: {_differing(theirs, ours)}",
                fix=Advice("make an empty database, and copy it again; if that does not help, report it"),
            )


def _differing(theirs: list[object], ours: list[object]) -> str:
    at = next(at for at, (one, other) in enumerate(zip(theirs, ours, strict=True)) if one != other)
    return f"{theirs[at]} there, {ours[at]} here (figure {at})"
