"""Makes docs/live-view.svg, the README's picture of a run: `python -m docs.picture`.

A real campaign against the sandbox on a bad day, frozen where it waits and has seen most of what there is.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.campaign.demo import demo_contacts, demo_settings
from dispatcher.campaign.outlook import outlook
from dispatcher.campaign.problems import examples
from dispatcher.cli.render import campaign as shown
from dispatcher.cli.render.live import RunView
from dispatcher.events import EventBus, Snapshot
from dispatcher.ledger.records import PlanCounts
from dispatcher.model import RowState
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from dispatcher.settings import Credentials

PATH = Path(__file__).with_name("live-view.svg")
WIDTH = 88
NAME = "spring"
FAULTS = {"429": 0.03, "reject": 0.03, "500_after": 0.02, "reset_before": 0.02}
#: The picture is taken at the first wait after this share of the rows, or at the latest share.
EARLIEST, LATEST = 0.55, 0.85
SIZE_MAX_BYTES = 200_000
#: Readable on a dark and on a light page.
THEME = TerminalTheme(
    (24, 26, 31),
    (205, 209, 217),
    [
        (24, 26, 31),
        (240, 113, 120),
        (126, 198, 115),
        (229, 192, 98),
        (97, 175, 239),
        (198, 134, 222),
        (86, 200, 214),
        (205, 209, 217),
    ],
    [
        (127, 134, 147),
        (255, 138, 128),
        (152, 217, 142),
        (240, 208, 130),
        (130, 192, 245),
        (214, 160, 232),
        (120, 217, 228),
        (240, 242, 246),
    ],
)


async def take(folder: Path) -> str:
    """Run, and draw one moment of it. The SVG's text."""
    sandbox_settings = SandboxSettings(latency_s=0.15, latency_jitter_s=0.3, faults=FAULTS, seed=11)
    account_sid = sandbox_settings.account_sid
    credentials = Credentials(account_sid=account_sid, username=account_sid, password="rehearsal")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    async with Sandbox(sandbox_settings) as sandbox:
        settings = demo_settings(sandbox.base_url, DEFAULT_FLOW_SID, folder)
        bus = EventBus()
        async with open_campaign(NAME, settings, credentials, bus=bus) as campaign:
            counts = await campaign.plan(demo_contacts(folder))
            await _draw_question(console, campaign, counts)
            sending = asyncio.create_task(campaign.send())
            console.print(RunView(await _moment(bus, sending)))
            campaign.stop()
            await sending
    svg = console.export_svg(title=f"dispatcher run {NAME}.csv", theme=THEME, unique_id="live", font_aspect_ratio=0.61)
    # The system's choice of a port is of no interest.
    svg = re.sub(r"127\.0\.0\.1:\d{5}", "127.0.0.1:18700", svg)
    # Fonts from elsewhere would be asked for by every reader of the README; each has a monospaced one.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono")
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


async def _draw_question(console: Console, campaign: Campaign, counts: PlanCounts) -> None:
    ahead = outlook(await campaign.status(), campaign.settings)
    console.print(Text.assemble(("$ ", "bright_black"), f"dispatcher run {NAME}.csv"))
    console.print(shown.planned(f"{NAME}.csv", counts, await examples(campaign, counts)))
    console.print()
    console.print(shown.outlook(campaign, ahead))
    console.print()
    console.print(f"Type [bold]{ahead.most}[/bold] to send: {ahead.most}", highlight=False)
    console.print()


async def _moment(bus: EventBus, sending: asyncio.Task[object]) -> Snapshot:
    """The first in which most of what there is can be seen."""
    while True:
        await asyncio.sleep(0.05)
        now = bus.snapshot()
        share = now.done / now.to_send if now.to_send else 0.0
        has_seen = now.rows[RowState.rejected] and now.rows[RowState.unknown] and now.in_flight
        waits = now.waiting is not None and (now.waiting.remaining_s or 0.0) > 0.1
        if sending.done() or share > LATEST or (share > EARLIEST and has_seen and waits):
            return now


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        svg = asyncio.run(take(Path(folder)))
    if len(svg.encode()) > SIZE_MAX_BYTES:
        sys.exit(f"the picture has {len(svg.encode()):,} bytes, more than {SIZE_MAX_BYTES:,}")
    PATH.write_text(svg, encoding="utf-8")
    sys.stdout.write(f"{PATH}\n")


if __name__ == "__main__":
    main()
