"""`serve users`: the people who may sign in to the page, and what each may do there. Works beside a running server."""

from __future__ import annotations

import contextlib
import difflib
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from dispatcher.cli import logs, options
from dispatcher.cli.render.numbers import time_text
from dispatcher.cli.render.remedies import say_step
from dispatcher.cli.render.terminal import print_json, print_line, print_rows, say, visible
from dispatcher.errors import ExitCode, UsageError
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, Command, Option

if TYPE_CHECKING:
    from dispatcher.cli.session import Session
    from dispatcher.web.store import AuditLine, Store, User

ADD_EPILOG = options.examples(
    ("dispatcher serve users add anna", "asks for a password, twice"),
    ("dispatcher serve users add bob --role sender", "may send, and manage people"),
    ("dispatcher serve users add cyd --number +12025550123", "where cyd may send tests to"),
    ("cat pass.txt | dispatcher serve users add dan --password-stdin", "its first line"),
)
LIST_EPILOG = options.examples("dispatcher serve users list", ("dispatcher serve users list --json", "for scripts"))
ROLE_EPILOG = options.examples(("dispatcher serve users role anna sender", "may send from now on"))
NUMBERS_EPILOG = options.examples(
    ("dispatcher serve users numbers anna +12025550123", "instead of those before"),
    ("dispatcher serve users numbers anna", "none any more"),
)
PASSWORD_EPILOG = options.examples(("dispatcher serve users password anna", "asks for it, twice"))
REMOVE_EPILOG = options.examples("dispatcher serve users remove anna")
SIGN_OUT_EPILOG = options.examples(("dispatcher serve users sign-out anna", "a lost phone, for example"))

app = typer.Typer(no_args_is_help=True, help="Say who may sign in to the page, and what each may do there.")

RoleName: TypeAlias = Literal["viewer", "preparer", "sender"]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The person's name, as it is typed to sign in.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="The password is the first line of standard input.")
]
_SETTINGS = ("account.base_url", "state.dir")
#: Where the history says that a change came from.
_TERMINAL = "terminal"
#: More than this is no password.
_STDIN_MAX = 10_000


@app.command(epilog=ADD_EPILOG)
@options.reads_settings(*_SETTINGS)
async def add(
    session: options.Session,
    name: Name,
    role: Annotated[
        RoleName, typer.Option("--role", help="viewer looks, preparer uploads and tests, sender sends.")
    ] = "preparer",
    number: Annotated[
        list[str] | None, typer.Option("--number", metavar="+1…", help="Where the person may send tests to.")
    ] = None,
    password_stdin: PasswordStdin = False,
    json: options.Json = False,
) -> int:
    """Let a person sign in to the page, with a name and a password.

    A viewer sees campaigns and their counts. A preparer uploads, checks and tests, to own numbers alone, and may pause.
    A sender sends, stops, recalls, downloads, and manages people.
    """
    from dispatcher.web.access import own_numbers
    from dispatcher.web.store import Role
    from dispatcher.web.store.users import checked_name

    shown, numbers = checked_name(name), own_numbers(number or [])
    async with _store(session) as store:
        if await store.users.by_name(shown) is not None:
            raise UsageError("there is a person of this name already", found=shown, fix=Command("serve users list"))
        password = _new_password(from_stdin=password_stdin)
        line = _line("user_added", name=shown, role=role)
        user = await store.users.add(shown, Role(role), password, numbers, now_ms=line.at_ms, audit=line)
        people = await store.users.list()
    if json:
        print_json(_object(user))
    else:
        print_line(f"{visible(user.name)} may sign in, as {user.role}")
    if session.settings.web.auth != "password":
        say('the page lets people in by a link until the settings say [web] auth = "password"', "yellow")
    if not any(one.role is Role.sender for one in people):
        say("nobody may send yet", "yellow")
        say_step(Command("serve users role", (user.name, "sender")))
    return ExitCode.OK


@app.command("list", epilog=LIST_EPILOG)
@options.reads_settings(*_SETTINGS)
async def list_(session: options.Session, json: options.Json = False) -> int:
    """Show who may sign in, and what each may do."""
    async with _store(session) as store:
        people = await store.users.list()
    if json:
        print_json([_object(user) for user in people])
    elif not people:
        say("nobody may sign in with a password: dispatcher serve users add NAME", "bright_black")
    else:
        rows = [
            (visible(user.name), user.role.value, ", ".join(user.own_numbers), time_text(user.created_at_ms))
            for user in people
        ]
        print_rows(("name", "role", "own numbers", "added"), rows)
    return ExitCode.OK


@app.command(epilog=ROLE_EPILOG)
@options.reads_settings(*_SETTINGS)
async def role(
    session: options.Session,
    name: Name,
    role: Annotated[RoleName, typer.Argument(metavar="ROLE", help="viewer, preparer or sender.")],
    json: options.Json = False,
) -> int:
    """Change what a person may do. Whoever is signed in is signed out, and signs in with the new role."""
    from dispatcher.web.store import Role

    async with _store(session) as store:
        user = await _person(store, name)
        line = _line("user_changed", name=user.name, role=role, before=user.role.value)
        changed = await store.users.change(user.user_id, role=Role(role), audit=line)
        if changed is None:
            raise _unknown(name, ())
    _tell(changed, f"{visible(changed.name)} is {changed.role} now", json=json)
    return ExitCode.OK


