"""`sandbox`: a local Studio, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dispatcher.cli import options
from dispatcher.cli.render.terminal import err, pairs, print_line, say
from dispatcher.errors import AuthenticationError, ExitCode
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.sandbox import Sandbox, SandboxSettings

EPILOG = options.examples(
    ("dispatcher sandbox --port 8700 --limit 20", "an account with the usual limit"),
    ("dispatcher sandbox --fault 429=0.1 --fault reset_after=0.02", "a bad day"),
    ("dispatcher sandbox --fault list", "every fault by its name"),
    ("dispatcher sandbox --set null_address_share=0.3 --set context_lag_s=5", "answers that prove nothing"),
    ("dispatcher sandbox --walk --speed 60", "contacts answer, a minute a second"),
    more="[bold]Then[/bold], in another terminal\n"
    "export TWILIO_ACCOUNT_SID=AC00000000000000000000000000000000 TWILIO_AUTH_TOKEN=rehearsal\n"
    "dispatcher run contacts.csv --base-url http://127.0.0.1:8700\n"
    "curl 'http://127.0.0.1:8700/_sandbox/stats?brief=1'",
)


def _behaves(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="Behaviour", **more)


def _fails(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="Faults", **more)


@options.logged
def sandbox(
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; other machines may send, but not control.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 lets the system choose.")] = 0,
    limit: Annotated[float, _behaves("--limit", "Creates a second, averaged over 10 s; 0: none.", min=0)] = 20.0,
    latency: Annotated[float, _behaves("--latency", "Every answer comes so many seconds late.", min=0)] = 0.0,
    jitter: Annotated[float, _behaves("--jitter", "And up to so many more, drawn evenly.", min=0)] = 0.0,
    ends_after: Annotated[
        float, _behaves("--ends-after", "Seconds until an execution ends; negative: never by itself.")
    ] = 2.0,
    list_lag: Annotated[float, _behaves("--list-lag", "Seconds until the list shows an execution.", min=0)] = 0.0,
    clock_skew: Annotated[float, _behaves("--clock-skew", "Seconds that its clock is ahead.")] = 0.0,
    flow_file: Annotated[
        Path | None, _behaves("--flow-file", "A flow's definition (JSON): executions walk it, contacts answer.")
    ] = None,
    flow_sid: Annotated[str | None, _behaves("--flow-sid", "The flow's SID.")] = None,
    flow_status: Annotated[Literal["published", "draft"], _behaves("--flow-status", "Of the flow.")] = "published",
    walk: Annotated[bool, _behaves("--walk", "Executions walk the sample flow too.")] = False,
    speed: Annotated[float, _behaves("--speed", "How much faster time passes in flows.", min=0)] = 1.0,
    account: Annotated[str | None, _behaves("--account", "The account's SID.", show_default="AC and 32 zeros")] = None,
    require_env: Annotated[
        bool, _behaves("--require-env", "Accept only the credentials of this environment, not any.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        _fails("--fault", "A fault and how often, 0 to 1; again for more. `list` shows all.", metavar="NAME=SHARE"),
    ] = None,
    change: Annotated[
        list[str] | None,
        _fails("--set", "Any setting that can be changed while it runs; again for more.", metavar="NAME=VALUE"),
    ] = None,
    retry_after: Annotated[float | None, _fails("--retry-after", "Send Retry-After with each 429.", min=0)] = None,
    slow: Annotated[float, _fails("--slow", "How late a `slow` answer comes.", min=0)] = 5.0,
    seed: Annotated[int, _fails("--seed", "The same seed: the same faults, SIDs and contacts.")] = 0,
) -> int:
    """Run a local Studio to rehearse on: nothing leaves this machine.

    Its address is the first and only line on stdout. It accepts any made-up credentials of the right form.
    """
    import asyncio

    from dispatcher import sandbox as local
    from dispatcher.settings.credentials import environment_credentials, export_advice

    if fault == ["list"]:
        for known in local.FAULTS.values():
            print_line(f"{known.name:24} {known.text}")
        return ExitCode.OK
    if change == ["list"]:
        usual = local.SandboxSettings()
        for name in sorted(local.CHANGEABLE):
            print_line(f"{name:24} {getattr(usual, name)}")
        return ExitCode.OK
    sid = flow_sid or local.DEFAULT_FLOW_SID
    settings = local.SandboxSettings(
        host=host,
        port=port,
        limit_per_s=limit,
        latency_s=latency,
        latency_jitter_s=jitter,
        ends_after_s=None if ends_after < 0 else ends_after,
        list_lag_s=list_lag,
        clock_skew_s=clock_skew,
        retry_after_s=retry_after,
        slow_s=slow,
        seed=seed,
        faults=dict(map(local.parse_fault, fault or ())),
        contacts=local.ContactScript(speed=speed),
        flows=(
            local.load_flow(flow_file, sid=sid, status=flow_status)
            if flow_file
            else local.default_flow(sid=sid, status=flow_status, walks=walk),
        ),
    ).changed(dict(map(local.parse_change, change or ())))
    if account is not None:
        settings = replace(settings, account_sid=account)
    if require_env:
        own = environment_credentials(os.environ)
        if own is None:
            raise AuthenticationError("the environment has no credentials", fix=export_advice(None))
        settings = replace(settings, account_sid=own.account_sid, credentials={own.username: own.password})
    asyncio.run(_serve(settings))
    return ExitCode.OK


async def _serve(settings: SandboxSettings) -> None:
    from dispatcher.cli.interrupts import noted
    from dispatcher.sandbox import Sandbox

    with noted() as stop:
        async with Sandbox(settings) as running:
            sys.stdout.write(f"{running.base_url}\n")
            sys.stdout.flush()
            say("in another terminal, with made-up credentials:", "bright_black")
            say(f"  export TWILIO_ACCOUNT_SID={settings.account_sid} TWILIO_AUTH_TOKEN=rehearsal", whole=True)
            own = f"--flow {settings.flows[0].sid} --from +15550001111 --to phone --region US"
            say(f"  dispatcher run contacts.csv --base-url {running.base_url} {own}", whole=True)
            say("Ctrl-C stops it and shows what it saw.", "bright_black")
            await stop.wait()
            _print_stats(running)


def _print_stats(running: Sandbox) -> None:
    stats = running.stats(brief=True)
    limit = stats["window_limit"]
    twice = len(stats["created_by_dispatch_id_duplicates"])
    lines = [
        ("created", f"{counted(stats['creates'], 'execution')}, {stats['active']:,} still active"),
        ("requests", f"{stats['creates_total_requests']:,} creates, {stats['throttled']:,} answered 429"),
        ("worst window", f"{stats['worst_window']:,}" + (f" of {limit:,}" if limit else ", no limit")),
        ("created twice", f"{twice:,}" if twice else "none"),
    ]
    if stats["faults"]:
        lines.append(("faults", ", ".join(f"{name} {n:,}" for name, n in stats["faults"].items())))
    err().print()
    err().print(pairs([*lines]))
