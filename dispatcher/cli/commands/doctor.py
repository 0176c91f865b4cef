"""`doctor`: whether this machine, these settings and this account are fit to send."""

from __future__ import annotations

import typer

from dispatcher.cli import options

PANEL = options.SET_UP
EPILOG = options.examples(
    "dispatcher doctor",
    ("dispatcher doctor --json", "for scripts"),
    more="[bold]Exit codes[/bold]  0 fit to send, warnings or not · 2 something must be fixed first · 4 the credentials"
    " · 5 Studio or the ledger cannot be used now",
)


def doctor(
    context: typer.Context,
    json: options.Json = False,
    config: options.Config = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
    log_file: options.LogFile = None,
) -> int:
    """Check the machine, the settings, the account and the ledger.

    Nothing is sent and nothing is changed.
    """
    from dispatcher.cli.actions.doctor import doctor as act

    return act(options.asked(context), as_json=json)
