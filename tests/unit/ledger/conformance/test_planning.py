"""Files come into a campaign: what is new, what is the same row again, what the user has corrected."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.chunks import ROWS_MAX
from dispatcher.ledger.records import CampaignRecord, GrantedRow, NewInput, ReportRow, RowBatch, Run, UnknownRow
from dispatcher.model import Outcome, Reason, RowState
from tests.support.ledgers import (
    NONE,
    SENDER,
    Line,
    batch,
    campaign,
    end,
    invalid,
    lines,
    new_input,
    planned,
    report,
    suppressed,
)
from tests.unit.ledger.conformance.harness import Harness


async def _run(ledger: Ledger, record: CampaignRecord) -> Run:
    return await ledger.start_run(record, window_limit=200, now_ms=1)


async def _sent(ledger: Ledger, record: CampaignRecord, outcomes: dict[str, Outcome]) -> None:
    """All planned rows are sent, each with its outcome; others stay on the wire."""
    run = await _run(ledger, record)
    rows = await ledger.begin_rows(run, 1000, now_ms=5, input_id=None)
    ends = [end(row, outcomes[row.row_key], code=21211) for row in rows if row.row_key in outcomes]
    await ledger.end_rows(run, ends, now_ms=6, totals=NONE)


async def _told(ledger: Ledger, record: CampaignRecord) -> list[ReportRow]:
    latest = (await ledger.find_campaign(record.name)).input_id
    assert latest is not None
    return await report(ledger, latest)


def _states(rows: Sequence[ReportRow]) -> list[str]:
    return [row.state.value for row in rows]


async def test_a_file_without_rows_is_a_file(ledger: Ledger) -> None:
    """A file without rows is a file."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    counts = await planned(ledger, spring, [])
    assert (counts.total, counts.new, counts.left_planned, counts.reasons) == (0, 0, 1, {})
    assert set(counts.rows.values()) == {0}
    assert await _told(ledger, spring) == []


async def test_every_line_is_reported_once(ledger: Ledger) -> None:
    """Chunks of cells end anywhere: rows in batches of odd sizes, wrong rows between them, blank lines, gaps."""
    spring = await campaign(ledger)
    loading = await ledger.begin_input(spring, new_input())
    numbers = [*range(2, 700), *range(701, 720), 900, 5_000_000, 5_000_001]
    of = [invalid(name=str(n)) if n % 97 == 0 else Line(f"k{n}", name=str(n)) for n in numbers]
    for start in range(0, len(of), 301):
        part = batch(of[start : start + 301])
        part.row_numbers = numbers[start : start + 301]
        await ledger.load_rows(loading.input_id, part)
    await ledger.load_rows(loading.input_id, batch([]))
    counts = await ledger.finish_input(loading.input_id, "sha")
    told = await _told(ledger, spring)
    assert counts.total == len(numbers)
    assert [(row.row_number, row.cells[1]) for row in told] == [(n, str(n)) for n in numbers]
    run = await _run(ledger, spring)
    granted = await ledger.begin_rows(run, 10_000, now_ms=5, input_id=None)
    assert [row.cells[1] for row in granted] == [str(n) for n in numbers if n % 97]


async def test_cells_may_be_huge(ledger: Ledger) -> None:
    """Cells may be huge."""
    spring = await campaign(ledger)
    of = [Line(f"k{n}", name="x" * (1 << 20) if n % 3 == 0 else "é" * n) for n in range(9)]
    await planned(ledger, spring, of)
    assert [row.cells[1] for row in await _told(ledger, spring)] == [line.name for line in of]


async def test_text_of_every_kind_comes_back_as_it_was(ledger: Ledger) -> None:
    """Text of every kind comes back as it was."""
    spring = await campaign(ledger)
    of = [Line('k"\\\n\t😀', to="+1", name='a"\\\n\u2028\x7f\x00b'), Line("k'; --", sender="MG'", name="")]
    await planned(ledger, spring, of)
    run = await _run(ledger, spring)
    rows = await ledger.begin_rows(run, 9, now_ms=5, input_id=None)
    assert [(row.row_key, row.cells[1], row.from_address) for row in rows] == [
        (of_.key, of_.name, of_.sender or SENDER) for of_ in of
    ]


