"""The ledger in one SQLite file: WAL, synchronous=EXTRA, one thread with group commit. Only this knows SQLite."""
