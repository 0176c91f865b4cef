"""The values of a row change after it was sent: what was sent is kept, and told while the file says otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord, NewInput
from dispatcher.model import Outcome
from tests.support.ledgers import NONE, Line, batch, campaign, end, lines, new_input, planned, report
from tests.unit.ledger.conformance.harness import Harness


async def _send(ledger: Ledger, record: CampaignRecord, outcome: Outcome | None = Outcome.created) -> None:
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 10_000, now_ms=5, input_id=None)
    if outcome is not None:
        await ledger.end_rows(run, [end(row, outcome, code=21211) for row in rows], now_ms=6, totals=NONE)
    await ledger.stop_run(run, now_ms=7, reason="finished", totals=NONE)


async def _sent(ledger: Ledger, record: CampaignRecord) -> list[dict[str, str | None] | None]:
    latest = (await ledger.find_campaign(record.name)).input_id
    assert latest is not None
    return [row.sent_otherwise() for row in await report(ledger, latest)]


@pytest.mark.parametrize("outcome", [Outcome.created, Outcome.unknown, None])
async def test_what_was_sent_is_kept(ledger: Ledger, outcome: Outcome | None) -> None:
    """Of rows that were sent, may have been, or are on the wire; the others are as they were."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    await _send(ledger, spring, outcome)
    counts = await planned(ledger, spring, [Line("new"), Line("b", name="Bob"), Line("a")])
    assert (counts.changed, await _sent(ledger, spring)) == (1, [None, {"name": "Ann"}, None])


@pytest.mark.parametrize("outcome", [Outcome.rejected, Outcome.busy, Outcome.throttled])
async def test_a_row_that_was_not_sent_has_nothing_to_keep(ledger: Ledger, outcome: Outcome) -> None:
    """It is sent with the file's values, or not at all."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    await _send(ledger, spring, outcome)
    assert (await planned(ledger, spring, [Line("a", name="Bob")])).changed == 0
    assert await _sent(ledger, spring) == [None]


async def test_it_is_what_was_sent_however_often_it_changes(ledger: Ledger) -> None:
    """Not what stood in the file in between; and nothing once it is as it was. The same file again changes nothing."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    await _send(ledger, spring)
    told = []
    for names in (("Bob", "Ann"), ("Eve", "Ann"), ("Eve", "Ann"), ("Eve", "Bob"), ("Ann", "Bob"), ("Ann", "Ann")):
        of = [Line(key, name=name) for key, name in zip("ab", names, strict=True)]
        counts = await planned(ledger, spring, of)
        told.append((counts.changed, await _sent(ledger, spring)))
    ann = {"name": "Ann"}
    assert told == [
        (1, [ann, None]),
        (1, [ann, None]),
        (1, [ann, None]),
        (2, [ann, ann]),
        (1, [None, ann]),
        (0, [None, None]),
    ]


