"""Whose campaigns the page sends, and with which settings: the server's, a profile's over them, a draft's over both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from dispatcher.errors import DispatcherError, SettingsError
from dispatcher.ledger.location import ledger_folder
from dispatcher.remedies import Command, Option
from dispatcher.settings import Credentials, LoadedSettings, Settings, load_account, load_credentials
from dispatcher.web.figures import masked_sid

#: Settings from all sources: those of a profile (None: as they are), with these on top.
Load: TypeAlias = Callable[[str | None, Mapping[str, Any]], LoadedSettings]


class HasSettings(Protocol):
    """A draft, as far as it matters here."""

    @property
    def profile(self) -> str | None:
        """Whose account; None: the settings' own."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """`table.name` → value, on top of the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What a campaign is sent with."""

    settings: Settings
    #: None: there are none, `problem` says why.
    credentials: Credentials | None
    problem: DispatcherError | None = None
    #: On a cluster, where there are no credentials: the account alone, whose campaigns workers send.
    account: Credentials | None = None

    @property
    def owner(self) -> Credentials | None:
        """Whose campaigns they are: Studio cannot be asked with it unless there are `credentials`; None: not known."""
        return self.credentials or self.account

    def sender(self) -> Credentials:
        """The owner, where it is known. Raises: AuthenticationError: why it is not."""
        return self.owner or self.required()

    def required(self) -> Credentials:
        """The credentials. Raises: AuthenticationError: why there are none."""
        if self.credentials is None:
            assert self.problem is not None
            raise self.problem
        return self.credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One that can be chosen. `sid`: its end alone; empty: it is not known."""

    profile: str | None
    sid: str
    #: Why nothing can be sent from it.
    problem: DispatcherError | None

    @property
    def label(self) -> str:
        """What it is called on the page."""
        called = self.profile or "Account"
        return f"{called} {self.sid}" if self.sid else called


class Accounts:
    """Reads the settings anew each time: what an administrator has changed holds from the next page on."""

    def __init__(self, load: Load, *, credentials: Credentials | None = None) -> None:
        """`credentials`: everybody's, for a rehearsal; None: those of the environment, or kept, by profile."""
        self._load = load
        self._credentials = credentials
        base = load(None, {})
        #: The server's own.
        self.settings = base.settings
        self.profiles: tuple[str | None, ...] = (base.profile,) if base.profile else (None, *base.profiles)
        #: Where the one ledger is that this server works with; what the page keeps, if another server has that.
        self.folder = folder_of(base.settings)
        for profile in self.profiles:
            self._check_folder(profile)

    def of(self, draft: HasSettings) -> AccountSettings:
        """What a draft's campaign is sent with. Raises: SettingsError."""
        return self.with_profile(draft.profile, draft.settings)

    def with_profile(self, profile: str | None, over: Mapping[str, Any] | None = None) -> AccountSettings:
        """The settings of a profile, with others on top. Raises: SettingsError."""
        settings = self._load(profile, over or {}).settings
        if self._credentials is not None:
            return AccountSettings(settings=settings, credentials=self._credentials)
        try:
            credentials = load_credentials(profile=profile, studio_url=settings.studio_url)
        except DispatcherError as error:
            account = _account_alone(settings, profile) if settings.is_cluster else None
            return AccountSettings(settings=settings, credentials=None, problem=error, account=account)
        return AccountSettings(settings=settings, credentials=credentials)

    def all(self) -> list[Account]:
        """Every account that can be chosen, the settings' own first. Raises: SettingsError."""
        found = []
        for profile in self.profiles:
            one = self.with_profile(profile)
            sid = masked_sid(one.owner.account_sid) if one.owner else ""
            # Of a cluster's account this machine needs no more than its name: its workers have the secret.
            found.append(Account(profile=profile, sid=sid, problem=one.problem if one.owner is None else None))
        return found

    def _check_folder(self, profile: str | None) -> None:
        """Raises: SettingsError: its ledger is another one, which this server would not look after."""
        settings = self._load(profile, {}).settings
        folder, url = folder_of(settings), settings.state.url
        if (folder, url) != (self.folder, self.settings.state.url):
            raise SettingsError(
                f"profile {profile!r} has a ledger of its own, and one server works with one ledger",
                found=f"{settings.state.shown_url or folder} beside {self.settings.state.shown_url or self.folder}",
                fix=Command(
                    "serve", (), (Option("profile", profile), Option("port", 0)), does="is a server of its own"
                ),
            )


def _account_alone(settings: Settings, profile: str | None) -> Credentials | None:
    """The account that the environment names without a secret; None: it names none."""
    try:
        return load_account(profile=profile, studio_url=settings.studio_url)
    except DispatcherError:
        return None


def folder_of(settings: Settings) -> Path:
    """The ledger's folder of these settings. Raises: SettingsError."""
    return ledger_folder(settings.state, loopback=settings.is_loopback)
