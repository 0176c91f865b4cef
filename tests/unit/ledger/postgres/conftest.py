"""A new ledger of the session's server for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import shared


@pytest.fixture
def url() -> Iterator[str]:
    with shared().ledger() as found:
        yield found
