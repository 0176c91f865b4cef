"""People: who may sign in and what each may do, for senders; and one's own password, for everybody."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import web

from dispatcher.clock import now_ms
from dispatcher.errors import UsageError
from dispatcher.web.access import Action, own_numbers
from dispatcher.web.cookie import set_cookie
from dispatcher.web.drafts import line
from dispatcher.web.forms import Form, whole
from dispatcher.web.passwords import CHARACTERS_MIN, check_new
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, page
from dispatcher.web.site import SITE
from dispatcher.web.store import Role, User
from dispatcher.web.store.users import checked_name
from dispatcher.web.visitor import Visitor

T = TypeVar("T")

#: Role → what it is called, and what it means.
ROLES = {
    Role.viewer: ("Viewer", "sees the campaigns and their counts"),
    Role.preparer: ("Preparer", "uploads, checks, tests on own numbers, and may pause"),
    Role.sender: ("Sender", "sends, stops, recalls, downloads, and manages people"),
}
_BETWEEN_NUMBERS = re.compile(r"[\n,;]+")
_GONE = "This person was removed by somebody else just now."


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /people`."""
    return await _list(request, {}, {})


async def add(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /people`: one more who may sign in."""
    _for_a_team(request)
    store, problems = request.app[SITE].store, dict[str, str]()
    name, role, password = sent.text("name"), _role(sent.text("role")), sent.typed("password")
    numbers = _numbers(sent, problems)
    try:
        name = checked_name(name)
        if await store.users.by_name(name) is not None:
            problems["name"] = "There is a person of this name already. Take another name."
    except UsageError as error:
        problems["name"] = _sentence(error)
    if role is None:
        problems["role"] = "Choose what this person may do."
    _check_password(password, problems)
    if not problems:
        assert role is not None
        done = await _tried(
            store.users.add(
                name,
                role,
                password,
                numbers,
                now_ms=now_ms(),
                audit=line(visitor, "user_added", name=name, role=role.value),
            ),
            "name",
            problems,
        )
        if done is not None:
            raise web.HTTPSeeOther("/people")
    typed = {"name": sent.text("name"), "role": sent.text("role"), "numbers": sent.text("numbers")}
    return await _list(request, problems, typed, status=400)


async def show_one(request: web.Request, visitor: Visitor) -> web.Response:
    """`GET /people/{user_id}`."""
    return _one(request, visitor, await _person(request), {}, {})


async def change(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /people/{user_id}`: the role and the numbers."""
    user, problems = await _person(request), dict[str, str]()
    role, numbers = _role(sent.text("role")), _numbers(sent, problems)
    if role is None:
        problems["role"] = "Choose what this person may do."
    if not problems:
        assert role is not None
        if role is user.role:
            audit = line(visitor, "numbers_set", name=user.name)
        else:
            audit = line(visitor, "user_changed", name=user.name, role=role.value)
        changing = request.app[SITE].store.users.change(user.user_id, role=role, own_numbers=numbers, audit=audit)
        if await _tried(changing, "role", problems) is not None:
            raise web.HTTPSeeOther("/people")
    problems = problems or {"": _GONE}
    typed = {"role": sent.text("role"), "numbers": sent.text("numbers")}
    return _one(request, visitor, user, problems, typed, status=400)


async def set_password(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /people/{user_id}/password`: a new one for somebody who has forgotten it."""
    user, problems = await _person(request), dict[str, str]()
    password = sent.typed("password")
    _check_password(password, problems)
    if not problems:
        audit = line(visitor, "password_set", name=user.name)
        if await request.app[SITE].store.users.set_password(user.user_id, password, audit=audit):
            raise web.HTTPSeeOther("/people")
        problems[""] = _GONE
    return _one(request, visitor, user, problems, {}, status=400)


async def sign_out(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST /people/{user_id}/sign-out`: of every browser."""
    user = await _person(request)
    audit = line(visitor, "users_signed_out", name=user.name)
    await request.app[SITE].store.sessions.end_all(user.user_id, audit=audit)
    raise web.HTTPSeeOther("/people")


async def remove(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /people/{user_id}/remove`."""
    user, problems = await _person(request), dict[str, str]()
    if not sent.ticked("sure"):
        problems["sure"] = f"Tick that {user.name} may not sign in any more."
        return _one(request, visitor, user, problems, {}, status=400)
    removing = request.app[SITE].store.users.remove(user.user_id, audit=line(visitor, "user_removed", name=user.name))
    # Gone already is what was wanted.
    if await _tried(removing, "sure", problems) is None:
        return _one(request, visitor, user, problems, {}, status=400)
    raise web.HTTPSeeOther("/people")


async def show_own(request: web.Request, visitor: Visitor) -> web.Response:
    """`GET /password`."""
    return _own(request, visitor, {})


async def change_own(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /password`: one's own, by whoever knows the one that was. Signed out everywhere but here."""
    if visitor.user is None:
        raise web.HTTPNotFound
    site, problems = request.app[SITE], dict[str, str]()
    new = sent.typed("new")
    _check_password(new, problems, field="new")
    if not problems:
        wrong = await site.tries.again(visitor.user, sent.typed("password"), visitor.source)
        if wrong:
            problems["password"] = wrong
    if problems:
        return _own(request, visitor, problems, status=400)
    user_id = visitor.user.user_id
    await site.store.users.set_password(user_id, new, audit=line(visitor, "password_set", name=visitor.name))
    response = web.HTTPSeeOther("/")
    set_cookie(request, response, await site.store.sessions.begin(user_id, now_ms=now_ms()))
    raise response


async def _list(
    request: web.Request, problems: dict[str, str], typed: dict[str, str], *, status: int = 200
) -> web.Response:
    site = request.app[SITE]
    people = [] if site.is_local else await site.store.users.list()
    return render(
        request,
        "people.html",
        status=status,
        is_local=site.is_local,
        people=[(user, ROLES[user.role]) for user in people],
        roles=_choices(),
        typed={"name": "", "role": Role.preparer.value, "numbers": "", **typed},
        problems=problems,
        characters_min=CHARACTERS_MIN,
    )


def _one(
    request: web.Request,
    visitor: Visitor,
    user: User,
    problems: dict[str, str],
    typed: dict[str, str],
    *,
    status: int = 200,
) -> web.Response:
    return render(
        request,
        "person.html",
        status=status,
        user=user,
        is_self=visitor.user is not None and visitor.user.user_id == user.user_id,
        roles=_choices(),
        typed={"role": user.role.value, "numbers": "\n".join(user.own_numbers), **typed},
        problems=problems,
        characters_min=CHARACTERS_MIN,
    )


def _own(request: web.Request, visitor: Visitor, problems: dict[str, str], *, status: int = 200) -> web.Response:
    if visitor.user is None:
        raise web.HTTPNotFound
    return render(request, "password.html", status=status, problems=problems, characters_min=CHARACTERS_MIN)


def _for_a_team(request: web.Request) -> None:
    """Raises: HTTPNotFound: one person at this machine uses the page, and nobody could sign in with a password."""
    if request.app[SITE].is_local:
        raise web.HTTPNotFound


async def _person(request: web.Request) -> User:
    """Whom the address names. Raises: HTTPNotFound."""
    _for_a_team(request)
    user_id = whole(request.match_info["user_id"])
    user = await request.app[SITE].store.users.by_id(user_id) if user_id is not None else None
    if user is None:
        raise web.HTTPNotFound
    return user


async def _tried(doing: Awaitable[T], field: str, problems: dict[str, str]) -> T | None:
    """What came of it; None: it cannot be done, and the problem stands beside the field."""
    try:
        return await doing
    except UsageError as error:
        problems[field] = _sentence(error)
        return None


def _check_password(password: str, problems: dict[str, str], *, field: str = "password") -> None:
    try:
        check_new(password)
    except UsageError as error:
        problems[field] = _sentence(error)


def _numbers(sent: Form, problems: dict[str, str]) -> tuple[str, ...]:
    texts = [text.strip() for text in _BETWEEN_NUMBERS.split(sent.text("numbers")) if text.strip()]
    try:
        return own_numbers(texts)
    except UsageError as error:
        problems["numbers"] = f"{_sentence(error)} You typed {error.found}."
        return ()


def _role(text: str) -> Role | None:
    return Role(text) if text in set(Role) else None


def _choices() -> list[tuple[str, str, str]]:
    return [(role.value, name, meaning) for role, (name, meaning) in ROLES.items()]


def _sentence(error: UsageError) -> str:
    return f"{error.message[:1].upper()}{error.message[1:]}."


ROUTES: tuple[Route, ...] = (
    page("/people", Action.people, show),
    form("/people", Action.people, add),
    page("/people/{user_id}", Action.people, show_one),
    form("/people/{user_id}", Action.people, change),
    form("/people/{user_id}/password", Action.people, set_password),
    form("/people/{user_id}/sign-out", Action.people, sign_out),
    form("/people/{user_id}/remove", Action.people, remove),
    page("/password", Action.look, show_own),
    form("/password", Action.look, change_own),
)
