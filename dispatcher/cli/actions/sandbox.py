"""`sandbox`: a local Studio runs until it is told to stop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from dispatcher.cli.interrupts import stop_asked
from dispatcher.cli.render.terminal import err, out, pairs, say
from dispatcher.errors import ExitCode, SettingsError
from dispatcher.remedies import Option
from dispatcher.sandbox import (
    CHANGEABLE,
    DEFAULT_FLOW_SID,
    FAULTS,
    Sandbox,
    SandboxFlow,
    SandboxSettings,
    default_flow,
    load_flow,
    parse_fault,
)
from dispatcher.settings import load_credentials


def list_faults() -> ExitCode:
    """Every fault by its name, and what it does."""
    for known in FAULTS.values():
        out().print(f"{known.name:24} {known.text}", markup=False, soft_wrap=True)
    return ExitCode.OK


def list_settings() -> ExitCode:
    """Every setting that can be changed, and what it is if nobody does."""
    usual = SandboxSettings()
    for name in sorted(CHANGEABLE):
        out().print(f"{name:24} {getattr(usual, name)}", markup=False, soft_wrap=True)
    return ExitCode.OK


def read_settings(given: Iterable[str]) -> dict[str, object]:
    """`NAME=VALUE` each: a number, a word, or `none`. Raises: SettingsError."""
    settings: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(
                "A setting is written NAME=VALUE", found=text[:40], fix=Option("set", "context_lag_s=5")
            )
        try:
            settings[name] = None if value == "none" else float(value)
        except ValueError:
            settings[name] = value
    return settings


def read_faults(given: Iterable[str]) -> dict[str, float]:
    """`NAME=SHARE` each. Raises: SettingsError."""
    return dict(map(parse_fault, given))


def read_flow(path: Path | None, sid: str | None, status: Literal["published", "draft"], *, walk: bool) -> SandboxFlow:
    """The sample flow, or the one that the file defines. Raises: SettingsError."""
    if path is None:
        return default_flow(sid=sid or DEFAULT_FLOW_SID, status=status, walks=walk)
    return load_flow(path, sid=sid or DEFAULT_FLOW_SID, status=status)


def run(settings: SandboxSettings, *, account: str | None, only_own_credentials: bool) -> ExitCode:
    """Until Ctrl-C or SIGTERM. Raises: AuthenticationError where the environment's credentials are wanted."""
    if account is not None:
        settings = replace(settings, account_sid=account)
    if only_own_credentials:
        own = load_credentials()
        settings = replace(settings, account_sid=own.account_sid, credentials={own.username: own.password})

    async def main() -> ExitCode:
        stop = stop_asked()
        async with Sandbox(settings) as running:
            sys.stdout.write(f"{running.base_url}\n")
            sys.stdout.flush()
            say("in another terminal, with made-up credentials:", "bright_black")
            say(f"  export TWILIO_ACCOUNT_SID={settings.account_sid} TWILIO_AUTH_TOKEN=rehearsal", whole=True)
            flow = settings.flows[0]
            own = f"--flow {flow.sid} --from +15550001111 --to phone --region US"
            say(f"  dispatcher run contacts.csv --base-url {running.base_url} {own}", whole=True)
            say("Ctrl-C stops it and shows what it saw.", "bright_black")
            await stop.wait()
            _print_stats(running)
        return ExitCode.OK

    return asyncio.run(main())


def _print_stats(running: Sandbox) -> None:
    stats = running.stats(brief=True)
    limit = stats["window_limit"]
    twice = len(stats["created_by_dispatch_id_duplicates"])
    lines = [
        ("created", f"{stats['creates']:,} executions, {stats['active']:,} still active"),
        ("requests", f"{stats['creates_total_requests']:,} creates, {stats['throttled']:,} answered 429"),
        (
            "worst window",
            f"{stats['worst_window']:,} of {limit:,}" if limit else f"{stats['worst_window']:,}, no limit",
        ),
        ("created twice", f"{twice:,}" if twice else "none"),
    ]
    if stats["faults"]:
        lines.append(("faults", ", ".join(f"{name} {n:,}" for name, n in stats["faults"].items())))
    err().print()
    err().print(pairs([*lines]))
