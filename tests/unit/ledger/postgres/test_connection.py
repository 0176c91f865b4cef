"""Which servers a ledger is opened on: those that keep what they confirm, and whose history it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from dispatcher import clock
from dispatcher.errors import (
    LedgerError,
    LedgerGone,
    LedgerNotMigrated,
    LedgerTooNew,
    LedgerUnreachable,
    LedgerUnwritable,
)
from dispatcher.ledger.postgres.connection import SCHEMA_VERSION
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.ledger.postgres.migrating import migrate
from tests.support.postgres import PrivateServer, query, shared


def opens(url: str) -> None:
    """Open and close it. Raises: what opening does."""
    asyncio.run(PostgresLedger.open(url).close())


@pytest.fixture
def clock_kept() -> Iterator[None]:
    """A test that aligns the clock to a wrong one leaves the others theirs."""
    before = clock._ORIGIN_NS
    yield
    clock._ORIGIN_NS = before


class TestMigrated:
    def test_a_database_without_tables(self) -> None:
        """Says what makes them."""
        with shared().database() as url:
            with pytest.raises(LedgerNotMigrated) as caught:
                opens(url)
            assert "migrate" in repr(caught.value.fix)
            assert (migrate(url).before, migrate(url).before) == (0, SCHEMA_VERSION)
            opens(url)

    def test_tables_of_a_newer_program(self, url: str) -> None:
        query(url, f"UPDATE ledger_meta SET schema_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(LedgerTooNew):
            opens(url)
        with pytest.raises(LedgerTooNew):
            migrate(url)

    def test_another_servers_history(self, url: str) -> None:
        """A copy that was restored, a standby that was promoted: until a person accepts it."""
        for change in ("system_identifier = '1'", "timeline = timeline + 1"):
            query(url, f"UPDATE ledger_meta SET {change}")
            with pytest.raises(LedgerGone) as caught:
                opens(url)
            assert "accept-history" in repr(caught.value.fix)
            with pytest.raises(LedgerGone):
                migrate(url)
            assert migrate(url, accept_history=True).accepted
            opens(url)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_may_lose_what_it_has_confirmed(setting: str) -> None:
    with PrivateServer({setting: "off"}) as server, server.database() as url:
        with pytest.raises(LedgerError, match="may lose what it has confirmed") as caught:
            migrate(url)
        assert caught.value.found == f"{setting} is not on"


class TestAway:
    def test_nobody_listens(self) -> None:
        """Said in a moment, with what to do."""
        began_s = time.monotonic()
        with pytest.raises(LedgerUnreachable) as caught:
            opens("postgresql://postgres@127.0.0.1:1/ledger")
        assert time.monotonic() - began_s < 3
        assert caught.value.fix is not None

    def test_no_such_database(self) -> None:
        with pytest.raises(LedgerUnwritable, match="no such database"):
            opens(shared().url("nowhere"))

    def test_no_such_user(self) -> None:
        """As the server words it: it knows the host's rule before the user."""
        with pytest.raises(LedgerError):
            opens(shared().url().replace("postgres@", "nobody_here@"))


def test_the_clock_is_the_servers(url: str, clock_kept: None) -> None:
    """However wrong this machine's is."""
    for wrong_s in (3_600, -1_800):
        clock.align(int(wrong_s * 1e9))
        opens(url)
        ((at_ms,),) = query(url, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        assert abs(clock.now_ms() - at_ms) < 200
