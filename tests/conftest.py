"""What holds for every test: no settings of this machine, no network but loopback, a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import hypothesis.configuration
import pytest

from dispatcher import clock
from tests.guard import crashes, home, limits, loopback, signals

ROOT = Path(__file__).resolve().parent.parent


def _forget_this_machine() -> None:
    """Remove what would make a test's result depend on the machine: credentials, settings, colours, proxies."""
    prefixes = ("TWILIO_", "DISPATCHER_", "CLICOLOR", "XDG_", "TTY_")
    names = {
        "STATE_DIRECTORY",
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
        "LINES",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    }
    for name in list(os.environ):
        if name.startswith(prefixes) or name.upper() in names:
            del os.environ[name]


# At import: before any module of ours, or a worker of xdist, reads the environment.
_forget_this_machine()
loopback.install()
home.install()
signals.keep_from_children()
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "guard"), str(ROOT)])

hypothesis.configuration.set_hypothesis_home_dir(ROOT / ".hypothesis")  # tests run in folders of their own
# No deadline: a shared machine's pauses are not failures. In the gate each test has its fixed examples: a change is not
# refused for what another one broke. `make chaos` draws new ones, many more, and prints how to repeat a failure.
hypothesis.settings.register_profile("gate", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.register_profile("chaos", deadline=None, print_blob=True, max_examples=2_000)
hypothesis.settings.load_profile("gate")


def pytest_configure(config: pytest.Config) -> None:
    """Draw many new examples where the long form was asked for (`-m chaos`)."""
    if config.option.markexpr == "chaos":
        hypothesis.settings.load_profile("chaos")
    config.pluginmanager.register(crashes.Crashes(), "crashes")


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two workers a core. The slow tests wait for what a real program does in real time, mostly asleep."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone's folder."""
    return ROOT


@pytest.fixture(autouse=True, scope="session")
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes this person's own settings, nor what serves all tests of a session."""
    folder = str(tmp_path_factory.mktemp("home"))
    os.environ["HOME"] = os.environ["USERPROFILE"] = os.environ[home.VARIABLE] = folder


@pytest.fixture(autouse=True)
def _own_folder(_same_clock: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths (`.dispatcher/`, reports) land in the test's own folder.

    What the program keeps for all of a user's folders (locks of accounts) lies beside it. (The clock is looked at once
    `monkeypatch` has put it back.)
    """
    monkeypatch.chdir(tmp_path)
    own_home = tmp_path.with_name(f"{tmp_path.name}-home")
    own_home.mkdir()
    monkeypatch.setenv(home.VARIABLE, str(own_home))


@pytest.fixture(autouse=True)
def _own_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own ledger and credentials, which all folders share, are each test's own: beside its folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path.with_name(f"{tmp_path.name}-data")))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path.with_name(f"{tmp_path.name}-config")))


@pytest.fixture(autouse=True)
def _same_limits() -> Iterator[None]:
    """Fail the test that leaves this process other limits, not the one that dies of them a minute of work later."""
    before = limits.limits()
    yield
    changed = limits.put_back(before)
    assert not changed, f"left this process with other limits: {', '.join(changed)}"


@pytest.fixture(autouse=True)
def _same_clock() -> Iterator[None]:
    """Fail the test that leaves this process a clock that stands still or is wrong, not the one that waits by it."""
    counted, origin_ns = clock._counted_ns, clock._ORIGIN_NS
    yield
    # A ledger on a server sets it by that, which is on this machine.
    is_same = clock._counted_ns is counted and abs(clock._ORIGIN_NS - origin_ns) < 1_000_000_000
    clock._counted_ns = counted
    if not is_same:
        clock._ORIGIN_NS = origin_ns
    assert is_same, "left this process with another clock"


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    """Fail the test that tried to reach another machine, also where the code swallowed the refusal."""
    loopback.attempts.clear()
    yield
    assert not loopback.attempts, f"left this machine: {', '.join(loopback.attempts)}"
