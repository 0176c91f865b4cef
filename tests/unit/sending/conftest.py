"""Sending on a virtual clock: minutes of it in a moment, and the same every time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.support.rig import Rigs
from tests.support.virtual_time import VirtualTimeLoop, machine_clock


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs in virtual time; its timers wake a little late, as in life."""
    return {"virtual": partial(VirtualTimeLoop, late_s=0.0003)}


@pytest.fixture(autouse=True)
async def _machine_clock() -> AsyncIterator[None]:
    """The wall clock is virtual, too, and what the machine has counted since its start."""
    with machine_clock(asyncio.get_running_loop()):
        yield


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rigs]:
    """`await rig(100)` makes a sender with a hundred planned rows; see `Rigs`."""
    rigs = Rigs(tmp_path)
    yield rigs
    await rigs.close()
