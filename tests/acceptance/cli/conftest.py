"""A sandbox for each worker, empty for each test; the program in the test's own folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.clusters import ROWS, Cluster
from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import (
    ACCOUNT_SID,
    TIMEOUT_S,
    Program,
    SandboxProcess,
    sandbox_process,
    write_contacts,
    write_settings,
)
from tests.support import postgres


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


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[postgres.Postgres, str]]:
    """A database with the ledger's tables, to be copied."""
    server = postgres.shared()
    template = server.create()
    folder = tmp_path_factory.mktemp("migrated")
    nursery = Nursery(60)
    try:
        write_settings(folder, "http://127.0.0.1:1", state={"dir": None, "url": server.url(template)})
        result = Program(folder, nursery)("ledger", "migrate")
        assert result.code == 0, result.err
    finally:
        nursery.close()
    yield server, template
    server.drop(template)


@pytest.fixture
def cluster(program: Program, sandbox: SandboxProcess, migrated: tuple[postgres.Postgres, str]) -> Iterator[Cluster]:
    """No worker yet."""
    program.env = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID}
    server, template = migrated
    with server.database(template) as url, contextlib.ExitStack() as workers:
        found = Cluster(program, sandbox, url, workers)
        found.settings()
        write_contacts(program.folder / "spring.csv", ROWS)
        yield found
