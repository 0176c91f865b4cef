"""A sandbox for each worker, empty for each test; the program in the test's own folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import TIMEOUT_S, Program, SandboxProcess, sandbox_process, write_settings


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), "--limit", "500") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: SandboxProcess) -> SandboxProcess:
    """Takes 500 creates a second; faults as the test sets them."""
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    found = Nursery(TIMEOUT_S)
    yield found
    found.close()


@pytest.fixture
def program(tmp_path: Path, nursery: Nursery) -> Program:
    """The command line, without settings."""
    return Program(tmp_path, nursery)


@pytest.fixture
def ready(program: Program, sandbox: SandboxProcess) -> Program:
    """The command line with settings for the sandbox."""
    write_settings(program.folder, sandbox.base_url)
    return program
