"""Random canaries as token, secret, phone and parameter, through every fault at debug level, and then looked for.

Secrets may be nowhere at all. Numbers and names may be in the user's own file, ledger and report, and nowhere else.
"""

from __future__ import annotations

import random
import secrets
import signal
import tomllib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from dispatcher.sandbox import DEFAULT_FLOW_SID, FAULTS, Sandbox, SandboxSettings
from dispatcher.sandbox.faults import parse_phases
from tests.chaos.program import Process, Zygote, zygote
from tests.integration.network.servers import Connection, http, serve
from tests.support.webhooks import Receiver, receiver

ACCOUNT_SID = "AC" + "0" * 32
KEY_SID = "SK" + "0" * 32
CONFIG = """\
[account]
base_url = "{base_url}"
api_version = "{version}"
[campaign]
flow = "{flow}"
from = "+15550001111"
on_busy = "wait"
busy_wait_s = 0.2
busy_give_up_s = 0.5
[columns]
to = "phone"
[rate]
per_second = 300
in_flight = 30
[retry]
backoff_base_s = 0.05
backoff_max_s = 0.3
read_attempts = 2
[timeouts]
connect_s = 0.5
answer_s = 0.3
stop_s = 1.0
[reconcile]
settle_s = 0.1
[state]
dir = ".dispatcher"
[notify]
webhook = "{hook}"
"""


class Canaries:
    """Texts that cannot be anywhere by chance."""

    def __init__(self) -> None:
        self.token = "tok" + secrets.token_hex(20)
        self.secret = "sec" + secrets.token_hex(20)
        self.notify_secret = b64encode(secrets.token_bytes(32)).decode()
        # Numbers of one random exchange: seven digits that belong together.
        self.exchange = str(random.SystemRandom().randrange(200, 990))
        self.phones = [f"+1415{self.exchange}{n:04}" for n in range(8)]
        self.names = ["Nm" + secrets.token_hex(8) for _ in self.phones]

    def secret_bytes(self) -> list[bytes]:
        """The secrets, and the shapes in which they travel."""
        texts = [self.token, self.secret, self.notify_secret]
        pairs = [f"{ACCOUNT_SID}:{self.token}", f"{KEY_SID}:{self.secret}"]
        return [text.encode() for text in texts] + [b64encode(pair.encode()) for pair in pairs]

    def personal_bytes(self) -> list[bytes]:
        """Whole numbers with and without what may stand before them, and the parameters' values."""
        digits = [phone.removeprefix("+1").encode() for phone in self.phones]
        return digits + [name.encode() for name in self.names]


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="module")
def hook() -> Iterator[Receiver]:
    """Whoever is told how runs end."""
    with receiver() as found:
        yield found


@pytest.fixture(scope="module", params=["token", "key"])
def programs(request: pytest.FixtureRequest, canaries: Canaries) -> Iterator[Zygote]:
    if request.param == "token":
        variables = {"TWILIO_AUTH_TOKEN": canaries.token}
    else:
        # Both are set: the key stands above the token, and neither may be shown.
        variables = {
            "TWILIO_API_KEY": KEY_SID,
            "TWILIO_API_SECRET": canaries.secret,
            "TWILIO_AUTH_TOKEN": canaries.token,
        }
    variables["DISPATCHER_NOTIFY_SECRET"] = f"whsec_{canaries.notify_secret}"
    with zygote(TWILIO_ACCOUNT_SID=ACCOUNT_SID, PYTHONASYNCIODEBUG="1", **variables) as result:
        yield result


def write_files(folder: Path, canaries: Canaries, base_url: str, hook: Receiver, version: str = "v2") -> None:
    config = CONFIG.format(base_url=base_url, flow=DEFAULT_FLOW_SID, version=version, hook=hook.url)
    (folder / "config.toml").write_text(config)
    tomllib.loads(config)
    lines = [f"{phone},{name}" for phone, name in zip(canaries.phones, canaries.names, strict=True)]
    (folder / "spring.csv").write_text("\n".join(["phone,first_name", *lines]) + "\n")


def found_in(data: bytes, needles: list[bytes]) -> list[bytes]:
    return [needle for needle in needles if needle in data]


