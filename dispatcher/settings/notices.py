"""What is not wrong and should be known before anything is sent: where the secrets go, and who may read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from dispatcher.hosts import is_twilio
from dispatcher.remedies import Advice, Remedy
from dispatcher.secret_names import NOTIFY_SECRET, is_secret_name
from dispatcher.settings.config_file import DEFAULT_CONFIG
from dispatcher.settings.loading import LoadedSettings
from dispatcher.settings.schema import Settings
from dispatcher.settings.variables import unused


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to be told, and what can be done about it."""

    #: What it is about, in one word.
    about: str
    text: str
    fix: Remedy | None = None


def settings_notices(environ: Mapping[str, str] | None = None) -> list[Notice]:
    """Of the variables: those that begin as this program's do and set nothing."""
    names = unused(os.environ if environ is None else environ)
    if not names:
        return []
    fix = Advice("remove it, or correct its name" if len(names) == 1 else "remove them, or correct their names")
    return [Notice(about="environment", text=f"no setting of this program: {', '.join(names)}", fix=fix)]


def credentials_notices(loaded: LoadedSettings, environ: Mapping[str, str] | None = None) -> list[Notice]:
    """Of the secrets: to whom a file that lies in the folder sends them, and which files of them anybody may read."""
    environ = os.environ if environ is None else environ
    return [*_sent_elsewhere(loaded), *_readable_secrets(environ)]


def notify_notices(settings: Settings, environ: Mapping[str, str] | None = None) -> list[Notice]:
    """Of the webhook: without a signature nobody can tell its notices from anybody's."""
    environ = os.environ if environ is None else environ
    if not settings.notify.webhook or environ.get(NOTIFY_SECRET) or environ.get(f"{NOTIFY_SECRET}_FILE"):
        return []
    fix = Advice(f"export {NOTIFY_SECRET}=whsec_…")
    return [Notice(about="notices", text="notices go to the webhook unsigned", fix=fix)]


def others_may_read(path: Path) -> bool:
    """Whether any user of the machine may read a file, or look into a folder; False where it cannot be told."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _sent_elsewhere(loaded: LoadedSettings) -> list[Notice]:
    """Whoever puts a config.toml into a folder is sent the credentials of whoever works there."""
    path, url = loaded.config_path, loaded.settings.studio_url
    if path is None or not loaded.is_from_file("account.base_url") or is_twilio(url):
        return []
    if path.absolute() != Path(DEFAULT_CONFIG).absolute():
        return []
    to = f"{DEFAULT_CONFIG} in this folder sends the credentials to {urlsplit(url).netloc}"
    if loaded.settings.is_loopback:
        return [Notice(about="host", text=f"{to}, this machine: a rehearsal")]
    text = f"{to}, which is not Twilio's"
    fix = Advice(f"if that is not wanted: remove base_url from {path.absolute()}, and change the credentials")
    return [Notice(about="host", text=text, fix=fix)]


def _readable_secrets(environ: Mapping[str, str]) -> list[Notice]:
    found = []
    for name, file in sorted(environ.items()):
        if file and name.endswith("_FILE") and is_secret_name(name) and others_may_read(Path(file)):
            text = f"any user of this machine may read {file} ({name})"
            found.append(Notice(about="secrets", text=text, fix=Advice(f"chmod 600 {quote(file)}")))
    return found
