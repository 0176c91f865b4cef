"""A report appears whole or not at all, and only its owner may read it."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from dispatcher.errors import LedgerCorrupt, ReportError
from dispatcher.ledger.records import ReportRow
from dispatcher.remedies import Advice
from dispatcher.reporting.replacement import LEFT_OVER_S
from dispatcher.reporting.report import check_report_path
from tests.unit.reporting.support import HEADER, OLD, batches, read_csv, row, write

FORMATS = ["r.csv", "r.csv.gz", "r.parquet", "r.xlsx"]
as_user = pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")


def _failing() -> Iterator[list[ReportRow]]:
    yield [row(2)]
    raise LedgerCorrupt(found="in the middle")


@pytest.mark.parametrize("name", FORMATS)
def test_a_failure_in_the_middle(tmp_path: Path, name: str) -> None:
    """A failure in the middle leaves the old report and nothing else.

    The ledger may fail while it is read; its error passes through as it is.
    """
    path = tmp_path / name
    path.write_text(OLD)
    with pytest.raises(LedgerCorrupt, match="in the middle"):
        write(path, HEADER, _failing())
    assert path.read_text() == OLD
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 64 KiB: the system refuses the write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_the_old_report_and_says_so(tmp_path: Path, name: str) -> None:
    """Every format's library fails in its own way; the user sees one error with the fix."""
    path = tmp_path / name
    path.write_text(OLD)
    many = batches(*[row(number, (os.urandom(20).hex(), os.urandom(20).hex())) for number in range(2, 3000)], size=500)
    with pytest.raises(ReportError) as caught:
        write(path, HEADER, many)
    assert caught.value.found == os.strerror(errno.EFBIG)
    assert "space" in str(caught.value.fix)
    assert path.read_text() == OLD
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_disk_that_fills_late(tmp_path: Path, small_disk: None) -> None:
    """A disk that fills while a workbook is put together is the error of any full disk.

    Its rows have waited in a file of their own; the archive is written at the end.
    """
    path = tmp_path / "r.xlsx"
    path.write_text(OLD)

    def rows() -> Iterator[list[ReportRow]]:
        yield [row(2)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with pytest.raises(ReportError) as caught:
        write(path, HEADER, rows())
    assert caught.value.found == os.strerror(errno.EFBIG)
    assert path.read_text() == OLD
    assert [file.name for file in tmp_path.iterdir()] == ["r.xlsx"]


def test_a_new_report_is_on_disk_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new report is on disk before it takes the old one's place.

    Otherwise a power cut could leave an empty file under the report's name.
    """
    path = tmp_path / "r.csv"
    path.write_text(OLD)
    synced: list[tuple[bool, str]] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        fsync(handle)
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.read_text()[:5]))

    monkeypatch.setattr(os, "fsync", watched)
    write(path, HEADER, batches(row()))
    assert synced == [(False, "dispa"), (True, "phone")]


def test_a_new_report_may_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    """It holds names and numbers of people."""
    write(tmp_path / "r.csv", HEADER, batches(row()))
    assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o600


def test_an_existing_reports_permissions_stay(tmp_path: Path) -> None:
    """Who shared the file on purpose has it shared after the next run, whatever the umask."""
    path = tmp_path / "r.csv"
    path.touch()
    path.chmod(0o664)
    write(path, HEADER, batches(row()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    """The file it points to is replaced, also where there is none yet."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "r.csv"
    link.symlink_to(tmp_path / "there" / "real.csv")
    write(link, HEADER, batches(row()))
    write(link, HEADER, batches(row(), row(3)))
    assert link.is_symlink()
    assert len(read_csv(tmp_path / "there" / "real.csv")) == 3


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    """The second run: a shorter report leaves nothing of the longer one."""
    write(tmp_path / "r.csv", HEADER, batches(row(), row(3)))
    write(tmp_path / "r.csv", HEADER, batches(row()))
    assert len(read_csv(tmp_path / "r.csv")) == 2


def test_a_reader_sees_a_whole_report(tmp_path: Path) -> None:
    """A reader sees the old report until the new one is whole.

    While the rows are written, the name leads to the old file.
    """
    path = tmp_path / "r.csv"
    path.write_text(OLD)

    def rows() -> Iterable[list[ReportRow]]:
        for number in range(2, 2000):
            assert path.read_text() == OLD
            yield [row(number)]

    write(path, HEADER, rows())
    assert len(read_csv(path)) == 1999


def _refusal(path: Path) -> ReportError:
    with pytest.raises(ReportError) as early:
        check_report_path(path)
    with pytest.raises(ReportError) as late:
        write(path, HEADER, batches(row()))
    assert str(early.value) == str(late.value)
    assert early.value.fix
    return early.value


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A missing folder is named with the command that makes it.

    And it is known before anything is sent.
    """
    assert _refusal(tmp_path / "not here" / "r.csv").fix == Advice(f"mkdir -p '{tmp_path / 'not here'}'")


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """A folder, a pipe."""
    (tmp_path / "r.csv").mkdir()
    assert "is a folder" in str(_refusal(tmp_path / "r.csv"))
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not a regular file" in str(_refusal(tmp_path / "pipe.csv"))


def test_a_path_that_no_system_takes_is_our_error(tmp_path: Path) -> None:
    """A NUL, a loop of links, a name too long."""
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    for path in (Path("a\0.csv"), tmp_path / "loop.csv", tmp_path / ("x" * 300 + ".csv")):
        with pytest.raises(ReportError):
            write(path, HEADER, batches(row()))


@as_user
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    """Said before anything is sent."""
    tmp_path.chmod(0o500)
    try:
        assert _refusal(tmp_path / "r.csv").found == str(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@as_user
def test_a_write_protected_report_is_not_replaced(tmp_path: Path) -> None:
    """Whoever protected it wants to keep it."""
    (tmp_path / "r.csv").touch(mode=0o400)
    assert "write-protected" in str(_refusal(tmp_path / "r.csv"))


def test_what_a_killed_process_left_is_removed_later(tmp_path: Path) -> None:
    """Its half report holds personal data too. Fresh ones may belong to a process that is writing now."""
    program = f"""
import os, signal, sys
from pathlib import Path
sys.path[:0] = {sys.path!r}
from tests.unit.reporting.support import HEADER, row, write
def rows():
    yield [row(2)]
    os.kill(os.getpid(), signal.SIGKILL)
write(Path("r.csv"), HEADER, rows())
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode < 0
    (left,) = tmp_path.iterdir()
    write(tmp_path / "r.csv", HEADER, batches(row()))
    assert left.exists()
    long_ago = time.time() - LEFT_OVER_S - 1
    for file in (*left.iterdir(), left):
        os.utime(file, (long_ago, long_ago))
    write(tmp_path / "r.csv", HEADER, batches(row()))
    assert [file.name for file in tmp_path.iterdir()] == ["r.csv"]


def test_a_name_full_of_wildcards_is_only_a_name(tmp_path: Path) -> None:
    """Nobody else's temporary files are taken for ours."""
    other = tmp_path / ".abc.csv.x.tmp"
    other.mkdir()
    os.utime(other, (0, 0))
    write(tmp_path / "*[a-c]?.csv", HEADER, batches(row()))
    assert other.exists()
