"""The ledger's tables, in an order in which each comes after those that it points to: for whoever copies a ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

#: What a column holds: `texts` are several, JSON in one database and an array in the other.
Kind: TypeAlias = Literal["int", "bool", "float", "text", "texts", "bytes"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the ledger."""

    name: str
    #: The columns by which each of its rows is told, in this order.
    key: tuple[str, ...]
    #: Whether the database numbers its rows, by their key.
    is_numbered: bool = False
    #: Columns whose values are few, and by which its rows are counted.
    counted_by: tuple[str, ...] = ()
    #: Other columns by which people, rows or executions are told: what stands there cannot be written any other way.
    told_by: tuple[str, ...] = ()
    #: How many of its rows are copied at a time.
    batch: int = 20_000


#: Everything that a ledger knows, but for what is of its database alone (versions, keys, leases).
TABLES = (
    Table("accounts", ("account_id",), is_numbered=True, told_by=("account_sid", "base_url")),
    Table("campaigns", ("campaign_id",), is_numbered=True, counted_by=("wish",), told_by=("name", "flow_sid")),
    Table("inputs", ("input_id",), is_numbered=True, batch=200),
    Table("rows", ("row_id",), counted_by=("state",), told_by=("row_key", "to_address", "from_address")),
    # Cells of some hundred rows each.
    Table("chunks", ("chunk_id",), batch=200),
    Table("row_keys", ("campaign_id", "row_key")),
    Table("runs", ("run_id",), is_numbered=True),
    Table(
        "attempts",
        ("attempt_id",),
        is_numbered=True,
        counted_by=("outcome", "absence"),
        told_by=("execution_sid", "to_address", "from_address", "dispatch_id"),
    ),
    Table("sent", ("attempt_id",)),
    Table("contacts", ("account_id", "contact", "campaign_id", "row_key")),
    Table("foreign_executions", ("account_id", "flow_sid", "contact", "execution_sid")),
    Table("looks", ("account_id", "flow_sid")),
    Table("lists", ("list_id",), is_numbered=True, counted_by=("kind",)),
    Table("suppressed", ("account_id", "contact", "list_id")),
    Table("suppression_log", ("log_id",), is_numbered=True, counted_by=("action",), told_by=("contact",)),
    Table("places", ("place_id",), is_numbered=True, told_by=("zones", "country", "area", "source")),
    Table("tallies", ("input_id", "state"), counted_by=("state",)),
    Table("executions", ("attempt_id",), counted_by=("status",)),
    Table("notices", ("notice_id",), batch=2_000),
    Table("canaries", ("campaign_id",), counted_by=("verdict",), told_by=("row_keys",)),
    Table("beginnings", ("campaign_id", "start_ms")),
    Table("erasures", ("erasure_id",), is_numbered=True, counted_by=("action",), told_by=("contact", "key_check")),
)
#: What one database knows of itself, and no copy takes along.
OWN = {
    "sqlite": frozenset(("program",)),
    "postgres": frozenset(("program", "forgotten_key", "ledger_meta", "ledger_copy")),
}
#: Columns that only the ledger for many machines has: who holds an account now.
LEASE = frozenset(("holder", "lease_until", "wanted_until"))

#: A table's columns, each with what it holds.
Columns: TypeAlias = dict[str, Kind]
#: What can be counted and summed of a table, the same in both databases where they hold the same.
Figures: TypeAlias = list[Any]


def figures_wanted(table: Table, columns: Columns, forms: Mapping[Kind, Sequence[str]]) -> str:
    """The SQL of a table's figures: of each column what `forms` says of its kind, with `{c}` for its name."""
    wanted = ["count(*)"]
    for name, kind in columns.items():
        wanted += [form.format(c=f'"{name}"') for form in forms[kind]]
    return ", ".join(wanted)
