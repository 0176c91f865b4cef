"""The secrets: from the environment, or from files that it names; never from config.toml, never shown."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.errors import AuthenticationError

TWILIO_NAMES = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET")
#: With what notices are signed.
NOTIFY_SECRET = "DISPATCHER_NOTIFY_SECRET"
SECRET_NAMES = (*TWILIO_NAMES, NOTIFY_SECRET)
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


def load_credentials(environ: Mapping[str, str] | None = None) -> Credentials:
    """Read the secrets: TWILIO_ACCOUNT_SID with TWILIO_API_KEY and TWILIO_API_SECRET, or with TWILIO_AUTH_TOKEN.

    Each may instead be named as a file: TWILIO_AUTH_TOKEN_FILE and so on. The API key stands above the token.

    Raises: AuthenticationError, saying which variable is missing or malformed, never its value.
    """
    environ = os.environ if environ is None else environ
    values = {name: _secret(name, environ) for name in TWILIO_NAMES}
    account_sid = values["TWILIO_ACCOUNT_SID"]
    fix = "export TWILIO_ACCOUNT_SID=AC… TWILIO_API_KEY=SK… TWILIO_API_SECRET=… (Twilio Console, Account, API keys)"
    if not account_sid:
        raise AuthenticationError("TWILIO_ACCOUNT_SID is not set", fix=fix)
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", account_sid):
        raise AuthenticationError("TWILIO_ACCOUNT_SID must be AC and 32 hex digits", fix=fix)
    key, secret, token = values["TWILIO_API_KEY"], values["TWILIO_API_SECRET"], values["TWILIO_AUTH_TOKEN"]
    if key or secret:
        if not (key and secret):
            missing = "TWILIO_API_SECRET" if key else "TWILIO_API_KEY"
            raise AuthenticationError(f"{missing} is not set, and its other half is", fix=fix)
        if not re.fullmatch(r"SK[0-9a-fA-F]{32}", key):
            raise AuthenticationError("TWILIO_API_KEY must be SK and 32 hex digits", fix=fix)
        return Credentials(account_sid=account_sid, username=key, password=secret)
    if not token:
        raise AuthenticationError("neither TWILIO_API_KEY with TWILIO_API_SECRET nor TWILIO_AUTH_TOKEN is set", fix=fix)
    return Credentials(account_sid=account_sid, username=account_sid, password=token)


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
