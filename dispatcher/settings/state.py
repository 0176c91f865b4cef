"""The table `[state]`: where the ledger is."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, field_validator

from dispatcher.settings.table import Table

#: What libpq takes in an address and nobody else is to read.
_SECRETS = frozenset({"password", "sslpassword", "oauth_client_secret"})
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::\d*)?")
#: `loading` shows nothing of a value with these words.
_NO_PASSWORD = (
    "must not hold credentials: the password belongs into ~/.pgpass, into a service file (postgresql:///?service=NAME)"
    " or into PGPASSWORD of the environment"
)


class StateSettings(Table):
    """Where the ledger is."""

    dir: str = Field(
        "",
        description="The folder of the ledger. Keep it: it knows who was contacted. Default: one for each user of the"
        " machine, told by doctor and before the question (a systemd service: its StateDirectory); rehearsals have one"
        " of their own beside it.",
    )
    url: str = Field(
        "",
        description="A PostgreSQL server that keeps the ledger instead, for many machines:"
        " postgresql://user@host/database. Its password stands in ~/.pgpass, in a service file"
        " (postgresql:///?service=NAME) or in PGPASSWORD.",
    )

    @field_validator("dir")
    @classmethod
    def _check_dir(cls, value: str) -> str:
        """ "C:\\temp\\new" between double quotes is a tab and a line's end: a ledger somewhere else knows nobody."""
        odd = re.search(r"[\x00-\x1f\x7f]", value)
        if odd:
            raise ValueError(
                "holds a control character: \\t, \\n and the like mean these between double quotation marks; write the"
                r" folder in single ones, like 'C:\temp\new'"
            )
        return value

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
        except ValueError:
            raise ValueError("must be postgresql://user@host:port/database") from None
        given = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        # A password with a slash or a question mark in it ends the host early: then its beginning looks like a port.
        hosts = parts.netloc.rpartition("@")[2].split(",")
        if parts.password is not None or given & _SECRETS or not all(map(_HOST.fullmatch, hosts)):
            raise ValueError(_NO_PASSWORD)
        if parts.scheme not in ("postgresql", "postgres") or parts.fragment or re.search(r"[\s\x00-\x1f\x7f]", value):
            raise ValueError("must be postgresql://user@host:port/database")
        return value

    @property
    def shown_url(self) -> str:
        """The server and its database, for people: neither who connects nor how; empty where there is none."""
        if not self.url:
            return ""
        parts = urlsplit(self.url)
        service = dict(parse_qsl(parts.query)).get("service")
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}" + (f"?service={service}" if service and not host else "")
