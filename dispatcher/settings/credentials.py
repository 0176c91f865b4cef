"""The secrets: from the environment, or from files that it names; never from config.toml, never shown."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.errors import AuthenticationError
from dispatcher.remedies import Advice, Remedy
from dispatcher.secret_names import NOTIFY_SECRET, TWILIO_NAMES
from dispatcher.settings.profiles import variable_of

SECRET_NAMES = (*TWILIO_NAMES, NOTIFY_SECRET)
#: `Credentials.source`, where they are not from a file of `login`'s.
ENVIRONMENT = "environment"
#: Standard Webhooks' own bounds of a secret, in bytes.
_NOTIFY_SECRET_BYTES = (24, 64)

#: Names that people give a secret, and the variable that it belongs in.
_MEANT = (
    (re.compile(r"acc(?:oun)?t_?(?:sid|id)", re.IGNORECASE), "TWILIO_ACCOUNT_SID"),
    (re.compile(r"api_?secret|key_?secret|^secret$", re.IGNORECASE), "TWILIO_API_SECRET"),
    (re.compile(r"api_?key|key_?sid", re.IGNORECASE), "TWILIO_API_KEY"),
    (re.compile(r"token|passw|secret|^auth", re.IGNORECASE), "TWILIO_AUTH_TOKEN"),
)
_ASSIGNED = re.compile(r"([\w-]*(?:token|secret|passw|auth|api_?key|pwd)[\w-]*[\"']?\s*[:=]+\s*)(\S.*)", re.IGNORECASE)
#: A token is 32 hex digits, an API key's secret 32 letters and digits; an SID has two capitals before them.
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?![A-Z]{2}[0-9a-fA-F]{32}(?![A-Za-z0-9]))[A-Za-z0-9]{24,}")
_IN_URL = re.compile(r"//[^/\s@]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """HTTP Basic credentials. `repr` shows no secret."""

    account_sid: str
    username: str
    password: str = field(repr=False)
    #: "environment", or the file in which they are kept; empty: a program has them from elsewhere.
    source: str = field(default="", compare=False)

    @property
    def has_secret(self) -> bool:
        """Whether Studio can be asked with them; otherwise they say whose campaigns are meant, and no more."""
        return bool(self.password)


def environment_credentials(environ: Mapping[str, str], profile: str | None = None) -> Credentials | None:
    """Read the secrets: TWILIO_ACCOUNT_SID with TWILIO_API_KEY and TWILIO_API_SECRET, or with TWILIO_AUTH_TOKEN.

    Each may instead be named as a file: TWILIO_AUTH_TOKEN_FILE and so on. The API key stands above the token. Those of
    a profile have its name in theirs, TWILIO_EU_API_KEY, and no other counts for it. None: no secret is set.

    Raises: AuthenticationError, saying which variable is missing or malformed, never its value.
    """
    names = [variable_of(name, profile) for name in TWILIO_NAMES]
    account_sid, token, key, secret = (_secret(name, environ) for name in names)
    sid_name, token_name, key_name, secret_name = names
    if not (token or key or secret or any(environ.get(f"{name}_FILE") for name in names[1:])):
        return None
    fix = export_advice(profile)
    if not account_sid:
        raise AuthenticationError(f"{sid_name} is not set", fix=fix)
    if not (token or key or secret):
        raise AuthenticationError(f"neither {key_name} with {secret_name} nor {token_name} is set", fix=fix)
    if (key or secret) and not (key and secret):
        missing = secret_name if key else key_name
        raise AuthenticationError(f"{missing} is not set, and its other half is", fix=fix)
    return check_credentials(account_sid, key, secret or token, source=ENVIRONMENT, names=(sid_name, key_name), fix=fix)


def environment_account(environ: Mapping[str, str], profile: str | None = None) -> str:
    """The account that the environment names; empty: none. Raises: AuthenticationError: its file cannot be read."""
    return _secret(variable_of("TWILIO_ACCOUNT_SID", profile), environ)


def check_credentials(
    account_sid: str,
    key: str,
    secret: str,
    *,
    source: str,
    names: tuple[str, str] = ("the account's SID", "the API key"),
    fix: Remedy | None = None,
) -> Credentials:
    """Credentials of this form: an API key with its secret, or with no key, the account's token.

    `names`: what account and key are called. Raises: AuthenticationError: they cannot be any, without their values.
    """
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", account_sid):
        raise AuthenticationError(f"{names[0]} must be AC and 32 hex digits", fix=fix)
    if key and not re.fullmatch(r"SK[0-9a-fA-F]{32}", key):
        raise AuthenticationError(f"{names[1]} must be SK and 32 hex digits", fix=fix)
    return Credentials(account_sid=account_sid, username=key or account_sid, password=secret, source=source)


def shortened_sid(sid: str) -> str:
    """Enough of an SID to tell one from another."""
    return f"{sid[:2]}…{sid[-4:]}"


def export_advice(profile: str | None) -> Advice:
    """How to set them in the environment."""
    sid, _, key, secret = (variable_of(name, profile) for name in TWILIO_NAMES)
    return Advice(f"export {sid}=AC… {key}=SK… {secret}=… (Twilio Console, Account, API keys)")


def load_notify_secret(environ: Mapping[str, str] | None = None) -> bytes | None:
    """With what notices are signed; None: it is not set. `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks).

    Raises: AuthenticationError, which never tells its value.
    """
    text = _secret(NOTIFY_SECRET, os.environ if environ is None else environ)
    if not text:
        return None
    least, most = _NOTIFY_SECRET_BYTES
    fix = f"export {NOTIFY_SECRET}=whsec_… as the receiver shows it, or made by: openssl rand -base64 32"
    try:
        # Receivers show it padded or not.
        bare = text.removeprefix("whsec_").rstrip("=")
        secret = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        raise AuthenticationError(f"{NOTIFY_SECRET} must be whsec_ and base64", fix=fix) from None
    if not least <= len(secret) <= most:
        raise AuthenticationError(f"{NOTIFY_SECRET} must be whsec_ and {least} to {most} bytes as base64", fix=fix)
    return secret


def variable_meant(name: str, table: str = "") -> str | None:
    """The variable that somebody means who writes a secret under this name, in this table, where it does not belong."""
    if table == "notify" and _ASSIGNED.match(f"{name}=…"):
        return NOTIFY_SECRET
    return next((variable for pattern, variable in _MEANT if pattern.search(name)), None)


def without_secrets(text: str) -> str:
    """A line from a file, to be shown: what may be a secret is left out."""
    text = _IN_URL.sub("//…@", text)
    text = _ASSIGNED.sub(lambda match: match[1] + "…", text)
    return _TOKEN.sub("…", text)


def _secret(name: str, environ: Mapping[str, str]) -> str:
    file_variable = f"{name}_FILE"
    file = environ.get(file_variable)
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AuthenticationError(
                f"{file_variable} names a file that cannot be read",
                found=type(error).__name__,
                fix=f"correct {file_variable}",
            ) from None
    return environ.get(name, "").strip()
