"""One zygote for all tests of this folder: Python starts once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.program import Zygote, zygote


@pytest.fixture(scope="session")
def _zygote() -> Iterator[Zygote]:
    with zygote() as result:
        yield result


@pytest.fixture
def programs(_zygote: Zygote) -> Iterator[Zygote]:
    """Starts programs; what still runs at the end of the test is killed."""
    yield _zygote
    _zygote.kill_all()
