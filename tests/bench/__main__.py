"""Measure, and write docs/performance.md and docs/performance.svg.

    make bench                          all of it, some 20 minutes on two cores
    make bench ARGS="--quick"           smaller numbers, some 3 minutes
    make bench ARGS="--only send rate"  some sections; the others keep their last figures

Every figure is a process of its own; what is compared runs in turn, round after round, and medians count. A goal that
is missed is shown as missed; the exit code is 0 all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.bench import sections
from tests.bench.page import Line, read_page, write_page

RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Run the sections that are asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers")
    parser.add_argument("--only", nargs="+", choices=sections.SECTIONS, help="these sections alone")
    parser.add_argument("--no-page", action="store_true", help="print the table, write nothing")
    options = parser.parse_args()
    kept: dict[str, list[dict[str, str | float | bool | None]]] = {}
    if RESULTS.exists():
        kept = json.loads(RESULTS.read_text(encoding="utf-8"))
    # A clone has the page alone: what is not run again keeps the figures that stand there.
    kept = {name: [line.as_json() for line in lines] for name, lines in read_page().items()} | kept
    for name in options.only or sections.SECTIONS:
        print(f"== {name}", flush=True)
        lines = sections.run(name, quick=options.quick)
        for line in lines:
            print(f"   {line.what:<62} goal {line.goal:<22} {line.measured:<26} {line.verdict}", flush=True)
        kept[name] = [line.as_json() for line in lines]
        if not options.no_page:
            RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if not options.no_page:
        all_lines = {name: [Line.of(item) for item in kept[name]] for name in sections.SECTIONS if name in kept}
        write_page(all_lines, command="make bench" + (" ARGS=--quick" if options.quick else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
