"""`flows`: what the account has."""

from __future__ import annotations

import typer

from dispatcher.cli import options

PANEL = options.SET_UP
EPILOG = options.examples("dispatcher flows", ("dispatcher flows --json", "for scripts"))


def flows(
    context: typer.Context,
    json: options.Json = False,
    config: options.Config = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    debug: options.Debug = False,
    log_file: options.LogFile = None,
) -> int:
    """List the account's flows.

    SID, name, status, revision and the date of the last change.
    """
    from dispatcher.cli.actions.flows import flows as act

    return act(options.asked(context), as_json=json)