def command_line(pid: int) -> bytes:
    """What `ps` shows of a process; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


async def watched(process: Process, needles: list[bytes]) -> int:
    """Wait for the process, and look at what everybody on this machine can see of it meanwhile."""
    while not await process.ends_within(0.05):
        assert found_in(command_line(process.pid), needles) == []
    return await process.wait()


def check_files(folder: Path, canaries: Canaries) -> None:
    """Every file that is left: secrets in none; people only where they belong."""
    own = {"spring.csv", "report.csv"}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        assert found_in(data, canaries.secret_bytes()) == [], path
        if path.name not in own and ".dispatcher" not in path.parts:
            assert found_in(data, canaries.personal_bytes()) == [], (
                f"{path.name}:\n{data.decode(errors='replace')[:4000]}"
            )
    assert canaries.phones[0].encode() in (folder / "spring.csv").read_bytes(), "the search finds nothing at all"


def check_notices(hook: Receiver, canaries: Canaries) -> None:
    """What the receiver was told since the last look: something, and nothing of anybody."""
    assert hook.received, "nobody was told anything"
    for one in hook.received:
        data = f"{one.headers} {one.body}".encode()
        assert found_in(data, canaries.secret_bytes() + canaries.personal_bytes()) == [], one.body
        assert one.verified(f"whsec_{canaries.notify_secret}")["data"]["campaign"] == "spring"
    hook.received.clear()


#: Kept by every command, at debug level; no file of the user's own, so nothing of a person may be in it.
LOG = "commands.log"
COMMANDS: list[list[str]] = [
    ["run", "spring.csv", "--yes", "--report", "report.csv"],
    ["reconcile", "spring"],
    ["status", "spring"],
    ["resume", "spring", "--yes", "--report", "report.csv", "--json"],
    ["retry", "spring", "--all-rejected", "--yes", "--report", "report.csv"],
    ["report", "spring", "--report", "report.csv"],
]


async def run_all(folder: Path, programs: Zygote, needles: list[bytes], commands: list[list[str]]) -> None:
    for command in commands:
        process = await programs.start(
            folder,
            *command,
            "--config",
            "config.toml",
            "--debug",
            "--log-file",
            LOG,
            stdout=str(folder / f"{command[0]}.out"),
        )
        await watched(process, needles)
    log = (folder / LOG).read_text(encoding="utf-8")
    assert log.count("begins, process") >= len(commands), "the commands were not logged"


async def test_every_fault_of_creates_and_reads(
    tmp_path: Path, canaries: Canaries, programs: Zygote, hook: Receiver
) -> None:
    """Through every fault of creates and reads no secret, number or name is shown.

    All faults on the same few rows, each in turn, with all that follows from it.
    """
    needles = canaries.secret_bytes() + canaries.personal_bytes()
    names = [name for name, fault in FAULTS.items() if fault.target in ("", "read_")]
    random.Random(1).shuffle(names)
    settings = SandboxSettings(limit_per_s=0, slow_s=1.0, drip_s=0.05, late_s=0.1, ends_after_s=0.05)
    async with Sandbox(settings) as sandbox:
        # Some at once: every process meets a handful of faults of its own.
        for number, start in enumerate(range(0, len(names), 12)):
            some = names[start : start + 12]
            share = 0.9 / max(1, len(some))
            sandbox.fault_plan.replace(parse_phases(dict.fromkeys(some, share)), sandbox.now_us())
            folder = tmp_path / f"f{number}"
            folder.mkdir()
            write_files(folder, canaries, sandbox.base_url, hook, "v1" if number % 2 else "v2")
            await run_all(folder, programs, needles, COMMANDS[:2])
            check_files(folder, canaries)
        sandbox.fault_plan.replace(parse_phases({}), sandbox.now_us())
        await run_all(folder, programs, needles, COMMANDS)
        check_files(folder, canaries)
    check_notices(hook, canaries)
    struck = set(sandbox.stats()["faults"])
    assert len(struck) > 10, (tmp_path / "f0" / "stderr.txt").read_text()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500])
async def test_an_answer_that_repeats_the_request(
    tmp_path: Path, canaries: Canaries, programs: Zygote, hook: Receiver, status: int
) -> None:
    """An answer that repeats what it was sent is not repeated to the terminal.

    Twilio's messages hold the number they are about; a broken proxy's may hold the whole request.
    """

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.read_request()
            body = {"code": 21211, "status": status, "message": f"Invalid To {canaries.phones[0]}, {request.decode()}"}
            await connection.answer(http(status, orjson.dumps(body)))

    write: dict[str, Any] = {}
    async with serve(handler) as server:
        write_files(tmp_path, canaries, server.url, hook)
        needles = canaries.secret_bytes() + canaries.personal_bytes()
        arguments = ["run", "spring.csv", "--yes", "--report", "report.csv", "--no-preflight", "--limit", "3"]
        process = await programs.start(tmp_path, *arguments, "--config", "config.toml", "--debug", **write)
        if not await process.ends_within(3):
            process.signal(signal.SIGINT)
        await watched(process, needles)
    check_files(tmp_path, canaries)
    check_notices(hook, canaries)


async def test_a_crash_shows_no_secret_and_no_name(
    tmp_path: Path, canaries: Canaries, programs: Zygote, hook: Receiver
) -> None:
    """A crash of the program shows no secret, number or name.

    A ledger that is no ledger, a file that is none, a column that is missing: whatever is said, not that.
    """
    needles = canaries.secret_bytes() + canaries.personal_bytes()
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        write_files(tmp_path, canaries, sandbox.base_url, hook)
        await run_all(tmp_path, programs, needles, [["run", "spring.csv", "--yes", "--to", "telephone"]])
        with (tmp_path / "spring.csv").open("a") as file:
            file.write(f'{canaries.phones[0]},"{canaries.names[0]}\n{canaries.phones[1]}x,{canaries.names[1]}\n')
        await run_all(tmp_path, programs, needles, [["run", "spring.csv", "--yes", "--report", "report.csv"]])
        (tmp_path / ".dispatcher").mkdir(exist_ok=True)
        (tmp_path / ".dispatcher" / "ledger.sqlite3").write_bytes(b"no ledger")
        await run_all(tmp_path, programs, needles, COMMANDS)
    check_files(tmp_path, canaries)
    check_notices(hook, canaries)
