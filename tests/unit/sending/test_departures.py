"""What left in the last window is known to the next run, whatever became of this one, and whatever clock was set."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import clock
from dispatcher.errors import LedgerUnwritable
from dispatcher.sending.departures import KEPT_S, SLOTS, History, open_departures

#: So much later than it left a departure may be dated, since few entries are kept.
STEP_S = 2 * KEPT_S / SLOTS + 0.002


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts" / "account-1.departures"


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The start of the machine that the system tells of."""
    told = ["first"]
    monkeypatch.setattr(clock, "boot_id", lambda: told[0])
    monkeypatch.setattr("dispatcher.sending.departures.boot_id", lambda: told[0])
    return told


class Machine:
    """What the machine has counted since its start."""

    now_s = 1000.0


@pytest.fixture(autouse=True)
def _machine(_machine_clock: None) -> Iterator[None]:
    """In the virtual clock's place until it is put back itself; `monkeypatch` would put it back after that."""
    Machine.now_s = 1000.0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "_counted_ns", lambda: int(Machine.now_s * 1e9))
        yield


def advance(seconds: float) -> None:
    """So much time passes."""
    Machine.now_s += seconds


def sends(path: Path, *ages_s: float, window_s: float = 10.0) -> None:
    """A run that sends so long before its end."""
    with open_departures(path, window_s=window_s) as departures:
        for before_s, age_s in zip((max(ages_s), *ages_s), ages_s, strict=False):
            advance(before_s - age_s)
            departures.add()
            departures.answered(0.0)
        advance(ages_s[-1])


def history(path: Path, window_s: float = 10.0) -> History:
    """What the next run finds."""
    with open_departures(path, window_s=window_s) as departures:
        return departures.history


