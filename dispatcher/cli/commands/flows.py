"""`flows`: what the account has."""

from __future__ import annotations

from dispatcher.cli import options

PANEL = options.SET_UP
EPILOG = options.examples("dispatcher flows", ("dispatcher flows --json", "for scripts"))


@options.reads_settings("account.api_version", "account.base_url")
def flows(asked: options.Asked, json: options.Json = False) -> int:
    """List the account's flows.

    SID, name, status, revision and the date of the last change.
    """
    from dispatcher.cli.actions.flows import flows as act

    return act(asked, as_json=json)
