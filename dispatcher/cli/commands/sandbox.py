"""`sandbox`: a local Studio, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dispatcher.cli import options

PANEL = options.REHEARSE
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

_BEHAVIOUR = "Behaviour"
_FAULTS = "Faults"


@options.logged
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
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any setting that can be changed while it runs; again for more. `list` shows all.",
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
) -> int:
    """Run a local Studio to rehearse on: nothing leaves this machine.

    Its address is the first and only line on stdout. It accepts any made-up credentials of the right form.
    """
    from dispatcher.cli.actions import sandbox as act
    from dispatcher.sandbox import ContactScript, SandboxSettings

    if fault == ["list"]:
        return act.list_faults()
    if setting == ["list"]:
        return act.list_settings()
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
        faults=act.read_faults(fault or ()),
        contacts=ContactScript(speed=speed),
        flows=(act.read_flow(flow_file, flow_sid, flow_status, walk=walk),),
    ).changed(act.read_settings(setting or ()))
    return act.run(settings, account=account, only_own_credentials=require_env)
