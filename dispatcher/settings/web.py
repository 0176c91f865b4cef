"""The table `[web]`: the page, who may reach it, and how long it keeps what was uploaded."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from dispatcher.settings.table import NotNegative, Positive, Table

_HOST = re.compile(r"[a-z0-9._-]+", re.ASCII)
_PORTS = {"http": 80, "https": 443}


class WebSettings(Table):
    """The page that `serve` opens."""

    host: str = Field(
        "127.0.0.1",
        description="The address to listen on. Beyond this machine only with a public_url of https:// and passwords.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8712, description="The port; 0 lets the system choose.")
    public_url: str = Field(
        "",
        description="How browsers reach it, for example https://send.example.com, where a proxy with TLS stands before;"
        ' "": http:// and this machine\'s address.',
    )
    auth: Literal["link", "password"] = Field(
        "link",
        description="Who may in: whoever has the link that serve prints, one person at this machine; or people with a"
        " name and a password, added at the terminal.",
    )
    upload_max_mb: Positive = Field(200, description="The largest file that can be uploaded, in megabytes.")
    uploads_max_mb: Positive = Field(2000, description="How much all kept files together may have, in megabytes.")
    keep_uploads_days: NotNegative = Field(
        30, description="Uploaded files are deleted so many days after the upload, unless they still have to be sent."
    )
    session_idle_h: Positive = Field(12, description="Whoever does nothing for so many hours is signed out.")
    session_max_days: Positive = Field(7, description="Everybody is signed out after so many days.")
    metrics: bool = Field(
        False,
        description="Serve /metrics for Prometheus: counts of campaigns and accounts, to whoever can reach the port.",
    )

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        if not value or re.search(r"[\s/]", value):
            raise ValueError("must be an address of this machine, for example 127.0.0.1 or 0.0.0.0")
        # A browser's address bar has them.
        return value.removeprefix("[").removesuffix("]") if ":" in value else value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        if not value:
            return value
        value = value.rstrip("/")
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise ValueError("must be https://host, the port a number up to 65535") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", value):
            raise ValueError("must be https://host")
        if parts.username or parts.password or parts.path or parts.query or parts.fragment:
            raise ValueError("must be the address alone, without a name, a password or a path")
        # As browsers write it: what they send is compared with this.
        host = parts.hostname.rstrip(".")
        if not value.isascii():
            raise ValueError("must be written as browsers send it: xn--… for letters beyond English")
        if ":" in host:
            host = f"[{ipaddress.IPv6Address(host).compressed}]"
        elif not _HOST.fullmatch(host):
            raise ValueError("must be https://host")
        return f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")
