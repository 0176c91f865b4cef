"""samples/send_campaign.py runs as it is: the README says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_sample_runs_as_it_is(root: Path, tmp_path: Path) -> None:
    """The sample runs from any folder, without settings or credentials, and leaves nothing behind.

    Every valid row is created. Five rows of the sample repeat a number and ten are wrong on purpose:
    3, some rows refused.
    """
    command = [sys.executable, str(root / "samples" / "send_campaign.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    assert lines[-2:] == [
        "300 rows in the report, {'created': 285, 'invalid': 10, 'skipped': 5}",
        "the sandbox created 285 executions",
    ]
    assert {"Planned", "RunStarted", "RunStopped", "ReportWritten"} <= set(lines)
    assert list(tmp_path.iterdir()) == []
