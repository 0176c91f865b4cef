"""The store of executions: pages against a naive model, busy contacts, retention, lag, and what a page costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.sandbox import DEFAULT_FLOW_SID, SandboxSettings, default_flow
from dispatcher.sandbox import executions as executions_module
from dispatcher.sandbox.dates import NEVER_US, SECOND_US
from dispatcher.sandbox.executions import Cursor, Execution, Executions

FLOW = default_flow()
DAY_US = 86_400 * SECOND_US


def add(
    store: Executions, created_us: int, *, to: str = "+15550000001", ends_us: int = NEVER_US, skew_us: int = 0
) -> Execution:
    execution = store.add(
        FLOW, FLOW.latest, to, "+15550001111", None, created_us=created_us, request_n=0, skew_us=skew_us
    )
    store.set_end(execution, ends_us)
    return execution


def all_pages(store: Executions, now_us: int, **query: Any) -> list[list[Execution]]:
    pages, cursor = [], None
    for _ in range(100):
        page = store.page(DEFAULT_FLOW_SID, now_us, cursor=cursor, **query)
        pages.append(page.items)
        if page.next is None:
            return pages
        cursor = page.next
    raise AssertionError("the pages never end")


created = st.lists(
    # created, ends, deleted, how wrong the clock was that dated it
    st.tuples(st.integers(0, 40), st.integers(1, 60), st.booleans(), st.sampled_from([0, 0, 0, -20, 3, 30])),
    max_size=40,
)
bounds = st.one_of(st.none(), st.integers(-1, 61))


@settings(max_examples=300)
@given(created, st.integers(1, 7), bounds, bounds, st.sampled_from([None, "active", "ended"]), st.integers(0, 10))
def test_pages_against_a_model(
    rows: list[tuple[int, int, bool, int]],
    size: int,
    created_from_us: int | None,
    created_to_us: int | None,
    status: Any,
    lag_us: int,
) -> None:
    """Following the pages, on and back again, gives what filtering and sorting all executions would."""
    now_us = 45
    store = Executions(SandboxSettings(list_lag_s=lag_us / SECOND_US, retention_days=40 / DAY_US))
    every = []
    for created_us, ends_us, deleted, skew_us in rows:
        execution = add(store, created_us, ends_us=ends_us, skew_us=skew_us)
        if deleted:
            store.delete(execution, now_us)
        every.append(execution)
    expected = sorted(
        (
            one
            for one in every
            if not one.deleted
            and now_us - 40 < one.created_us <= now_us - lag_us
            and (created_from_us is None or one.dated_us >= created_from_us)
            and (created_to_us is None or one.dated_us < created_to_us)
            and (status is None or one.status(now_us) == status)
        ),
        key=lambda one: (-one.dated_us, -one.n),
    )
    query: dict[str, Any] = {"created_from_us": created_from_us, "created_to_us": created_to_us, "status": status}
    pages = all_pages(store, now_us, size=size, **query)
    assert [one.n for page in pages for one in page] == [one.n for one in expected]
    assert all(len(page) == size for page in pages[:-1])
    # And back again, from the last page to the first.
    backwards: list[list[int]] = []
    page = store.page(DEFAULT_FLOW_SID, now_us, size=size, **query)
    for _ in pages[1:]:
        page = store.page(DEFAULT_FLOW_SID, now_us, size=size, cursor=page.next, **query)
    for _ in pages:
        backwards.insert(0, [one.n for one in page.items])
        if page.previous is None:
            break
        page = store.page(DEFAULT_FLOW_SID, now_us, size=size, cursor=page.previous, **query)
    assert backwards == [[one.n for one in one_page] for one_page in pages]


def test_pages_do_not_shift() -> None:
    """Executions created meanwhile do not shift the pages that follow."""
    store = Executions(SandboxSettings())
    for n in range(10):
        add(store, n)
    first = store.page(DEFAULT_FLOW_SID, 100, size=5)
    add(store, 50)
    second = store.page(DEFAULT_FLOW_SID, 100, size=5, cursor=first.next)
    assert [one.n for one in first.items + second.items] == list(range(9, -1, -1))


def test_a_late_page_is_found_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page near the end of a hundred thousand executions is found without walking there."""
    store = Executions(SandboxSettings())
    for n in range(100_000):
        add(store, n, ends_us=n + 1)
    looked_at = 0

    def counting_key(execution: Execution) -> tuple[int, int]:
        nonlocal looked_at
        looked_at += 1
        return execution.key

    monkeypatch.setattr(executions_module, "_key", counting_key)
    page = store.page(DEFAULT_FLOW_SID, 200_000, size=50, cursor=Cursor((100, 100), older=True))
    assert [one.n for one in page.items] == list(range(99, 49, -1))
    assert looked_at < 100


