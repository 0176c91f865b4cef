"""Keeping an API key: it is tried first, since a key that is wrong would be found out at night."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import AuthenticationError, UsageError
from dispatcher.remedies import Advice
from dispatcher.settings import Credentials, Settings
from dispatcher.settings.credentials import shortened_sid
from dispatcher.settings.kept import keep, read_kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An API key that is kept."""

    credentials: Credentials
    path: Path
    #: The account whose key was there before, where it was another one; None: it was not.
    replaced: str | None
    #: Whether Studio has shown a flow, and so whose the key is.
    has_flows: bool


async def log_in(credentials: Credentials, settings: Settings, profile: str | None) -> Login:
    """Ask Studio with them, by one read, and keep them where it answers.

    Raises: AuthenticationError: refused, without the right, of another account, or they cannot be kept; UsageError: an
    auth token; StudioError.
    """
    from dispatcher.campaign.wiring import studio_client

    if credentials.username == credentials.account_sid:
        raise UsageError(
            "an API key is kept, not the auth token, which opens the whole account and cannot be revoked alone",
            fix=Advice("make an API key in the Twilio Console: Account, API keys"),
        )
    once = settings.model_copy(update={"retry": settings.retry.model_copy(update={"read_attempts": 1})})
    async with studio_client(once, credentials) as studio:
        first = await anext(studio.flows(), None)
    owner = first.account_sid if first is not None else None
    if owner is not None and owner.lower() != credentials.account_sid.lower():
        # Studio goes by the key alone; the limit, the lock and whom we have reached go by the account's SID.
        raise AuthenticationError(
            "the key is another account's",
            found=f"{shortened_sid(owner)} has its flows, not {shortened_sid(credentials.account_sid)}",
            fix=Advice("give the SID of the account in which the key was made, a subaccount has its own"),
        )
    try:
        before = read_kept(profile, settings.studio_url)
    except AuthenticationError:
        before = None  # whatever is wrong with that file, another takes its place
    path = keep(credentials, profile, settings.studio_url)
    other = before is not None and before.account_sid.lower() != credentials.account_sid.lower()
    replaced = before.account_sid if before is not None and other else None
    return Login(credentials=credentials, path=path, replaced=replaced, has_flows=first is not None)
