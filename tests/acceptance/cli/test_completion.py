"""The shell's completion: commands, options, and the ledger's campaigns."""

from __future__ import annotations

import pytest

from tests.acceptance.cli.program import Program, SandboxProcess, write_contacts


def completed(program: Program, line: str) -> list[str]:
    """What bash is offered at the end of the line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    result = program(env={"_DISPATCHER_COMPLETE": "complete_bash", **words})
    assert result.err == ""
    return result.out.split()


def test_commands_and_options_are_completed(program: Program) -> None:
    assert set(completed(program, "dispatcher re")) >= {"resume", "report", "retry", "reconcile"}
    assert "--dry-run" in completed(program, "dispatcher run --dr")


def test_campaigns_are_completed_from_the_ledger(ready: Program, sandbox: SandboxProcess) -> None:
    for name in ("spring", "summer", "autumn"):
        assert (
            ready("run", write_contacts(ready.folder / f"{name}.csv", 1), "--yes", "--on-busy", "end", "--again").code
            == 0
        )
    assert completed(ready, "dispatcher status s") == ["spring", "summer"]
    assert completed(ready, "dispatcher retry au") == ["autumn"]


@pytest.mark.parametrize("state", [b"no ledger at all", b""])
def test_completion_without_a_ledger(program: Program, state: bytes) -> None:
    """Without a ledger that can be read no campaign is offered, and nothing is said."""
    if state:
        (program.folder / ".dispatcher").mkdir()
        (program.folder / ".dispatcher" / "ledger.sqlite3").write_bytes(state)
    assert completed(program, "dispatcher status s") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_shown(program: Program, shell: str) -> None:
    result = program("--show-completion", shell, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert result.code == 0, result.err
    assert "_DISPATCHER_COMPLETE" in result.out
