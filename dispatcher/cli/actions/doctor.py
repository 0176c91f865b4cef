"""`doctor`: each check is shown as it is done."""

from __future__ import annotations

from rich.text import Text

from dispatcher.campaign.doctor import Check, checks
from dispatcher.cli.interrupts import Interrupts, run_async
from dispatcher.cli.options import Asked
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import out, print_json
from dispatcher.errors import ExitCode

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(asked: Asked, *, as_json: bool) -> ExitCode:
    """The exit code is that of the first check that failed."""

    async def main(_: Interrupts) -> ExitCode:
        found: list[Check] = []
        async for check in checks(asked.config, asked.flags):
            found.append(check)
            if not as_json:
                _print(check)
        failed = [check for check in found if check.result == "fail"]
        if as_json:
            print_json({"ok": not failed, "checks": [_object(check) for check in found]})
        return failed[0].exit_code if failed else ExitCode.OK

    return run_async(main)


def _object(check: Check) -> dict[str, object]:
    fix = remedy_text(check.fix) if check.fix else None
    return {"name": check.name, "result": check.result, "found": check.found, "fix": fix}


def _print(check: Check) -> None:
    result = (f"{check.result:5}", _STYLES[check.result])
    out().print(Text.assemble(result, (f"{check.name:14}", "bold"), check.found), soft_wrap=True)
    if check.fix:
        fix = remedy_text(check.fix)
        out().print(Text.assemble(" " * 19, ("fix", "bold green"), ": ", fix), soft_wrap=True)
