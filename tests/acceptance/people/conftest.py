"""The command line in a folder of the test's own; executions end at once, so nobody is busy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.cli.conftest import nursery, program
from tests.acceptance.cli.program import SandboxProcess, sandbox_process

__all__ = ["nursery", "program", "sandbox", "shared"]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), "--limit", "500", "--ends-after", "0") as found:
        yield found


@pytest.fixture
def sandbox(shared: SandboxProcess) -> SandboxProcess:
    """Empty for each test."""
    shared.reset()
    return shared
