"""Remedies in the words of the command line: flags, lines of config.toml, commands that can be pasted."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

from dispatcher.cli.flags import FLAGS, Asked
from dispatcher.cli.render.terminal import err, say, say_labelled
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy, Setting

#: The flags of this command without which another one would not find the same ledger and account; `carry` sets them.
_carried: list[Option] = []
#: Which of them a command takes: a flag that it does not have would be refused. (`init` is told with its own flags.)
_ALL = frozenset(("config", "profile", "base-url", "state-dir"))
_TAKES = {
    **dict.fromkeys(("run", "resume", "pause", "check", "preview", "status", "report", "retry", "reconcile"), _ALL),
    **dict.fromkeys(("cancel", "track", "summary", "recall", "doctor", "notify flush", "ledger backup"), _ALL),
    **dict.fromkeys((f"campaigns {name}" for name in ("list", "export", "forget", "prune")), _ALL),
    **dict.fromkeys((f"suppress {name}" for name in ("add", "remove", "list", "check", "export")), _ALL),
    **dict.fromkeys((f"schedule {name}" for name in ("systemd", "cron")), _ALL),
    **dict.fromkeys((f"executions {name}" for name in ("list", "show", "steps", "context")), _ALL - {"state-dir"}),
    **dict.fromkeys(
        (f"serve users {name}" for name in ("add", "list", "role", "numbers", "password", "remove", "sign-out")), _ALL
    ),
    "serve": _ALL,
    "worker": _ALL - {"state-dir"},
    **dict.fromkeys(("hours", "flows", "login", "notify test"), _ALL - {"state-dir"}),
    **dict.fromkeys(("ledger check", "ledger rate"), _ALL),
    "ledger copy": _ALL - {"state-dir"},
    "ledger move": _ALL - {"base-url"},
    "ledger migrate": frozenset(("config", "profile")),
    "config show": frozenset(("config", "profile")),
}


def carry(asked: Asked) -> None:
    """From now on commands that are told name, too, what this one was told of host, ledger and settings' file."""
    found = [("config", None if asked.config is None else str(asked.config)), ("profile", asked.profile)]
    found += [(FLAGS[name].name[2:], asked.flags.get(name)) for name in ("account.base_url", "state.dir")]
    _carried[:] = [Option(name, value) for name, value in found if value]


def remedy_text(remedy: Remedy | str) -> str:
    """One line; what is to be pasted is quoted for a shell. Plain text is taken as it is."""
    match remedy:
        case str():
            return remedy
        case Advice(text):
            return text
        case Setting():
            return ", or ".join(_setting(remedy))
        case Option():
            return _option(remedy)
        case Command():
            return _command(remedy)
        case AnyOf(remedies):
            between = "; or " if any(isinstance(one, InTurn) for one in remedies) else ", or "
            return between.join(map(remedy_text, remedies))
        case InTurn(remedies):
            return ", then ".join(map(_turn, remedies))


def _turn(remedy: Remedy) -> str:
    """One of several things to do: where there is a choice, it must not be read as one among all of them."""
    *others, last = _ways(remedy)
    return f"either {', '.join(others)} or {last}" if others else last


def _ways(remedy: Remedy) -> list[str]:
    match remedy:
        case AnyOf(remedies):
            return [way for one in remedies for way in _ways(one)]
        case Setting():
            return _setting(remedy)
    return [remedy_text(remedy)]


def _setting(setting: Setting) -> list[str]:
    """The ways to change it."""
    table, _, name = setting.name.partition(".")
    value = setting.value
    in_file = f"[{table}] {name}" + ("" if value is None else f" = {_toml(value)}")
    flag = FLAGS.get(setting.name)
    if flag is None:
        return [in_file if value is not None else f"set {in_file}"]
    given = flag.name if value is True else f"{flag.name} {'…' if value is None else _quoted(str(value))}"
    return [given, f"{in_file} in config.toml"]


def _toml(value: str | float | tuple[str, ...] | tuple[tuple[str, str], ...]) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        pairs = ", ".join(f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in value)
        return f"{{ {pairs} }}"
    return json.dumps(value, ensure_ascii=False)


def _option(option: Option) -> str:
    return f"--{option.name}" + ("" if option.value is None else f" {_quoted(str(option.value))}")


def _command(command: Command) -> str:
    carried = [option for option in _carried if option.name in _TAKES.get(command.name, ())]
    words = ["dispatcher", command.name, *map(_quoted, command.arguments)]
    words += map(_option, (*command.options, *carried))
    return " ".join(words) + (f" ({command.does})" if command.does else "")


def _quoted(word: str) -> str:
    # An ellipsis says that something of the user's stands there: nobody pastes it as it is.
    return word if "…" in word and " " not in word else shlex.quote(word)


def step_text(step: Remedy) -> str:
    """A next step on a line of its own: the command, and what it does some way behind it."""
    if isinstance(step, Command) and step.does:
        return f"{_command(replace(step, does=''))}   {step.does}"
    return remedy_text(step)


def say_step(step: Remedy, style: str = "bright_black") -> None:
    """A next step, for the person: its command is whole, so that it can be pasted, and what it does may stand below."""
    text = step_text(step)
    if not isinstance(step, Command) or not step.does or not err().is_terminal or len(text) <= err().width:
        say(text, style, whole=isinstance(step, Command))
        return
    say(_command(replace(step, does="")), style, whole=True)
    say(f"    {step.does}", style)


def say_fix(fix: Remedy | str) -> None:
    """A line that is whole, so that it can be pasted."""
    say_labelled("fix", "bold green", remedy_text(fix), whole=True)
