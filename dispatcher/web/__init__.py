"""The page: `dispatcher serve`, for people who have the spreadsheet and no terminal.

In: a browser's requests. Out: pages, and what is wanted of a campaign, which is the ledger's. Nothing of a campaign's
logic lives here: what the terminal does, too, is the campaign room's. Owns the promises that nobody acts who may not
(access.py), that every change has its line in the history, in the same transaction (store/), that of two people at once
one acts and the other is told, and that a file nobody trusts is read by a child that can be killed (checking/).

`store/` is web.sqlite3 beside the ledger: people, sessions, uploads, drafts, history. `running/` owns the runs.
"""
