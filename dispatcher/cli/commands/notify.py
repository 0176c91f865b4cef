"""`notify test` and `notify flush`: see that notices arrive, and deliver those that have not."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.failures import say_notices
from dispatcher.cli.render.terminal import print_json, print_line, say
from dispatcher.errors import ExitCode, NotNotified
from dispatcher.plurals import counted
from dispatcher.remedies import Command

TEST_EPILOG = options.examples(("dispatcher notify test", "to the webhook, the command, or both"))
FLUSH_EPILOG = options.examples(
    ("dispatcher notify flush", "once the webhook is back"),
    ("dispatcher notify flush --all", "the webhook's address has changed"),
)

app = typer.Typer(no_args_is_help=True, help="See that notices of runs arrive, and deliver those that have not.")


@app.command(epilog=TEST_EPILOG)
@options.reads_settings("account.base_url")
async def test(session: options.Session) -> int:
    """Send a notice of the kind "test" to the webhook and the command, once.

    Exit code 0: they took it; 5: one of them did not, and why.
    """
    from dispatcher.campaign.post_office import send_test
    from dispatcher.settings.notices import notify_notices

    say_notices(notify_notices(session.settings))
    tried = await send_test(session.settings)
    for channel, refused in tried:
        print_line(f"{channel}: {'delivered' if refused is None else refused.why}")
    failed = [channel for channel, refused in tried if refused is not None]
    if failed:
        raise NotNotified(f"the test was not delivered to the {' and the '.join(failed)}")
    return ExitCode.OK


@app.command(epilog=FLUSH_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
async def flush(
    session: options.Session,
    everything: Annotated[
        bool, typer.Option("--all", help="Those, too, that were for another webhook or command.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Deliver the notices that are left: runs have tried, and every run tries again.

    Exit code 0: none is left; 5: some are, and why. A minute at most.
    """
    from dispatcher.campaign import post_office
    from dispatcher.settings.notices import notify_notices

    say_notices(notify_notices(session.settings))
    posted, others = await post_office.flush(session.settings, anyones=everything)
    if json:
        print_json({"delivered": posted.sent, "given_up": posted.given_up, "left": posted.left, "others": others})
    else:
        print_line(f"{counted(posted.sent, 'notice')} delivered, {posted.left:,} left")
    if posted.given_up:
        say(f"{counted(posted.given_up, 'notice')} given up: the webhook wants none any more (HTTP 410)", "yellow")
    if others:
        say(
            f"{counted(others, 'notice')} more for a webhook or command that these settings do not name", "bright_black"
        )
    if posted.left:
        are = counted(posted.left, "notice is", "notices are")
        raise NotNotified(f"{are} not delivered", found=posted.error, fix=Command("notify flush"))
    return ExitCode.OK
