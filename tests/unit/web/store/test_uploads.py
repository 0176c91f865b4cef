"""Uploaded files: private, named by nobody but us, and gone with whatever a crash leaves."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dispatcher.web.store import AuditLine, Store, Upload, open_store
from dispatcher.web.store.files import plain_name, plain_suffix
from tests.unit.web.store.conftest import CHEAP

DAY_MS = 86_400_000
LINE = AuditLine(at_ms=1, who="Anna", source="", what="uploaded")


async def uploaded(store: Store, *, now_ms: int = 1, name: str = "contacts.csv") -> Upload:
    new = await store.uploads.begin(name, "Anna", now_ms)
    new.path.write_bytes(b"phone\n1\n")
    upload = await store.uploads.finish(new.upload_id, 8, "ab", audit=LINE)
    assert upload is not None
    return upload


def kept(store: Store) -> set[str]:
    return {path.name for path in store.uploads.folder.iterdir()}


async def test_a_file_that_came_whole(store: Store) -> None:
    """It is known, found, counted, and readable by nobody else."""
    upload = await uploaded(store)
    assert await store.uploads.get(upload.upload_id) == upload
    assert (upload.name, upload.size_bytes, upload.sha256, upload.deleted_at_ms) == ("contacts.csv", 8, "ab", None)
    path = await store.uploads.path(upload.upload_id)
    assert path is not None
    assert path.read_bytes() == b"phone\n1\n"
    assert path.name == "file.csv"
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent, path.parents[1])] == [0o600, 0o700, 0o700]
    assert await store.uploads.total_bytes() == 8
    assert [line.what for line in await store.audit.page()] == ["uploaded"]


async def test_a_file_that_was_cut_off(store: Store) -> None:
    """It is no upload before it came whole, and nothing is left of it once it is dropped."""
    new = await store.uploads.begin("a.csv", "Anna", 1)
    new.path.write_bytes(b"ph")
    assert await store.uploads.get(new.upload_id) is None
    await store.uploads.drop(new.upload_id)
    assert kept(store) == set()
    assert await store.uploads.path(new.upload_id) is None
    assert await store.uploads.finish(new.upload_id, 2, "x", audit=LINE) is None
    assert await store.audit.page() == []


async def test_what_came_whole_is_not_dropped(store: Store) -> None:
    """A late `drop` of a request that ended badly takes no upload away; nor does a second `finish` change it."""
    upload = await uploaded(store)
    await store.uploads.drop(upload.upload_id)
    assert await store.uploads.finish(upload.upload_id, 9, "cd", audit=LINE) is None
    assert await store.uploads.get(upload.upload_id) == upload
    assert kept(store) == {upload.upload_id}


async def test_bytes_are_deleted_once(store: Store) -> None:
    """The upload stays known, without its bytes."""
    upload = await uploaded(store)
    assert await store.uploads.delete_file(upload.upload_id, 7, audit=LINE)
    assert not await store.uploads.delete_file(upload.upload_id, 8, audit=LINE)
    found = await store.uploads.get(upload.upload_id)
    assert found is not None
    assert found.deleted_at_ms == 7
    assert kept(store) == set()
    assert (await store.uploads.path(upload.upload_id), await store.uploads.total_bytes()) == (None, 0)
    assert len(await store.audit.page()) == 2


@pytest.mark.parametrize("upload_id", ["", "..", "../..", "x/y", "\x00"])
async def test_no_id_is_a_path(upload_id: str, store: Store) -> None:
    """Only what the store has given leads to a file."""
    await uploaded(store)
    assert await store.uploads.path(upload_id) is None
    assert not await store.uploads.delete_file(upload_id, 1)
    await store.uploads.drop(upload_id)
    assert len(kept(store)) == 1


async def test_a_sweep_removes_what_is_old(store: Store) -> None:
    """But what a campaign still needs, and what is not old to the millisecond."""
    old, used = await uploaded(store, now_ms=0), await uploaded(store, now_ms=0)
    new = await uploaded(store, now_ms=1)
    assert await store.uploads.sweep(30 * DAY_MS, 30 * DAY_MS, in_use={used.upload_id}) == 1
    assert kept(store) == {used.upload_id, new.upload_id}
    found = await store.uploads.get(old.upload_id)
    assert found is not None
    assert found.deleted_at_ms == 30 * DAY_MS
    assert await store.uploads.sweep(30 * DAY_MS, 30 * DAY_MS, in_use={used.upload_id}) == 0


async def test_a_sweep_removes_what_a_crash_left(tmp_path: Path) -> None:
    """Half an upload, bytes of one that is told to be deleted, a folder and a check of nobody; and nothing else."""
    store = await open_store(tmp_path, cost=CHEAP)
    whole = await uploaded(store)
    half = await store.uploads.begin("b.csv", "Anna", 5)
    half.path.write_bytes(b"ph")
    gone = await uploaded(store)
    await store._thread.do(lambda db: db.run("upload_deleted", upload_id=gone.upload_id, now_ms=2))
    (store.uploads.folder / "stranger").mkdir()
    draft = await store.drafts.create("spring", created_by="Anna", now_ms=1)
    for name in (draft.draft_id, "gone"):
        store.uploads.check_folder(name).mkdir(parents=True)
    await store.close()

    store = await open_store(tmp_path, cost=CHEAP)
    assert await store.uploads.sweep(6, 30 * DAY_MS) == 0
    assert kept(store) == {whole.upload_id, half.upload_id}, "somebody may be writing it"
    await store.uploads.sweep(6, 30 * DAY_MS, unfinished_ms=0)
    assert kept(store) == {whole.upload_id}
    assert {path.name for path in store.uploads.checks.iterdir()} == {draft.draft_id}
    await store.close()


async def test_a_sweep_follows_no_link(store: Store, tmp_path: Path) -> None:
    """A link in the folder takes nothing with it that lies elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    await uploaded(store)
    (store.uploads.folder / "stranger").symlink_to(outside)
    await store.uploads.sweep(1, DAY_MS, unfinished_ms=0)
    assert (outside / "precious").exists()


@pytest.mark.parametrize(
    ("name", "shown", "suffix"),
    [
        ("contacts.xlsx", "contacts.xlsx", ".xlsx"),
        ("C:\\Users\\anna\\list.CSV", "list.CSV", ".csv"),
        ("../../etc/passwd", "passwd", ""),
        ("a.csv.gz", "a.csv.gz", ".csv.gz"),
        ("v1.2.tsv", "v1.2.tsv", ".tsv"),
        ("a.\u202ecsv", "a.csv", ""),
        ("a.c/sv", "sv", ""),
        ("x.ç", "x.ç", ""),
        ("x." + "y" * 40, "x." + "y" * 40, ""),
        ("", "file", ""),
        ("..", "..", ""),
        ("a\nb.csv", "ab.csv", ".csv"),
        ("n" * 300 + ".csv", "n" * 200, ".csv"),
    ],
)
def test_a_name_is_text_only(name: str, shown: str, suffix: str) -> None:
    """Shown without a folder and without what cannot be seen; of the disk's name only the suffix is the browser's."""
    assert (plain_name(name), plain_suffix(name)) == (shown, suffix)
