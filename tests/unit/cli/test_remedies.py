"""Remedies in the words of the command line: what is to be pasted can be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from dispatcher.cli.app import program
from dispatcher.cli.flags import FLAGS, Asked
from dispatcher.cli.options import reads_settings
from dispatcher.cli.render.remedies import carry, remedy_text, step_text
from dispatcher.cli.session import Session
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy, Setting
from dispatcher.settings import setting_names, tables
from docs.commands import commands

COMMANDS = {name.removeprefix("dispatcher "): command for name, command in commands(typer.main.get_command(program()))}


@pytest.fixture(autouse=True)
def _nothing_carried() -> Iterator[None]:
    """What a command was told is carried into the next one's words for as long as its process lives."""
    yield
    carry(Asked(None, {}))


@pytest.mark.parametrize(
    ("remedy", "text"),
    [
        (Advice("free some disk space"), "free some disk space"),
        ("plain text", "plain text"),
        (Setting("campaign.flow"), "--flow …, or [campaign] flow in config.toml"),
        (Setting("rate.per_second", 5), "--rate 5, or [rate] per_second = 5 in config.toml"),
        (Setting("columns.to", "my phone"), "--to 'my phone', or [columns] to = \"my phone\" in config.toml"),
        (Setting("reconcile.settle_s"), "set [reconcile] settle_s"),
        (Setting("tracking.steps", "always"), '[tracking] steps = "always"'),
        (Setting("reconcile.at_end", True), "[reconcile] at_end = true"),
        (Option("wait"), "--wait"),
        (Option("code", 21211), "--code 21211"),
        (Option("reason", "wrong price"), "--reason 'wrong price'"),
        (Option("reason", "…"), "--reason …"),
        (Command("flows"), "dispatcher flows"),
        (Command("config init"), "dispatcher config init"),
        (Command("resume", ("spring",)), "dispatcher resume spring"),
        (Command("resume", ("it's May",)), "dispatcher resume 'it'\"'\"'s May'"),
        (Command("run", ("FILE",), (Option("campaign", "a b"),)), "dispatcher run FILE --campaign 'a b'"),
        (Command("report", ("s",), does="writes it again"), "dispatcher report s (writes it again)"),
        (AnyOf(Advice("wait"), Option("wait")), "wait, or --wait"),
        (InTurn(Command("flows"), Setting("campaign.id_parameter", "id")), None),
        (InTurn(Advice("a"), AnyOf(Advice("b"), Option("c"))), "a, then either b or --c"),
        (InTurn(Advice("a"), AnyOf(*map(Advice, "bcd")), Advice("e")), "a, then either b, c or d, then e"),
        (
            InTurn(Advice("a"), Setting("rate.pace", "even")),
            'a, then either --pace even or [rate] pace = "even" in config.toml',
        ),
        (AnyOf(InTurn(Advice("a"), Advice("b")), Option("c")), "a, then b; or --c"),
    ],
)
def test_each_kind_has_its_words(remedy: Remedy | str, text: str | None) -> None:
    """Flags, lines of config.toml, commands, and plain sentences."""
    expected = text or 'dispatcher flows, then [campaign] id_parameter = "id"'
    assert remedy_text(remedy) == expected


def test_the_next_command_finds_the_same_ledger() -> None:
    """A rehearsal's next command names the host, the folder and the settings' file that this one was told."""
    asked = Asked(Path("my config.toml"), {"account.base_url": "http://127.0.0.1:8700", "state.dir": None})
    carry(asked)
    try:
        text = remedy_text(Command("resume", ("spring",), does="goes on"))
        assert text == ("dispatcher resume spring --config 'my config.toml' --base-url http://127.0.0.1:8700 (goes on)")
    finally:
        carry(Asked(None, {}))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_carried_what_it_takes(name: str) -> None:
    """Whatever it has a flag for, and nothing else: that would be refused. `init` is told with its own flags."""
    taken = {option for param in COMMANDS[name].params for option in param.opts}
    carry(Asked(Path("my.toml"), {"account.base_url": "http://127.0.0.1:1", "state.dir": "led ger"}, "eu"))
    try:
        words = shlex.split(remedy_text(Command(name)))
    finally:
        carry(Asked(None, {}))
    carried = [word for word in words if word.startswith("--")]
    possible = ("--config", "--profile", "--base-url", "--state-dir")
    assert carried == [flag for flag in possible if flag in taken and name != "init"]


@pytest.mark.parametrize("name", ["spring", "Spring 2026", "it's", "$(rm -rf)", "a;b", "-x", "é", "a\tb", ""])
def test_a_command_means_what_it_says_in_a_shell(name: str) -> None:
    """Whatever a campaign is called, a shell takes its name as one word."""
    assert shlex.split(remedy_text(Command("resume", (name,)))) == ["dispatcher", "resume", name]


def test_a_step_has_what_it_does_apart() -> None:
    """A person copies the command without it."""
    step = Command("retry", ("spring",), (Option("busy"),), does="sends to them again")
    assert step_text(step) == "dispatcher retry spring --busy   sends to them again"
    assert step_text(Advice("correct the file")) == "correct the file"


def test_flags_are_of_settings_that_there_are() -> None:
    """One table reads the command line and words the remedies."""
    known = {f"{table}.{name}" for table, model in tables() for name in setting_names(model)}
    assert set(FLAGS) <= known


def test_flags_become_settings() -> None:
    """What was given stands above the file; what was not is passed over."""
    seen: list[Asked] = []

    @reads_settings("campaign.from", "account.api_version")
    async def command(session: Session, name: str = "spring") -> int:
        seen.append(session.asked)
        return 0

    app = typer.Typer()
    app.command()(command)
    typer.main.get_command(app).main(["--from", "+15550001111", "-c", "my.toml"], standalone_mode=False)
    assert seen == [Asked(Path("my.toml"), {"campaign.from": "+15550001111", "account.api_version": None})]


def test_a_keyword_makes_no_parameter() -> None:
    """Python has no parameter `from`."""
    assert FLAGS["campaign.from"].parameter == "from_"
    assert FLAGS["state.dir"].parameter == "state_dir"
