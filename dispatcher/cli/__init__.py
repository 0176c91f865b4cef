"""The command line: it asks and it shows. What a command does is `campaign/`'s.

    commands/   one file per command, named as typed: its options, its help, and from what was asked to what is shown
    render/     values become lines, tables, a live view, remedies that can be pasted (rich)

In: arguments, the terminal, signals. Out: data on stdout, progress and errors on stderr, an exit code. A command is a
coroutine that gets a `session.Session`; what several commands do stands beside it: `launching.py`, `rehearsing.py`.

Start-up is part of the product: what `commands/` and this folder's `app` and `options` import at the top is typer, rich
and light modules of ours; settings, the campaign and all that they need are loaded when a command runs. A test holds
that on the import graph.
"""

from __future__ import annotations
