"""A reader's child that says something, as often as it is told to, and then works for ever."""

from __future__ import annotations

import sys

from dispatcher.intake import child


def main() -> None:
    """The child: `SILENT_MAX_S`."""
    child.SILENT_MAX_S = int(sys.argv[1])
    child.bound()
    while True:
        pass


if __name__ == "__main__":
    main()
