"""The ledger of a server, where `[state] url` names one: what knows PostgreSQL loads only then. All of it blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from dispatcher.errors import ExtraMissing
from dispatcher.ledger import copying
from dispatcher.ledger.health import LedgerHealth, Looking
from dispatcher.ledger.identity import canonical_sid, canonical_url
from dispatcher.ledger.protocol import Ledger

if TYPE_CHECKING:
    from dispatcher.ledger.postgres.migrating import Migrated
    from dispatcher.ledger.postgres.target import Target
    from dispatcher.ledger.sqlite.rehearsal import Elsewhere
    from dispatcher.settings.state import StateSettings

P = ParamSpec("P")
T = TypeVar("T")


def _needs_extra(function: Callable[P, T]) -> Callable[P, T]:
    """Raises: ExtraMissing, beside what the function raises."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except ImportError as error:
            # The driver, or the library of the system's that it needs.
            if (error.name or "psycopg").partition(".")[0] != "psycopg":
                raise
            raise ExtraMissing(
                "a ledger on PostgreSQL needs a part of this program that is not installed",
                found=str(error).split("\n", 1)[0],
                fix='pip install "dispatcher[cluster]"',
            ) from error

    return run


@_needs_extra
def open_server(state: StateSettings, *, lease_s: float | None = None, only_sends: bool = False) -> Ledger:
    """Open the ledger: see `open_ledger`. Raises: LedgerError, ExtraMissing."""
    from dispatcher.ledger.postgres.ledger import LEASE_S, PATIENCE_S, PostgresLedger

    return PostgresLedger.open(
        state.url,
        location=state.shown_url,
        lease_s=lease_s or LEASE_S,
        patience_s=0.0 if only_sends else PATIENCE_S,
    )


@_needs_extra
def campaign_there(state: StateSettings) -> Elsewhere:
    """What a rehearsal is filled from. Raises: ExtraMissing; each use of it: LedgerError."""
    from dispatcher.ledger.postgres.connection import reading
    from dispatcher.ledger.postgres.rehearsal import PostgresCampaign

    return PostgresCampaign(partial(reading, state.url, name="rehearsal"))


@_needs_extra
def is_leased_there(state: StateSettings, account_sid: str, base_url: str) -> bool:
    """Whether any machine works for the account now. Raises: LedgerError, ExtraMissing."""
    from dispatcher.ledger.postgres.connection import reading
    from dispatcher.ledger.postgres.health import is_leased

    with reading(state.url, name="check") as connection:
        return is_leased(connection, canonical_sid(account_sid), canonical_url(base_url))


@_needs_extra
def check_server(state: StateSettings, looking: Looking | None) -> LedgerHealth:
    """See `check_ledger`. Raises: LedgerError: it is no ledger, or does not keep what it confirms; ExtraMissing."""
    from dispatcher.ledger.postgres.connection import SCHEMA_VERSION, reading
    from dispatcher.ledger.postgres.health import server_health

    with reading(state.url, name="check") as connection:
        return server_health(connection, location=state.shown_url, version_known=SCHEMA_VERSION, looking=looking)


@_needs_extra
def migrate_server(state: StateSettings, *, accept_history: bool) -> Migrated:
    """Make or upgrade the tables. Raises: LedgerError, ExtraMissing."""
    from dispatcher.ledger.postgres.migrating import migrate

    return migrate(state.url, accept_history=accept_history)


@_needs_extra
def give_rights(state: StateSettings) -> str:
    """Make the roles; returns what somebody who may is to run instead. Raises: LedgerError, ExtraMissing."""
    from dispatcher.ledger.postgres.connection import connected
    from dispatcher.ledger.postgres.roles import make_roles

    with connected(state.url, name="migrate") as connection:
        return make_roles(connection)


@_needs_extra
def copy_there(folder: Path, state: StateSettings, tell: copying.Tell, *, replace: bool) -> copying.Copied:
    """See `copying.copy`. Raises: as that; ExtraMissing."""
    return copying.copy(folder, partial(_target, state.url), state.url, tell, replace=replace)


@contextlib.contextmanager
def _target(url: str) -> Iterator[Target]:
    from dispatcher.ledger.postgres.connection import check, connected
    from dispatcher.ledger.postgres.target import Target

    with connected(url, name="copy", long=True) as connection:
        check(connection)
        yield Target(connection)
