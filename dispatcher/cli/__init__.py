"""The command line: it asks and it shows. What a command does is `campaign/`'s.

    commands/   one file per command, named as typed: its options and its help (typer), and one lazy import
    actions/    one file per command: from what was asked to what is shown, by way of `session.py`
    render/     values become lines, tables, a live view, remedies that can be pasted (rich)

In: arguments, the terminal, signals. Out: data on stdout, progress and errors on stderr, an exit code.

Start-up is part of the product: what `commands/` and this folder's `app` and `options` import at the top is typer, rich
and light modules of ours; settings, the campaign and all that they need come with the action. A test holds that on the
import graph.
"""

from __future__ import annotations
