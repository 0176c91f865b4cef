"""`login`: an API key is kept for this user, so that no shell and no script has to hold it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.terminal import print_json, print_line, print_pairs, say
from dispatcher.errors import AuthenticationError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

EPILOG = options.examples(
    ("dispatcher login", "asks for account, key and secret"),
    ("dispatcher login --profile eu", "another account: \\[profiles.eu] in config.toml"),
    ("cat key.txt | dispatcher login", "three lines: account, key, secret"),
    ("dispatcher login --remove", "takes it away again"),
)


@options.reads_settings("account.api_version", "account.base_url")
async def login(
    session: options.Session,
    remove: Annotated[bool, typer.Option("--remove", help="Take away what is kept.")] = False,
    json: options.Json = False,
) -> int:
    """Keep an API key for this user, so that it need not be in the environment.

    Asks for it, tries it with one read, and keeps it in a file that nobody else may read; for each profile its own.
    Without a terminal it takes the environment's, or three lines of standard input: account, key, secret; never an
    argument. What the environment has stands above what is kept. A key is used for the host alone for which it was
    tried.
    """
    if remove:
        return _remove(session.asked.profile, json)
    import os

    from dispatcher.campaign.login import log_in
    from dispatcher.cli.credentials import given_credentials
    from dispatcher.settings.credentials import environment_credentials, shortened_sid

    settings, profile = session.settings, session.profile
    found = await log_in(given_credentials(profile), settings, profile)
    credentials, above = found.credentials, None
    with contextlib.suppress(AuthenticationError):  # half a key there is told by whoever needs one
        above = environment_credentials(os.environ, profile)
    if json:
        print_json(
            {
                "profile": profile,
                "host": settings.studio_url,
                "account": shortened_sid(credentials.account_sid),
                "key": shortened_sid(credentials.username),
                "path": str(found.path),
            }
        )
    else:
        print_pairs(
            [
                ("account", shortened_sid(credentials.account_sid)),
                ("API key", f"{shortened_sid(credentials.username)}, which {settings.studio_url} accepts"),
                ("kept in", str(found.path)),
            ]
        )
    if found.replaced is not None:
        say(f"it takes the place of the key of another account, {shortened_sid(found.replaced)}", "yellow")
    if not found.has_flows:
        say("the account shows no flow, so it was not seen whether the key is this account's", "yellow")
    if above is not None:
        whose = "" if above == credentials else f", {shortened_sid(above.username)}"
        say(f"the environment has credentials, too, and stands above what is kept{whose}", "yellow")
    behind = f" --profile {profile}" if profile else ""
    say(f"dispatcher login{behind} --remove takes it away; the key itself is revoked in the Console", "bright_black")
    return ExitCode.OK


def _remove(asked_profile: str | None, as_json: bool) -> int:
    """No settings are needed: whatever is wrong with them, a key can be taken away."""
    import os

    from dispatcher.settings import profiles
    from dispatcher.settings.kept import forget

    profile = profiles.asked_profile(asked_profile, os.environ)
    gone: list[Path] = forget(profile)
    if as_json:
        print_json({"profile": profile, "removed": [str(path) for path in gone]})
    else:
        for path in gone:
            print_line(str(path))
    if gone:
        say("taken away; the key itself is valid until it is revoked in the Twilio Console", "bright_black")
    else:
        say("nothing is kept" + (f" for the profile {profile}" if profile else ""), "yellow")
    return ExitCode.OK
