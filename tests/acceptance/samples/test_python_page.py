"""The example of docs/python.md runs as it is: the page says so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_the_example_of_the_python_page_runs(root: Path, tmp_path: Path) -> None:
    """It plans rows of its own, sends two, tells which is to be corrected, and ends as the page says."""
    text = (root / "docs" / "python.md").read_text("utf-8")
    example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "example.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "It ends with 3" in text
    lines = done.stdout.splitlines()
    assert lines[0] == "{'planned': 2, 'invalid': 1} {'to_invalid': 1}"
    sent = [line.split() for line in lines if " created " in line]
    assert [words[:2] for words in sent] == [["2", "created"], ["3", "created"]]
    assert all(re.fullmatch(r"FN[0-9a-f]{32}", words[-1]) for words in sent)
    assert lines[-1] == "to be corrected: row 4"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["example.py"]
