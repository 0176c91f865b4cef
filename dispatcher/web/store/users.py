"""The people who may sign in. Their changes have their line of the history in the same transaction."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import orjson

from dispatcher.errors import UsageError
from dispatcher.web.passwords import Hasher, is_outdated
from dispatcher.web.store.audit import written
from dispatcher.web.store.connection import Db
from dispatcher.web.store.records import AuditLine, Role, User
from dispatcher.web.store.thread import StoreThread
from dispatcher.web.store.values import name_key, user_of

_NAME_CHARACTERS = 64


class Users:
    """The people of a store. Raises: LedgerError, everywhere."""

    def __init__(self, thread: StoreThread, hasher: Hasher) -> None:
        self._thread = thread
        self._hasher = hasher

    async def add(
        self,
        name: str,
        role: Role,
        password: str,
        own_numbers: Sequence[str] = (),
        *,
        now_ms: int,
        audit: AuditLine | None = None,
    ) -> User:
        """Add a person. `own_numbers`: in E.164 form (`own_number` of access.py).

        Raises: UsageError: the name is taken or cannot be one, or the password is too short.
        """
        shown = checked_name(name)
        if await self.by_name(shown) is not None:
            raise _taken(shown)
        hashed = await self._hasher.hash_of(password)

        def work(db: Db) -> User:
            row = db.first(
                "user_add",
                name=shown,
                name_key=name_key(shown),
                role=role.value,
                own_numbers=orjson.dumps(list(own_numbers)).decode(),
                password=hashed,
                created_at_ms=now_ms,
            )
            if row is None:
                raise _taken(shown)
            if audit is not None:
                written(db, audit)
            return user_of(row)

        return await self._thread.do(work)

    async def by_name(self, name: str) -> User | None:
        """The person of this name, however it is typed; None: there is none."""
        row = await self._thread.read(lambda db: db.first("user_by_key", name_key=name_key(name)))
        return None if row is None else user_of(row)

    async def by_id(self, user_id: int) -> User | None:
        """The person of this number; None: there is none (any more)."""
        row = await self._thread.read(lambda db: db.first("user_by_id", user_id=user_id))
        return None if row is None else user_of(row)

    async def list(self) -> list[User]:
        """All of them, by name."""
        return await self._thread.read(lambda db: [user_of(row) for row in db.rows("users")])

    async def change(
        self,
        user_id: int,
        *,
        role: Role | None = None,
        own_numbers: Sequence[str] | None = None,
        audit: AuditLine | None = None,
    ) -> User | None:
        """Change the role, the numbers, or both; None: there is no such person. Another role signs out everywhere.

        Raises: UsageError: the last sender would be none.
        """

        def work(db: Db) -> User | None:
            row = db.first("user_by_id", user_id=user_id)
            if row is None:
                return None
            user = user_of(row)
            new_role = user.role if role is None else role
            if new_role is not Role.sender:
                _check_not_last(db, user)
            numbers = user.own_numbers if own_numbers is None else own_numbers
            changed = db.first(
                "user_change",
                user_id=user_id,
                role=new_role.value,
                own_numbers=orjson.dumps(list(numbers)).decode(),
            )
            if new_role is not user.role:
                db.run("sessions_end_all", user_id=user_id)
            if audit is not None:
                written(db, audit)
            return None if changed is None else user_of(changed)

        return await self._thread.do(work)

    async def set_password(self, user_id: int, password: str, *, audit: AuditLine | None = None) -> bool:
        """Give a new password, and sign out everywhere; False: there is no such person.

        Raises: UsageError: too short.
        """
        hashed = await self._hasher.hash_of(password)

        def work(db: Db) -> bool:
            if not db.run("user_set_password", user_id=user_id, password=hashed):
                return False
            db.run("sessions_end_all", user_id=user_id)
            if audit is not None:
                written(db, audit)
            return True

        return await self._thread.do(work)

    async def remove(self, user_id: int, *, audit: AuditLine | None = None) -> bool:
        """Take the person out, and end what is signed in; False: there is no such person.

        Raises: UsageError: the last sender.
        """

        def work(db: Db) -> bool:
            row = db.first("user_by_id", user_id=user_id)
            if row is None:
                return False
            _check_not_last(db, user_of(row))
            db.run("user_remove", user_id=user_id)
            if audit is not None:
                written(db, audit)
            return True

        return await self._thread.do(work)

    async def check(self, name: str, password: str) -> User | None:
        """The person, where the password is right. An unknown name takes as long as a wrong password."""
        row = await self._thread.read(lambda db: db.first("user_password", name_key=name_key(name)))
        user_id, stored = (None, None) if row is None else row
        if not await self._hasher.is_password(password, stored) or user_id is None:
            return None
        if is_outdated(stored, self._hasher.cost):
            renewed = await self._hasher.hash_of(password)
            await self._thread.do(
                lambda db: db.run("user_renew_password", user_id=user_id, password=renewed, before=stored)
            )
        return await self.by_id(user_id)


def checked_name(name: str) -> str:
    """The name as it is shown. Raises: UsageError: empty, too long, or with what cannot be seen."""
    shown = unicodedata.normalize("NFC", name).strip()
    if not shown:
        raise UsageError("a person needs a name")
    if len(shown) > _NAME_CHARACTERS:
        raise UsageError(f"a name has at most {_NAME_CHARACTERS} characters", found=f"{len(shown)}")
    if not shown.isprintable():
        raise UsageError("a name has only characters that can be seen", found=ascii(shown))
    return shown


def _check_not_last(db: Db, user: User) -> None:
    (others,) = db.rows("senders_besides", user_id=user.user_id)[0]
    if user.role is Role.sender and not others:
        raise UsageError(
            f"{user.name} is the last one who may send and manage people",
            fix="let somebody else send first",
        )


def _taken(name: str) -> UsageError:
    return UsageError("there is a person of this name already", found=name, fix="take another name")
