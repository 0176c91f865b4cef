"""On a terminal: the question before sending, and the live view in any width, with and without colours."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.acceptance.cli.program import (
    PROGRAM,
    TIMEOUT_S,
    Program,
    SandboxProcess,
    check_clean,
    phone,
    read_report,
    sandbox_process,
    write_contacts,
    write_settings,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*\b(3[0-7]|9[0-7]|38;[25])[0-9;]*m")


@dataclass(slots=True)
class Terminal:
    """A command on a terminal of its own."""

    process: subprocess.Popen[bytes]
    master: int
    shown: str = ""

    def read(self, until: str | None = None) -> str:
        """What is shown, to the end or until this text has come."""
        end_s = time.monotonic() + TIMEOUT_S
        while until is None or until not in ESCAPE.sub("", self.shown):
            assert time.monotonic() < end_s, f"waited in vain for {until!r}:\n{self.shown}"
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:  # Linux' word for: the other end is closed
                data = b""
            if not data:
                assert until is None, f"ended without {until!r}:\n{self.shown}"
                break
            self.shown += data.decode(errors="replace")
        return self.shown

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def end(self) -> tuple[int, str]:
        """Wait for the end: exit code and all that was shown."""
        self.read()
        code = self.process.wait(timeout=TIMEOUT_S)
        os.close(self.master)
        check_clean(self.shown)
        return code, self.shown


def terminal(
    program: Program, *arguments: str, columns: int = 80, env: dict[str, str | None] | None = None
) -> Terminal:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=program.folder,
        env=program.environment({"TERM": "xterm-256color", **(env or {})}),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        # A session of its own, whose terminal this is: Ctrl-C reaches it as a signal.
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    return Terminal(process, master)


@pytest.fixture
def spring(ready: Program) -> Program:
    write_contacts(ready.folder / "spring.csv", 12)
    return ready


def test_the_row_count_typed_sends(spring: Program, sandbox: SandboxProcess) -> None:
    """The row count, typed, sends the rows, and nothing is sent before."""
    asked = terminal(spring, "run", "spring.csv")
    shown = asked.read(until="to send: ")
    assert "12 rows" in ESCAPE.sub("", shown)
    assert sandbox.stats()["creates_total_requests"] == 0
    asked.type("12\n")
    code, shown = asked.end()
    assert (code, sandbox.stats()["creates"]) == (0, 12), shown


@pytest.mark.parametrize(("keys", "found"), [("y\n", "found: y"), ("\n", "no answer"), ("\x04", "no answer")])
def test_an_answer_other_than_the_row_count(spring: Program, sandbox: SandboxProcess, keys: str, found: str) -> None:
    """Any answer but the row count sends nothing, and the exit code is 2."""
    asked = terminal(spring, "run", "spring.csv")
    asked.read(until="to send: ")
    asked.type(keys)
    code, shown = asked.end()
    assert code == 2
    assert "error[usage]: not confirmed" in ESCAPE.sub("", shown)
    assert found in ESCAPE.sub("", shown)
    assert sandbox.stats()["creates_total_requests"] == 0


def test_ctrl_c_at_the_question(spring: Program, sandbox: SandboxProcess) -> None:
    """Ctrl-C at the question sends nothing, and the exit code is 130."""
    asked = terminal(spring, "run", "spring.csv")
    asked.read(until="to send: ")
    asked.type("\x03")
    code, shown = asked.end()
    assert code == 130
    assert "error[interrupted]" in ESCAPE.sub("", shown)
    assert "stopping" not in shown
    assert sandbox.stats()["creates_total_requests"] == 0


def test_a_wrong_encoding_is_shown_and_asked(spring: Program, sandbox: SandboxProcess) -> None:
    """Names as each encoding would read them; the one that looks right is typed, and it is sent so."""
    (spring.folder / "latin.csv").write_bytes(f"phone,first_name\n{phone(400)},Zo".encode() + b"\xeb\n")
    asked = terminal(spring, "run", "latin.csv")
    asked.read(until="anything else stops: ")
    assert "cp1252   " in asked.shown
    assert "Zo\u00eb" in asked.shown
    asked.type("cp1252\n")
    asked.read(until="Type 1 to send: ")
    asked.type("1\n")
    assert asked.end()[0] == 0
    (create,) = sandbox.creates()
    assert create["parameters"]["first_name"] == "Zo\u00eb"
    refused = terminal(spring, "check", "latin.csv")
    refused.read(until="anything else stops: ")
    refused.type("\n")
    assert refused.end()[0] == 2


def test_retry_asks_for_the_number(spring: Program, sandbox: SandboxProcess) -> None:
    """`retry` changes nothing before the number of rows is typed."""
    sandbox.faults(reject=1, for_requests=5)
    assert spring("run", "spring.csv", "--yes").code == 3
    refused = terminal(spring, "retry", "spring", "--all-rejected")
    refused.read(until="Type 5 to send: ")
    refused.type("no\n")
    assert refused.end()[0] == 2
    assert spring("status", "spring", "--json").json["rows"]["rejected"] == 5
    agreed = terminal(spring, "retry", "spring", "--all-rejected")
    agreed.read(until="Type 5 to send: ")
    agreed.type("5\n")
    assert agreed.end()[0] == 0
    assert sandbox.stats()["creates"] == 12


def test_retry_of_unknown_rows(spring: Program, sandbox: SandboxProcess) -> None:
    """`retry --unknown` looks them up, shows why they are unknown, and sends what is left once the number is typed."""
    lost = {"500_after": 1, "for_requests": 3}
    sandbox.faults(**lost, then={"500_before": 1})
    # What is planted without an id, for contacts whose request created nothing, may be theirs.
    write_settings(spring.folder, sandbox.base_url, campaign={"repeat_after_h": 0}, retry={"breaker_failures": 50})
    assert spring("run", "spring.csv", "--yes", "--limit", "5").code == 6
    for n in (103, 104):
        sandbox.plant({"to": phone(n), "from": "+15550001111", "ends_after_s": 0.01})
    sandbox.faults()
    refused = terminal(spring, "retry", "spring", "--unknown")
    shown = ESCAPE.sub("", refused.read(until="to send: "))
    assert "row 5: an execution exists that may be this row's or another's: FN" in " ".join(shown.split())
    # Seven wait besides.
    assert "Type 9 to send: " in shown
    refused.type("no\n")
    assert refused.end()[0] == 2
    rows = spring("status", "spring", "--json").json["rows"]
    assert (rows["created"], rows["unknown"], rows["planned"]) == (3, 2, 7)
    agreed = terminal(spring, "retry", "spring", "--unknown")
    agreed.read(until="Type 9 to send: ")
    agreed.type("9\n")
    code, shown = agreed.end()
    assert code == 0, shown
    assert sandbox.stats()["creates"] == 12
    report = {row["phone"]: row for row in read_report(spring.folder / "spring-report.csv")}
    assert report[phone(103)]["dispatch_status"] == "created"


def test_a_look_that_was_cut_short(spring: Program, sandbox: SandboxProcess) -> None:
    """A terminal asks whether to go on where Studio lists too many; those that were found are left out."""
    write_settings(spring.folder, sandbox.base_url, campaign={"repeat_look_back_max": 5})
    for n in range(8):
        sandbox.plant({"to": phone(100 + n), "from": "+15550001111", "ends_after_s": 0.01, "age_s": 100 - n})
    stopped = spring("run", "spring.csv", "--yes", "--json")
    assert stopped.code == 5
    assert "[campaign] repeat_look_back_max" in stopped.err
    assert sandbox.stats()["creates"] == 0
    refused = terminal(spring, "run", "spring.csv")
    refused.read(until="anything else stops: ")
    refused.type("\n")
    assert refused.end()[0] == 2
    agreed = terminal(spring, "run", "spring.csv")
    agreed.read(until="anything else stops: ")
    agreed.type("on\n")
    agreed.read(until="Type 7 to send: ")
    agreed.type("7\n")
    assert agreed.end()[0] == 3
    assert sandbox.stats()["creates"] == 7


def test_cancel_asks_for_the_number(spring: Program, sandbox: SandboxProcess) -> None:
    """`cancel` changes nothing when something else than the number of rows is typed."""
    assert spring("run", "spring.csv", "--yes", "--limit", "2").code == 0
    asked = terminal(spring, "cancel", "spring", "--reason", "wrong price")
    asked.read(until="Type 10 to take these rows out: ")
    asked.type("y\n")
    assert asked.end()[0] == 2
    assert spring("status", "spring", "--json").json["rows"]["planned"] == 10


@pytest.fixture
def slow(program: Program) -> Iterator[SandboxProcess]:
    with sandbox_process(program.folder, "--latency", "0.1", "--limit", "200", "--fault", "429=0.05") as sandbox:
        write_settings(program.folder, sandbox.base_url, rate={"per_second": 200, "in_flight": 3})
        write_contacts(program.folder / "spring.csv", 60)
        yield sandbox


@pytest.mark.parametrize("columns", [40, 60, 80, 140])
def test_the_live_view_fits_the_terminal(program: Program, slow: SandboxProcess, columns: int) -> None:
    """The live view fits the terminal, and names states, rate and window."""
    code, shown = terminal(program, "run", "spring.csv", "--yes", columns=columns).end()
    assert code == 0, shown
    plain = ESCAPE.sub("", shown)
    drawn = plain[plain.index("spring  sending") : plain.rindex("worst window")]
    for text in ("created", "rate", "of 200/s", "429s", "in flight"):
        assert text in drawn
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", drawn)]
    assert max(map(len, lines)) <= columns
    # The cursor is given back.
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_no_color_is_respected_on_a_terminal(program: Program, slow: SandboxProcess) -> None:
    code, shown = terminal(program, "run", "spring.csv", "--yes", env={"NO_COLOR": "1"}).end()
    assert code == 0
    assert not COLOUR.search(shown)
    coloured = terminal(program, "status").end()[1]
    assert COLOUR.search(coloured)


def test_lines_without_escapes(program: Program, slow: SandboxProcess) -> None:
    """A dumb terminal and a pipe get lines without escapes."""
    code, shown = terminal(program, "run", "spring.csv", "--yes", env={"TERM": "dumb"}).end()
    assert code == 0
    assert "\x1b" not in shown
    piped = program("run", "spring.csv", "--yes")
    assert "\x1b" not in piped.out + piped.err


def test_ctrl_c_on_a_terminal_stops_in_good_order(program: Program, slow: SandboxProcess) -> None:
    running = terminal(program, "run", "spring.csv", "--yes")
    running.read(until="in flight")
    os.killpg(running.process.pid, signal.SIGINT)
    code, shown = running.end()
    assert code == 130
    assert "Ctrl-C again leaves at once" in ESCAPE.sub("", shown)
    assert program("status", "spring", "--json").json["rows"]["sending"] == 0


@pytest.mark.parametrize("command", [["flows"], ["executions", "list"], ["doctor"], ["status"], ["summary", "spring"]])
def test_what_is_listed_fits_a_narrow_terminal(spring: Program, command: list[str]) -> None:
    """Whole words and whole SIDs in 80 columns; only what is to be pasted may be longer."""
    assert spring("run", "spring.csv", "--yes").code == 0
    code, shown = terminal(spring, *command).end()
    lines = ESCAPE.sub("", shown).replace("\r", "").splitlines()
    assert code == 0, shown
    assert [line for line in lines if len(line.rstrip()) > 80 and "fix: " not in line] == []
    sids = re.findall(r"\b(?:FN|FW)[0-9a-f]+", "\n".join(lines))
    assert {len(sid) for sid in sids} <= {34}