class TestWhatIsFound:
    def test_nothing(self, path: Path) -> None:
        """An account's first run."""
        assert history(path) == History()
        assert history(path) == History(found=True)

    def test_a_run_before(self, path: Path) -> None:
        """Its departures, oldest first, never dated too early."""
        sends(path, 12.0, 8.0, 8.0, 3.0, 0.5)
        ages_s = history(path).ages_s
        assert ages_s == pytest.approx((8.0, 8.0, 3.0, 0.5), abs=STEP_S)
        # Read again, by a run that sent nothing.
        assert history(path).ages_s == ages_s

    def test_a_killed_run(self, path: Path) -> None:
        """Nothing was closed or written to the end: what had left is there."""
        opened = open_departures(path, window_s=10.0)
        departures = opened.__enter__()
        for _ in range(5):
            departures.add()
        assert len(history(path).ages_s) == 5
        opened.__exit__(None, None, None)

    def test_a_real_kill(self, path: Path) -> None:
        """A process that kills itself between two departures."""
        program = f"""
import os, pathlib, signal
from dispatcher.sending.departures import open_departures
with open_departures(pathlib.Path({str(path)!r}), window_s=10.0) as departures:
    for _ in range(1234):
        departures.add()
    os.kill(os.getpid(), signal.SIGKILL)
"""
        done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=False)
        assert done.returncode == -signal.SIGKILL
        # Written by the machine's real clock.
        assert len(history(path, 1e6).ages_s) == 1234

    @pytest.mark.parametrize(
        ("after_s", "ages_s"),
        [(0.5, (1.5, 1.5, 0.0, 0.0)), (8.5, (9.5, 9.5, 0.0, 0.0)), (15.0, (6.0, 5.0)), (25.0, ())],
    )
    def test_what_was_on_its_way(self, path: Path, after_s: float, ages_s: tuple[float, ...]) -> None:
        """What had no answer may have arrived after its process was killed: it counts from then, but not for ever."""
        opened = open_departures(path, window_s=10.0)
        departures = opened.__enter__()
        for _ in range(3):
            departures.add()
        for _ in range(2):
            departures.answered(0.0)
        advance(1.0)
        departures.add()
        advance(after_s)
        assert history(path).ages_s == pytest.approx(ages_s, abs=STEP_S)
        # And for the run behind the next one, too.
        assert history(path).ages_s == pytest.approx(ages_s, abs=STEP_S)
        opened.__exit__(None, None, None)

    def test_how_long_answers_took(self, path: Path) -> None:
        """The longest, and only as long as anything of that run is in the window."""
        with open_departures(path, window_s=10.0) as departures:
            departures.add()
            for spread_s in (0.2, 1.5, 0.1):
                departures.answered(spread_s)
        assert history(path).spread_s == pytest.approx(1.5, abs=0.002)
        advance(11.0)
        found = history(path)
        assert found.spread_s == pytest.approx(1.5, abs=0.002)
        assert len(found.ages_s) == 1
        advance(1.0)
        assert history(path) == History(found=True)

    def test_many_runs(self, path: Path) -> None:
        """Runs of one request each, far more than there are entries: none is lost, and the file does not grow."""
        size = 0
        for _ in range(50):
            with open_departures(path, window_s=10.0) as departures:
                for _ in range(100):
                    departures.add()
                    departures.answered(0.0)
                    advance(0.001)
            size = path.stat().st_size
        assert len(history(path).ages_s) == 5_000
        assert path.stat().st_size == size < 40_000
        assert [one.name for one in path.parent.iterdir()] == [path.name]

    @given(
        pauses_s=st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.02, 0.5, 4.0, 70.0]), max_size=120),
        restart_every=st.integers(1, 40),
    )
    def test_never_too_few(self, pauses_s: list[float], restart_every: int) -> None:
        """However often it is opened anew, each departure of the window is there, and hardly any of before."""
        Machine.now_s += 1000.0
        path = Path("any", f"{Machine.now_s}", "account.departures")
        left_s: list[float] = []
        opened = open_departures(path, window_s=10.0)
        departures = opened.__enter__()
        for number, pause_s in enumerate(pauses_s):
            advance(pause_s)
            departures.add()
            departures.answered(0.0)
            left_s.append(Machine.now_s)
            if number % restart_every == 0:
                opened.__exit__(None, None, None)
                opened = open_departures(path, window_s=10.0)
                departures = opened.__enter__()
        opened.__exit__(None, None, None)
        now_s, found = Machine.now_s, history(path)
        true = [now_s - at_s for at_s in left_s if now_s - at_s < 10.0 - 0.001]
        assert len(found.ages_s) >= len(true)
        late_s = 0.03 * (1 + len(pauses_s) // restart_every)
        assert len(found.ages_s) <= sum(now_s - at_s <= 10.0 + late_s for at_s in left_s)
        assert all(ours <= age for ours, age in zip(reversed(found.ages_s), reversed(true), strict=False))


class TestAnotherStart:
    """What was counted since another start, or by another machine that shares the folder, says nothing."""

    def test_a_window_is_waited(self, path: Path, boot: list[str]) -> None:
        """Once, and not where nothing was sent."""
        assert history(path) == History()
        boot[0] = "second"
        assert history(path) == History(found=True)
        sends(path, 3.0)
        boot[0] = "third"
        assert history(path) == History(found=True, undated_for_s=10.0)
        advance(4.0)
        assert history(path) == History(found=True, undated_for_s=6.0)
        advance(7.0)
        assert history(path) == History(found=True)

    def test_a_longer_window(self, path: Path, boot: list[str]) -> None:
        """It holds over the start: as long as anything that left under it may be in it."""
        sends(path, 3.0, window_s=10.0)
        assert history(path, 1.0).longer_window_s == 10.0
        boot[0] = "second"
        found = history(path, 1.0)
        assert (found.longer_window_s, found.longer_for_s, found.undated_for_s) == (10.0, 10.0, 10.0)

    def test_that_cannot_be_told(self, path: Path, boot: list[str]) -> None:
        """Where the system does not say which start it is."""
        boot[0] = ""
        sends(path, 8.0, 3.0)
        assert history(path).undated_for_s == 10.0

    def test_by_its_own_word(self) -> None:
        """Linux tells one start from another."""
        if sys.platform == "linux":
            assert len(clock.boot_id()) == 36
        assert clock.boot_id() == clock.boot_id()


class TestOtherWindows:
    def test_a_longer_one_before(self, path: Path) -> None:
        """It holds until what left under it is out of it, over any number of runs with shorter ones."""
        sends(path, 4.0, window_s=10.0)
        for window_s in (1.0, 2.0):
            found = history(path, window_s)
            assert found.longer_window_s == 10.0
            assert found.longer_for_s == pytest.approx(6.0, abs=STEP_S)
            assert found.ages_s == pytest.approx((4.0,), abs=STEP_S)
        advance(6.1)
        found = history(path, 1.0)
        assert (found.longer_window_s, found.longer_for_s, found.ages_s) == (0.0, 0.0, ())

    def test_a_shorter_one_before(self, path: Path) -> None:
        """What left is kept for a minute, so that a longer window finds it."""
        sends(path, 50.0, 20.0, 3.0, window_s=1.0)
        found = history(path, 30.0)
        assert found.ages_s == pytest.approx((20.0, 3.0), abs=STEP_S)
        assert (found.longer_window_s, found.undated_for_s) == (0.0, 0.0)

    def test_kept_no_more(self, path: Path) -> None:
        """A run between them has dropped it: when the last of it left is known, and a longer window waits for it."""
        sends(path, 70.0, 65.0, window_s=1.0)
        assert history(path, 10.0) == History(found=True)
        advance(5.0)
        found = history(path, 300.0)
        assert found.ages_s == ()
        assert found.undated_for_s == pytest.approx(230.0, abs=STEP_S)

    def test_more_than_is_kept(self, path: Path) -> None:
        """Of what had to make room it is known when the last of it left: until then plus a window nothing may."""
        with open_departures(path, window_s=1.0) as departures:
            for _ in range(SLOTS + 10):
                departures.add()
                advance(0.05)
        dropped_s = (SLOTS - 1) * 0.05
        found = history(path, 300.0)
        assert found.undated_for_s == pytest.approx(300.0 - dropped_s, abs=1.0)
        assert len(found.ages_s) >= SLOTS


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b"dspdep01", b"x" * 33_000])
    def test_a_file_that_cannot_be_read(self, path: Path, content: bytes) -> None:
        """A whole window: everything may have left just now. The next run reads again."""
        sends(path, 1.0)
        path.write_bytes(content)
        assert history(path) == History(found=True, undated_for_s=10.0)
        advance(3.0)
        assert history(path).undated_for_s == pytest.approx(7.0, abs=0.01)

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        """Said, with the folder."""
        (tmp_path / "accounts").touch()
        with pytest.raises(LedgerUnwritable, match="cannot be written"):
            history(tmp_path / "accounts" / "account-1.departures")

    def test_nobody_else_reads_it(self, path: Path) -> None:
        """The folder and the file are this user's alone."""
        sends(path, 1.0)
        assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
