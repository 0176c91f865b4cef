"""`worker`: campaigns that were ordered anywhere are sent from this machine."""

from __future__ import annotations

from dispatcher.cli import options
from dispatcher.errors import ExitCode

EPILOG = options.examples(
    ("dispatcher worker", "until Ctrl-C; on as many machines as you like"),
    ("dispatcher run contacts.csv", "orders a campaign, from any of them"),
    ("dispatcher worker --log-file worker.log", "for a service: see docs/cluster.md"),
)


@options.reads_settings("account.base_url", sends=True)
def worker(asked: options.Asked) -> int:
    """Send what was ordered with a ledger that many machines share (`\\[state] url`).

    It sends for the accounts whose credentials it has: the environment's, and those of `\\[cluster] credentials_dir`.
    One machine at a time sends for an account; where it stops or dies, another one goes on within seconds.
    """
    import asyncio

    from dispatcher.cli.working import work_until_told

    asyncio.run(work_until_told(asked.load()))
    return ExitCode.OK
