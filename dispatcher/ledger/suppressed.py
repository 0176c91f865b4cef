"""Whom an account must not reach, and the rows left out for it: when a file is planned, and again at each claim.

Lists of files are their campaigns' (their settings name them); those who have opted out, or were put there by hand, are
nobody's to reach. A file's new reading is a list of its own until it is whole, and takes the old one's place then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

from dispatcher.errors import SuppressionError
from dispatcher.ledger import pseudonyms, tallies
from dispatcher.ledger.chunks import id_range
from dispatcher.ledger.db import Db
from dispatcher.model import HASHED_PREFIX, ListKind, RowState, contact_of, hash_of, is_pseudonym
from dispatcher.remedies import Command

#: So many rows are looked through at a time.
ROWS_PER_READ = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionList:
    """A list of contacts whom an account must not reach."""

    list_id: int
    kind: ListKind
    #: The file, absolute; empty: no file.
    source: str
    #: Of a file: what its entries depend on.
    read_as: str
    read_at_ms: int
    entries: int
    #: Lines of a file that hold no contact.
    unreadable: int

    @property
    def name(self) -> str:
        """For people: the file's name, or how they came there."""
        return PurePath(self.source).name if self.source else _NAMES[self.kind]

    @property
    def sentence(self) -> str:
        """Why a row is left out that it names."""
        return _SENTENCES.get(self.kind) or f"the contact is on the list {self.name}"


_NAMES = {ListKind.learned: "opted out", ListKind.user: "by hand"}
_SENTENCES = {ListKind.learned: "the contact has opted out", ListKind.user: "the contact was suppressed by hand"}


class Suppression(NamedTuple):
    """A contact on a list. Of a hashed list the digest."""

    contact: str
    list_id: int


class SuppressionChange(NamedTuple):
    """What the log says of a contact, or of a file (no contact)."""

    at_ms: int
    contact: str | None
    #: added, removed or read.
    action: str
    kind: ListKind
    source: str
    #: The user of the machine; empty: the program itself.
    actor: str
    reason: str


class LeftOut(NamedTuple):
    """Planned rows that would not be sent now."""

    #: On suppression lists.
    suppressed: int
    #: Of the others: reached a short time ago, by another campaign.
    contacted: int


class Applying:
    """The lists that apply to a campaign: contacts are looked up on them."""

    def __init__(self, lists: Sequence[SuppressionList]) -> None:
        #: Those that name the most certain cause first.
        self.lists = sorted(lists, key=lambda one: _RANK.index(one.kind))
        self._place = {one.list_id: place for place, one in enumerate(self.lists)}
        self._hashed = any(one.kind is ListKind.hashed for one in lists)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.lists)

    @property
    def is_hashed(self) -> bool:
        """Whether any of them has digests."""
        return self._hashed

    def sentences(self, db: Db, account_id: int, contacts: Sequence[str]) -> dict[int, str]:
        """Of these contacts those that are on a list: place -> why they are not reached."""
        if not self.lists:
            return {}
        asked = pseudonyms.asked(db, contacts)
        if self._hashed:
            asked += map(hash_of, contacts)
        found: dict[int, int] = {}
        for place, list_id in db.rows("suppressed_of", contacts=asked, account_id=account_id):
            if list_id in self._place:
                at = place % len(contacts)
                found[at] = min(found.get(at, len(self.lists)), self._place[list_id])
        return {place: self.lists[which].sentence for place, which in found.items()}


_RANK = (ListKind.learned, ListKind.user, ListKind.file, ListKind.hashed)


def applying(db: Db, account_id: int, list_ids: Collection[int]) -> Applying:
    """These lists, and the account's own. Raises: SuppressionError where one of them is not there any more."""
    own = (ListKind.learned, ListKind.user)
    found = [one for one in lists(db, account_id) if one.kind in own or one.list_id in list_ids]
    if not {one.list_id for one in found}.issuperset(list_ids):
        raise SuppressionError(
            "a suppression list was read anew meanwhile, or taken away", fix=Command("resume", ("CAMPAIGN",))
        )
    return Applying(found)


def lists(db: Db, account_id: int) -> list[SuppressionList]:
    """The account's lists that are whole."""
    return [
        SuppressionList(
            list_id=list_id,
            kind=ListKind(kind),
            source=source,
            read_as=read_as,
            read_at_ms=read_ms,
            entries=entries,
            unreadable=unreadable,
        )
        for list_id, kind, source, read_as, read_ms, entries, unreadable in db.rows("lists_of", account_id=account_id)
    ]


