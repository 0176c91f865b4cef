"""The README's first day, its commands one behind the other, as somebody types them who has read nothing else."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.cli.program import CREDENTIALS, FLOW, Program, SandboxProcess, phone, write_contacts

#: What somebody without a terminal says besides, by command; and what it ends with on the sample.
BESIDES: dict[str, tuple[str, ...]] = {
    "init": ("--to", "phone", "--region", "US", "--flow", FLOW, "--from", "+15550001111", "--purpose", "transactional"),
    "run": ("--yes",),
    "retry": ("--yes",),
}
TYPED = {"login": f"{CREDENTIALS['TWILIO_ACCOUNT_SID']}\nSK{'0' * 32}\nnone-such-secret\n"}


def commands(text: str) -> Iterator[list[str]]:
    """Every line of the README's blocks that calls the program, from the third step to the last."""
    day = text.partition("**3. Your account.**")[2].partition("\nAn exit code")[0]
    for block in re.findall(r"```sh\n(.*?)```", day, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["dispatcher"]:
                yield words[1:]


def test_the_readmes_first_day_works(program: Program, sandbox: SandboxProcess, root: Path) -> None:
    """Each command ends as it should: nothing in the README is a command or a flag that there is not."""
    shutil.copy(root / "samples" / "contacts.xlsx", program.folder)
    # What login has kept is all that there is of credentials.
    environment: dict[str, str | None] = {**dict.fromkeys(CREDENTIALS), "DISPATCHER_ACCOUNT_BASE_URL": sandbox.base_url}
    said = list(commands((root / "README.md").read_text("utf-8")))
    assert [words[0] for words in said] == [
        *("login", "doctor", "init", "check", "preview", "run", "run"),
        *("status", "report", "retry", "run", "track", "pause"),
    ]
    for words in said:
        is_test = "--test-to" in words
        besides = () if is_test else BESIDES.get(words[0], ())
        typed = f"{phone(9)}\n" if is_test else TYPED.get(words[0], "")
        done = program(*words, *besides, stdin=typed, env=environment)
        assert done.code in (0, 3), (words, done.out, done.err)
    assert sandbox.stats()["creates"] > 10


def test_the_readmes_python_works(ready: Program, sandbox: SandboxProcess, root: Path) -> None:
    """Its block, as it stands, in a folder with the settings and the file that it names."""
    write_contacts(ready.folder / "contacts.csv", 3)
    (block,) = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text("utf-8"), re.DOTALL)
    imports, _, body = block.partition("\nasync with")
    code = f"import asyncio\n{imports}\nasync def main():\n" + textwrap.indent(f"async with{body}", "    ")
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nasyncio.run(main())\n"],
        cwd=ready.folder,
        env=ready.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0 spring-report.csv"
    assert sandbox.stats()["creates"] == 3
