"""`doctor`: whether this machine, these settings and this account are fit to send."""

from __future__ import annotations

from dispatcher.cli import options

PANEL = options.SET_UP
EPILOG = options.examples(
    "dispatcher doctor",
    ("dispatcher doctor --json", "for scripts"),
    more="[bold]Exit codes[/bold]  0 fit to send, warnings or not · 2 something must be fixed first · 4 the credentials"
    " · 5 Studio or the ledger cannot be used now",
)


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
def doctor(asked: options.Asked, json: options.Json = False) -> int:
    """Check the machine, the settings, the account and the ledger.

    Nothing is sent and nothing is changed.
    """
    from dispatcher.cli.actions.doctor import doctor as act

    return act(asked, as_json=json)
