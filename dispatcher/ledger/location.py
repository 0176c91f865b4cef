"""Where the ledger lies: one for each user of a machine, unless the settings name a folder.

A ledger for each working folder would forget everybody as soon as the file lies in another one.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.errors import SettingsError
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.remedies import AnyOf, Command, Setting

if TYPE_CHECKING:
    from dispatcher.settings.schema import StateSettings

#: Where earlier versions kept a ledger, in each working folder.
FORMER_FOLDER = ".dispatcher"
#: Beside the user's ledger: those of hosts of this machine. A rehearsal is not to be mistaken for the real campaign.
REHEARSALS = "rehearsals"
#: What is left in a folder whose ledger was copied to a server: the server's URL, which has no password in it.
NOTE_NAME = "ledger-copied-to"
#: What Linux knows of mounted file systems (proc_pid_mountinfo(5)).
MOUNTS = Path("/proc/self/mountinfo")
#: File systems of other machines. Locks and shared memory do not reach from one to another there, and SQLite's log
#: needs both (sqlite.org/wal.html: "WAL does not work over a network filesystem").
_NETWORK = frozenset(
    """
    9p acfs afs beegfs ceph cifs coda davfs drvfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs pvfs2 smb2
    smb3 smbfs vboxsf vmhgfs
    """.split()  # noqa: SIM905 - a list of words, one a line, would be a page
)
_NETWORK_FUSE = frozenset(
    """
    blobfuse blobfuse2 ceph-fuse curlftpfs davfs2 gcsfuse glusterfs goofys juicefs rclone s3fs s3ql smbnetfs sshfs
    vmhgfs-fuse
    """.split()  # noqa: SIM905
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def ledger_folder(state: StateSettings, *, loopback: bool = False, passed_over: Path | None = None) -> Path:
    """The ledger's folder, absolute; nothing is made. `loopback`: the host to call is this machine, a rehearsal.

    A folder that the settings name is taken as it is, for rehearsals, too. `passed_over`: its ledger is known of.
    Where a server keeps the ledger, it is the folder of what the page keeps.
    Raises: SettingsError: the working folder has a ledger that nobody has named; it would lie on another machine; it
    was copied to a server, which is not named.
    """
    if state.dir:
        folder = Path(state.dir).expanduser().absolute()
    else:
        former = Path(FORMER_FOLDER).absolute()
        if not state.url and (passed_over is None or passed_over.absolute() != former):
            _check_no_ledger(former)
        folder = _default_folder() / REHEARSALS if loopback else _default_folder()
    _check_local(folder)
    if not state.url:
        check_not_copied(folder)
    return folder


def has_rehearsals(state: StateSettings) -> bool:
    """Whether rehearsals have a ledger of their own beside the user's, and there is something in it."""
    return not state.dir and not state.url and (_default_folder() / REHEARSALS / FILE_NAME).exists()


def is_exposed(folder: Path) -> bool:
    """Whether any user of the machine may look into the ledger's folder; False where it cannot be told."""
    try:
        return os.name == "posix" and bool(folder.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH))
    except OSError:
        return False


def _default_folder() -> Path:
    # systemd makes it for a service, which may have no home (systemd.exec(5), StateDirectory=).
    given = Path(os.environ.get("STATE_DIRECTORY", "").partition(":")[0])
    if given.is_absolute():
        return given
    import platformdirs

    return platformdirs.user_data_path("dispatcher", appauthor=False).absolute()


def _check_no_ledger(former: Path) -> None:
    """Not used and not passed over: whoever was contacted by it would be contacted again."""
    if not (former / FILE_NAME).exists():
        return
    use_it = Setting("state.dir", FORMER_FOLDER)
    move_it = Command("ledger", ("move", FORMER_FOLDER), does="makes it your ledger for all folders")
    raise SettingsError(
        "this folder has a ledger of its own, and the settings do not say whether to use it",
        found=str(former / FILE_NAME),
        fix=AnyOf(use_it, move_it),
    )


def check_not_copied(folder: Path) -> None:
    """Raises: SettingsError: another ledger knows more by now, and an empty one here would know nobody."""
    note = folder / NOTE_NAME
    try:
        url = note.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError):
        url = "postgresql://…"
    raise SettingsError(
        "the ledger of this folder was copied to a server, and only that knows who was contacted since",
        found=str(note),
        fix=Setting("state.url", url),
    )


def _check_local(folder: Path) -> None:
    kind = filesystem(folder)
    if kind is None or not _is_network(kind):
        return
    raise SettingsError(
        "the ledger cannot lie on a network file system: locks do not hold there, and two machines would write at once",
        found=f"{folder} is on {kind}",
        fix=Setting("state.dir", "/a/local/folder"),
    )


def _is_network(kind: str) -> bool:
    name, _, sub = kind.partition(".")
    return sub in _NETWORK_FUSE if name in ("fuse", "fuseblk") else name in _NETWORK


def filesystem(folder: Path) -> str | None:
    """What kind of file system a folder is on, or would be; None where the system does not tell."""
    try:
        # Names of mounted folders need not be UTF-8.
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        place = folder.resolve()
    except (OSError, RuntimeError):
        return None
    found, depth = None, -1
    for line in lines:
        # 36 35 98:0 /root /mount/point options optional… - type source options
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mounted = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        # What is mounted later hides what was there.
        if len(mounted.parts) >= depth and (mounted == place or mounted in place.parents):
            found, depth = after.split(" ")[0], len(mounted.parts)
    return found
