"""An API key as it is given to `login`: typed, in the environment, or on standard input; never an argument."""

from __future__ import annotations

import getpass
import os
import re
import sys
import warnings

from dispatcher.cli import interrupts, logs
from dispatcher.cli.render.terminal import err, say
from dispatcher.errors import UsageError
from dispatcher.remedies import Advice
from dispatcher.secret_names import TWILIO_NAMES
from dispatcher.settings import Credentials
from dispatcher.settings.credentials import check_credentials, environment_credentials
from dispatcher.settings.profiles import variable_of

#: More than this is no key.
_STDIN_MAX = 10_000
_LINE = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*)")
_TYPED = "typed"


def given_credentials(profile: str | None) -> Credentials:
    """Ask at a terminal; elsewhere the environment's, where it has a whole key, else what stands on standard input.

    Raises: AuthenticationError: they cannot be any; UsageError: none are given; Interrupted.
    """
    if sys.stdin and sys.stdin.isatty():
        return _asked()
    found = environment_credentials(os.environ, profile)
    if found is not None:
        return found
    with interrupts.raised():
        text = sys.stdin.read(_STDIN_MAX) if sys.stdin else ""
    return _read(text, profile)


def _asked() -> Credentials:
    say("An API key is made in the Twilio Console: Account, API keys.", "bright_black")
    with interrupts.raised():
        account_sid = _line("Account SID (AC…): ")
        key = _line("API key SID (SK…): ")
        secret = hidden("API secret (not shown): ").strip()
    return _checked(account_sid, key, secret)


def _line(prompt: str) -> str:
    err().print(prompt, end="", soft_wrap=True)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def hidden(prompt: str) -> str:
    """What is typed, unseen. Raises: UsageError: it would be seen."""
    with warnings.catch_warnings():
        # It would go on and show what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            raise UsageError(
                "the secret cannot be typed unseen here", fix=Advice("give it by the environment or standard input")
            ) from None


def _read(text: str, profile: str | None) -> Credentials:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    values = {match[1]: match[2].strip().strip("'\"") for line in lines if (match := _LINE.fullmatch(line))}
    if values:
        names = [variable_of(name, profile) for name in TWILIO_NAMES]
        account_sid, _, key, secret = (values.get(name, "") for name in names)
    else:
        account_sid, key, secret = ([*lines, "", "", ""])[:3]
    if not (account_sid and key and secret):
        wanted = ", ".join(variable_of(name, profile) for name in TWILIO_NAMES if not name.endswith("TOKEN"))
        raise UsageError(
            "there is no whole API key: neither in the environment nor on standard input",
            fix=Advice(f"give {wanted}: set in the environment, or as lines of standard input in this order"),
        )
    return _checked(account_sid, key, secret)


def _checked(account_sid: str, key: str, secret: str) -> Credentials:
    logs.hide(secret)
    fix = Advice("run it again: an account's SID, an API key's SID, and the key's secret")
    if not (key and secret):
        raise UsageError("no API key was given", fix=fix)
    return check_credentials(account_sid, key, secret, source=_TYPED, fix=fix)
