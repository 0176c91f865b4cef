"""A worker that dies says how (tests/guard/crashes.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
from tests.guard import crashes

def pytest_configure(config):
    config.pluginmanager.register(crashes.Crashes(), "crashes")
"""
TESTS = """
import ctypes, os, signal

def test_first():
    pass

def test_last():
    {dies}
"""


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="nobody tells there")
@pytest.mark.parametrize(
    ("dies", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", ["ended by SIGKILL; it had ", "MemAvailable"]),
        ("os._exit(1)", ["it ended itself, with 1 (as what hangs does"]),
        ("os._exit(7)", ["it ended itself, with 7; it had "]),
        ("ctypes.string_at(0)", ["ended by SIGSEGV", "Fatal Python error: Segmentation fault", "in test_last"]),
    ],
)
def test_how_a_worker_died_is_told(tmp_path: Path, root: Path, dies: str, told: list[str]) -> None:
    """By which signal or code, after which tests, and where it was: in the failure itself."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS.format(dies=dies))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider -p no:asyncio\n")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n1", "test_it.py"],
        cwd=tmp_path,
        env=plain | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "it had run before: test_it.py::test_first" in done.stdout
    for text in told:
        assert text in done.stdout
