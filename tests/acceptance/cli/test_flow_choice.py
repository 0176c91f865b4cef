"""`init` and `--flow` where the account has several flows: some of one name, a draft."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

import pytest

from dispatcher.sandbox import Sandbox, SandboxSettings, default_flow
from tests.acceptance.cli.program import Program, write_contacts
from tests.acceptance.cli.test_init import SENDER, answered
from tests.acceptance.cli.test_terminal import terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")


def sid(n: int) -> str:
    return f"FW{n:032x}"


@contextmanager
def studio(*flows: tuple[str, str]) -> Iterator[str]:
    """A Studio in a thread of its own, with flows of these names and states; its address."""
    made = tuple(
        replace(default_flow(sid=sid(n), status="draft" if status == "draft" else "published"), friendly_name=name)
        for n, (name, status) in enumerate(flows, 1)
    )
    up, done, found = Event(), Event(), list[str]()

    async def serve() -> None:
        async with Sandbox(SandboxSettings(flows=made)) as sandbox:
            found.append(sandbox.base_url)
            up.set()
            await asyncio.to_thread(done.wait)

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert up.wait(30)
        yield found[0]
    finally:
        done.set()
        thread.join()


@pytest.fixture
def contacts(program: Program) -> Program:
    program.env["DISPATCHER_STATE_DIR"] = ".dispatcher"
    write_contacts(program.folder / "spring.csv", 3)
    return program


FLOWS = (("Sale", "published"), ("Sale", "published"), ("Über [bold]", "published"), ("Old", "draft"))


@pytest.mark.parametrize(("answer", "n"), [("3", 3), (f"Sale ({sid(2)})", 2)])
def test_a_flow_is_picked(contacts: Program, answer: str, n: int) -> None:
    """All are listed, those that start nothing last and told; there is no guess; two of one name have their SIDs."""
    with studio(*FLOWS) as base_url:
        asked = terminal(contacts, "init", "spring.csv", "--from", SENDER, "--base-url", base_url, columns=120)
        shown = asked.read(until="Number or name: ")
        assert shown.index("Old (") > shown.index("[bold] (")
        assert "draft: starts nothing" in shown
        code, shown = answered(
            asked, ("Number or name: ", "\n"), ("it must be typed", f"{answer}\n"), ("[1: marketing]: ", "\n")
        )
        assert code == 0, shown
        found = tomllib.loads((contacts.folder / "config.toml").read_text(encoding="utf-8"))
        assert found["campaign"]["flow"] == sid(n)
        assert contacts("check", "spring.csv", "--base-url", base_url).code == 0


def test_a_name_of_several_flows(contacts: Program) -> None:
    """Neither `init` nor `run` takes one of them: exit code 2 with their SIDs; without a terminal none is taken."""
    with studio(*FLOWS) as base_url:
        given = ("--from", SENDER, "--base-url", base_url)
        for command in (("init", "spring.csv"), ("run", "spring.csv", "--to", "phone", "--yes")):
            result = contacts(*command, *given, "--flow", "Sale")
            assert result.code == 2
            assert 'has 2 flows named "Sale"' in result.err
            assert f"{sid(1)} (published), {sid(2)} (published)" in result.err
        result = contacts("init", "spring.csv", *given)
        assert (result.code, "missing: --flow" in result.err) == (2, True)
        assert contacts("init", "spring.csv", *given, "--flow", "Über [bold]").code == 0


def test_a_draft(contacts: Program) -> None:
    """The only flow is a draft: it is asked for, and that it starts nothing is said, here and by `check`."""
    with studio(("Draft", "draft")) as base_url:
        result = contacts("init", "spring.csv", "--from", SENDER, "--base-url", base_url)
        assert result.code == 2
        taken = contacts("init", "spring.csv", "--from", SENDER, "--base-url", base_url, "--flow", "Draft")
        assert (taken.code, "is not published" in taken.err) == (0, True), taken.err
        checked = contacts("check", "spring.csv", "--base-url", base_url)
        assert checked.code == 2
        assert "publish" in checked.err
