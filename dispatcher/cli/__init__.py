"""The command line: one file per group of commands, typer and rich and nothing else of its own.

In: arguments, the terminal, signals. Out: data on stdout, progress and errors on stderr, an exit code. What a command
does is `campaign.py`'s; here is only how it is asked for and shown.

Start-up is part of the product: modules here import typer, rich and light modules of ours at the top; settings, the
campaign and all that they need are imported inside the commands. A test holds that on the import graph.
"""

from __future__ import annotations