@app.command(epilog=NUMBERS_EPILOG)
@options.reads_settings(*_SETTINGS)
async def numbers(
    session: options.Session,
    name: Name,
    numbers: Annotated[list[str] | None, typer.Argument(metavar="[NUMBER…]", help="All of them, +1….")] = None,
    json: options.Json = False,
) -> int:
    """Say which numbers are a person's own: a preparer may send tests to these alone."""
    from dispatcher.web.access import own_numbers

    wanted = own_numbers(numbers or [])
    async with _store(session) as store:
        user = await _person(store, name)
        line = _line("numbers_set", name=user.name)
        changed = await store.users.change(user.user_id, own_numbers=wanted, audit=line)
        if changed is None:
            raise _unknown(name, ())
    _tell(changed, f"{visible(changed.name)} has {counted(len(wanted), 'own number')} now", json=json)
    return ExitCode.OK


@app.command(epilog=PASSWORD_EPILOG)
@options.reads_settings(*_SETTINGS)
async def password(
    session: options.Session, name: Name, password_stdin: PasswordStdin = False, json: options.Json = False
) -> int:
    """Give a person a new password. Whoever is signed in is signed out."""
    async with _store(session) as store:
        user = await _person(store, name)
        new = _new_password(from_stdin=password_stdin)
        if not await store.users.set_password(user.user_id, new, audit=_line("password_set", name=user.name)):
            raise _unknown(name, ())
    _tell(user, f"{visible(user.name)} has a new password", json=json)
    return ExitCode.OK


@app.command(epilog=REMOVE_EPILOG)
@options.reads_settings(*_SETTINGS)
async def remove(session: options.Session, name: Name, json: options.Json = False) -> int:
    """Let a person in no more; signed out at once. What the person has done stays in the history."""
    async with _store(session) as store:
        user = await _person(store, name)
        await store.users.remove(user.user_id, audit=_line("user_removed", name=user.name))
    _tell(user, f"{visible(user.name)} may not sign in any more", json=json)
    return ExitCode.OK


@app.command("sign-out", epilog=SIGN_OUT_EPILOG)
@options.reads_settings(*_SETTINGS)
async def sign_out(session: options.Session, name: Name, json: options.Json = False) -> int:
    """Sign a person out of every browser; the password stays as it is."""
    async with _store(session) as store:
        user = await _person(store, name)
        browsers = await store.sessions.end_all(user.user_id, audit=_line("users_signed_out", name=user.name))
    if json:
        print_json({"name": user.name, "signed_out": browsers})
    else:
        print_line(f"{visible(user.name)} is signed out of {counted(browsers, 'browser')}")
    return ExitCode.OK


@contextlib.asynccontextmanager
async def _store(session: Session) -> AsyncIterator[Store]:
    """The page's store beside the settings' ledger. Raises: SettingsError, LedgerError."""
    from dispatcher.web.accounts import folder_of
    from dispatcher.web.store import open_store

    store = await open_store(folder_of(session.settings))
    try:
        yield store
    finally:
        await store.close()


async def _person(store: Store, name: str) -> User:
    """Raises: UsageError: nobody is called so."""
    user = await store.users.by_name(name)
    if user is None:
        raise _unknown(name, [one.name for one in await store.users.list()])
    return user


def _unknown(name: str, known: list[str] | tuple[str, ...]) -> UsageError:
    near = difflib.get_close_matches(name, known, n=1)
    found = f"{name}; there is {near[0]}" if near else name
    return UsageError("nobody of this name may sign in", found=found, fix=Command("serve users list"))


def _new_password(*, from_stdin: bool) -> str:
    """A password as it is given: typed twice at a terminal, or a line of standard input; never an argument.

    Raises: UsageError: too short, typed differently, or there is nobody to type it; Interrupted.
    """
    from dispatcher.cli import interrupts
    from dispatcher.cli.credentials import hidden
    from dispatcher.web.passwords import check_new

    if from_stdin:
        with interrupts.raised():
            given = sys.stdin.readline(_STDIN_MAX).rstrip("\r\n") if sys.stdin else ""
        logs.hide(given)
        check_new(given)
        return given
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError("a password is typed, and there is no terminal", fix=Option("password-stdin"))
    with interrupts.raised():
        given = hidden("Password (at least 12 characters, not shown): ")
        logs.hide(given)
        check_new(given)
        if hidden("Once more: ") != given:
            raise UsageError("the two passwords differ", fix=Advice("type the same one twice"))
    return given


def _line(what: str, **detail: Any) -> AuditLine:
    from dispatcher.clock import now_ms
    from dispatcher.web.local_name import local_name
    from dispatcher.web.store import AuditLine

    return AuditLine(at_ms=now_ms(), who=local_name(), source=_TERMINAL, what=what, detail=detail)


def _tell(user: User, sentence: str, *, json: bool) -> None:
    if json:
        print_json(_object(user))
    else:
        print_line(sentence)


def _object(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role.value,
        "own_numbers": list(user.own_numbers),
        "created_at_ms": user.created_at_ms,
    }
