"""A reader's child that works for ever and has nothing to say."""

from __future__ import annotations

import sys
from pathlib import Path

from dispatcher.intake import child


def main() -> None:
    """The child: `SILENT_MAX_S`."""
    child.SILENT_MAX_S = int(sys.argv[1])
    child.bound(Path(__file__))
    while True:
        pass


if __name__ == "__main__":
    main()