def test_a_contact_is_busy_until_its_execution_ends() -> None:
    store = Executions(SandboxSettings())
    execution = add(store, 0, ends_us=10)
    assert store.conflict(DEFAULT_FLOW_SID, execution.to, execution.sender, 9) is execution
    assert store.conflict(DEFAULT_FLOW_SID, execution.to, "+15550002222", 9) is None
    assert store.conflict(DEFAULT_FLOW_SID, execution.to, execution.sender, 10) is None


@pytest.mark.parametrize("finish", [Executions.end, Executions.delete])
def test_ending_an_execution_frees_its_contact(finish: Any) -> None:
    """Ending or deleting an execution frees its contact."""
    store = Executions(SandboxSettings())
    execution = add(store, 0)
    finish(store, execution, 5)
    assert store.conflict(DEFAULT_FLOW_SID, execution.to, execution.sender, 5) is None
    assert store.active_count(5) == 0


@pytest.mark.parametrize("includes_flow", [True, False])
def test_conflicts_between_flows(includes_flow: bool) -> None:
    """Whether an execution of another flow is in the way is a setting."""
    other = default_flow(sid="FW" + "1" * 32)
    store = Executions(SandboxSettings(flows=(FLOW, other), conflict_key_includes_flow=includes_flow))
    execution = add(store, 0)
    found = store.conflict(other.sid, execution.to, execution.sender, 1)
    assert (found is None) is includes_flow


def test_the_end_of_retention() -> None:
    """After its retention an execution is gone, and an active one has ended."""
    store = Executions(SandboxSettings())
    execution = add(store, 0)
    sid = store.sids.at(execution.n)
    last_us = 30 * DAY_US - 1
    assert store.get(DEFAULT_FLOW_SID, sid, last_us) is execution
    assert store.page(DEFAULT_FLOW_SID, last_us, size=1).items == [execution]
    assert store.conflict(DEFAULT_FLOW_SID, execution.to, execution.sender, last_us) is execution
    assert store.get(DEFAULT_FLOW_SID, sid, 30 * DAY_US) is None
    assert store.page(DEFAULT_FLOW_SID, 30 * DAY_US, size=1).items == []
    assert store.conflict(DEFAULT_FLOW_SID, execution.to, execution.sender, 30 * DAY_US) is None


def test_fetching_what_no_list_shows_yet() -> None:
    """An execution that lists do not show yet can be fetched."""
    store = Executions(SandboxSettings(list_lag_s=5))
    execution = add(store, 0)
    assert store.page(DEFAULT_FLOW_SID, 5 * SECOND_US - 1, size=1).items == []
    assert store.get(DEFAULT_FLOW_SID, store.sids.at(0), 0) is execution
    assert store.page(DEFAULT_FLOW_SID, 5 * SECOND_US, size=1).items == [execution]


def test_fetching_with_a_wrong_sid() -> None:
    """An execution is not found under another flow, or under another SID."""
    other = default_flow(sid="FW" + "1" * 32)
    store = Executions(SandboxSettings(flows=(FLOW, other)))
    add(store, 0)
    assert store.get(other.sid, store.sids.at(0), 0) is None
    assert store.get(DEFAULT_FLOW_SID, store.sids.at(1), 0) is None
    assert store.get(DEFAULT_FLOW_SID, "FN" + "g" * 32, 0) is None


def test_the_index_of_active_ones_stays_small() -> None:
    """The index of active executions does not grow with those that have ended."""
    store = Executions(SandboxSettings())
    for n in range(10_000):
        add(store, n, to=f"+1555{n:07}", ends_us=n + 10)
        store.sweep(n)
    assert len(store._active) < 2_500
    assert store.active_count(9_999) == 10