async def test_a_batch_that_is_not_whole_is_refused(ledger: Ledger) -> None:
    """A batch must be even in order and with whole keys."""
    spring = await campaign(ledger)
    loading = await ledger.begin_input(spring, new_input())
    uneven, unordered, empty = batch(lines("a", "b")), batch(lines("a", "b")), batch(lines("a", ""))
    uneven.states = ["planned"]
    unordered.row_numbers = [3, 2]
    for wrong in (uneven, unordered, empty):
        with pytest.raises(ValueError, match=r"batch|key"):
            await ledger.load_rows(loading.input_id, wrong)
    await ledger.load_rows(loading.input_id, batch(lines("a")))
    counts = await ledger.finish_input(loading.input_id, "sha")
    assert counts.total == 1
    with pytest.raises(ValueError, match="planned already"):
        await ledger.finish_input(loading.input_id, "sha")


async def test_the_first_of_equal_rows_is_sent(ledger: Ledger) -> None:
    """The first of equal rows is sent and the others name it."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a", "b", "a", "a"))
    assert (counts.new, counts.reasons) == (2, {"duplicate": 2})
    told = await _told(ledger, spring)
    assert _states(told) == ["planned", "planned", "skipped", "skipped"]
    assert {row.reason for row in told[2:]} == {"the same contact as row 2"}
    assert told[3].to_address == "a"


async def test_a_wrong_row_does_not_block_its_double(ledger: Ledger) -> None:
    """A wrong row does not keep its double from being sent."""
    spring = await campaign(ledger)
    await planned(
        ledger, spring, [invalid("a"), Line("a"), invalid("b"), suppressed("b"), suppressed("b"), invalid("a")]
    )
    told = await _told(ledger, spring)
    assert _states(told) == ["invalid", "planned", "invalid", "skipped", "skipped", "invalid"]
    assert [row.reason_code for row in told] == [
        "to_invalid",
        None,
        "to_invalid",
        "suppressed",
        "suppressed",
        "to_invalid",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Outcome.created, "created"),
        (Outcome.rejected, "rejected"),
        (Outcome.busy, "busy"),
        (Outcome.unknown, "unknown"),
        (Outcome.throttled, "planned"),
        (None, "sending"),
    ],
)
async def test_a_row_goes_on_under_its_new_number(ledger: Ledger, before: Outcome | None, after: str) -> None:
    """A row goes on where it stood under its new number."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    await _sent(ledger, spring, {"b": Outcome.created} | ({"a": before} if before else {}))
    (earlier, _) = await _told(ledger, spring)
    counts = await planned(ledger, spring, lines("new", "new2", "a"))
    told = (await _told(ledger, spring))[2]
    assert (told.row_number, told.state.value) == (4, after)
    assert (told.attempts, told.execution_sid, told.sent_at_ms) == (
        earlier.attempts,
        earlier.execution_sid,
        earlier.sent_at_ms,
    )
    assert (counts.new, counts.corrected, counts.left_planned) == (2, 0, 0)
    status = await ledger.status(spring)
    assert status.earlier_rows == {RowState.created: 1}


async def test_only_what_differs_is_corrected(ledger: Ledger) -> None:
    """Only rows of which something else would be sent are corrected."""
    spring = await campaign(ledger)
    keys = ("same", "name", "to", "sender", "busy name", "busy to", "unsent column")
    of = [Line(key, to=f"+1555010000{place}") for place, key in enumerate(keys)]
    await planned(ledger, spring, of)
    await _sent(ledger, spring, {key: Outcome.busy if "busy" in key else Outcome.rejected for key in keys})
    changed = [
        of[0],
        of[1]._replace(name="Anna"),
        of[2]._replace(to="+15550100099"),
        of[3]._replace(sender="+15550100098"),
        of[4]._replace(name="Anna"),
        of[5]._replace(to="+15550100097"),
        of[6],
    ]
    # Columns that are not sent, in another order: no correction.
    loading = await ledger.begin_input(
        spring,
        NewInput(
            source="c2",
            header=("note", "phone", "name"),
            parameter_columns={"name": 2},
            from_address=new_input().from_address,
        ),
    )
    part = batch(changed)
    part.cells = [f'["changed",{cells[1:]}' for cells in part.cells]
    await ledger.load_rows(loading.input_id, part)
    counts = await ledger.finish_input(loading.input_id, "sha")
    expected = ["rejected", "planned", "planned", "planned", "busy", "planned", "rejected"]
    assert (_states(await _told(ledger, spring)), counts.corrected) == (expected, 4)


