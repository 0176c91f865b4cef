"""What a look through the whole ledger finds: each thing that must never be, and nothing of a sound one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.ledger import check_ledger
from dispatcher.ledger.soundness import _NEVER, unsound
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.striking import Person
from dispatcher.model import Outcome
from dispatcher.settings import StateSettings
from tests.support.ledgers import NONE, campaign, end, invalid, lines, opened, planned, raw

#: What breaks a ledger, and how that is called.
BREAKS = {
    "UPDATE tallies SET n = n + 1 WHERE state = 'planned'": "counts that are not those of the rows",
    "UPDATE rows SET state = 'rejected' WHERE state = 'created'": "a state without its attempt",
    "UPDATE rows SET last_attempt = NULL WHERE state = 'sending'": "an attempt whose row does not know it",
    "UPDATE rows SET last_attempt = (SELECT max(attempt_id) FROM attempts WHERE outcome = 'created')"
    " WHERE state = 'rejected'": "an attempt of another row",
    "DELETE FROM contacts WHERE contact = 'a'": "an attempt whose contact is not known",
    "UPDATE rows SET identity = (SELECT row_id FROM rows WHERE row_key = 'a')"
    " WHERE row_key = 'e'": "two rows with one identity",
    "UPDATE row_keys SET row_key = 'other' WHERE row_key = 'e'": "a key whose row is gone or has another",
    "DELETE FROM row_keys WHERE row_key = 'e'": "a row whose key is not its own",
    "DELETE FROM chunks": "rows of a file without their cells",
    "UPDATE campaigns SET input_id = 77": "a campaign whose file is gone",
    "DROP INDEX attempts_live; INSERT INTO attempts (row_id, number, run_id, begun_at_ms)"
    " SELECT row_id, 2, run_id, 5 FROM attempts WHERE outcome = 'created'": "two live attempts of one row",
}


async def filled(folder: Path) -> Path:
    """Rows in every state, one of which a newer file has moved; a person and a campaign that are forgotten."""
    ledger = await opened(folder)
    spring = await campaign(ledger)
    await planned(ledger, spring, [*lines("a", "b", "c", "d"), invalid()])
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    a, b, c, _ = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    ends = [end(a, Outcome.created), end(b, Outcome.rejected, code=21211), end(c, Outcome.created)]
    await ledger.end_rows(run, ends, now_ms=6, totals=NONE)
    await planned(ledger, spring, lines("b", "e"))
    old = await campaign(ledger, "old")
    await planned(ledger, old, lines("x"))
    run = await ledger.start_run(old, window_limit=200, now_ms=1)
    (x,) = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(x, Outcome.created)], now_ms=6, totals=NONE)
    await ledger.stop_run(run, now_ms=7, reason=None, totals=NONE)
    await ledger.erasures.forget(Person("c", ""), lambda done, total: None, suppress=False, actor="ann")
    assert await ledger.erasures.prune(old, actor="ann") == 1
    spring_run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    await ledger.begin_rows(spring_run, 1, now_ms=5, input_id=None)
    await ledger.close()
    return folder


async def test_a_sound_one_has_none(tmp_path: Path) -> None:
    """Whatever has happened to it; each thing is looked at, and told how far that is."""
    folder = await filled(tmp_path)
    steps: list[tuple[int, int]] = []
    health = await check_ledger(StateSettings(dir=str(folder)), lambda done, total: steps.append((done, total)))
    assert health is not None
    assert health.problems == ()
    assert "synchronous = EXTRA" in health.kept_by
    assert steps == [(at, len(_NEVER)) for at in range(len(_NEVER))]


@pytest.mark.parametrize(("sql", "claim"), BREAKS.items(), ids=range(len(BREAKS)))
async def test_what_is_broken_is_told(tmp_path: Path, sql: str, claim: str) -> None:
    """By its own sentence, with a row; the short look of `doctor` does not ask for it."""
    folder = await filled(tmp_path)
    with raw(folder / FILE_NAME) as db:
        before = list(unsound(lambda text: db.execute(text).fetchall()))
        db.executescript(sql)
        assert before == []
        assert any(problem.startswith(claim) for problem in unsound(lambda text: db.execute(text).fetchall()))
    health = await check_ledger(StateSettings(dir=str(folder)), lambda done, total: None)
    assert health is not None
    assert any(problem.startswith(claim) for problem in health.problems)
    short = await check_ledger(StateSettings(dir=str(folder)))
    assert short is not None
    assert short.problems == ()
