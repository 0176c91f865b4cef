"""An account's suppressions, as people look at them and change them: beside any campaign, also while one sends."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import getpass
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from dispatcher.campaign.exports import SUPPRESSED, SUPPRESSION_LOG
from dispatcher.errors import UsageError
from dispatcher.ledger import Ledger, open_ledger
from dispatcher.ledger.records import Account
from dispatcher.ledger.suppressed import SuppressionChange, SuppressionList, is_digest
from dispatcher.model import ListKind, contact_of
from dispatcher.remedies import Advice, Command, Option
from dispatcher.settings import Credentials, Settings

_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a contact."""

    contact: str
    #: The lists that it is on; none: it may be reached.
    lists: tuple[SuppressionList, ...]
    #: Oldest first.
    history: tuple[SuppressionChange, ...]


class Suppressions:
    """Made by `open_suppressions`. Needs no lease: what is changed holds from the next claim on, whoever sends."""

    def __init__(self, ledger: Ledger, account: Account, settings: Settings) -> None:
        self._lists = ledger.lists
        self._account = account
        self._settings = settings

    async def lists(self) -> list[SuppressionList]:
        """The account's lists. Raises: LedgerError, as everything below."""
        return await self._lists.all(self._account)

    async def add(self, contacts: Sequence[str], *, reason: str) -> int:
        """Suppress contacts (`contact`) by hand; no row is claimed for them any more once this returns.

        Returns how many were not suppressed by hand before.
        """
        return await self._lists.add(self._account, contacts, actor=actor(), reason=reason)

    async def add_file(self, path: str, *, reason: str) -> tuple[int, int]:
        """Suppress all that a file names, in any format that contacts are read in; `-` is standard input.

        Returns how many it names, and how many of these are new. Raises: SuppressionError: it cannot be read, or not
        all of it is understood; nothing has changed then.
        """
        contacts = await asyncio.to_thread(self._read, path)
        return len(contacts), await self.add(contacts, reason=reason)

    def _read(self, path: str) -> list[str]:
        from dispatcher.intake import STDIN
        from dispatcher.intake.suppression import ListEncodingError, ListFile

        columns = self._settings.columns
        column = self._settings.suppress.column
        file = ListFile(Path(path), column=column, to=columns.to, region=columns.region, hashed=False)
        contacts: dict[str, None] = {}
        try:
            pieces = list(file.pieces())
        except ListEncodingError as error:
            if path == STDIN:
                # What a pipe has said it does not say again.
                error.fix = Command("suppress add", (), (Option("file", "FILE"),), does="reads a file in any encoding")
                raise
            file.reads_any_bytes()
            pieces = list(file.pieces())
        for piece in pieces:
            for line, sentence in piece.unreadable:
                raise UsageError(f"line {line} names nobody", found=sentence, fix=Advice("correct it, or leave it out"))
            contacts |= dict.fromkeys(piece.contacts)
        return list(contacts)

    async def remove(self, contacts: Sequence[str], *, reason: str) -> set[str]:
        """Let contacts be reached again who were suppressed by hand or have opted out. Returns those who were.

        Who is on a file's list stays there: that is its owner's to change.
        """
        return await self._lists.remove(self._account, contacts, actor=actor(), reason=reason)

    async def check(self, contacts: Sequence[str]) -> list[Checked]:
        """What is known of contacts, in their order."""
        lists = {one.list_id: one for one in await self.lists()}
        held = await self._lists.held(self._account, contacts)
        return [
            Checked(
                contact,
                tuple(lists[of] for whose, of in held if whose == contact),
                tuple(await self._lists.history(self._account, contact)),
            )
            for contact in contacts
        ]

    async def export(self, file: TextIO) -> int:
        """Write all that are suppressed as CSV: contact, kind, list. Returns how many lines.

        Digests, and who was forgotten, name nobody who could be written.
        """
        lists = {one.list_id: one for one in await self.lists() if one.kind is not ListKind.hashed}
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SUPPRESSED)
        count, after = 0, None
        while page := await self._lists.page(self._account, after=after, limit=_PAGE):
            after = page[-1]
            whole = [one for one in page if one.list_id in lists and not is_digest(one.contact)]
            writer.writerows((one.contact, lists[one.list_id].kind, lists[one.list_id].source) for one in whole)
            count += len(whole)
        return count

    async def export_log(self, file: TextIO) -> int:
        """Write the log of every change as CSV, oldest first. Returns how many lines."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(SUPPRESSION_LOG)
        count = after = 0
        while page := await self._lists.log(self._account, after=after, limit=_PAGE):
            after = page[-1][0]
            for _, one in page:
                at = datetime.fromtimestamp(one.at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                writer.writerow((at, one.contact or "", one.action, one.kind, one.source, one.actor, one.reason))
            count += len(page)
        return count


@contextlib.asynccontextmanager
async def open_suppressions(settings: Settings, credentials: Credentials) -> AsyncIterator[Suppressions]:
    """The suppressions of the credentials' account. Raises: SettingsError, LedgerError."""
    ledger = await open_ledger(settings.state, loopback=settings.is_loopback)
    try:
        account = await ledger.account(credentials.account_sid, settings.studio_url)
        yield Suppressions(ledger, account, settings)
    finally:
        await ledger.close()


def contacts_of(texts: Sequence[str], settings: Settings) -> list[str]:
    """Who is meant by what a person typed, each once. Raises: UsageError: one of them is no number and no address."""
    return list(dict.fromkeys(contact_of(address) for address in addresses_of(texts, settings)))


def addresses_of(texts: Sequence[str], settings: Settings) -> list[str]:
    """The normalised addresses that a person typed. Raises: UsageError: one of them is no number and no address."""
    from dispatcher.intake.phones import Addresses
    from dispatcher.model import Refusal

    reader = Addresses(settings.columns.region)
    addresses = []
    for text in texts:
        answer = reader.read(text)
        if isinstance(answer, Refusal):
            fix = Advice("write it as +… with its country code")
            raise UsageError("a contact cannot be understood", found=answer.sentence, fix=fix)
        addresses.append(answer)
    return addresses


def actor() -> str:
    """Who does it, for the log."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}" if os.name == "posix" else ""
