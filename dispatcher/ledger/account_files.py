"""What an account has beside any ledger: its lock and its last departures, in one folder of the user.

The limit is the account's, whichever ledger, folder or spelling it is sent from. So nothing that differs from one shell
to the next may move these files: not $HOME, not the working folder, no setting.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

from dispatcher.errors import LedgerUnwritable
from dispatcher.hosts import is_loopback
from dispatcher.ledger.identity import canonical_sid, canonical_url
from dispatcher.remedies import Advice

#: Files of a rehearsal's account that were not used for so long are removed: each sandbox has a port of its own.
REHEARSAL_KEPT_S = 7 * 86_400.0
_IN_HOME = Path(".local", "state", "dispatcher", "accounts")


def account_file(account_sid: str, base_url: str, kind: str) -> Path:
    """Where the account's file of a kind lies; the name tells nothing of whose it is. Nothing is made."""
    base_url = canonical_url(base_url)
    name = hashlib.blake2b(f"{canonical_sid(account_sid)} {base_url}".encode(), digest_size=8).hexdigest()
    prefix = "rehearsal" if is_loopback(base_url) else "account"
    return _folder() / f"{prefix}-{name}.{kind}"


def make_folder(path: Path) -> None:
    """Make the folder of an account's file, for this user alone. Raises: LedgerUnwritable."""
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix" and {folder.stat().st_uid, folder.parent.stat().st_uid} != {os.getuid()}:
            raise LedgerUnwritable(
                "the folder that keeps an account's lock is another user's",
                found=str(folder),
                fix=Advice("remove it, or run as its owner"),
            )
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: Path, error: OSError) -> LedgerUnwritable:
    """What to say where the folder, or a file in it, cannot be made."""
    return LedgerUnwritable(
        "the folder that keeps an account's lock cannot be written",
        found=f"{folder}: {error.strerror}",
        fix=Advice(f"let this user write {folder}: no setting moves it, since the limit is the account's"),
    )


def forget_rehearsals(folder: Path) -> None:
    """Remove what rehearsals of long ago have left. A lock is looked at again by whoever takes it (`filelock`)."""
    oldest_s = time.time() - REHEARSAL_KEPT_S
    try:
        found = [path for path in folder.iterdir() if path.name.startswith("rehearsal-")]
    except OSError:
        return
    for path in found:
        try:
            if path.stat().st_mtime < oldest_s:
                path.unlink()
        except OSError:
            continue


def _folder() -> Path:
    if sys.platform == "win32":
        import platformdirs

        return Path(platformdirs.user_state_path("dispatcher", appauthor=False)) / "accounts"
    import pwd

    uid = os.getuid()
    try:
        home = Path(pwd.getpwuid(uid).pw_dir)
        if home.stat().st_uid == uid:
            return home / _IN_HOME
    except (KeyError, OSError):
        pass
    # A service's user often has no home: a folder for it alone, which lives as long as a reboot asks for.
    return Path("/var/tmp", f"dispatcher-{uid}", "accounts")
