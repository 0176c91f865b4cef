"""A server's supervisor in a process of its own, to be killed: `python -m tests.integration.web.process JSON`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from dispatcher.web.running import Supervisor
from dispatcher.web.store import open_store
from tests.integration.web.served import FewAccounts


async def main() -> None:
    """Send what is wanted until SIGTERM."""
    accounts = FewAccounts(**json.loads(sys.argv[1]))
    store = await open_store(Path(accounts.folder))
    supervisor = Supervisor(store, accounts)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await supervisor.start()
    await over.wait()
    await supervisor.stop()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
