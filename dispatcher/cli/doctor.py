"""`doctor`: whether this machine, these settings and this account are fit to send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from dispatcher.cli import options
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.errors import DispatcherError, ExitCode

if TYPE_CHECKING:
    from dispatcher.settings import Credentials, LoadedSettings, Settings

EPILOG = options.examples(
    "dispatcher doctor",
    ("dispatcher doctor --json", "for scripts"),
    more="[bold]Exit codes[/bold]  0 fit to send, warnings or not · 2 something must be fixed first · 4 the credentials"
    " · 5 Studio or the ledger cannot be used now",
)

SKEW_WARN_S = 5.0
DISK_WARN_BYTES = 1 << 30
DISK_FAIL_BYTES = 50 << 20
PACKAGES = ("aiohttp", "pandas", "pyarrow", "pydantic", "phonenumberslite", "typer", "rich")

Result = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line: what was looked at, what was found, and how to fix it."""

    name: str
    result: Result
    found: str
    fix: str | None = None
    exit_code: ExitCode = ExitCode.USAGE


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=EPILOG, rich_help_panel=options.SET_UP)(doctor)


def doctor(
    json: options.Json = False,
    config: options.Config = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Check the machine, the settings, the account and the ledger.

    Nothing is sent and nothing is changed.
    """
    from dispatcher.cli.terminal import print_json

    flags = {"account.api_version": api_version, "account.base_url": base_url, "state.dir": state_dir}
    found: list[Check] = []
    for check in _checks(config, flags):
        found.append(check)
        if not json:
            _print(check)
    failed = [check for check in found if check.result == "fail"]
    if json:
        print_json({"ok": not failed, "checks": [_object(check) for check in found]})
    return failed[0].exit_code if failed else ExitCode.OK


def _object(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "result": check.result,
        "found": check.found,
        "fix": None if check.result == "ok" else check.fix,
    }


def _print(check: Check) -> None:
    from rich.text import Text

    from dispatcher.cli.terminal import out

    style = {"ok": "green", "warn": "yellow", "fail": "bold red"}[check.result]
    out().print(Text.assemble((f"{check.result:5}", style), (f"{check.name:14}", "bold"), check.found), soft_wrap=True)
    if check.fix and check.result != "ok":
        out().print(Text.assemble(" " * 19, ("fix", "bold green"), ": ", check.fix), soft_wrap=True)


def _checks(config: Path | None, flags: dict[str, str | None]) -> Iterator[Check]:
    yield _versions()
    loaded: LoadedSettings | None = None
    try:
        loaded = options.load_settings(config, dict(flags))
    except DispatcherError as error:
        yield _failed("settings", error)
    if loaded is not None:
        yield from _settings(loaded)
    credentials, check = _credentials()
    yield check
    if loaded is None:
        return
    settings = loaded.settings
    if credentials is not None:
        yield from _studio(settings, credentials)
    yield from _disk(settings)
    yield from _ledger(settings, credentials)
    rate = settings.rate
    found = f"{rate.per_second:g} a second over {rate.window_s:g} s, so {settings.window_limit:,} in a window"
    yield Check(name="rate", result="ok", found=f"{found}; pace {rate.pace}, {rate.in_flight} in flight at most")


def _failed(name: str, error: DispatcherError) -> Check:
    fix = remedy_text(error.fix) if error.fix else None
    return Check(name=name, result="fail", found=str(error), fix=fix, exit_code=error.exit_code)


def _versions() -> Check:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from dispatcher.version import __version__

    missing, found = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    text = f"dispatcher {__version__}, Python {platform.python_version()}, {', '.join(found)}"
    if missing:
        return Check(
            name="program", result="fail", found=f"{text}; missing: {', '.join(missing)}", fix="make demo sets all up"
        )
    return Check(name="program", result="ok", found=text)


def _settings(loaded: LoadedSettings) -> Iterator[Check]:
    from dispatcher.cli.config import setting_values, toml

    changed = [item for item in setting_values(loaded) if item["source"] != "default"]
    where = str(loaded.config_path) if loaded.config_path else "no config.toml"
    values = "; ".join(f"{item['name']} = {toml(item['value'])} ({item['source']})" for item in changed)
    yield Check(name="settings", result="ok", found=f"{where}; {values or 'all defaults'}")
    settings = loaded.settings
    wanted = {
        "[campaign] flow": settings.campaign.flow,
        "[campaign] from": settings.campaign.from_ or settings.campaign.from_column,
        "[columns] to": settings.columns.to,
    }
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        yield Check(
            name="campaign",
            result="warn",
            found=f"not set: {', '.join(missing)}",
            fix="dispatcher config init, then set them; or --flow, --from, --to",
        )


def _credentials() -> tuple[Credentials | None, Check]:
    from dispatcher.settings import load_credentials

    try:
        credentials = load_credentials()
    except DispatcherError as error:
        return None, _failed("credentials", error)
    kind = "API key" if credentials.username.startswith("SK") else "auth token"
    sid = credentials.account_sid
    found = f"{sid[:2]}…{sid[-4:]} with {kind} {credentials.username[:2]}…{credentials.username[-4:]}"
    if kind == "auth token":
        return credentials, Check(
            name="credentials",
            result="warn",
            found=f"{sid[:2]}…{sid[-4:]} with its auth token, which opens the whole account",
            fix="make an API key for this program: TWILIO_API_KEY and TWILIO_API_SECRET",
        )
    return credentials, Check(name="credentials", result="ok", found=found)


def _studio(settings: Settings, credentials: Credentials) -> Iterator[Check]:
    import asyncio

    from dispatcher.campaign import studio_client

    async def ask() -> tuple[str, float | None]:
        # One try: whoever asks a doctor wants to know now.
        quick = settings.model_copy(update={"retry": settings.retry.model_copy(update={"read_attempts": 1})})
        async with studio_client(quick, credentials) as studio:
            first = await anext(studio.flows(), None)
            return (f"flows are there, {first.sid} among them" if first else "no flows yet"), studio.clock_skew_s

    try:
        found, skew_s = asyncio.run(ask())
    except DispatcherError as error:
        yield _failed("studio", error)
        return
    yield Check(name="studio", result="ok", found=f"{settings.studio_url} answers, the credentials are valid; {found}")
    if skew_s is None:
        return
    text = f"{abs(skew_s):.1f} s {'behind' if skew_s > 0 else 'ahead of'} Studio's (measured to half a second)"
    if abs(skew_s) > SKEW_WARN_S:
        yield Check(
            name="clock", result="warn", found=text, fix="switch time synchronisation on (timedatectl set-ntp true)"
        )
    else:
        yield Check(name="clock", result="ok", found=text)


def _disk(settings: Settings) -> Iterator[Check]:
    import os
    import shutil
    import tempfile

    folder = Path(settings.state.dir)
    nearest = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        yield Check(
            name="state folder",
            result="fail",
            found=f"{folder} cannot be written: {error.strerror}",
            fix="set [state] dir to a folder you may write",
        )
        return
    note = "" if folder.exists() else " (will be made)"
    yield Check(name="state folder", result="ok", found=f"{folder}{note} can be written")
    free = shutil.disk_usage(nearest).free
    text = f"{free / (1 << 30):,.1f} GiB free"
    result: Result = "fail" if free < DISK_FAIL_BYTES else "warn" if free < DISK_WARN_BYTES else "ok"
    yield Check(name="disk", result=result, found=text, fix="free some space: a million rows take about a gigabyte")
    if folder.exists() and os.name != "nt" and folder.stat().st_mode & 0o077:
        yield Check(
            name="privacy",
            result="warn",
            found=f"others may look into {folder}, where phone numbers are",
            fix=f"chmod 700 {folder}",
        )


def _ledger(settings: Settings, credentials: Credentials | None) -> Iterator[Check]:
    from dispatcher.ledger.records import Account
    from dispatcher.ledger.sqlite.health import ledger_health
    from dispatcher.ledger.sqlite.lease import is_held

    state_dir = Path(settings.state.dir)
    fix = "keep the file; restore a copy of it, or set [state] dir to a new folder (it knows nothing of rows sent)"
    try:
        health = ledger_health(state_dir)
    except DispatcherError as error:
        yield _failed("ledger", error)
        return
    if health is None:
        yield Check(name="ledger", result="ok", found="none yet")
        return
    if health.problems:
        yield Check(name="ledger", result="fail", found=f"{health.location} is damaged: {health.problems[0]}", fix=fix)
        return
    size = f"{health.size_bytes / (1 << 20):,.1f} MiB"
    found = f"{health.location}, version {health.version}, {size}, whole; {health.campaigns} campaigns"
    if health.version > health.version_known:
        fix = f"upgrade dispatcher: this one knows version {health.version_known}"
        yield Check(name="ledger", result="fail", found=found, fix=fix)
        return
    yield Check(name="ledger", result="ok", found=found)
    if credentials is not None:
        account = Account(account_id=0, account_sid=credentials.account_sid, base_url=settings.studio_url)
        if is_held(state_dir, account):
            found = "another process is sending for this account now"
            yield Check(name="lock", result="warn", found=found, fix="wait for it, or run with --wait")
        else:
            yield Check(name="lock", result="ok", found="nobody is sending for this account")
