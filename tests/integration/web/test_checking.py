"""Uploaded files in a real child process: what is seen, what is counted, and what is when it dies or takes long."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import rehearse_campaign
from dispatcher.campaign.problems import bad_rows, write_left_out
from dispatcher.settings import load
from dispatcher.web.accounts import Accounts
from dispatcher.web.checking import Checker, Progress, scratch_of
from dispatcher.web.checking.checker import WAITING_MAX
from dispatcher.web.checking.jobs import CheckJob, File, Job, LookJob, job_line
from dispatcher.web.checking.process import run_job
from dispatcher.web.store import Draft, Stage, Store, open_store

CORPUS = Path(__file__).resolve().parents[2] / "data" / "corpus"
ACCOUNT_SID = "AC" + "1" * 32
COLUMNS = {"columns.to": "phone", "columns.region": "US", "campaign.from": "+15550001111"}
ROWS = ["phone,name", "+12025550100,Ann", "12,Bob", "+12025550101,Cyd", "+12025550100,Ann"]
#: One of each kind, and of each kind of fault.
ANSWERED = """binary.csv compressed.csv.gz control-z.csv cut-off.parquet deep.jsonl document.json dates.xlsx empty.csv
encrypted.xlsx far-cell.xlsx header-only.csv merged.xlsx no-header.csv not-a-workbook.xlsx old.xls open-document.ods
open-quote.csv phones-as-floats.parquet tabs.tsv two-of-a-name.csv web-page.xlsx""".split()  # noqa: SIM905
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux shows them")


class Desk:
    """A store, its accounts, and a checker; and drafts of files."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.accounts = Accounts(self._load)
        self.checker = Checker(store, self.accounts)

    def _load(self, profile: str | None, over: Mapping[str, Any]) -> Any:
        flags = {"state.dir": str(self.folder / "state"), "account.base_url": "http://127.0.0.1:9", **over}
        return load(no_file=True, flags=flags, environ={})

    async def upload(self, content: bytes, name: str = "spring.csv") -> str:
        new = await self.store.uploads.begin(name, "Anna", 1)
        write(new.path, content)
        assert await self.store.uploads.finish(new.upload_id, len(content), hashlib.sha256(content).hexdigest())
        return new.upload_id

    async def draft(self, content: bytes, name: str = "spring.csv", **settings: str) -> Draft:
        """One that is `checking`, of a file with this content."""
        return await self.store.drafts.create(
            "spring",
            created_by="Anna",
            now_ms=1,
            uploads=(await self.upload(content, name),),
            settings={key.replace("__", "."): value for key, value in settings.items()},
            stage=Stage.checking,
        )

    async def stuck(self) -> Draft:
        """One whose file never comes to its end: a pipe that nobody writes to."""
        draft = await self.draft(b"x")
        path = await self.store.uploads.path(draft.uploads[0])
        assert path is not None
        make_pipe(path)
        return draft

    async def ended(self, draft: Draft) -> Draft:
        """The draft as soon as its check has ended."""
        for _ in range(6000):
            now = await self.store.drafts.get(draft.draft_id)
            assert now is not None
            if now.stage is not Stage.checking:
                return now
            await asyncio.sleep(0.01)
        raise AssertionError("the check does not end")

    async def looked(self, content: bytes, name: str = "spring.csv", **settings: str) -> Draft:
        draft = await self.draft(content, name, **settings)
        await self.checker.look(draft)
        return await self.ended(draft)

    async def checked(self, content: bytes, name: str = "spring.csv", **settings: str) -> Draft:
        draft = await self.draft(
            content, name, **(settings or {key.replace(".", "__"): COLUMNS[key] for key in COLUMNS})
        )
        await self.checker.check(draft)
        return await self.ended(draft)


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def csv(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def children() -> list[int]:
    """The processes that this one has started to read files."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            command = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text("utf-8").rpartition(")")[2].split()[1])
            if b"dispatcher.web.checking" in command and parent == os.getpid():
                found.append(int(entry.name))
    return found


async def one_child() -> int:
    """The child, as soon as it is there."""
    for _ in range(1000):
        if found := children():
            return found[0]
        await asyncio.sleep(0.01)
    raise AssertionError("no child was started")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    store = await open_store(tmp_path / "state")
    desk = Desk(store, tmp_path)
    yield desk
    await desk.checker.close()
    await store.close()


async def test_a_look_tells_which_column_is_what(desk: Desk) -> None:
    """Names, samples, the numbers' column and country, and how the file is to be read; then a person is asked."""
    content = csv("Spring list", "", "phone;name;name", "+1 202 555 0100;Ann;x", "202-555-0101;Zoë;y")
    draft = await desk.looked(content.decode().encode("cp1252"))
    assert draft.stage is Stage.columns
    assert draft.error is None
    look = draft.look
    assert look is not None
    assert look["columns"] == [{"name": "phone", "samples": ["+1 202 555 0100", "202-555-0101"]}]
    assert (look["to"], look["needs_country"], look["country"]) == ("phone", True, "US")
    assert look["repeated"] == ["name"]
    assert look["settings"]["input.encoding"] == "cp1252"
    assert look["settings"]["input.header_row"] == 3
    assert look["encodings"][0]["encoding"] == "cp1252"


async def test_of_several_sheets_one_is_proposed(desk: Desk) -> None:
    """The one that has numbers; all of them are named, also when another was chosen."""
    content = (CORPUS / "two-sheets.xlsx").read_bytes()
    for chosen, told in ({}, "People"), ({"input__sheet": "More"}, "More"):
        look = (await desk.looked(content, "two.xlsx", **chosen)).look
        assert look is not None
        assert (look["sheets"], look["sheet"]) == (["People", "More"], told)


@pytest.mark.parametrize("name", ANSWERED)
async def test_every_file_gets_an_answer(desk: Desk, name: str) -> None:
    """A look or a sentence that a marketer can act on, never a path of the server; the file stays as it is."""
    content = (CORPUS / name).read_bytes()
    draft = await desk.looked(content, name)
    path = await desk.store.uploads.path(draft.uploads[0])
    assert path is not None
    assert read(path) == content
    if draft.stage is Stage.columns:
        assert draft.look is not None
        assert draft.look["columns"]
    else:
        assert draft.stage is Stage.failed
        assert draft.error is not None
        assert draft.error["code"] in ("input", "sheet", "settings")
        assert draft.error["message"].endswith(".")
        assert str(desk.folder) not in str(draft.error)
        assert draft.error["message"].count(name) <= 1


def read(path: Path) -> bytes:
    return path.read_bytes()


async def test_a_check_counts_every_row(desk: Desk) -> None:
    """By state and reason; and what it has come to can be opened, its bad rows read."""
    draft = await desk.checked(csv(*ROWS))
    assert (draft.stage, draft.error) == (Stage.checked, None)
    check = draft.check
    assert check is not None
    assert check["total"] == 4
    assert {state: n for state, n in check["rows"].items() if n} == {"planned": 2, "invalid": 1, "skipped": 1}
    assert check["reasons"] == {"to_invalid": 1, "duplicate": 1}
    assert check["examples"] == {"to_invalid": [3], "duplicate": [5]}
    assert check["overlap"] == {"contacts": 0, "campaigns": [], "same_file": []}
    (file,) = check["files"]
    assert (file["name"], file["sha256"]) == ("spring.csv", hashlib.sha256(csv(*ROWS)).hexdigest())
    settings = desk.accounts.of(draft).settings
    async with rehearse_campaign("spring", settings, scratch=scratch_of(desk.store, draft.draft_id)) as rehearsal:
        rows = await bad_rows(rehearsal, limit=1)
        assert [(row.row_number, row.value) for row in rows] == [(3, "12")]


async def test_corrected_rows_are_added(desk: Desk, tmp_path: Path) -> None:
    """The rows that are downloaded, corrected and uploaded again join those that were in order before."""
    draft = await desk.checked(csv(*ROWS))
    out = tmp_path / "left-out.csv"
    settings = desk.accounts.of(draft).settings
    async with rehearse_campaign("spring", settings, scratch=scratch_of(desk.store, draft.draft_id)) as rehearsal:
        assert await write_left_out(rehearsal, out, reason="to_invalid") == 1
    corrected = read(out).replace(b"\n12,", b"\n+12025550199,")
    assert corrected != read(out)
    uploads = (*draft.uploads, await desk.upload(corrected, "left-out.csv"))
    changed = await desk.store.drafts.change(draft.draft_id, draft.version, uploads=uploads, stage=Stage.checking)
    assert changed is not None
    await desk.checker.check(changed)
    draft = await desk.ended(draft)
    assert draft.check is not None
    assert (draft.check["rows"]["planned"], draft.check["total"], draft.check["reasons"]) == (3, 3, {})
    assert draft.check["file"]["new"] == 1
    async with rehearse_campaign("spring", settings, scratch=scratch_of(desk.store, draft.draft_id)) as rehearsal:
        first = await rehearsal.first_request()
        assert first is not None
        assert first.parameters.keys() == {"name", "dispatch_id"}


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"columns__to": "mobile", "campaign__from": "+15550001111"}, "column", "mobile"),
        ({"columns__to": "phone", "columns__region": "XX"}, "settings", ""),
        ({"columns__to": "phone"}, "settings", ""),
    ],
)
async def test_what_cannot_be_planned_is_told(desk: Desk, settings: dict[str, str], code: str, words: str) -> None:
    """In the page's words; no check is left of it."""
    draft = await desk.checked(csv(*ROWS), **settings)
    assert (draft.stage, draft.check) == (Stage.failed, None)
    assert draft.error is not None
    assert draft.error["code"] == code
    assert words in draft.error["message"]
    assert not exists(scratch_of(desk.store, draft.draft_id).parent)


