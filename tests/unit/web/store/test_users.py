"""People: told apart by their names however typed, signed out by every change, and never without a sender."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatcher.errors import UsageError
from dispatcher.web.passwords import Cost
from dispatcher.web.store import AuditLine, Role, Store, User, open_store
from dispatcher.web.store.users import checked_name
from tests.unit.web.store.conftest import CHEAP

PASSWORD = "correct horse battery"
OTHER = "staple in the hay 9"
LINE = AuditLine(at_ms=1, who="root", source="terminal", what="user_changed")


async def anna(store: Store, role: Role = Role.sender) -> User:
    return await store.users.add("Anna", role, PASSWORD, ["+12025550123"], now_ms=1, audit=LINE)


async def test_a_person_is_kept(store: Store) -> None:
    """With role and numbers; the password is not in the file."""
    user = await anna(store)
    assert user == User(
        user_id=user.user_id, name="Anna", role=Role.sender, own_numbers=("+12025550123",), created_at_ms=1
    )
    assert await store.users.by_id(user.user_id) == await store.users.by_name(" ANNA ") == user
    assert await store.users.list() == [user]
    files = b"".join(path.read_bytes() for path in store.folder.parent.iterdir() if path.is_file())
    assert b"Anna" in files
    assert PASSWORD.encode() not in files


@pytest.mark.parametrize("name", ["anna", "ANNA ", "Anna", "\uff21\uff4e\uff4e\uff41"])
async def test_a_name_is_taken_once(name: str, store: Store) -> None:
    """Differences of case, blanks and width make no other person, who could be taken for the first."""
    await anna(store)
    with pytest.raises(UsageError, match="already"):
        await store.users.add(name, Role.viewer, PASSWORD, now_ms=2)
    assert len(await store.users.list()) == 1


async def test_two_of_one_name_at_once(store: Store) -> None:
    """Of two who add the same name at the same moment, one is told."""
    found = await asyncio.gather(anna(store), anna(store), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["UsageError", "User"]


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "an\nna", "an\u202ena", "\x00"])
def test_what_can_be_no_name(name: str) -> None:
    """Nothing, too much, and what cannot be seen."""
    with pytest.raises(UsageError):
        checked_name(name)


async def test_the_right_password_is_needed(store: Store) -> None:
    """The name's own, whatever the name's case; none that is another's, empty, or much too long."""
    user = await anna(store)
    await store.users.add("Bob", Role.viewer, OTHER, now_ms=1)
    assert await store.users.check("anna", PASSWORD) == user
    for name, password in (("Anna", OTHER), ("Bob", PASSWORD), ("Cyd", PASSWORD), ("Anna", ""), ("Anna", "a" * 9_999)):
        assert await store.users.check(name, password) is None


async def test_a_short_password_is_refused(store: Store) -> None:
    """For a new person, and for a new password; nothing is changed then."""
    with pytest.raises(UsageError, match="at least 12"):
        await store.users.add("Anna", Role.viewer, "short", now_ms=1)
    assert await store.users.list() == []
    user = await anna(store)
    with pytest.raises(UsageError, match="at least 12"):
        await store.users.set_password(user.user_id, "short")
    assert await store.users.check("Anna", PASSWORD) == user


@pytest.mark.parametrize("what", ["role", "password", "removed"])
async def test_a_change_signs_out_everywhere(what: str, store: Store) -> None:
    """Whoever is signed in stays so only while nothing changes of what that person may."""
    user = await anna(store)
    await store.users.add("Bob", Role.sender, PASSWORD, now_ms=1)
    tokens = [await store.sessions.begin(user.user_id, now_ms=2) for _ in range(2)]
    match what:
        case "role":
            await store.users.change(user.user_id, role=Role.viewer, audit=LINE)
        case "password":
            await store.users.set_password(user.user_id, OTHER, audit=LINE)
            assert await store.users.check("Anna", PASSWORD) is None
        case _:
            await store.users.remove(user.user_id, audit=LINE)
    assert [await store.sessions.of(token, now_ms=3) for token in tokens] == [None, None]
    assert len(await store.audit.page()) == 2


