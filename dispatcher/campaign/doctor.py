"""Whether this machine, these settings and this account are fit to send: one check after the other."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from dispatcher.campaign.flow_names import find_flow
from dispatcher.campaign.notices import ledger_notices
from dispatcher.errors import DispatcherError, ExitCode, SettingsError
from dispatcher.ledger import check_ledger, is_leased, ledger_folder
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy, Setting
from dispatcher.reporting.ledger_place import age_text
from dispatcher.settings import (
    DEFAULT_BASE_URL,
    Credentials,
    LoadedSettings,
    Settings,
    is_flow_sid,
    load,
    load_credentials,
)
from dispatcher.settings.credentials import ENVIRONMENT, shortened_sid
from dispatcher.settings.example import setting_values, toml
from dispatcher.settings.kept import kept_path
from dispatcher.settings.notices import credentials_notices, notify_notices, settings_notices
from dispatcher.settings.profiles import variable_of
from dispatcher.studio.proxies import proxy_of
from dispatcher.version import __version__

if TYPE_CHECKING:
    from dispatcher.studio.client import Studio

SKEW_WARN_S = 5.0
DISK_WARN_BYTES = 1 << 30
DISK_FAIL_BYTES = 50 << 20
PACKAGES = ("aiohttp", "pandas", "pyarrow", "pydantic", "phonenumbers", "tzdata", "holidays", "typer", "rich")

Result: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked at, what was found, and what to do about it."""

    name: str
    result: Result
    found: str
    #: None where all is well.
    fix: Remedy | None = None
    #: What the program ends with where this is the first that failed.
    exit_code: ExitCode = ExitCode.USAGE

    def as_json(self, words: Callable[[Remedy], str]) -> dict[str, Any]:
        """For `json`. `words`: how the front end says a remedy."""
        fix = words(self.fix) if self.fix else None
        return {"name": self.name, "result": self.result, "found": self.found, "fix": fix}


async def checks(config: Path | None, flags: Mapping[str, Any], profile: str | None = None) -> AsyncIterator[Check]:
    """Look at everything, each check as it is done. Nothing is sent, nothing is changed, and nothing raised."""
    yield _program()
    loaded: LoadedSettings | None = None
    try:
        loaded = load(config, profile=profile, flags=flags)
    except DispatcherError as error:
        yield _failed("settings", error)
    if loaded is not None:
        for check in _settings(loaded):
            yield check
    if loaded is None:
        if profile is None:
            yield _credentials(None, DEFAULT_BASE_URL)[1]
        return
    credentials, check = _credentials(loaded.profile, loaded.settings.studio_url)
    yield check
    settings = loaded.settings
    # Said before Studio is asked: it may say that it is not Studio.
    notices = (*settings_notices(), *credentials_notices(loaded), *notify_notices(settings), *ledger_notices(settings))
    for notice in notices:
        yield Check(name=notice.about, result="warn" if notice.fix else "ok", found=notice.text, fix=notice.fix)
    yield _proxy(settings)
    if credentials is not None:
        async for check in _studio(settings, credentials):
            yield check
    async for check in _state(settings, credentials):
        yield check
    rate = settings.rate
    found = f"{rate.per_second:g} a second over {rate.window_s:g} s, so {settings.window_limit:,} in a window"
    yield Check(name="rate", result="ok", found=f"{found}; pace {rate.pace}, {rate.in_flight} in flight at most")


def _failed(name: str, error: DispatcherError) -> Check:
    return Check(name=name, result="fail", found=str(error), fix=error.fix, exit_code=error.exit_code)


def _program() -> Check:
    missing, found = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    text = f"dispatcher {__version__}, Python {platform.python_version()}, {', '.join(found)}"
    if missing:
        text += f"; missing: {', '.join(missing)}"
        return Check(name="program", result="fail", found=text, fix=Advice("make demo sets all up"))
    return Check(name="program", result="ok", found=text)


def _proxy(settings: Settings) -> Check:
    """Through what requests leave; of a proxy's address only the host and the port, as the rest may be a password."""
    try:
        proxy = proxy_of(settings.studio_url)
    except DispatcherError as error:
        return _failed("proxy", error)
    if proxy is None:
        return Check(name="proxy", result="ok", found="none")
    parts = urlsplit(proxy)
    return Check(name="proxy", result="ok", found=f"{parts.scheme}://{parts.hostname}:{parts.port or ''}".rstrip(":"))


def _settings(loaded: LoadedSettings) -> Iterator[Check]:
    changed = [item for item in setting_values(loaded) if item.source != "default"]
    where = str(loaded.config_path) if loaded.config_path else "no config.toml"
    where += f", profile {loaded.profile}" if loaded.profile else ""
    values = "; ".join(f"{item.name} = {toml(item.value)} ({item.source})" for item in changed)
    yield Check(name="settings", result="ok", found=f"{where}; {values or 'all defaults'}")
    settings = loaded.settings
    wanted = {
        "campaign.flow": settings.campaign.flow,
        "campaign.from": settings.campaign.from_ or settings.campaign.from_column,
        "columns.to": settings.columns.to,
    }
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        names = ["[{}] {}".format(*name.split(".")) for name in missing]
        yield Check(
            name="campaign",
            result="warn",
            found=f"not set: {', '.join(names)}",
            fix=Advice(f"set them in {loaded.config_path}")
            if loaded.config_path
            else InTurn(Command("config init"), Advice("set them in the file that it writes")),
        )


