"""The Python API, whole: rehearse a campaign against the built-in sandbox, watch it, and write its report.

Run it with: python samples/send_campaign.py
For real sends leave the sandbox out, and load settings and credentials as `main` shows in its comments.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from dispatcher import Credentials, EventBus, Sandbox, SandboxSettings, load_settings, open_campaign

CONTACTS = Path(__file__).with_name("contacts.csv")


async def main() -> int:
    """Returns the run's exit code, as the command line would."""
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(SandboxSettings(limit_per_s=200, faults={"429": 0.02, "500_after": 0.02})) as sandbox:
            # For real: settings = load_settings("config.toml").settings, credentials = load_credentials()
            settings = load_settings(
                flags={
                    "account.base_url": sandbox.base_url,
                    "campaign.flow": "FW0123456789abcdef0123456789abcdef",
                    "campaign.from": "+15550001111",
                    "columns.to": "phone",
                    "columns.region": "US",
                    "rate.per_second": 200,
                    "reconcile.settle_s": 1,
                    "state.dir": folder,
                }
            ).settings
            credentials = Credentials(account_sid="AC" + "0" * 32, username="AC" + "0" * 32, password="not-a-secret")
            bus = EventBus()
            bus.subscribe(lambda event: print(type(event).__name__))
            async with open_campaign("spring", settings, credentials, bus=bus) as campaign:
                counts = await campaign.plan(CONTACTS)
                print({state.value: n for state, n in counts.rows.items() if n}, counts.reasons)
                result = await campaign.send()
                rows = await campaign.report(Path(folder) / "spring-report.csv")
                print(f"{rows} rows in the report,", {s.value: n for s, n in result.status.rows.items() if n})
                print("the sandbox created", sandbox.stats()["creates"], "executions")
                return result.exit_code


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