async def test_a_new_sender_or_constant_corrects(ledger: Ledger) -> None:
    """A new sender or constant corrects what Studio refused."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    await _sent(ledger, spring, {"a": Outcome.rejected})
    assert (await planned(ledger, spring, lines("a"), new_input())).corrected == 0
    assert (await planned(ledger, spring, lines("a"), new_input("+15550100077"))).corrected == 1
    await _sent(ledger, spring, {"a": Outcome.rejected})
    assert (await planned(ledger, spring, lines("a"), new_input("+15550100077", offer="10 %"))).corrected == 1
    (told,) = await _told(ledger, spring)
    assert (told.state, told.attempts) == (RowState.planned, 2)


@pytest.mark.parametrize("outcome", [Outcome.rejected, Outcome.busy, None])
async def test_retry_respects_the_new_file(ledger: Ledger, outcome: Outcome | None) -> None:
    """Suppressed since it was refused, or taken out: no `retry` brings it back."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    if outcome:
        await _sent(ledger, spring, {"a": outcome, "b": outcome})
    else:
        await ledger.cancel_rows(spring, "called off")
    await planned(ledger, spring, [suppressed("a"), invalid("b")])
    assert await ledger.retry_rows(spring, all_rejected=True, busy=True, skipped=[Reason.cancelled]) == 0
    told = await _told(ledger, spring)
    assert [(row.state.value, row.reason_code) for row in told] == [
        ("skipped", "suppressed"),
        ("invalid", "to_invalid"),
    ]


async def test_an_unknown_row_that_is_left_out_now(ledger: Ledger) -> None:
    """An unknown row that the new file leaves out is not sent again."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("suppressed", "wrong", "there", "fine"))
    await _sent(ledger, spring, {})
    await planned(ledger, spring, [suppressed("suppressed"), invalid("wrong"), invalid("there"), Line("fine")])
    run = await _run(ledger, spring)
    assert run.recovered == 4
    found = await ledger.unknown_rows(spring)
    told = await _told(ledger, spring)
    assert _states(told) == ["unknown"] * 4
    assert {row.reason_code for row in told} == {None}
    rows = await ledger.begin_rows(run, 9, now_ms=9, input_id=None)
    assert rows == []
    settled = [end(_granted(row_), Outcome.created if row_.row_key == "there" else Outcome.not_sent) for row_ in found]
    await ledger.resolve_rows(run, settled)
    told = await _told(ledger, spring)
    assert [(row.state.value, row.reason_code) for row in told] == [
        ("skipped", "suppressed"),
        ("invalid", "to_invalid"),
        ("created", None),
        ("planned", None),
    ]


async def test_an_unknown_row_with_a_new_address(
    ledger: Ledger,
) -> None:
    """An unknown row is looked for where it went and sent where the new file says."""
    spring = await campaign(ledger)
    old = [Line("a", to="+15550100001"), Line("b", to="+15550100002")]
    await planned(ledger, spring, old)
    await _sent(ledger, spring, {"a": Outcome.unknown, "b": Outcome.created})
    for _ in range(2):  # also across a third file
        await planned(ledger, spring, [line._replace(to=f"+1555010009{place}") for place, line in enumerate(old)])
        told = await _told(ledger, spring)
        assert [(row.to_address, row.from_address) for row in told] == [
            (line.to, new_input().from_address) for line in old
        ]
        assert [row.cells[0] for row in told] == ["+15550100090", "+15550100091"]
    (row_,) = await ledger.unknown_rows(spring)
    assert row_.to_address == "+15550100001"
    run = await _run(ledger, spring)
    await ledger.resolve_rows(run, [end(_granted(row_), Outcome.not_sent)])
    (row,) = await ledger.begin_rows(run, 9, now_ms=9, input_id=None)
    assert (row.to_address, row.from_address, row.cells[0]) == ("+15550100090", None, "+15550100090")


async def test_cancel_takes_out_what_is_not_sent(ledger: Ledger) -> None:
    """Cancel takes out what is planned and whatever comes back later."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c", "d", "e"))
    run = await _run(ledger, spring)
    a, b, c, d = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(a, Outcome.unknown)], now_ms=5, totals=NONE)
    assert await ledger.cancel_rows(spring, "called off") == 1
    ends = [end(b, Outcome.throttled), end(c, Outcome.created), end(d, Outcome.busy, not_before_ms=99)]
    await ledger.end_rows(run, ends, now_ms=6, totals=NONE)
    await ledger.resolve_rows(run, [end(a, Outcome.not_sent)])
    told = await _told(ledger, spring)
    assert _states(told) == ["skipped", "skipped", "created", "skipped", "skipped"]
    assert [row.reason for row in told] == ["called off", "called off", None, "called off", "called off"]
    assert await ledger.retry_rows(spring, skipped=[Reason.cancelled]) == 4
    assert _states(await _told(ledger, spring)) == ["planned", "planned", "created", "planned", "planned"]


