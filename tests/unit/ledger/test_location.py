"""Where the ledger lies: one for each user, whatever the working folder; never one that nobody has named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import SettingsError
from dispatcher.ledger import check_ledger, location, move_ledger, open_ledger, open_rehearsal
from dispatcher.ledger.location import filesystem, has_rehearsals, is_exposed, ledger_folder
from dispatcher.remedies import AnyOf, Command, Setting
from dispatcher.settings import StateSettings

DEFAULT = StateSettings()
MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:30 / /mnt/share rw shared:7 - nfs4 server:/export rw
31 30 0:31 / /mnt/share/local rw - xfs /dev/vdb rw
32 27 0:32 / /mnt/two\\040words rw - cifs //server/x rw
33 27 0:33 / /mnt/ssh rw - fuse.sshfs ann@server:/ rw
34 27 0:34 / /mnt/usb rw - fuseblk /dev/sdb1 rw
35 27 0:35 / /mnt/over rw - ext4 /dev/vdc rw
36 27 0:36 / /mnt/over rw - 9p host rw
"""


def test_one_ledger_whatever_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file run from another folder meets the ledger that knows whom it has reached; absolute, nothing made."""
    here = ledger_folder(DEFAULT)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert ledger_folder(DEFAULT) == here
    assert here.is_absolute()
    assert not here.exists()


def test_a_rehearsal_s_ledger_is_its_own() -> None:
    """Hosts of this machine have a ledger beside the real one, so that neither is mistaken for the other."""
    assert ledger_folder(DEFAULT, loopback=True) == ledger_folder(DEFAULT) / "rehearsals"


async def test_a_rehearsal_s_ledger_is_known_of() -> None:
    """Whoever looks for a rehearsed campaign in the real ledger can be told where it is."""
    assert not has_rehearsals(DEFAULT)
    await (await open_ledger(DEFAULT, loopback=True)).close()
    assert has_rehearsals(DEFAULT)
    assert await check_ledger(DEFAULT) is None
    assert await check_ledger(DEFAULT, loopback=True) is not None


def test_a_service_s_folder_is_systemd_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """StateDirectory= of a unit; the first of several, and nothing that is not absolute."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/dispatcher:/var/lib/other")
    assert ledger_folder(DEFAULT) == Path("/var/lib/dispatcher")
    monkeypatch.setenv("STATE_DIRECTORY", "state")
    assert ledger_folder(DEFAULT) != Path("state").absolute()


def test_a_folder_that_is_named_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings' own folder, relative or in the home, for rehearsals, too; STATE_DIRECTORY stands below it."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/dispatcher")
    monkeypatch.setenv("HOME", "/home/ann")
    assert ledger_folder(StateSettings(dir="state")) == tmp_path / "state"
    assert ledger_folder(StateSettings(dir="state"), loopback=True) == tmp_path / "state"
    assert ledger_folder(StateSettings(dir="~/state")) == Path("/home/ann/state")


async def test_a_former_ledger_is_never_passed_over(tmp_path: Path) -> None:
    """A ledger that an earlier version made in this folder stops everything, with both ways out.

    Passed over, it would let everybody whom it knows be contacted again.
    """
    former = StateSettings(dir=".dispatcher")
    await (await open_ledger(former)).close()
    for opening in (open_ledger(DEFAULT), open_rehearsal(DEFAULT, "spring"), check_ledger(DEFAULT)):
        with pytest.raises(SettingsError) as caught:
            await opening
        assert caught.value.found == str(tmp_path / ".dispatcher" / "ledger.sqlite3")
        assert isinstance(caught.value.fix, AnyOf)
        use, moving = caught.value.fix.remedies
        assert use == Setting("state.dir", ".dispatcher")
        assert isinstance(moving, Command)
        assert moving.arguments == ("move", ".dispatcher")
    await (await open_ledger(former)).close()
    moved = await move_ledger(Path(".dispatcher"), DEFAULT)
    assert moved == ledger_folder(DEFAULT) / "ledger.sqlite3"
    await (await open_ledger(DEFAULT, create=False)).close()


@pytest.mark.parametrize(
    ("folder", "kind", "refused"),
    [
        ("/srv/state", "ext4", False),
        ("/mnt/share/state", "nfs4", True),
        ("/mnt/share/local/state", "xfs", False),
        ("/mnt/two words/state", "cifs", True),
        ("/mnt/two", "ext4", False),
        ("/mnt/ssh", "fuse.sshfs", True),
        ("/mnt/usb/state", "fuseblk", False),
        ("/mnt/over/state", "9p", True),
    ],
)
def test_no_ledger_on_a_network_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, kind: str, refused: bool
) -> None:
    """What Linux says of the mounted file systems decides; locks of two machines do not meet on such a one."""
    (tmp_path / "mounts").write_text(MOUNTS, encoding="utf-8")
    monkeypatch.setattr(location, "MOUNTS", tmp_path / "mounts")
    assert filesystem(Path(folder)) == kind
    if not refused:
        assert ledger_folder(StateSettings(dir=folder)) == Path(folder)
        return
    with pytest.raises(SettingsError, match="network file system"):
        ledger_folder(StateSettings(dir=folder))


def test_a_system_that_does_not_tell_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no list of mounts, nothing is refused."""
    monkeypatch.setattr(location, "MOUNTS", tmp_path / "none")
    assert filesystem(tmp_path) is None
    assert ledger_folder(StateSettings(dir=str(tmp_path))) == tmp_path


def test_a_folder_that_anybody_may_look_into(tmp_path: Path) -> None:
    """Phone numbers are in it."""
    for mode, exposed in ((0o700, False), (0o750, False), (0o755, True), (0o701, True)):
        tmp_path.chmod(mode)
        assert is_exposed(tmp_path) is exposed
    tmp_path.chmod(0o700)
    assert not is_exposed(tmp_path / "none")
