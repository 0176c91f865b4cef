"""Credentials that stay: an API key in a file of the user's, readable by nobody else, one file for each account.

A file is for one profile (or for none) and one host. What is kept goes to the host alone for which it was checked: a
config.toml that names another one does not get it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
import tomllib
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from dispatcher.durable import sync_folder
from dispatcher.errors import AuthenticationError
from dispatcher.hosts import canonical_url
from dispatcher.remedies import Advice, AnyOf, Command
from dispatcher.settings.credentials import Credentials, check_credentials
from dispatcher.settings.repairs import UNREADABLE

#: All that a file has: a key and its secret are some 200 bytes.
_FILE_MAX_BYTES = 10_000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SUFFIX = ".toml"


def kept_folder() -> Path:
    """Where the files lie; nothing is made."""
    import platformdirs

    return platformdirs.user_config_path("dispatcher", appauthor=False).absolute() / "credentials"


def kept_path(profile: str | None, studio_url: str) -> Path:
    """Where the credentials of a profile (None: without one) for a host are, or would be."""
    parts = urlsplit(canonical_url(studio_url))
    host = re.sub(r"[^a-z0-9.-]+", "_", parts.netloc.lower()).strip("_")
    name = host if parts.scheme == "https" else f"{parts.scheme}_{host}"
    return kept_folder() / f"{_owner(profile)}{name}{_SUFFIX}"


def read_kept(profile: str | None, studio_url: str) -> Credentials | None:
    """The credentials that are kept; None: there are none.

    Raises: AuthenticationError: others may read the file, it is another user's, or it is none of this program's.
    """
    path = kept_path(profile, studio_url)
    try:
        with path.open("rb") as file:
            check_private(path, os.fstat(file.fileno()))
            values = tomllib.loads(file.read(_FILE_MAX_BYTES).decode("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AuthenticationError(
            "the credentials that are kept cannot be read",
            found=f"{path}: {error.strerror}",
            fix=AnyOf(Advice(f"chmod 600 {quote(str(path))}"), Command("login")),
        ) from None
    except UNREADABLE:
        raise _not_ours(path) from None
    if values.get("host") != canonical_url(studio_url) or values.get("profile", "") != (profile or ""):
        raise _not_ours(path)
    found = [values.get(name) for name in ("account_sid", "api_key", "api_secret")]
    if not all(isinstance(value, str) for value in found):
        raise _not_ours(path)
    account_sid, key, secret = map(str, found)
    try:
        return check_credentials(account_sid, key, secret, source=str(path))
    except AuthenticationError:
        raise _not_ours(path) from None


def keep(credentials: Credentials, profile: str | None, studio_url: str) -> Path:
    """Keep an API key; whole or not at all, in the place of what was kept there. Returns where.

    Raises: AuthenticationError: it cannot be written, or others could read it there.
    """
    path = kept_path(profile, studio_url)
    lines = [
        "# An API key of Twilio's. The command login has put it here, and takes it away again.",
        f"host = {_quoted(canonical_url(studio_url))}",
        f"profile = {_quoted(profile or '')}",
        f"account_sid = {_quoted(credentials.account_sid)}",
        f"api_key = {_quoted(credentials.username)}",
        f"api_secret = {_quoted(credentials.password)}",
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise AuthenticationError(
            "the credentials cannot be kept",
            found=f"{path}: {error.strerror}",
            fix=Advice(f"let this user alone write {path.parent}, or set them in the environment"),
        ) from None
    return path


def forget(profile: str | None) -> list[Path]:
    """Take away what is kept for a profile (None: without one), for every host. Returns what was there.

    Raises: AuthenticationError: it cannot be removed.
    """
    folder, owner = kept_folder(), _owner(profile)
    gone: list[Path] = []
    try:
        names = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in names:
            name = path.name
            if name.endswith(_SUFFIX) and (name.startswith(owner) if owner else "@" not in name):
                path.unlink()
                gone.append(path)
    except OSError as error:
        raise AuthenticationError(
            "the credentials that are kept cannot be removed",
            found=f"{error.filename}: {error.strerror}",
            fix=Advice(f"remove the file, and revoke the key in the Twilio Console: {error.filename}"),
        ) from None
    return gone


def _owner(profile: str | None) -> str:
    return "" if profile is None else f"{profile}@"


def _write(path: Path, text: str) -> None:
    number, name = tempfile.mkstemp(prefix=".", dir=path.parent)  # 0600, as mkstemp(3) makes it
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            # Before the secret is in it: some file systems keep no permissions.
            check_private(path, os.fstat(file.fileno()))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


def check_private(path: Path, found: os.stat_result) -> None:
    """Raises: AuthenticationError. Windows has no such bits: a user's own folder is closed to others there."""
    if os.name != "posix":
        return
    if found.st_mode & _OTHERS:
        raise AuthenticationError(
            "others may read the file of the credentials",
            found=f"{path}, mode {stat.S_IMODE(found.st_mode):04o}",
            fix=Advice(f"chmod 600 {quote(str(path))}; if others have read it, revoke the key in the Twilio Console"),
        )
    if found.st_uid not in (os.geteuid(), 0):
        raise AuthenticationError(
            "the file of the credentials is another user's", found=str(path), fix=Advice("run as its owner")
        )


def _not_ours(path: Path) -> AuthenticationError:
    return AuthenticationError(
        "the file of the credentials is not as this program writes it", found=str(path), fix=Command("login")
    )


def _quoted(text: str) -> str:
    from dispatcher.settings.example import toml

    return toml(text)