# --- rows ---


def apart(
    db: Db, account_id: int, of: Applying, found: Sequence[Sequence[Any]]
) -> tuple[Sequence[Sequence[Any]], dict[int, str]]:
    """Of rows about to be sent (row_id, row_key, address or None, …): those that may be, and of the others why not."""
    sentences = of.sentences(db, account_id, [contact_of(to or key) for _, key, to, *_ in found])
    if not sentences:
        return found, {}
    rows = [row for place, row in enumerate(found) if place not in sentences]
    return rows, {found[place][0]: sentence for place, sentence in sentences.items()}


def plan(db: Db, account_id: int, input_id: int, of: Applying) -> None:
    """Rows of a file that is being planned are left out, while its contacts stand in the temporary table of them."""
    if not of:
        return
    pairs = [[one.list_id, one.sentence] for one in of.lists]
    n = db.run("suppressed_skip", account_id=account_id, lists=pairs, hashed=of.is_hashed, erased=pseudonyms.in_use(db))
    if n:
        tallies.add(db, tallies.moved(input_id, RowState.planned.value, RowState.skipped.value, n))


def planned(db: Db, account_id: int, input_ids: Iterable[int], of: Applying) -> set[int]:
    """The planned rows of these inputs that would be left out now."""
    found: set[int] = set()
    for input_id in input_ids if of else ():
        ids = id_range(input_id)
        after = ids["first"] - 1
        while rows := db.rows("planned_addresses", after=after, last=ids["last"], limit=ROWS_PER_READ):
            after = rows[-1][0]
            places = of.sentences(db, account_id, [contact_of(address) for _, address in rows])
            found.update(rows[place][0] for place in places)
    return found


# --- lists ---


def begin(db: Db, account_id: int, kind: ListKind, source: str) -> int:
    """Make room for a file's reading; what is left of readings that were cut short goes."""
    for (left_over,) in db.rows("lists_unfinished", account_id=account_id, kind=kind.value, source=source):
        _forget(db, account_id, left_over)
    return int(db.one("list_insert", account_id=account_id, kind=kind.value, source=source)[0])


def load(db: Db, account_id: int, list_id: int, contacts: Iterable[str]) -> None:
    """Put contacts on a list. Sorted, since they lie in the order of contacts."""
    flat: list[int | str] = []
    for contact in sorted(set(contacts)):
        flat += (account_id, contact, list_id)
    db.insert("suppressed_insert", 3, flat)


def finish(db: Db, account_id: int, list_id: int, *, read_as: str, unreadable: int, now_ms: int) -> None:
    """A file's reading is whole: it takes the place of the one before."""
    kind, source = db.one("list_get", list_id=list_id)
    for one in lists(db, account_id):
        if (one.kind.value, one.source) == (kind, source):
            _forget(db, account_id, one.list_id)
    db.run("list_ready", list_id=list_id, read_as=read_as, unreadable=unreadable, now_ms=now_ms)
    db.run("list_recount", account_id=account_id, list_id=list_id)
    (entries,) = db.one("list_entries", list_id=list_id)
    reason = f"{entries} entries" + (f", {unreadable} lines that hold none" if unreadable else "")
    _log(db, account_id, None, "read", ListKind(kind), now_ms=now_ms, source=source, reason=reason)


def _forget(db: Db, account_id: int, list_id: int) -> None:
    db.run("list_clear", account_id=account_id, list_id=list_id)
    db.run("list_delete", list_id=list_id)


def add(db: Db, account_id: int, contacts: Iterable[str], *, actor: str, reason: str, now_ms: int) -> int:
    """Put contacts on the account's list of those suppressed by hand. Returns how many were not on it."""
    list_id = _own_list(db, account_id, ListKind.user, now_ms)
    wanted = list(dict.fromkeys(contacts))
    on_it = {contact for contact, of in held(db, account_id, wanted) if of == list_id}
    new = [contact for contact in wanted if contact not in on_it]
    load(db, account_id, list_id, new)
    for contact in new:
        _log(db, account_id, contact, "added", ListKind.user, now_ms=now_ms, actor=actor, reason=reason)
    db.run("list_recount", account_id=account_id, list_id=list_id)
    return len(new)


def _own_list(db: Db, account_id: int, kind: ListKind, now_ms: int) -> int:
    for one in lists(db, account_id):
        if one.kind is kind:
            return one.list_id
    list_id = begin(db, account_id, kind, "")
    db.run("list_ready", list_id=list_id, read_as="", unreadable=0, now_ms=now_ms)
    return list_id


