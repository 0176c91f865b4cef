"""The page's own file beside the ledger, web.sqlite3: people, sessions, links, uploads, drafts, history.

It never says what became of a row: that is the ledger's. It is opened by the server and by `serve users`, both at once.
"""

from __future__ import annotations

from dispatcher.web.store.audit import Audit
from dispatcher.web.store.drafts import DraftChanges, Drafts
from dispatcher.web.store.links import Links
from dispatcher.web.store.records import (
    AuditLine,
    Draft,
    NewUpload,
    Role,
    ServerMark,
    Session,
    Stage,
    Upload,
    User,
)
from dispatcher.web.store.sessions import Sessions
from dispatcher.web.store.store import Store, open_store
from dispatcher.web.store.uploads import Uploads
from dispatcher.web.store.users import Users

__all__ = [
    "Audit",
    "AuditLine",
    "Draft",
    "DraftChanges",
    "Drafts",
    "Links",
    "NewUpload",
    "Role",
    "ServerMark",
    "Session",
    "Sessions",
    "Stage",
    "Store",
    "Upload",
    "Uploads",
    "User",
    "Users",
    "open_store",
]
