"""Writes docs/errors.md from the exception tree, the table of reasons and Twilio's codes: `python -m docs.errors`.

A test holds both equal.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from dispatcher import errors
from dispatcher.errors import DispatcherError
from dispatcher.reporting.wording import REASONS
from dispatcher.studio.advice import CODES

PATH = Path(__file__).with_name("errors.md")
INTRODUCTION = """# Errors, by code

Written by `python -m docs.errors` from `dispatcher/errors/`, `dispatcher/reporting/wording.py` and
`dispatcher/studio/advice.py`.

Whatever ends a command is told with a code that scripts can rely on; sentences may change.

```text
error[account_locked]: another process is sending for this account
fix: wait until it has finished, or --wait
```

With `--json` it is `"error": {"code", "message", "fix"}`; in Python an exception with `code`, `exit_code`, `message`,
`found` and `fix`. The `fix` that comes with an error knows what was found, and goes before what stands here. All exit
codes: [cli.md](cli.md#exit-codes). What is odd and no error: [troubleshooting.md](troubleshooting.md).
"""


def text() -> str:
    """docs/errors.md as it should be."""
    parts = [INTRODUCTION, "## The tree\n", "```text", *_tree(DispatcherError), "```\n"]
    parts += [_section(kind) for kind in kinds()]
    return "\n".join([*parts, reasons(), twilio()])


def kinds(root: type[DispatcherError] = DispatcherError) -> list[type[DispatcherError]]:
    """Every error with a code of its own, in the tree's order."""
    found = [root] if "code" in vars(root) else []
    return found + [kind for child in _children(root) for kind in kinds(child)]


def _children(kind: type[DispatcherError]) -> list[type[DispatcherError]]:
    # In the order of the files, whatever was imported first; a class elsewhere is of its parent's code.
    ours = [child for child in kind.__subclasses__() if child.__module__.startswith(errors.__name__)]
    return sorted(ours, key=lambda child: (child.__module__, inspect.getsourcelines(child)[1]))


def _tree(kind: type[DispatcherError], before: str = "", branch: str = "", last: bool = True) -> Iterator[str]:
    shown = f"{before}{branch}{kind.__name__}"
    yield f"{shown:<34} exit {kind.exit_code.value:<3}  {kind.code}"
    below = before + ("" if not branch else "    " if last else "│   ")
    children = _children(kind)
    for child in children:
        is_last = child is children[-1]
        yield from _tree(child, below, "└── " if is_last else "├── ", is_last)


def said(kind: type[DispatcherError]) -> tuple[str, str, str]:
    """What an error means, its cause and its fix, from its docstring. Raises: ValueError where it does not say."""
    found = re.fullmatch(r"(.+?)\n\nCause:\s(.+)\sFix:\s(.+)", inspect.cleandoc(kind.__doc__ or ""), re.DOTALL)
    if found is None:
        raise ValueError(f"{kind.__name__}: its docstring is not a sentence, then `Cause: …` and `Fix: …`")
    meaning, cause, fix = (" ".join(part.split()) for part in found.groups())
    return meaning, cause, fix


def _section(kind: type[DispatcherError]) -> str:
    meaning, cause, fix = said(kind)
    parent = kind.__mro__[1]
    of = f", a kind of `{parent.__name__}`" if parent not in (DispatcherError, Exception) else ""
    return "\n".join(
        [
            f"## {kind.code}\n",
            f"{meaning} (`{kind.__name__}`{of}; exit code {kind.exit_code.value}.)\n",
            f"- **Cause:** {_linked(cause)}",
            f"- **Fix:** {_linked(fix)}\n",
        ]
    )


def _linked(words: str) -> str:
    """Another document's name leads there."""
    return re.sub(r"\bdocs/(\w+\.md)", r"[\1](\1)", words)


def reasons() -> str:
    """The table of why a row is invalid or skipped."""
    lines = ["## Rows: why one is invalid or skipped\n"]
    lines += ["In the report's `dispatch_error_code`; examples of wrong cells are in [input.md](input.md).\n"]
    lines += ["| reason | state | means | what to do |", "|---|---|---|---|"]
    for reason, words in REASONS.items():
        lines.append(f"| `{reason.value}` | {reason.state.value} | {words.meaning} | {words.advice} |")
    return "\n".join(lines) + "\n"


def twilio() -> str:
    """The table of Twilio's codes that come with an advice."""
    lines = ["## Twilio's codes\n"]
    lines += [
        "For rows that Studio refused, and for executions that ended so inside the flow ([tracking.md](tracking.md)).",
        "Twilio explains its codes at `https://www.twilio.com/docs/api/errors/CODE`; a code that is not here is told",
        "as Studio sent it.\n",
    ]
    lines += ["| code | means | what to do |", "|---|---|---|"]
    lines += [f"| {code} | {words.meaning} | {words.advice} |" for code, words in sorted(CODES.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
