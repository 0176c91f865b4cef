"""Which host it is that gets the credentials: this machine, Twilio's, or another."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_TWILIO = ".twilio.com"


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's, however it is spelled: a rehearsal. Nothing is looked up.

    A name below `.localhost` is not taken for one: some systems ask the network for it.
    """
    host = _host(url)
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # 127.1 and 2130706433 are addresses to whoever connects.
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any(one.is_loopback or one.is_unspecified for one in (address, mapped) if one is not None)


def is_twilio(url: str) -> bool:
    """Whether the host is one of Twilio's."""
    return _host(url).endswith(_TWILIO)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".").lower()
