"""Room 1: one file -> contacts -> rows.

In: a path (or `-`) and the settings of its columns, its format and its sender. Out: `RowBatch`es for the ledger, in
which every contact of the file is either planned, with a normalised To, or invalid or skipped with its reason. Nothing
is guessed, nothing is dropped in silence, and cells stay exactly as written.

The promise it owns: no bad row stops the file, and none passes as a good one. Importing this package is cheap; pandas
is loaded when a file is opened.
"""

from __future__ import annotations

from dispatcher.intake.origin import FileOrigin, Told, file_origin
from dispatcher.intake.plan import OpenedInput, open_input
from dispatcher.intake.sources import STDIN

__all__ = ["STDIN", "FileOrigin", "OpenedInput", "Told", "file_origin", "open_input"]
