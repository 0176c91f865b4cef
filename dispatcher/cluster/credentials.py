"""Whose campaigns this machine can send: the environment's credentials, and a folder with a file for each account.

A file has lines as an environment has variables, and is closed to other users:

    TWILIO_ACCOUNT_SID=AC…
    TWILIO_API_KEY=SK…
    TWILIO_API_SECRET=…

TWILIO_REGION with TWILIO_EDGE names another host than that of this machine's settings. Credentials go to the host of
the one or the other, whatever the ledger says: whoever can write to it does not get them sent elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import AuthenticationError, DispatcherError
from dispatcher.ledger.identity import canonical_sid, canonical_url
from dispatcher.ledger.records import Account
from dispatcher.remedies import Advice
from dispatcher.secret_names import TWILIO_NAMES
from dispatcher.settings import AccountSettings, Credentials, LoadedSettings, Settings
from dispatcher.settings.credentials import environment_credentials
from dispatcher.settings.kept import check_private, read_kept

#: All that a file has.
_FILE_MAX_BYTES = 10_000
_HOST = ("TWILIO_REGION", "TWILIO_EDGE")
_KNOWN = frozenset((*TWILIO_NAMES, *_HOST))


@dataclass(frozen=True, slots=True)
class Key:
    """The credentials of one account, and the host that gets them."""

    credentials: Credentials
    host: AccountSettings

    @property
    def studio_url(self) -> str:
        """The host's address."""
        return Settings(account=self.host).studio_url

    @property
    def account(self) -> tuple[str, str]:
        """Which account it is, as the ledger has it."""
        return canonical_sid(self.credentials.account_sid), canonical_url(self.studio_url)


class Keys:
    """The accounts that this machine can send for. `read` before anything else, and again to see what has changed."""

    def __init__(self, settings: Settings, own: Credentials | None = None) -> None:
        """`settings`: this machine's; `own`: the environment's credentials, for the settings' host."""
        self._settings = settings
        self._own = [Key(own, settings.account)] if own is not None else []
        folder = settings.cluster.credentials_dir
        self._folder = Path(folder).expanduser().absolute() if folder else None
        self._seen: dict[Path, tuple[int, ...]] = {}
        self._files: dict[Path, Key | None] = {}
        self._keys = {key.account: key for key in self._own}
        #: What could not be used, the last time that it was read.
        self.problems: list[DispatcherError] = []

    @property
    def all(self) -> Sequence[Key]:
        """Each account's, by its SID."""
        return [self._keys[account] for account in sorted(self._keys)]

    def of(self, account: Account) -> Key | None:
        """The account's; None: this machine has none of it."""
        return self._keys.get((account.account_sid, account.base_url))

    def read(self) -> bool:
        """Read the files that are new or changed, and forget those that are gone. Blocking.

        Returns whether anything was; `problems` has then what cannot be used, each told once.
        """
        if self._folder is None:
            return False
        self.problems = []
        try:
            found = {path: seen for path, seen in _files(self._folder) if self._seen.get(path) != seen}
            gone = [path for path in self._files if not path.is_file()]
        except OSError as error:
            if self._seen != {self._folder: (error.errno or 0,)}:
                self._seen, self._files = {self._folder: (error.errno or 0,)}, {}
                self.problems.append(_unreadable(self._folder, error))
                self._join()
                return True
            return False
        self._seen.pop(self._folder, None)
        for path in gone:
            del self._files[path], self._seen[path]
        for path, seen in found.items():
            self._seen[path], self._files[path] = seen, self._read(path)
        if found or gone:
            self._join()
        return bool(found or gone)

    def _read(self, path: Path) -> Key | None:
        try:
            return read_key(path, self._settings)
        except DispatcherError as error:
            self.problems.append(error)
            return None

    def _join(self) -> None:
        """The environment's stand first, then the files' in the order of their names."""
        self._keys = {}
        from_files = [key for _, key in sorted(self._files.items()) if key is not None]
        for key in [*self._own, *from_files]:
            self._keys.setdefault(key.account, key)


def own_credentials(loaded: LoadedSettings) -> Credentials | None:
    """The environment's, or what `login` has kept for the settings' host; None: neither has any.

    Raises: AuthenticationError: they are there by half, or cannot be any.
    """
    found = environment_credentials(os.environ, loaded.profile)
    return found if found is not None else read_kept(loaded.profile, loaded.settings.studio_url)


def read_key(path: Path, settings: Settings) -> Key:
    """An account's file. Raises: AuthenticationError: others may read it, or it is none; never with a value of it."""
    try:
        with path.open("rb") as file:
            check_private(path, os.fstat(file.fileno()))
            text = file.read(_FILE_MAX_BYTES).decode("utf-8")
    except OSError as error:
        raise _unreadable(path, error) from None
    except UnicodeDecodeError:
        raise _no_file_of_ours(path, "it is no text") from None
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not separator or name.strip() not in _KNOWN:
            raise _no_file_of_ours(path, f"line {number} sets none of {', '.join((*TWILIO_NAMES, *_HOST))}")
        values[name.strip()] = _unquoted(value.strip())
    try:
        credentials = environment_credentials(values)
    except AuthenticationError as error:
        raise _no_file_of_ours(path, error.message) from None
    if credentials is None:
        raise _no_file_of_ours(path, "it has no secret")
    credentials = Credentials(
        account_sid=credentials.account_sid,
        username=credentials.username,
        password=credentials.password,
        source=str(path),
    )
    region, edge = (values.get(name) for name in _HOST)
    if not (region or edge):
        return Key(credentials, settings.account)
    try:
        host = AccountSettings.model_validate(settings.account.model_dump() | {"region": region, "edge": edge})
    except ValueError:
        raise _no_file_of_ours(path, f"{' or '.join(_HOST)} is none") from None
    return Key(credentials, host)


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """What lies there, each with what tells that it has changed. Raises: OSError."""
    for path in sorted(folder.iterdir()):
        # An editor's copies and a mounted secret's inner workings begin or end so.
        if path.name.startswith(".") or path.name.endswith("~") or not path.is_file():
            continue
        found = path.stat()
        yield path, (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode, found.st_uid)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _unreadable(path: Path, error: OSError) -> AuthenticationError:
    return AuthenticationError(
        "credentials of this machine's worker cannot be read",
        found=f"{path}: {error.strerror}",
        fix=Advice("let the worker's user read it, and nobody else"),
    )


def _no_file_of_ours(path: Path, why: str) -> AuthenticationError:
    return AuthenticationError(
        "a file of credentials cannot be used",
        found=f"{path}: {why}",
        fix=Advice("let it have lines TWILIO_ACCOUNT_SID=AC…, TWILIO_API_KEY=SK… and TWILIO_API_SECRET=…"),
    )
