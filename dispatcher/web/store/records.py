"""What the store keeps, as values. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Role(StrEnum):
    """What a person may do: each may what the one before may (access.py)."""

    viewer = "viewer"
    preparer = "preparer"
    sender = "sender"


class Stage(StrEnum):
    """How far a draft is. From `launched` on the ledger tells."""

    #: Uploaded; it is not known which column is what, or cannot be known.
    columns = "columns"
    #: A child reads it.
    checking = "checking"
    #: It cannot be read or planned so: the draft's `error` says why.
    failed = "failed"
    #: Its counts are known: it may be previewed, tested, sent.
    checked = "checked"
    #: Confirmed by a sender.
    launched = "launched"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who signs in."""

    user_id: int
    name: str
    role: Role
    #: In E.164 form: where a preparer may send tests to.
    own_numbers: tuple[str, ...]
    created_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that has signed in. `session_id` is a hash of its cookie, which the store does not know."""

    session_id: str
    #: None: the one person of a page that is this machine's alone (signed in by a link).
    user: User | None
    #: What the forms' tokens are made of.
    csrf_secret: bytes
    begun_at_ms: int
    seen_at_ms: int
    #: When the password was typed last; None: it never was (a link).
    password_at_ms: int | None
    #: When it ends, unless it is used before; at the latest `session_max` after it began.
    ends_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """Where the bytes of an upload go, before it is known whether all of it comes."""

    upload_id: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came whole."""

    upload_id: str
    #: As the browser called it: text for people, never a path.
    name: str
    size_bytes: int
    sha256: str
    uploaded_by: str
    uploaded_at_ms: int
    #: When its bytes were removed; None: they are there.
    deleted_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A campaign as the page knows it; its address is /c/{draft_id}."""

    #: 128 random bits. It is no permission: roles are looked at each time.
    draft_id: str
    #: Raised by each change: a change names the version it was decided on.
    version: int
    #: The campaign's name in the ledger.
    name: str
    #: Whose account; None: the settings' own.
    profile: str | None
    #: The first is the whole file, later ones are corrected rows (part files).
    uploads: tuple[str, ...]
    #: So many of `uploads` are planned into the ledger.
    planned: int
    #: "table.name" -> value, as flags of `settings.loading.load`.
    settings: dict[str, Any]
    stage: Stage
    #: What was seen of the file: names, sample cells, guesses.
    look: dict[str, Any] | None
    #: Counts, reasons, notes, overlap.
    check: dict[str, Any] | None
    #: "code", "message", "found", "fix" (the page's words or ""), "field" (of the form, or "").
    error: dict[str, Any] | None
    #: The last test send.
    test: dict[str, Any] | None
    #: The number that was typed.
    confirmed: int | None
    #: The flow's revision that was confirmed.
    revision: int | None
    #: Contacts that were reached a short time ago are reached, too.
    again: bool
    #: When to send, as chosen; None: now.
    due_ms: int | None
    #: In which zone that was chosen.
    zone: str | None
    created_at_ms: int
    created_by: str
    launched_at_ms: int | None
    launched_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One line of the history: who did what, when and from where."""

    at_ms: int
    who: str
    #: The address it came from; "terminal" for the command line, "" for the server itself.
    source: str
    #: A word: "launched", "paused", "user_added", …
    what: str
    draft_id: str | None = None
    #: The campaign's name; "" where it is about none.
    campaign: str = ""
    #: Numbers and words; nothing of a contact.
    detail: dict[str, Any] = field(default_factory=dict)
    #: Its place in the history, given by the store; 0: not written yet.
    line_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMark:
    """What the last server of this folder has left. None: there was none."""

    alive_at_ms: int | None
    host_id: str | None