def remove(db: Db, account_id: int, contacts: Collection[str], *, actor: str, reason: str, now_ms: int) -> set[str]:
    """Take contacts off the account's own lists. Returns those who were on one; files are changed by their owners."""
    own = {one.list_id: one.kind for one in lists(db, account_id) if one.kind in (ListKind.learned, ListKind.user)}
    removed: set[str] = set()
    for contact, kept_as, list_id in _held(db, account_id, list(contacts)):
        if list_id in own:
            db.run("suppressed_delete", account_id=account_id, contact=kept_as, list_id=list_id)
            _log(db, account_id, kept_as, "removed", own[list_id], now_ms=now_ms, actor=actor, reason=reason)
            removed.add(contact)
    for list_id in own:
        db.run("list_recount", account_id=account_id, list_id=list_id)
    return removed


def held(db: Db, account_id: int, contacts: Sequence[str]) -> list[Suppression]:
    """On which lists of the account these contacts are, digests included (as the contact whose they are)."""
    return [Suppression(contact, of) for contact, _, of in _held(db, account_id, contacts)]


def _held(db: Db, account_id: int, contacts: Sequence[str]) -> list[tuple[str, str, int]]:
    """The contact, as what it stands there, and on which list."""
    asked = [*pseudonyms.asked(db, contacts), *map(hash_of, contacts)]
    found = db.rows("suppressed_of", contacts=asked, account_id=account_id)
    whole = {one.list_id for one in lists(db, account_id)}
    return [(contacts[place % len(contacts)], asked[place], of) for place, of in found if of in whole]


def history(db: Db, account_id: int, contact: str) -> list[SuppressionChange]:
    """What the log says of a contact, oldest first."""
    contacts = pseudonyms.asked(db, [contact])
    return [_change(row) for row in db.rows("suppression_log_of", account_id=account_id, contacts=contacts)]


def log(db: Db, account_id: int, *, after: int, limit: int) -> list[tuple[int, SuppressionChange]]:
    """The whole log, oldest first, with the number of each entry."""
    found = db.rows("suppression_log_all", account_id=account_id, after=after, limit=limit)
    return [(row[0], _change(row[1:])) for row in found]


def page(db: Db, account_id: int, after: Suppression, limit: int) -> list[Suppression]:
    """The account's suppressions in the order of contacts; digests stand as such."""
    found = db.rows("suppressed_page", account_id=account_id, contact=after.contact, list_id=after.list_id, limit=limit)
    return [Suppression(*row) for row in found]


def is_digest(contact: str) -> bool:
    """Whether a suppression names a digest instead of a contact: a list of digests' own, or who is forgotten."""
    return contact.startswith(HASHED_PREFIX) or is_pseudonym(contact)


def learn(db: Db, opted_out: Mapping[int, str], now_ms: int) -> None:
    """Contacts whose executions have shown that they opted out: attempt -> how.

    Each execution teaches once: whoever was taken off the list by hand is not put back by its being read again.
    """
    taught: dict[int, list[str]] = {}
    found = db.rows("addresses_of_attempts", attempt_ids=list(opted_out)) if opted_out else ()
    for attempt_id, account_id, address in found:
        contact = contact_of(address)
        if db.first("suppression_log_taught", account_id=account_id, contact=contact, attempt_id=attempt_id) is None:
            how, kind = opted_out[attempt_id], ListKind.learned
            _log(db, account_id, contact, "added", kind, now_ms=now_ms, reason=how, attempt_id=attempt_id)
            taught.setdefault(account_id, []).append(contact)
    for account_id, contacts in taught.items():
        list_id = _own_list(db, account_id, ListKind.learned, now_ms)
        load(db, account_id, list_id, contacts)
        db.run("list_recount", account_id=account_id, list_id=list_id)


def _change(row: Sequence[Any]) -> SuppressionChange:
    at_ms, contact, action, kind, source, actor, reason = row
    return SuppressionChange(at_ms, contact, action, ListKind(kind), source, actor, reason)


def _log(
    db: Db,
    account_id: int,
    contact: str | None,
    action: str,
    kind: ListKind,
    *,
    now_ms: int,
    source: str = "",
    actor: str = "",
    reason: str = "",
    attempt_id: int | None = None,
) -> None:
    db.run(
        "suppression_log_add",
        now_ms=now_ms,
        account_id=account_id,
        contact=contact,
        action=action,
        kind=kind.value,
        source=source,
        actor=actor,
        reason=reason,
        attempt_id=attempt_id,
    )
