"""Which account it is, however it is spelled: one account at one host has one limit, one lease and one breaker."""

from __future__ import annotations

from urllib.parse import urlsplit

from dispatcher.hosts import is_loopback

#: Stands for each way to say "this machine".
LOOPBACK = "127.0.0.1"
_TWILIO = ".twilio.com"
_PORTS = {"http": 80, "https": 443}


def canonical_sid(account_sid: str) -> str:
    """AC and 32 hex digits: Twilio takes them in either case."""
    return account_sid[:2].upper() + account_sid[2:].lower()


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