def exists(path: Path) -> bool:
    return path.exists()


@linux
async def test_a_child_that_dies_harms_nothing(desk: Desk) -> None:
    """Killed, as for want of memory: the draft says so in words, the file is there, and the next one is read."""
    draft = await desk.stuck()
    await desk.checker.look(draft)
    os.kill(await one_child(), signal.SIGKILL)
    draft = await desk.ended(draft)
    assert draft.stage is Stage.failed
    assert draft.error == {
        "code": "input",
        "message": "The file needs too much memory to be read, or it is damaged.",
        "found": "",
        "fix": "Save it as CSV, or in smaller parts, and upload it again.",
        "field": "",
    }
    assert (await desk.looked(csv(*ROWS))).stage is Stage.columns
    assert children() == []


@linux
async def test_a_child_that_takes_too_long_is_killed(desk: Desk) -> None:
    """And the draft says that it did."""
    desk.checker = Checker(desk.store, desk.accounts, time_max_s=1.0)
    draft = await desk.stuck()
    await desk.checker.look(draft)
    draft = await desk.ended(draft)
    assert draft.error is not None
    assert draft.error["message"] == "The file was not read within 1 minute."
    assert children() == []


@linux
async def test_a_check_can_be_cancelled(desk: Desk) -> None:
    """The child is gone when that returns. Where the columns are known, the draft is back at them."""
    for look, stage in (None, Stage.failed), ({"columns": []}, Stage.columns):
        draft = await desk.stuck()
        changed = await desk.store.drafts.change(draft.draft_id, draft.version, look=look)
        assert changed is not None
        await desk.checker.look(changed)
        await one_child()
        assert desk.checker.progress(draft.draft_id) == Progress()
        cancelled = await desk.checker.cancel(changed)
        assert cancelled is not None
        assert cancelled.stage is stage
        assert children() == []
        assert desk.checker.progress(draft.draft_id) is None
        assert await desk.store.drafts.get(draft.draft_id) == cancelled
        assert await desk.checker.cancel(changed) is None


