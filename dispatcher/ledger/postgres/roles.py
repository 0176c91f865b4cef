"""Who may do what in the database: `dispatcher_owner`, `dispatcher_worker`, `dispatcher_reader`."""

from __future__ import annotations

from typing import Any

import psycopg

from dispatcher.ledger.named_sql import named_sql


def make_roles(connection: psycopg.Connection[Any]) -> str:
    """Make the three roles and give them their rights, all or nothing; of a connection that commits by itself.

    Returns what somebody who may is to run instead; empty where it is done.
    """
    texts = named_sql("dispatcher.ledger.postgres", "roles.sql")
    try:
        with connection.transaction():
            for text in texts.values():
                connection.execute(text)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation):
        return "".join(f"{text};\n" for text in texts.values())
    return ""
