"""`sandbox`: a local Studio, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.sandbox import Sandbox, SandboxFlow

EPILOG = options.examples(
    ("dispatcher sandbox --port 8700 --limit 20", "an account with the usual limit"),
    ("dispatcher sandbox --fault 429=0.1 --fault reset_after=0.02", "a bad day"),
    ("dispatcher sandbox --fault list", "every fault by its name"),
    ("dispatcher sandbox --walk --speed 60", "contacts answer, a minute a second"),
    more="[bold]Then[/bold], in another terminal\n"
    "export TWILIO_ACCOUNT_SID=AC00000000000000000000000000000000 TWILIO_AUTH_TOKEN=rehearsal\n"
    "dispatcher run contacts.csv --base-url http://127.0.0.1:8700\n"
    "curl 'http://127.0.0.1:8700/_sandbox/stats?brief=1'",
)

_BEHAVIOUR = "Behaviour"
_FAULTS = "Faults"


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=EPILOG, rich_help_panel=options.REHEARSE)(sandbox)


def sandbox(
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; other machines may send, but not control.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 lets the system choose.")] = 0,
    limit: Annotated[
        float,
        typer.Option(
            "--limit", min=0, help="Creates a second, averaged over 10 s; 0: none.", rich_help_panel=_BEHAVIOUR
        ),
    ] = 20.0,
    latency: Annotated[
        float,
        typer.Option("--latency", min=0, help="Every answer comes so many seconds late.", rich_help_panel=_BEHAVIOUR),
    ] = 0.0,
    jitter: Annotated[
        float, typer.Option("--jitter", min=0, help="And up to so many more, drawn evenly.", rich_help_panel=_BEHAVIOUR)
    ] = 0.0,
    ends_after: Annotated[
        float,
        typer.Option(
            "--ends-after",
            help="Seconds until an execution ends; negative: never by itself.",
            rich_help_panel=_BEHAVIOUR,
        ),
    ] = 2.0,
    list_lag: Annotated[
        float,
        typer.Option(
            "--list-lag", min=0, help="Seconds until the list shows an execution.", rich_help_panel=_BEHAVIOUR
        ),
    ] = 0.0,
    clock_skew: Annotated[
        float, typer.Option("--clock-skew", help="Seconds that its clock is ahead.", rich_help_panel=_BEHAVIOUR)
    ] = 0.0,
    flow_file: Annotated[
        Path | None,
        typer.Option(
            "--flow-file",
            help="A flow's definition (JSON): executions walk it, contacts answer.",
            rich_help_panel=_BEHAVIOUR,
            show_default=False,
        ),
    ] = None,
    flow_sid: Annotated[
        str | None, typer.Option("--flow-sid", help="The flow's SID.", rich_help_panel=_BEHAVIOUR, show_default=False)
    ] = None,
    flow_status: Annotated[
        Literal["published", "draft"], typer.Option("--flow-status", help="Of the flow.", rich_help_panel=_BEHAVIOUR)
    ] = "published",
    walk: Annotated[
        bool, typer.Option("--walk", help="Executions walk the sample flow too.", rich_help_panel=_BEHAVIOUR)
    ] = False,
    speed: Annotated[
        float, typer.Option("--speed", min=0, help="How much faster time passes in flows.", rich_help_panel=_BEHAVIOUR)
    ] = 1.0,
    account: Annotated[
        str | None,
        typer.Option(
            "--account", help="The account's SID.", rich_help_panel=_BEHAVIOUR, show_default="AC and 32 zeros"
        ),
    ] = None,
    require_env: Annotated[
        bool,
        typer.Option(
            "--require-env",
            help="Accept only the credentials of this environment, not any.",
            rich_help_panel=_BEHAVIOUR,
        ),
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME=SHARE",
            help="A fault and how often, 0 to 1; again for more. `list` shows all.",
            rich_help_panel=_FAULTS,
            show_default=False,
        ),
    ] = None,
    retry_after: Annotated[
        float | None,
        typer.Option(
            "--retry-after", min=0, help="Send Retry-After with each 429.", rich_help_panel=_FAULTS, show_default=False
        ),
    ] = None,
    slow: Annotated[
        float, typer.Option("--slow", min=0, help="How late a `slow` answer comes.", rich_help_panel=_FAULTS)
    ] = 5.0,
    seed: Annotated[
        int, typer.Option("--seed", help="The same seed: the same faults, SIDs and contacts.", rich_help_panel=_FAULTS)
    ] = 0,
    debug: options.Debug = False,
) -> int:
    """Run a local Studio to rehearse on: nothing leaves this machine.

    Its address is the first and only line on stdout. It accepts any made-up credentials of the right form.
    """
    from dataclasses import replace

    from dispatcher.cli.interrupts import stop_asked
    from dispatcher.cli.terminal import out, say
    from dispatcher.sandbox import FAULTS, ContactScript, Sandbox, SandboxSettings, parse_fault

    if fault == ["list"]:
        for known in FAULTS.values():
            out().print(f"{known.name:24} {known.text}", markup=False, soft_wrap=True)
        return ExitCode.OK
    settings = SandboxSettings(
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
        faults=dict(map(parse_fault, fault or ())),
        contacts=ContactScript(speed=speed),
        flows=(_flow(flow_file, flow_sid, flow_status, walk=walk),),
    )
    if account is not None:
        settings = replace(settings, account_sid=account)
    if require_env:
        from dispatcher.settings import load_credentials

        own = load_credentials()
        settings = replace(settings, account_sid=own.account_sid, credentials={own.username: own.password})

    async def main() -> ExitCode:
        stop = stop_asked()
        async with Sandbox(settings) as running:
            typer.echo(running.base_url)
            say("in another terminal, with made-up credentials:", "bright_black")
            say(f"  export TWILIO_ACCOUNT_SID={settings.account_sid} TWILIO_AUTH_TOKEN=rehearsal", whole=True)
            flow = settings.flows[0]
            own = f"--flow {flow.sid} --from +15550001111 --to phone --region US"
            say(f"  dispatcher run contacts.csv --base-url {running.base_url} {own}", whole=True)
            say("Ctrl-C stops it and shows what it saw.", "bright_black")
            await stop.wait()
            _print_stats(running)
        return ExitCode.OK

    import asyncio

    return asyncio.run(main())


def _flow(path: Path | None, sid: str | None, status: Literal["published", "draft"], *, walk: bool) -> SandboxFlow:
    from dispatcher.sandbox import DEFAULT_FLOW_SID, default_flow, load_flow

    if path is None:
        return default_flow(sid=sid or DEFAULT_FLOW_SID, status=status, walks=walk)
    return load_flow(path, sid=sid or DEFAULT_FLOW_SID, status=status)


def _print_stats(running: Sandbox) -> None:
    from dispatcher.cli.summary import pairs
    from dispatcher.cli.terminal import err

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
    err().print(pairs(list(lines)))