@linux
async def test_one_is_read_three_wait_a_fifth_is_refused(desk: Desk) -> None:
    """With a sentence; those that wait are told how many are before them, and are read when it is their turn."""
    first = await desk.stuck()
    await desk.checker.look(first)
    await one_child()
    waiting = [await desk.draft(csv(*ROWS)) for _ in range(WAITING_MAX)]
    for draft in waiting:
        await desk.checker.look(draft)
    places = [desk.checker.progress(draft.draft_id) for draft in waiting]
    assert [told.place for told in places if told] == [1, 2, 3]
    assert len(children()) == 1
    fifth = await desk.draft(csv(*ROWS))
    await desk.checker.look(fifth)
    refused = await desk.ended(fifth)
    assert refused.error is not None
    assert refused.error["message"] == "Other files are checked just now, and some wait already."
    assert await desk.checker.cancel(first) is not None
    for draft in waiting:
        assert (await desk.ended(draft)).stage is Stage.columns


async def test_a_restart_checks_what_was_being_checked(desk: Desk) -> None:
    """Those that were being checked when the server ended, each as it was asked for."""
    look = await desk.draft(csv(*ROWS))
    check = await desk.draft(csv(*ROWS), **{key.replace(".", "__"): value for key, value in COLUMNS.items()})
    await desk.checker.check(check)
    await desk.checker.close()
    assert await desk.store.drafts.get(check.draft_id) == check
    desk.checker = Checker(desk.store, desk.accounts)
    await desk.checker.resume(await desk.store.drafts.list())
    assert (await desk.ended(look)).stage is Stage.columns
    assert (await desk.ended(check)).stage is Stage.checked


