"""Writes docs/cli.md from the command line's own help: `python -m docs.commands`. A test holds both equal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from dispatcher.cli.app import program
from dispatcher.errors import ExitCode

KINDS = {"str": "TEXT", "path": "PATH", "int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER"}
PATH = Path(__file__).with_name("cli.md")
INTRODUCTION = """# The command line

Written by `python -m docs.commands` from the program's own help; `dispatcher COMMAND --help` shows the same.

Data goes to stdout; progress, questions and errors to stderr. `--json` prints one JSON value on
stdout at the end, whatever the end is, and nothing else there ([report.md](report.md#json)).
Colours are left out where the output is no terminal, or NO_COLOR is set. An error is told in three lines:

```text
error[account_locked]: another process is sending for this account
fix: wait until it has finished, or --wait
```

Settings stand in `config.toml`, above it the environment (`DISPATCHER_RATE_PER_SECOND=30`), above that the flags here:
[config.example.toml](../config.example.toml) has every one of them.

**Ctrl-C and SIGTERM**, the first: nothing more is sent, what is in flight is waited for, the report is written, and the
exit code is 130. The second leaves at once; the rows whose answers were awaited are looked up by the next run.

**Logs.** Every command has two more options. `--debug` shows on stderr what happens, event by event, and the
traceback of whatever ends the command. `--log-file PATH` writes the same into a file, for scheduled jobs: a line per
event, each with its time (ISO 8601, UTC), and the exit code at the end. The file is readable by its owner alone and
is appended to; at 5 MiB it becomes `PATH.1`, and at most five are kept: give each job a log of its own. Neither holds
a secret or a contact's number. The events that come many times a second (reading, sending, tracking) are in the file
only with both options.

## Exit codes

| code | means |
|---|---|
| 0 | all created, or skipped on purpose |
| 1 | a bug: `--debug` shows where |
| 2 | usage, settings or input: nothing was sent, or the flow is unknown |
| 3 | finished, some rows rejected, busy or invalid: the report says why |
| 4 | credentials missing, refused or without the right |
| 5 | stopped early: `dispatcher resume CAMPAIGN` goes on |
| 6 | rows left unknown: `dispatcher reconcile CAMPAIGN` |
| 7 | only rows are left that wait for hours, a start or their own times: `dispatcher resume CAMPAIGN` later |
| 130 | interrupted: `dispatcher resume CAMPAIGN` goes on |
"""


def text() -> str:
    """docs/cli.md as it should be."""
    assert all(f"| {code.value} |" in INTRODUCTION for code in ExitCode)
    root = typer.main.get_command(program())
    parts = [INTRODUCTION]
    for path, command in commands(root):
        parts.append(_command(path, command))
    return "\n".join(parts)


def commands(group: Any, path: str = "dispatcher") -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its whole name, in the help's order."""
    for name, command in group.commands.items():
        whole = f"{path} {name}"
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield whole, command
        if hasattr(command, "commands"):
            yield from commands(command, whole)


def _command(path: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    shown = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    context = command.make_context(path, [], resilient_parsing=True)
    usage = " ".join([path, *(param.metavar or param.name.upper() for param in arguments), "[OPTIONS]"])
    lines = [f"## {path}", "", _plain(command.help), "", "```text", usage, "```", ""]
    lines += ["| option | | default |", "|---|---|---|"]
    for param in (*arguments, *shown):
        if not {"--debug", "--log-file", "--help"}.isdisjoint(param.opts):
            continue
        cells = (_names(param, context), _plain(param.help or ""), _default(param))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if command.epilog:
        head, _, rest = _plain(command.epilog).partition("\n\n")
        lines += ["", "```sh", *_script(head.splitlines()[1:]), "```"]
        if rest:
            lines += ["", rest.replace("\n", "  \n")]
    return "\n".join(lines) + "\n"


def _names(param: Any, context: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar or param.name.upper()}`"
    first, *others = param.opts
    kind = (param.display_type_rich(ctx=context) or "").strip("<>")
    value = "" if param.is_flag else f" {KINDS.get(kind, kind)}"
    return ", ".join([f"`{first}{value}`", *(f"`{name}`" for name in others)])


def _default(param: Any) -> str:
    if isinstance(param.show_default, str):
        return param.show_default
    if param.required:
        return "required"
    is_flag = getattr(param, "is_flag", False)
    return "" if is_flag or param.default in (None, [], ()) else f"`{param.default}`"


def _script(examples: list[str]) -> list[str]:
    """Examples as a shell's lines: what a command does stands behind it as a comment, or above it where it is long."""
    lines: list[str] = []
    for line in examples:
        if line.startswith("    "):
            lines.insert(len(lines) - 1, f"# {line.strip()}")
        else:
            command, _, does = line.partition("  ")
            lines.append(f"{command}  # {does.strip()}" if does.strip() else command)
    return lines


def _plain(text: str) -> str:
    """Without rich's markup."""
    return re.sub(r"(?<!\\)\[/?(bold|dim)\]", "", text).replace("\\[", "[")


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
