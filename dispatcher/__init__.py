"""Start one Twilio Studio Flow Execution per row of a contacts file.

Never above the account's rate, never twice for a row, and with an answer for every row.

    import asyncio
    from dispatcher import load_credentials, load_settings, open_campaign

    async def main() -> None:
        settings = load_settings("config.toml").settings
        async with open_campaign("spring", settings, load_credentials()) as campaign:
            print(await campaign.plan("contacts.csv"))
            result = await campaign.send()
            await campaign.report("spring-report.csv")
            raise SystemExit(result.exit_code)

    asyncio.run(main())

Names are loaded when they are first used: `import dispatcher` alone costs next to nothing. `__init__.pyi` lists them.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from dispatcher.version import __version__ as __version__


def _public() -> dict[str, str]:
    """Public name -> the module that has it, from the list that type checkers read."""
    with open(__file__.rpartition(".")[0] + ".pyi", encoding="utf-8") as stub:  # noqa: PTH123 - pathlib is not free
        return {name: module for module, name in re.findall(r"^from (\S+) import (\S+) as \2$", stub.read(), re.M)}


_PLACES = _public()

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    try:
        module = _PLACES[name]
    except KeyError:
        raise AttributeError(f"module 'dispatcher' has no attribute {name!r}") from None
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return list(__all__)
