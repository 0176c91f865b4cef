"""The ledger on a PostgreSQL server, for many machines: loaded with `[state] url` alone.

Only this knows psycopg. One connection with one thread, as SQLite's; an account's row is its lock, its lease and its
fence, by the server's clock.
"""
