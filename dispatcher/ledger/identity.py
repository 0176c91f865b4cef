"""Which account it is, however it is spelled: one account at one host has one limit, one lease and one breaker."""

from __future__ import annotations

from dispatcher.hosts import canonical_url as canonical_url


def canonical_sid(account_sid: str) -> str:
    """AC and 32 hex digits: Twilio takes them in either case."""
    return account_sid[:2].upper() + account_sid[2:].lower()
