"""A reader's child that works for ever and has nothing to say."""

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
