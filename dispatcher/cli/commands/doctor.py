"""`doctor`: whether this machine, these settings and this account are fit to send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.cli import options
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import out, print_hanging, print_json
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.campaign.doctor import Check

EPILOG = options.examples(
    "dispatcher doctor",
    ("dispatcher doctor --json", "for scripts"),
    more="[bold]Exit codes[/bold]  0 fit to send, warnings or not · 2 something must be fixed first · 4 the credentials"
    " · 5 Studio or the ledger cannot be used now",
)
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
async def doctor(session: options.Session, json: options.Json = False) -> int:
    """Check the machine, the settings, the account and the ledger.

    Nothing is sent and nothing is changed.
    """
    from dispatcher.campaign.doctor import checks

    found: list[Check] = []
    async for check in checks(session.asked.config, session.asked.flags, session.asked.profile):
        found.append(check)
        if not json:
            _print(check)
    failed = [check for check in found if check.result == "fail"]
    if json:
        print_json({"ok": not failed, "checks": [check.as_json(remedy_text) for check in found]})
    return failed[0].exit_code if failed else ExitCode.OK


def _print(check: Check) -> None:
    result = Text(f"{check.result:5}", style=_STYLES[check.result])
    print_hanging(Text.assemble(result, (f"{check.name:14}", "bold")), check.found)
    if check.fix:
        # To be pasted: never broken.
        fix = remedy_text(check.fix)
        out().print(Text.assemble(" " * 19, ("fix", "bold green"), ": ", fix), soft_wrap=True)