def _credentials(profile: str | None, studio_url: str) -> tuple[Credentials | None, Check]:
    """Which are used, and from where."""
    try:
        credentials = load_credentials(profile=profile, studio_url=studio_url)
    except DispatcherError as error:
        return None, _failed("credentials", error)
    kind = "API key" if credentials.username.startswith("SK") else "auth token"
    account, key = shortened_sid(credentials.account_sid), shortened_sid(credentials.username)
    if credentials.source == ENVIRONMENT:
        source = "from the environment"
        # Whoever has kept another key would look for it in vain.
        if (kept := kept_path(profile, studio_url)).exists():
            source += f", which stands above {kept}"
    else:
        source = f"kept in {credentials.source}"
    if kind == "auth token":
        name = variable_of("TWILIO_API_KEY", profile)
        return credentials, Check(
            name="credentials",
            result="warn",
            found=f"{account} with its auth token, which opens the whole account, {source}",
            fix=Advice(f"make an API key for this program: {name} and {variable_of('TWILIO_API_SECRET', profile)}"),
        )
    return credentials, Check(name="credentials", result="ok", found=f"{account} with {kind} {key}, {source}")


async def _studio(settings: Settings, credentials: Credentials) -> AsyncIterator[Check]:
    from dispatcher.campaign.wiring import studio_client

    # One try: whoever asks a doctor wants to know now.
    quick = settings.model_copy(update={"retry": settings.retry.model_copy(update={"read_attempts": 1})})
    try:
        async with studio_client(quick, credentials) as studio:
            first = await anext(studio.flows(), None)
            skew_s = studio.clock_skew_s
            named = await _named_flow(studio, settings.campaign.flow)
    except DispatcherError as error:
        yield _failed("studio", error)
        return
    flows = f"flows are there, {first.sid} among them" if first else "no flows yet"
    yield Check(name="studio", result="ok", found=f"{settings.studio_url} answers, the credentials are valid; {flows}")
    if named is not None:
        yield named
    if skew_s is None:
        return
    text = f"{abs(skew_s):.1f} s {'behind' if skew_s > 0 else 'ahead of'} Studio's (measured to half a second)"
    if abs(skew_s) > SKEW_WARN_S:
        fix = Advice("switch time synchronisation on (timedatectl set-ntp true)")
        yield Check(name="clock", result="warn", found=text, fix=fix)
    else:
        yield Check(name="clock", result="ok", found=text)


async def _named_flow(studio: Studio, flow: str | None) -> Check | None:
    """Which flow the name in the settings means; None: there is no name."""
    if flow is None or is_flow_sid(flow):
        return None
    try:
        found = find_flow(flow, [one async for one in studio.flows()])
    except SettingsError as error:
        return _failed("flow", error)
    return Check(name="flow", result="ok", found=f'"{flow}" is {found.sid}')


def _disk(folder: Path) -> Iterator[Check]:
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        found = f"{folder} cannot be written: {error.strerror}"
        yield Check(name="state folder", result="fail", found=found, fix=Setting("state.dir"))
        return
    note = "" if folder.exists() else " (will be made)"
    yield Check(name="state folder", result="ok", found=f"{folder}{note} can be written")
    free = shutil.disk_usage(nearest).free
    text = f"{free / (1 << 30):,.1f} GiB free"
    result: Result = "fail" if free < DISK_FAIL_BYTES else "warn" if free < DISK_WARN_BYTES else "ok"
    fix = None if result == "ok" else Advice("free some space: a million rows take about a gigabyte")
    yield Check(name="disk", result=result, found=text, fix=fix)


async def _state(settings: Settings, credentials: Credentials | None) -> AsyncIterator[Check]:
    """Where the ledger is, and the ledger."""
    if not settings.is_cluster:
        try:
            folder = ledger_folder(settings.state, loopback=settings.is_loopback)
        except DispatcherError as error:
            yield _failed("state folder", error)
            return
        for check in _disk(folder):
            yield check
    async for check in _ledger(settings, credentials):
        yield check


async def _ledger(settings: Settings, credentials: Credentials | None) -> AsyncIterator[Check]:
    try:
        health = await check_ledger(settings.state, loopback=settings.is_loopback)
    except DispatcherError as error:
        yield _failed("ledger", error)
        return
    if health is None:
        yield Check(name="ledger", result="ok", found="none yet: it knows nobody")
        return
    if health.problems:
        found = f"{health.location} is damaged: {health.problems[0]}"
        keep = Advice("keep the file and restore a copy of it (a new ledger knows nothing of rows sent)")
        yield Check(name="ledger", result="fail", found=found, fix=AnyOf(keep, Setting("state.dir")))
        return
    size = f"{health.size_bytes / (1 << 20):,.1f} MiB"
    known = f"{counted(health.campaigns, 'campaign')}; {age_text(health.since_ms)}"
    found = f"{health.location}, version {health.version}, {size}, whole; {known}; {health.kept_by}"
    if health.version > health.version_known:
        fix = Advice(f"upgrade dispatcher: this one knows version {health.version_known}")
        yield Check(name="ledger", result="fail", found=found, fix=fix)
        return
    yield Check(name="ledger", result="ok", found=found)
    if health.key_lost is not None:
        yield _failed("forgotten people", health.key_lost)
    if credentials is not None:
        account_sid, url = credentials.account_sid, settings.studio_url
        if await is_leased(settings.state, account_sid, url, loopback=settings.is_loopback):
            found = "another process is sending for this account now"
            wait = AnyOf(Advice("wait for it"), Option("wait"))
            yield Check(name="lock", result="warn", found=found, fix=wait)
        else:
            yield Check(name="lock", result="ok", found="nobody is sending for this account")
