"""The ways by which notices leave: each is a name that the ledger keeps, and one try that says how it went."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
from dataclasses import dataclass
from typing import Protocol

from dispatcher.ledger.notices import ClaimedNotice
from dispatcher.secret_names import is_secret_name
from dispatcher.settings import NotifySettings

#: A program that is ended is given so long.
_END_S = 2.0


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that failed, in words that hold no address. `for_good`: the receiver wants no notices any more."""

    why: str
    for_good: bool = False


class Channel(Protocol):
    """Where notices go. One object for one command."""

    @property
    def name(self) -> str:
        """Its sort, and a digest of where it leads: settings of another folder have another webhook, and one ledger."""

    async def deliver(self, notice: ClaimedNotice) -> Refused | None:
        """Try once; None: it is delivered. Never raises for what the receiver does."""


def channel_names(settings: NotifySettings) -> list[str]:
    """The channels that the settings name."""
    found = [webhook_name(settings)] if settings.webhook else []
    return [*found, command_name(settings)] if settings.command else found


def webhook_name(settings: NotifySettings) -> str:
    """The webhook's name in the ledger."""
    return f"webhook:{_digest(settings.webhook)}"


def command_name(settings: NotifySettings) -> str:
    """The command's name in the ledger."""
    return f"command:{_digest(json.dumps(settings.command))}"


def _digest(text: str) -> str:
    # An address may hold its receiver's secret: what the ledger keeps of it leads nowhere.
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class CommandChannel:
    """A program of the user's, with the notice on its standard input."""

    def __init__(self, settings: NotifySettings, *, is_shown: bool = False) -> None:
        """`is_shown`: what it says on stderr is to be seen."""
        self._settings = settings
        self._stderr = None if is_shown else asyncio.subprocess.DEVNULL

    @property
    def name(self) -> str:
        return command_name(self._settings)

    async def deliver(self, notice: ClaimedNotice) -> Refused | None:
        # The secrets are Twilio's and the webhook's, and go nowhere else.
        environ = {name: value for name, value in os.environ.items() if not is_secret_name(name)}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._settings.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=self._stderr,
                env={**environ, "DISPATCHER_NOTICE_ID": notice.notice_id},
                start_new_session=True,  # Ctrl-C is for us, and what it starts ends with it
            )
        except (OSError, ValueError) as error:
            return Refused(f"the command cannot be started: {getattr(error, 'strerror', None) or type(error).__name__}")
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await process.communicate(notice.body.encode())
        except TimeoutError:
            return Refused(f"the command took longer than {self._settings.timeout_s:g} s")
        finally:
            await _end(process)
        code = process.returncode
        if code:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            return Refused(f"the command {how}")
        return None


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it and what it has started, where it has not ended by itself."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _END_S)