async def test_other_parameters_are_other_values(ledger: Ledger) -> None:
    """A constant that came, went or changed, and a column that is not sent any more; one that is not sent is none."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"), new_input(offer="10 %", code="x"))
    await _send(ledger, spring)

    async def again(new: NewInput, cells: str) -> tuple[int, list[dict[str, str | None] | None]]:
        loading = await ledger.begin_input(spring, new)
        part = batch(lines("a"))
        part.cells = [cells]
        await ledger.load_rows(loading.input_id, part)
        counts = await ledger.finish_input(loading.input_id, cells)
        return counts.changed, await _sent(ledger, spring)

    def with_(header: Sequence[str], columns: dict[str, int], constants: dict[str, str]) -> NewInput:
        return NewInput(
            source="c.csv",
            header=tuple(header),
            parameter_columns=columns,
            parameter_constants=constants,
            from_address=new_input().from_address,
        )

    same = {"offer": "10 %", "code": "x"}
    assert await again(with_("pon", {"name": 2}, same), '["a","note","Ann"]') == (0, [None])
    assert await again(with_("pn", {"name": 1}, {"offer": "20 %", "town": "Rome"}), '["a","Ann"]') == (
        1,
        [{"offer": "10 %", "code": "x", "town": None}],
    )
    assert await again(with_("pn", {}, same), '["a","Bob"]') == (1, [{"name": "Ann"}])
    assert await again(with_("pn", {"name": 1}, same), '["a", "Ann"]') == (0, [None])


async def test_the_same_file_read_otherwise(ledger: Ledger) -> None:
    """The same bytes: other cells, as dates are written otherwise, say; or another address for a key."""
    spring = await campaign(ledger)

    async def again(of: Sequence[Line], sha256: str = "the same") -> int:
        loading = await ledger.begin_input(spring, new_input())
        await ledger.load_rows(loading.input_id, batch(of))
        return (await ledger.finish_input(loading.input_id, sha256)).changed

    await again([Line("k1", to="+15550100001", name="2026-01-02"), Line("k2", to="+15550100002")])
    await _send(ledger, spring)
    changed = [
        await again([Line("k1", to="+15550100001", name="02.01.2026"), Line("k2", to="+15550100002")]),
        await again([Line("k1", to="+15550100001", name="02.01.2026"), Line("k2", to="+15550100009")]),
        await again([Line("k1", to="+15550100001", name="2026-01-02"), Line("k2", to="+15550100002")]),
        await again([Line("k1", to="+15550100001", name="2026-01-02"), Line("k2", to="+15550100002")]),
    ]
    assert (changed, await _sent(ledger, spring)) == ([1, 2, 0, 0], [None, None])


async def test_the_same_cells_to_another_address(ledger: Ledger) -> None:
    """A region that was set wrongly, say: nothing in the file has changed, and the row goes elsewhere."""
    spring = await campaign(ledger)

    async def again(to: str) -> int:
        loading = await ledger.begin_input(spring, new_input())
        part = batch([Line("k1", to="+15550100001")])
        part.to_addresses = [to]
        await ledger.load_rows(loading.input_id, part)
        return (await ledger.finish_input(loading.input_id, "the same")).changed

    await again("+15550100001")
    await _send(ledger, spring)
    assert [await again("+15550100001"), await again("+15550100009"), await again("+15550100001")] == [0, 1, 0]


async def test_a_file_again_whose_row_another_file_had(ledger: Ledger) -> None:
    """Not only with the rows that it had itself the last time is it compared."""
    spring = await campaign(ledger)
    first = lines("k1", "k2")
    await planned(ledger, spring, first)
    await _send(ledger, spring)
    assert (await planned(ledger, spring, [Line("k1", name="Bob")])).changed == 1
    assert (await planned(ledger, spring, first)).changed == 0


async def test_another_address_is_told(ledger: Ledger) -> None:
    """The report shows where it went; that the file says otherwise is told."""
    spring = await campaign(ledger)
    await planned(ledger, spring, [Line("k1", to="+15550100001"), Line("k2", to="+15550100002")])
    await _send(ledger, spring)
    counts = await planned(ledger, spring, [Line("k1", to="+15550100009"), Line("k2", to="+15550100002")])
    assert (counts.changed, await _sent(ledger, spring)) == (1, [{}, None])
    counts = await planned(ledger, spring, [Line("k1", to="+15550100001"), Line("k2", to="+15550100002")])
    assert (counts.changed, await _sent(ledger, spring)) == (0, [None, None])


async def test_a_large_file_in_another_order(ledger: Ledger, harness: Harness) -> None:
    """Each row is compared with itself, wherever it stood; and what is kept survives a kill."""
    spring = await campaign(ledger)
    of = [Line(f"k{n}", name=str(n)) for n in range(3_000)]
    await planned(ledger, spring, of)
    await _send(ledger, spring)
    order = sorted(range(3_000), key=lambda n: n * 37 % 3_001)
    mixed = [Line(f"k{n}", name="x" if n % 7 == 0 else str(n)) for n in order]
    counts = await planned(ledger, spring, mixed)
    ledger = await harness.kill(ledger)
    expected = [{"name": line.key[1:]} if line.name == "x" and line.key else None for line in mixed]
    assert (counts.changed, await _sent(ledger, spring)) == (429, expected)
    assert not harness.flaws()
    await ledger.close()


async def test_sent_again_with_the_new_values(ledger: Ledger) -> None:
    """Where nothing was created after all, the file's values are what is sent: nothing is told any more."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    await _send(ledger, spring, Outcome.rejected)
    await ledger.retry_rows(spring, codes=(), all_rejected=True, busy=False, skipped=())
    await _send(ledger, spring, Outcome.created)
    await planned(ledger, spring, [Line("a", name="Bob")])
    assert await _sent(ledger, spring) == [{"name": "Ann"}]