@pytest.mark.parametrize("outcome", [Outcome.rejected, Outcome.busy])
async def test_what_is_refused_too_late_stays_out(ledger: Ledger, outcome: Outcome) -> None:
    """Suppressed, wrong or taken out while its request was on the wire: refused, it is not there for `retry`."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("suppressed", "wrong", "cancelled", "fine"))
    run = await _run(ledger, spring)
    rows = await ledger.begin_rows(run, 9, now_ms=5, input_id=None)
    await ledger.cancel_rows(spring, "called off")
    await ledger.retry_rows(spring, skipped=[Reason.cancelled])
    await planned(ledger, spring, [suppressed("suppressed"), invalid("wrong"), Line("cancelled")])
    await ledger.end_rows(run, [end(row, outcome) for row in rows[:2]], now_ms=6, totals=NONE)
    await ledger.cancel_rows(spring, "called off")
    await ledger.end_rows(run, [end(row, outcome) for row in rows[2:]], now_ms=7, totals=NONE)
    assert await ledger.retry_rows(spring, all_rejected=True, busy=True) == 0
    told = await _told(ledger, spring)
    assert [(row.state.value, row.reason_code) for row in told] == [
        ("skipped", "suppressed"),
        ("invalid", "to_invalid"),
        ("skipped", "cancelled"),
    ]
    # A corrected line does not bring back what was taken out; the user does.
    await planned(ledger, spring, [Line("cancelled", name="Bob")])
    assert _states(await _told(ledger, spring)) == ["skipped"]
    assert await ledger.retry_rows(spring, skipped=[Reason.cancelled]) == 2


async def test_a_cancelled_row_stays_out(ledger: Ledger) -> None:
    """A row taken out stays out in the next file until it is asked for."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b"))
    run = await _run(ledger, spring)
    (a,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    await ledger.cancel_rows(spring, "called off")
    await planned(ledger, spring, [Line("b"), Line("a", not_before_ms=50), Line("c")])
    assert _states(await _told(ledger, spring)) == ["skipped", "sending", "planned"]
    await ledger.end_rows(run, [end(a, Outcome.throttled)], now_ms=6, totals=NONE)
    told = await _told(ledger, spring)
    assert [(row.state.value, row.reason) for row in told[:2]] == [("skipped", "called off")] * 2
    assert await ledger.retry_rows(spring, skipped=[Reason.cancelled]) == 2
    # The time that its line gave it still holds.
    assert await ledger.next_due_ms(spring, None) == 50


async def test_retry_takes_what_is_asked_for_by_code_or_kind(ledger: Ledger, harness: Harness) -> None:
    """Retry takes what is asked for by code or kind."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a", "b", "c", "d"))
    run = await _run(ledger, spring)
    a, b, c, d = await ledger.begin_rows(run, 4, now_ms=5, input_id=None)
    ends = [
        end(a, Outcome.rejected, code=21211),
        end(b, Outcome.rejected, code=21610),
        end(c, Outcome.rejected)._replace(http_status=403),
        end(d, Outcome.busy, code=20409),
    ]
    await ledger.end_rows(run, ends, now_ms=6, totals=NONE)
    assert await ledger.retry_rows(spring) == 0
    assert await ledger.retry_rows(spring, codes=[99]) == 0
    assert await ledger.retry_rows(spring, codes=[21610, 403]) == 2
    assert _states(await _told(ledger, spring)) == ["rejected", "planned", "planned", "busy"]
    assert await ledger.retry_rows(spring, busy=True, all_rejected=True) == 2
    rows = await ledger.begin_rows(run, 9, now_ms=5, input_id=None)
    assert [row.row_key for row in rows] == ["a", "b", "c", "d"]
    numbers = harness.query("SELECT number FROM attempts ORDER BY attempt_id")
    assert numbers == [(1,)] * 4 + [(2,)] * 4


async def test_a_row_keeps_its_identity(ledger: Ledger, harness: Harness) -> None:
    """A row keeps one identity over many files and leaves nothing behind."""
    spring = await campaign(ledger)
    first = await planned(ledger, spring, lines("a", "b", "a"))
    await _sent(ledger, spring, {"a": Outcome.created, "b": Outcome.rejected})
    for of in (lines("b", "a"), [invalid(), *lines("b")], lines("a", "c", "b", "b"), lines("a", "b", "c")):
        counts = await planned(ledger, spring, of)
    (inputs,) = harness.query("SELECT DISTINCT row_id >> 32 FROM rows")
    assert [inputs] == harness.query("SELECT DISTINCT chunk_id >> 32 FROM chunks") == [(counts.input_id,)]
    identities = [row[0] for row in harness.query("SELECT coalesce(identity, row_id) FROM rows ORDER BY row_id")]
    assert [identity & 0xFFFFFFFF for identity in identities] == [2, 3, 3]
    assert identities[0] >> 32 == first.input_id
    assert _states(await _told(ledger, spring)) == ["created", "rejected", "planned"]
    assert (await ledger.status(spring)).earlier_rows == {}


async def test_rows_of_earlier_files_stay(ledger: Ledger) -> None:
    """Rows that a newer file lacks stay in the campaign."""
    spring = await campaign(ledger)
    await planned(ledger, spring, [*lines("a", "b", "b"), invalid()])
    counts = await planned(ledger, spring, lines("c"))
    assert counts.left_planned == 2
    assert (await ledger.status(spring)).earlier_rows == {RowState.planned: 2}
    counts = await planned(ledger, spring, lines("b"))
    assert counts.left_planned == 2
    run = await _run(ledger, spring)
    rows = await ledger.begin_rows(run, 9, now_ms=5, input_id=None)
    assert [(row.row_key, row.cells[0]) for row in rows] == [("a", "a"), ("c", "c"), ("b", "b")]


async def test_a_load_that_was_cut_short_leaves_no_trace(ledger: Ledger, harness: Harness) -> None:
    """A load that was cut short leaves no trace."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    before = await planned(ledger, spring, lines("a"))
    for record in (spring, spring, summer):
        cut = await ledger.begin_input(record, new_input())
        await ledger.load_rows(cut.input_id, batch(lines("a", "b")))
    assert (await ledger.status(spring)).rows[RowState.planned] == 1
    assert [item.input_id for item in await ledger.inputs(spring)] == [before.input_id]
    counts = await planned(ledger, spring, lines("b"))
    assert counts.new == 1
    kept = (before.input_id, counts.input_id, cut.input_id)
    assert harness.query(f"SELECT count(*) FROM rows WHERE row_id >> 32 NOT IN {kept}") == [(0,)]


async def test_the_same_file_again_changes_nothing(ledger: Ledger) -> None:
    """The same file again changes nothing."""
    spring = await campaign(ledger)
    of = [Line(f"k{number}") for number in range(ROWS_MAX + 5)]
    await planned(ledger, spring, of)
    await _sent(
        ledger, spring, {line.key: Outcome.created for line in of[:100] if line.key} | {"k200": Outcome.rejected}
    )
    await _run(ledger, spring)
    before = (await ledger.status(spring)).rows
    for _ in range(2):
        counts = await planned(ledger, spring, of)
        assert (counts.new, counts.corrected, counts.left_planned, counts.rows) == (0, 0, 0, before)


async def test_campaigns_share_no_keys(ledger: Ledger) -> None:
    """Campaigns share no keys."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    for record in (spring, summer):
        assert (await planned(ledger, record, lines("a"))).new == 1


async def test_inputs_keep_how_their_rows_are_sent(ledger: Ledger) -> None:
    """Inputs keep how their rows are sent."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"), new_input("+15550100077", offer="10 %"))
    (told,) = await ledger.inputs(spring)
    assert (told.source, len(told.sha256), told.header) == ("contacts.csv", 64, ("phone", "name"))
    assert (told.parameter_columns, told.parameter_constants) == ({"name": 1}, {"offer": "10 %"})
    assert told.from_address == "+15550100077"


async def test_a_batch_may_be_made_of_other_sequences(ledger: Ledger, harness: Harness) -> None:
    """Enumerations for states, a tuple, an array's list: what is stored is the same."""
    spring = await campaign(ledger)
    loading = await ledger.begin_input(spring, new_input())
    part = RowBatch(
        row_numbers=(2, 3),
        row_keys=("a", "b"),
        states=(RowState.planned, RowState.skipped),
        to_addresses=("a", "b"),
        from_addresses=(None, None),
        cells=('["a","x"]', '["b","y"]'),
        reasons={1: (Reason.suppressed, None, "on the list")},
    )
    await ledger.load_rows(loading.input_id, part)
    counts = await ledger.finish_input(loading.input_id, "sha")
    assert (counts.rows[RowState.planned], counts.reasons) == (1, {"suppressed": 1})
    assert harness.query("SELECT state, reason_code FROM rows ORDER BY row_id DESC LIMIT 1") == [
        ("skipped", "suppressed")
    ]


def _granted(row_: UnknownRow) -> GrantedRow:
    return GrantedRow(row_.row_id, row_.attempt_id, row_.input_id, row_.row_number, row_.row_key, "", None, [])
