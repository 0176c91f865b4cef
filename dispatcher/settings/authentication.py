"""Which credentials are used: the environment's, else those that `login` has kept; never halves of both."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dispatcher.errors import AuthenticationError
from dispatcher.remedies import AnyOf, Command
from dispatcher.secret_names import TWILIO_NAMES
from dispatcher.settings.credentials import (
    ENVIRONMENT,
    Credentials,
    check_credentials,
    environment_account,
    environment_credentials,
    export_advice,
)
from dispatcher.settings.kept import read_kept
from dispatcher.settings.profiles import asked_profile, variable_of
from dispatcher.settings.schema import DEFAULT_BASE_URL


def load_account(
    environ: Mapping[str, str] | None = None, *, profile: str | None = None, studio_url: str = DEFAULT_BASE_URL
) -> Credentials:
    """As `load_credentials`; where there is no secret at all, the account alone that the environment names.

    For whoever asks Studio nothing: `Credentials.has_secret` is False then.
    """
    found = os.environ if environ is None else environ
    chosen = asked_profile(profile, found)
    account_sid = environment_account(found, chosen)
    if not account_sid or environment_credentials(found, chosen) is not None:
        return load_credentials(found, profile=profile, studio_url=studio_url)
    kept = read_kept(chosen, studio_url)
    if kept is not None and account_sid.lower() == kept.account_sid.lower():
        return kept
    names = (variable_of("TWILIO_ACCOUNT_SID", chosen), "")
    return check_credentials(account_sid, "", "", source=ENVIRONMENT, names=names, fix=export_advice(chosen))


def load_credentials(
    environ: Mapping[str, str] | None = None, *, profile: str | None = None, studio_url: str = DEFAULT_BASE_URL
) -> Credentials:
    """The credentials of the environment (see `environment_credentials`), else those kept for that host by `login`.

    `profile`: whose; None: the one that DISPATCHER_PROFILE names, if it names one. `studio_url`: `Settings.studio_url`.

    Raises: AuthenticationError, saying which variable is missing or malformed, never its value; SettingsError.
    """
    environ = os.environ if environ is None else environ
    profile = asked_profile(profile, environ)
    found = environment_credentials(environ, profile)
    if found is not None:
        return found
    account_sid = environment_account(environ, profile)
    kept = read_kept(profile, studio_url)
    # Whose key it is decides whose people are reached: one account's name does not go with another's key.
    if kept is not None and account_sid.lower() in ("", kept.account_sid.lower()):
        return kept
    fix = AnyOf(export_advice(profile), Command("login", does="keeps them"))
    sid_name, token_name, key_name, secret_name = (variable_of(name, profile) for name in TWILIO_NAMES)
    if not account_sid:
        raise AuthenticationError(f"{sid_name} is not set, and no credentials are kept for {studio_url}", fix=fix)
    raise AuthenticationError(
        f"neither {key_name} with {secret_name} nor {token_name} is set",
        found=f"{sid_name} names another account than that whose key is kept" if kept else None,
        fix=fix,
    )