@linux
async def test_what_changes_meanwhile_is_checked(desk: Desk) -> None:
    """A result never belongs to settings that hold no more; a change of anything else does not lose it."""
    draft = await desk.draft(csv(*ROWS), **{key.replace(".", "__"): value for key, value in COLUMNS.items()})
    await desk.checker.check(draft)
    child = await one_child()
    changed = await desk.store.drafts.change(draft.draft_id, draft.version, settings={**COLUMNS, "columns.to": "name"})
    assert changed is not None
    for _ in range(3000):
        if (again := children()) and again != [child]:
            break
        await asyncio.sleep(0.01)
    assert await desk.store.drafts.change(draft.draft_id, changed.version, test={"to": "me"}) is not None
    draft = await desk.ended(draft)
    assert draft.check is not None
    assert draft.check["rows"]["planned"] == 0
    assert draft.test == {"to": "me"}


async def test_a_file_that_is_gone_is_told(desk: Desk) -> None:
    """Deleted by hand, or after its time."""
    draft = await desk.draft(csv(*ROWS))
    await desk.store.uploads.delete_file(draft.uploads[0], 5)
    await desk.checker.look(draft)
    draft = await desk.ended(draft)
    assert draft.error is not None
    assert draft.error["message"] == "spring.csv is not kept any more."


@linux
async def test_a_child_ends_with_its_server(tmp_path: Path) -> None:
    """A server that was killed closes nothing in good order: its child reads no file for nobody."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    async with child_of(look_job(pipe)) as child:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(child.wait(), 2)
        assert child.stdin is not None
        child.stdin.close()
        assert await asyncio.wait_for(child.wait(), 10) == 3


async def test_nothing_of_a_contact_is_printed(tmp_path: Path) -> None:
    """On standard error, also of what libraries warn of; the answer alone has it."""
    path = tmp_path / "a.csv"
    write(path, csv("phone,name", '+12025550100,"Ann', "+12025550101,\x00Bob"))
    async with child_of(look_job(path)) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert (await child.stdout.readline()).startswith(b'{"')
        await child.wait()
        told = await child.stderr.read()
        assert b"555" not in told
        assert b"Ann" not in told


@linux
async def test_a_file_of_too_many_rows_fills_no_disk(tmp_path: Path) -> None:
    """A few megabytes can unpack to rows without end: what is written of them is bounded, and that is told."""
    path = tmp_path / "a.csv"
    write(path, csv("phone,name", *(f"+4915100{number:06d},Ann" for number in range(20_000))))
    job = CheckJob(
        campaign="spring",
        files=(File(upload_id="u", path=str(path), name="a.csv"),),
        planned=0,
        settings={"columns": {"to": "phone"}, "campaign": {"from": "+15550001111"}, "state": {"dir": str(tmp_path)}},
        account_sid=None,
        scratch=str(tmp_path / "check" / "ledger.sqlite3"),
        again=False,
    )
    async with child_of(job, written_max_bytes=500_000) as child:
        assert child.stdout is not None
        last = (await child.stdout.read()).splitlines()[-1]
    assert b"The file has more rows than can be checked here." in last
    assert size(tmp_path / "check" / "ledger.sqlite3") <= 500_000


def size(path: Path) -> int:
    return path.stat().st_size


@linux
async def test_a_child_has_bounds_and_no_secret(tmp_path: Path) -> None:
    """Little of the processor, so much memory, no core; and nothing of the credentials that its server has."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    task = asyncio.create_task(run_job(look_job(pipe), lambda progress: None))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TWILIO_AUTH_TOKEN", "very-secret")
            patch.setenv("TWILIO_EU_API_SECRET", "very-secret")
            child = await one_child()
        for _ in range(500):
            if limits_of(child)["Max address space"] != "unlimited":
                break
            await asyncio.sleep(0.01)
        assert limits_of(child)["Max core file size"] == "0"
        assert limits_of(child)["Max address space"] == str(1_500 << 20)
        assert limits_of(child)["Max file size"] == str(4 << 30)
        assert os.getpriority(os.PRIO_PROCESS, child) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        assert b"very-secret" not in read(Path(f"/proc/{child}/environ"))
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert children() == []


def limits_of(pid: int) -> dict[str, str]:
    """A process's limits: name -> the soft one."""
    lines = Path(f"/proc/{pid}/limits").read_text("utf-8").splitlines()[1:]
    return {line[:26].strip(): line[26:47].strip() for line in lines}


def look_job(path: Path) -> LookJob:
    return LookJob(file=File(upload_id="u", path=str(path), name="a.csv"), settings={})


@contextlib.asynccontextmanager
async def child_of(job: Job, *, written_max_bytes: int | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child with its job, as a server starts it, but with what it prints."""

    def bound() -> None:
        if written_max_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (written_max_bytes, written_max_bytes))

    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "always",
        "-m",
        "dispatcher.web.checking",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=bound,
    )
    assert child.stdin is not None
    try:
        child.stdin.write(job_line(job))
        await child.stdin.drain()
        yield child
    finally:
        child.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()