async def test_numbers_alone_sign_nobody_out(store: Store) -> None:
    """Own numbers are changed without a word: what a person may is looked at each time."""
    user = await anna(store)
    token = await store.sessions.begin(user.user_id, now_ms=2)
    await store.users.change(user.user_id, own_numbers=("+12025550199",))
    session = await store.sessions.of(token, now_ms=3)
    assert session is not None
    assert session.user is not None
    assert session.user.own_numbers == ("+12025550199",)


async def test_the_last_sender_stays(store: Store) -> None:
    """Neither removed nor made less: nobody could let anybody in any more."""
    user = await anna(store)
    await store.users.add("Bob", Role.preparer, PASSWORD, now_ms=1)
    token = await store.sessions.begin(user.user_id, now_ms=1)
    with pytest.raises(UsageError, match="last one"):
        await store.users.change(user.user_id, role=Role.preparer, audit=LINE)
    with pytest.raises(UsageError, match="last one"):
        await store.users.remove(user.user_id, audit=LINE)
    assert await store.users.list() == [user, await store.users.by_name("Bob")]
    assert await store.sessions.of(token, now_ms=1) is not None
    assert len(await store.audit.page()) == 1


async def test_two_senders_cannot_take_each_other_out(tmp_path: Path) -> None:
    """At the same moment, from two processes' stores: one of them stays."""
    one, two = await open_store(tmp_path, cost=CHEAP), await open_store(tmp_path, cost=CHEAP)
    first = await anna(one)
    second = await one.users.add("Bob", Role.sender, PASSWORD, now_ms=1)
    found = await asyncio.gather(
        one.users.remove(second.user_id), two.users.remove(first.user_id), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in found) == ["UsageError", "bool"]
    assert [user.role for user in await one.users.list()] == [Role.sender]
    await one.close()
    await two.close()


async def test_nobody_is_changed_who_is_not_there(store: Store) -> None:
    """Told, and no line of it in the history."""
    assert await store.users.change(7, role=Role.viewer, audit=LINE) is None
    assert not await store.users.set_password(7, PASSWORD, audit=LINE)
    assert not await store.users.remove(7, audit=LINE)
    assert await store.users.by_id(7) is None
    assert await store.audit.page() == []


async def test_a_number_is_never_anothers(store: Store) -> None:
    """A person's number in the store is not given again: no old session becomes somebody else's."""
    await store.users.add("Bob", Role.sender, PASSWORD, now_ms=1)
    user = await anna(store)
    await store.users.remove(user.user_id)
    assert (await anna(store)).user_id > user.user_id


async def test_a_password_is_hashed_anew_at_todays_cost(tmp_path: Path) -> None:
    """Once the cost is raised, whoever signs in has it from then on; the password stays the same."""
    store = await open_store(tmp_path, cost=CHEAP)
    await anna(store)
    await store.close()
    store = await open_store(tmp_path, cost=Cost(n=2**11, r=8, p=1))
    for _ in range(2):
        assert await store.users.check("Anna", PASSWORD) is not None
        stored = await store._thread.read(lambda db: db.rows("user_password", name_key="anna"))
        assert stored[0][1].startswith("scrypt$2048$8$1$")
    await store.close()


async def test_a_wrong_password_renews_nothing(tmp_path: Path) -> None:
    """What somebody else types at a higher cost does not become the password."""
    store = await open_store(tmp_path, cost=CHEAP)
    await anna(store)
    await store.close()
    store = await open_store(tmp_path, cost=Cost(n=2**11, r=8, p=1))
    assert await store.users.check("Anna", OTHER) is None
    assert await store.users.check("Anna", PASSWORD) is not None
    await store.close()
