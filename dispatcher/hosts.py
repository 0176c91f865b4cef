"""Which host it is that gets the credentials, however it is spelled: this machine, Twilio's, or another."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

#: Stands for each way to say "this machine".
LOOPBACK = "127.0.0.1"
_TWILIO = ".twilio.com"
_PORTS = {"http": 80, "https": 443}


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's, however it is spelled: a rehearsal. Nothing is looked up.

    A name below `.localhost` is not taken for one: some systems ask the network for it.
    """
    host = _host(url)
    return host == "localhost" or any(one.is_loopback or one.is_unspecified for one in _addresses(host))


def listens_here_alone(host: str) -> bool:
    """Whether nobody but this machine reaches who listens there. Nothing is looked up.

    0.0.0.0 and :: are this machine to who connects to them, and every network's to who listens there.
    """
    return host.lower() == "localhost" or any(one.is_loopback for one in _addresses(host))


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """What a host says in numbers, an IPv4 address inside an IPv6 one, too; nothing of a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # 127.1 and 2130706433 are addresses to whoever connects.
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return []
    mapped = getattr(address, "ipv4_mapped", None)
    return [address] if mapped is None else [address, mapped]


def is_twilio(url: str) -> bool:
    """Whether the host is one of Twilio's."""
    return _host(url).endswith(_TWILIO)


def canonical_url(base_url: str) -> str:
    """The host as it is kept: small letters, no default port, no dot at its end, one name for this machine.

    Of a Twilio host only the region counts, us1 where there is none: an edge is another way to the same account.
    """
    parts = urlsplit(base_url.strip())
    host = (parts.hostname or "").rstrip(".")
    if host.endswith(_TWILIO):
        return f"https://{_twilio_host(host)}"
    try:
        port = parts.port
    except ValueError:
        return base_url  # nobody's address
    host = LOOPBACK if is_loopback(base_url.strip()) else f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS.get(parts.scheme)) else f":{port}")


def _twilio_host(host: str) -> str:
    """product[.edge][.region].twilio.com"""
    product, *more = host.removesuffix(_TWILIO).split(".")
    region = more[-1] if more else "us1"
    return product + ("" if region == "us1" else f".{region}") + _TWILIO


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".").lower()
