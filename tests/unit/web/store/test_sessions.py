"""Sessions and links: random, stored as a hash, ended in time, and worth nothing once they are ended."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.web.links import LIFE_MS
from dispatcher.web.store import Role, Store
from dispatcher.web.store.sessions import AGE_MS, IDLE_MS, SEEN_EVERY_MS

MINUTE_MS = 60_000


async def user_id(store: Store) -> int:
    return (await store.users.add("Anna", Role.sender, "correct horse battery", now_ms=1)).user_id


def content(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in store.folder.parent.iterdir() if path.is_file())


async def test_a_session_is_its_users(store: Store) -> None:
    """With a secret of its own; the one person of a local page has no name and no password."""
    anna = await user_id(store)
    one, two = await store.sessions.begin(anna, now_ms=5), await store.sessions.begin(None, now_ms=6)
    first, second = await store.sessions.of(one, now_ms=7), await store.sessions.of(two, now_ms=7)
    assert first is not None
    assert second is not None
    assert first.user is not None
    assert (first.user.name, first.begun_at_ms, first.password_at_ms) == ("Anna", 5, 5)
    assert (second.user, second.begun_at_ms, second.password_at_ms) == (None, 6, None)
    assert len({one, two}) == len({first.csrf_secret, second.csrf_secret}) == 2
    assert len(first.csrf_secret) == 32


async def test_no_token_is_in_the_file(store: Store) -> None:
    """A copy of the store signs nobody in: neither by a cookie nor by a link."""
    token, link = await store.sessions.begin(None, now_ms=1), await store.links.make(now_ms=1)
    assert len(token) >= 43
    for secret in (token, link):
        assert secret.encode() not in content(store)
    session = await store.sessions.of(token, now_ms=1)
    assert session is not None
    assert await store.sessions.of(session.session_id, now_ms=1) is None


@pytest.mark.parametrize("token", ["", "x", "\udcff", "a" * 10_000])
async def test_what_is_no_token(token: str, store: Store) -> None:
    """Whatever a browser sends is only not a session, and no link."""
    await store.sessions.begin(None, now_ms=1)
    assert await store.sessions.of(token, now_ms=1) is None
    assert await store.sessions.renew(token, now_ms=1) is None
    assert not await store.links.spend(token, now_ms=1)


async def test_it_ends_when_it_is_not_used(store: Store) -> None:
    """To the millisecond; being used puts that off, but for what a page asks by itself."""
    token = await store.sessions.begin(None, now_ms=0)
    assert await store.sessions.of(token, now_ms=IDLE_MS - 1, used=False) is not None
    assert await store.sessions.of(token, now_ms=IDLE_MS, used=False) is None
    session = await store.sessions.of(token, now_ms=IDLE_MS - 1)
    assert session is not None
    assert session.ends_at_ms == 2 * IDLE_MS - 1
    assert await store.sessions.of(token, now_ms=2 * IDLE_MS - 2, used=False) is not None


async def test_it_ends_at_its_age(store: Store) -> None:
    """However often it is used."""
    token, now_ms = await store.sessions.begin(None, now_ms=0), 0
    while now_ms + IDLE_MS // 2 < AGE_MS:
        now_ms += IDLE_MS // 2
        session = await store.sessions.of(token, now_ms=now_ms)
        assert session is not None
        assert session.ends_at_ms == min(now_ms + IDLE_MS, AGE_MS)
    assert await store.sessions.of(token, now_ms=AGE_MS) is None


async def test_its_use_is_not_written_each_time(store: Store) -> None:
    """A write waits for the disk: once a minute is enough."""
    token = await store.sessions.begin(None, now_ms=0)
    for now_ms, seen_ms in ((SEEN_EVERY_MS - 1, 0), (SEEN_EVERY_MS, SEEN_EVERY_MS), (SEEN_EVERY_MS + 1, SEEN_EVERY_MS)):
        session = await store.sessions.of(token, now_ms=now_ms)
        assert session is not None
        assert session.seen_at_ms == seen_ms


async def test_the_password_typed_again_is_another_cookie(store: Store) -> None:
    """The old one is worth nothing any more; forms of other tabs are, and the session's age is not put back."""
    anna = await user_id(store)
    old = await store.sessions.begin(anna, now_ms=0)
    before = await store.sessions.of(old, now_ms=1)
    new = await store.sessions.renew(old, now_ms=30 * MINUTE_MS)
    assert new is not None
    after = await store.sessions.of(new, now_ms=30 * MINUTE_MS)
    assert before is not None
    assert after is not None
    assert await store.sessions.of(old, now_ms=30 * MINUTE_MS) is None
    assert (after.password_at_ms, after.begun_at_ms) == (30 * MINUTE_MS, 0)
    assert after.csrf_secret == before.csrf_secret


async def test_signing_out(store: Store) -> None:
    """One browser, or all of one person's, and nobody else's."""
    anna = await user_id(store)
    tokens = [await store.sessions.begin(who, now_ms=1) for who in (anna, anna, anna, None)]

    async def alive() -> list[bool]:
        return [await store.sessions.of(token, now_ms=1) is not None for token in tokens]

    await store.sessions.end(tokens[0])
    assert await alive() == [False, True, True, True]
    assert await store.sessions.end_all(anna) == 2
    assert await alive() == [False, False, False, True]
    assert await store.sessions.end_all(None) == 1
    assert await alive() == [False] * 4


async def test_ended_sessions_do_not_pile_up(store: Store) -> None:
    """What has ended is removed when the next one begins."""
    for n in range(5):
        await store.sessions.begin(None, now_ms=n)
    await store.sessions.begin(None, now_ms=IDLE_MS + 10)
    count = await store._thread.read(lambda db: db.connection.execute("SELECT count(*) FROM sessions").fetchone()[0])
    assert count == 1


async def test_a_link_works_once(store: Store) -> None:
    """Also of ten who spend it at the same moment, one gets in."""
    link = await store.links.make(now_ms=1)
    spent = await asyncio.gather(*(store.links.spend(link, now_ms=2) for _ in range(10)))
    assert sorted(spent) == [False] * 9 + [True]


async def test_a_link_works_for_ten_minutes(store: Store) -> None:
    """To the millisecond; a later link does not end an earlier one."""
    early, late = await store.links.make(now_ms=0), await store.links.make(now_ms=0)
    await store.links.make(now_ms=1)
    assert LIFE_MS == 10 * MINUTE_MS
    assert await store.links.spend(early, now_ms=LIFE_MS - 1)
    assert not await store.links.spend(late, now_ms=LIFE_MS)
