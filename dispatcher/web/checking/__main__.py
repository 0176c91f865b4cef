"""The child: reads one job on standard input, says what becomes of it on standard output. See `jobs`.

Nothing of a file's content goes to standard error, whatever goes wrong.
"""

from __future__ import annotations

import os
import sys

from dispatcher.web.checking.bounds import bound, end_with


def main() -> int:
    """Do the job. 0: it was done, or it was said why not."""
    bound()
    line = _line()
    end_with(0)
    # Only now: what is loaded counts, and takes a second.
    from dispatcher.web.checking.child import run

    return run(line)


def _line() -> bytes:
    """Up to the end of the line: what is behind it is the server, which is there."""
    line = bytearray()
    while not line.endswith(b"\n") and (piece := os.read(0, 1 << 16)):
        line += piece
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
