"""The kill loop: the program is killed with SIGKILL at random instants, again and again, until nothing is left to do.

What is checked afterwards is the sandbox's own log of what it was asked, against the files and the ledgers: nobody was
started twice, whatever was cut off, whatever world it was (`worlds.py`), and however the same people came again; each
valid row has its execution, or a reason that is stated.
"""

from __future__ import annotations

import asyncio
import csv
import json
import math
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dispatcher.sandbox import DEFAULT_FLOW_SID, FaultPhase, Sandbox, SandboxSettings, default_flow
from dispatcher.sandbox.dates import SECOND_US
from tests.chaos import books, worlds
from tests.chaos.lives import Campaign, Lives, Place
from tests.chaos.plan import Plan, Tally
from tests.chaos.program import Zygote
from tests.chaos.worlds import PLAIN, World, is_cooled, is_suppressed

#: Numbers in the middle of a real area code's range: well-formed, and never called by anything here.
FIRST_NUMBER = 14152000000
SENDER = "+15550001111"
#: The most rows that are claimed in one go.
CLAIMED_AT_ONCE = 200
#: What some people are reached on before, so that they cool off.
OTHER_FLOW_SID = "FW" + "9" * 32
#: So long may a request take from leaving to its arrival, on a busy machine: it leaves before the deadline, or never.
ARRIVES_S = 0.5
#: Just before a deadline every request is refused, and told to come again when it has passed: whoever holds a row and
#: waits must ask once more before it leaves.
STORM_S = 0.6
RETRY_AFTER_S = 1.5
#: Reasons of rows that a rule has left out.
RULES_SAY = frozenset({"expired", "cooled_off", "suppressed"})
#: Of so many campaigns with rules one has no deadline that comes while it is sent.
IN_TIME = 3
#: Share of a campaign's people for whom another program, or they themselves, begin an execution.
OTHERS_SHARE = 0.05


@dataclass(frozen=True)
class Other:
    """An execution that was not begun by this program."""

    at_s: float
    #: Whether the contact began it: such a one never counts.
    by_contact: bool


class Killing:
    """One kill loop in one folder: campaign after campaign, on one account."""

    def __init__(
        self, plan: Plan, folder: Path, sandbox: Sandbox, program: Zygote, tell: Callable[[Tally], None]
    ) -> None:
        self.tally = Tally()
        self._tell = tell
        self._plan = plan
        self._sandbox = sandbox
        self._usual = sandbox.settings
        self._folder = folder
        self._lives = Lives(plan, sandbox, program, self.tally, folder / "home")
        self._chance = self._lives.chance
        self._worlds = worlds.deck(self._chance, plan.worlds)
        self._ways = worlds.Deck(self._chance, worlds.WAYS)
        self._here = Place(folder=folder, state=folder / "state")
        self._others: dict[str, list[Other]] = defaultdict(list)
        self._done: list[Campaign] = []
        self._sent_in: list[tuple[World, list[Campaign]]] = []
        self._noted: set[str] = set()
        self._started_s = 0.0

    async def run(self) -> Tally:
        """Kill until the plan's number is reached, then let the last campaign finish. Raises AssertionError."""
        self._started_s = time.monotonic()
        (self._folder / "home").mkdir()
        async with asyncio.timeout(self._plan.timeout_s):
            while self._killing():
                await self._people(f"c{self.tally.campaigns:03}")
                self.tally.seconds = time.monotonic() - self._started_s
                self._tell(self.tally)
            if self._plan.worlds != "plain":
                await self._witness()
        await self._count()
        self.tally.seconds = time.monotonic() - self._started_s
        return self.tally

    def _killing(self) -> bool:
        plan = self._plan
        return self.tally.kills < plan.kills and time.monotonic() - self._started_s < plan.stop_killing_after_s

    # --- some people, and the world that they are sent to in ---

    async def _people(self, name: str) -> None:
        world = self._worlds.draw()
        self._enter(world)
        first = self._write_contacts(name)
        if world.rules:
            first = await self._with_rules(first, world)
        sent = len(self._done)
        if world.others:
            await self._begin_others(first, world)
        storm = asyncio.create_task(self._storm(first, world))
        try:
            await self._send(first, world)
        finally:
            storm.cancel()
        # It may have been under way.
        self._sandbox.change(retry_after_s=self._usual.retry_after_s)
        self._fault({**self._plan.faults, **world.faults})
        if self._plan.worlds == "all":
            for way in (self._ways.draw(), self._ways.draw()):
                # What the list hides, another ledger cannot know of.
                await asyncio.sleep(world.list_lag_s)
                await self._send(self._again(first, way), world)
                self.tally.ways[way] += 1
        self._note_doubles(world, self._done[sent:])

    def _note_doubles(self, world: World, sent: list[Campaign]) -> None:
        """Whoever was started twice: in which world, when, and what the ledgers say of it."""
        self._sent_in.append((world, sent))
        log, first = books.log(self._sandbox), sent[0]
        others = {to: [one for one in self._others.get(to, ()) if not one.by_contact] for to in first.people}
        for to in first.people:
            times = log.created_s.get(to, [])
            if to in self._noted or (len(times) < 2 and not any(at > one.at_s for at in times for one in others[to])):
                continue
            self._noted.add(to)
            self.tally.doubles.append(f"{to} in {world.name}: {times}, others {others[to]}")
            for campaign in sent:
                told = books.attempts(campaign.place.ledger, to)
                self.tally.doubles.append(f"  {campaign.name} ({campaign.way or 'the first time'}): {told}")

    def _enter(self, world: World) -> None:
        self.tally.worlds[world.name] += 1
        self._sandbox.change(**worlds.settings_of(world, self._usual))
        self._fault({**self._plan.faults, **world.faults})

    def _fault(self, faults: dict[str, float]) -> None:
        self._sandbox.fault_plan.replace((FaultPhase(faults=faults),), self._sandbox.now_us())

    async def _send(self, campaign: Campaign, world: World) -> None:
        most = self._plan.kills_per_campaign
        until = math.inf if most is None else self.tally.kills + most
        await self._lives.through(campaign, world, kills=lambda: self._killing() and self.tally.kills < until)
        self._done.append(campaign)
        self.tally.campaigns += 1
        await self._check_report(campaign)
        self._check_open(campaign, world)

    def _write_contacts(self, name: str) -> Campaign:
        """Valid rows, and some that are wrong, doubled or empty: none of those is ever sent."""
        rows: list[list[str]] = []
        valid: list[str] = []
        while len(valid) < self._plan.rows:
            kind = self._chance.random()
            if kind < 0.01:
                rows.append(["not a number", f"x {len(rows)}"])
            elif kind < 0.02 and valid:
                rows.append([self._chance.choice(valid), f"again {len(rows)}"])
            else:
                valid.append(f"+{FIRST_NUMBER + self.tally.rows + len(valid) + 1}")
                rows.append([valid[-1], f"Name {len(rows)}"])
        self.tally.rows += len(valid)
        file = self._folder / f"{name}.csv"
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["phone", "first_name"], *rows])
        return Campaign(name=name, file=file, place=self._here, people=valid)

    async def _with_rules(self, campaign: Campaign, world: World) -> Campaign:
        """Some of the people are reached on another flow; then the deadline is set, where clocks are right."""
        file = self._folder / f"{campaign.name}-other.csv"
        lines = ["phone,first_name", *(f"{to},Name" for to in campaign.people if is_cooled(to))]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        other = Campaign(name=file.stem, file=file, place=self._here, people=campaign.people, flow=OTHER_FLOW_SID)
        self._fault({})
        code = await self._lives.command(other, "run", str(file), "--campaign", other.name, "--yes")
        assert code == 0, f"{other.name}: exit code {code}: {(self._folder / 'stderr.txt').read_text()[-1000:]}"
        self._fault({**self._plan.faults, **world.faults})
        if world.proves_nothing or self._chance.randrange(IN_TIME) == 0:
            return campaign
        self.tally.deadlines += 1
        plan = self._plan
        after_s = self._chance.uniform(1.0, 1.0 + 2.0 * plan.rows / plan.per_second)
        return replace(campaign, deadline_s=time.time() + after_s, cools=self._chance.choice(["wait", "skip"]))

    async def _storm(self, campaign: Campaign, world: World) -> None:
        """429s for all, up to the deadline; before some deadlines, as others are come up to at the full rate."""
        if campaign.deadline_s is None or self._chance.random() < 0.5:
            return
        await asyncio.sleep(campaign.deadline_s - STORM_S - time.time())
        self._sandbox.change(retry_after_s=RETRY_AFTER_S)
        self._fault({"429": 1.0})
        await asyncio.sleep(campaign.deadline_s - time.time())
        self._sandbox.change(retry_after_s=self._usual.retry_after_s)
        self._fault({**self._plan.faults, **world.faults})

    async def _begin_others(self, campaign: Campaign, world: World) -> None:
        """Executions of some of the people that end at once: other programs', and such that they began themselves."""
        orders: list[tuple[str | None, str | None]] = [
            (None, "SM" + "0" * 32),
            (None, "CA" + "0" * 32),
            ('{"by":"another program"}', None),
            ('{"dispatch_id":"d-0123456789abcdef01234567"}', None),
            (None, None),
        ]
        some = self._chance.sample(campaign.people, int(len(campaign.people) * OTHERS_SHARE))
        for at, contact in enumerate(some):
            parameters, began_by = orders[at % len(orders)]
            self._begin(contact, parameters, began_by)
        await asyncio.sleep(world.list_lag_s + 0.05)

    def _begin(self, contact: str, parameters: str | None = None, began_by: str | None = None) -> None:
        now_us = self._sandbox.now_us()
        sid = self._sandbox.studio.creator.plant(
            DEFAULT_FLOW_SID,
            contact,
            SENDER,
            parameters,
            now_us=now_us,
            age_us=0,
            ends_after_us=1,
            began_by=began_by,
        )
        assert sid is not None, "the contact was busy"
        self._others[contact].append(Other(now_us / SECOND_US, began_by is not None))

    def _again(self, first: Campaign, way: str) -> Campaign:
        """The same people once more, with the same rules."""
        return replace(self._came(first, way), deadline_s=first.deadline_s, cools=first.cools)

    def _came(self, first: Campaign, way: str) -> Campaign:
        number = len(self._done)
        match way:
            case "the report":
                file = self._folder / first.report
                return Campaign(
                    name=first.name, file=file, place=self._here, people=first.people, way=way, is_named=False
                )
            case "another name":
                # And no name on the command line: the file's own.
                file = self._folder / f"{first.name} FINAL {number}.csv"
                shutil.copyfile(first.file, file)
                return Campaign(
                    name=file.stem, file=file, place=self._here, people=first.people, way=way, is_named=False
                )
            case "another folder" | "another ledger":
                folder = self._folder / f"elsewhere-{number}"
                folder.mkdir()
                state = folder / "state" if way == "another ledger" else self._here.state
                file = folder / first.file.name
                shutil.copyfile(first.file, file)
                place = Place(folder=folder, state=state)
                return Campaign(name=f"{first.name}-{number}", file=file, place=place, people=first.people, way=way)
            case "another spelling":
                file = self._folder / f"{first.name}-spelled-{number}.csv"
                with first.file.open(newline="", encoding="utf-8") as source, file.open("w", newline="") as target:
                    rows = list(csv.reader(source))
                    csv.writer(target).writerows([rows[0], *([_spelled(to), name] for to, name in rows[1:])])
                return Campaign(name=file.stem, file=file, place=self._here, people=first.people, way=way)
            case _:
                key = "first_name" if way == "another key" else None
                return Campaign(
                    name=f"{first.name}-{number}",
                    file=first.file,
                    place=self._here,
                    people=first.people,
                    way=way,
                    key=key,
                )

    # --- what must be true when a campaign is done ---

    async def _check_report(self, campaign: Campaign) -> None:
        """Every input row once, in order; the valid ones created with the sandbox's own SID, or with their reason."""
        folder = campaign.place.folder
        with campaign.file.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        # A life that was killed may have left a report of an earlier moment.
        written = f"checked-{campaign.report}"
        assert await self._lives.command(campaign, "report", campaign.name, "--report", written) == 0
        with (folder / written).open(newline="", encoding="utf-8") as file:
            report = list(csv.DictReader(file))
        assert [row["phone"] for row in report] == [row["phone"] for row in rows]
        assert [row["first_name"] for row in report] == [row["first_name"] for row in rows]
        created = {row["dispatch_to"]: row for row in report if row["dispatch_status"] == "created"}
        others = [row for row in report if row["dispatch_status"] != "created"]
        assert {row["dispatch_status"] for row in others} <= {"invalid", "skipped", "busy", "unknown"}, Counter(
            row["dispatch_status"] for row in others
        )
        if self._plan.worlds == "plain":
            assert set(created) == set(campaign.people)
        for row in others:
            if row["dispatch_to"] in campaign.people and row["dispatch_to"] not in created:
                reason = row["dispatch_error_message"] or row["dispatch_advice"]
                assert reason, f"{row['dispatch_status']} without a reason"
                self.tally.not_sent[row["dispatch_status"]] += campaign.way is None
        assert await self._lives.command(campaign, "status", campaign.name, "--json") == 0
        if campaign.way is None:
            status = json.loads((folder / "stdout.txt").read_text())
            assert status["rows"]["created"] == len(created)
            assert sum(status["rows"].values()) == len(rows)

    def _check_open(self, campaign: Campaign, world: World) -> None:
        """Each row that stays unknown has no witness: nothing that was begun clearly later is listed."""
        states = books.states(campaign.place.ledger, campaign.name)
        assert not states["planned"] + states["sending"]
        if self._plan.worlds == "plain":
            assert not states["unknown"]
        left = books.unknown(campaign.place.ledger, campaign.name, self._lives.clock_off_s)
        self.tally.unknown += len(left)
        if not left:
            return
        log = books.log(self._sandbox)
        listed_until_s = time.time() - world.list_lag_s - 2 * self._plan.settle_s
        for row in left:
            if not self._others.get(row.contact) and log.after(row.begun_s + books.LATER_S, listed_until_s):
                self.tally.unknown_with_a_witness += 1

    # --- what must be true at the end ---

    async def _witness(self) -> None:
        """A world without any fault, in which a later execution is listed: now every unknown row can be resolved."""
        self._enter(PLAIN)
        self._fault({})
        # Later than everything on whatever clock it was begun by.
        self._sandbox.change(date_created_skew_s=2 * worlds.HOUR_S)
        self._begin(f"+{FIRST_NUMBER}")
        self._sandbox.change(date_created_skew_s=0)
        await asyncio.sleep(2 * self._plan.settle_s)
        for campaign in self._done:
            if not books.states(campaign.place.ledger, campaign.name)["unknown"]:
                continue
            await self._lives.command(campaign, "reconcile", campaign.name)
            await self._lives.command(campaign, "resume", campaign.name, "--yes", "--report", campaign.report)
            for row in books.unknown(campaign.place.ledger, campaign.name, self._lives.clock_off_s):
                if self._others.get(row.contact):
                    self.tally.unknown_by_others += 1
                else:
                    self.tally.unknown_left += 1

    async def _count(self) -> None:
        """The sandbox's log against the files and the ledgers."""
        tally, stats, log = self.tally, self._sandbox.stats(), books.log(self._sandbox)
        for world, sent in tuple(self._sent_in):
            self._note_doubles(world, sent)
        expected = {to for campaign in self._done for to in campaign.people}
        assert set(log.created_s) <= expected, "somebody was reached who is in no file"
        ledgers = sorted({campaign.place.ledger for campaign in self._done})
        differ = books.recorded(ledgers).items() ^ log.ours.items()
        # Counted as not created by a list that lagged too long, and seen by the next look: told as reached.
        seen = books.taken_for_others(ledgers)
        tally.seen_late = sum(sid in seen for sid, _ in differ)
        tally.books_differ = len(differ) - tally.seen_late
        suppressed = {
            to for world, sent in self._sent_in if world.rules for one in sent for to in one.people if is_suppressed(to)
        }
        tally.suppressed_reached = len(suppressed & set(log.created_s))
        self._count_rules(log)
        tally.rows_twice = sum(n - 1 for n in log.rows_twice.values())
        tally.contacts_twice = sum(n - 1 for n in log.contacts_twice.values()) + self._after_others(log)
        missing = expected - set(log.created_s)
        explained = {to for campaign in self._done for to in self._explained(campaign)}
        tally.lost = len(missing - explained)
        tally.creates = stats["creates"]
        tally.create_requests = stats["creates_total_requests"]
        tally.faults = Counter(stats["faults"])
        tally.worst_window = stats["worst_window_requests"]
        tally.window_limit = int(self._plan.per_second * self._plan.window_s)
        for ledger in ledgers:
            sql = (
                "SELECT coalesce(found_by, outcome), count(*) FROM attempts WHERE error_message IS NOT NULL GROUP BY 1"
            )
            found = dict(books.query(ledger, sql))
            tally.found += found.get("reconcile", 0) + found.get("conflict", 0)
            sql = "SELECT count(*) FROM attempts WHERE outcome = 'not_sent' AND error_message LIKE 'not found%'"
            tally.sent_again += books.query(ledger, sql)[0][0]
        tally.resolved = tally.found + tally.sent_again
        if self._plan.worlds == "plain":
            # Only what was in flight, or claimed for the next moment, can be unknown after a kill.
            at_once = self._plan.in_flight + 2 * CLAIMED_AT_ONCE
            assert tally.resolved <= at_once * tally.kills + sum(tally.faults.values())

    def _count_rules(self, log: books.Log) -> None:
        """Deadlines, cool-offs, and what the rows say of them."""
        tally, here = self.tally, self._here.ledger
        with_rules = [one for world, sent in self._sent_in if world.rules for one in sent]
        # Another ledger does not know whom this one has reached on the other flow.
        elsewhere = books.recorded({one.place.ledger for one in with_rules} - {here})
        started = {to for sid, to in log.reached.items() if sid not in elsewhere}
        for one in with_rules:
            if one.way is not None:
                continue
            left_out = books.left_out(here, one.name)
            tally.left_out.update(left_out.values())
            tally.both += len(started & {to for to, reason in left_out.items() if reason in RULES_SAY})
            tally.cooled_reached += len(started & {to for to in one.people if is_cooled(to)})
            if one.deadline_s is not None:
                late_s = [at - one.deadline_s for to in one.people for at in log.created_s.get(to, ())]
                tally.after_deadline += sum(late > ARRIVES_S for late in late_s)
                tally.latest_s = max([tally.latest_s, *late_s])

    def _after_others(self, log: books.Log) -> int:
        """Contacts whom we have started although another program had done so before, and Studio showed it."""
        return sum(
            any(created_s > other.at_s for created_s in log.created_s.get(contact, ()))
            for contact, others in self._others.items()
            for other in others
            if not other.by_contact
        )

    def _explained(self, campaign: Campaign) -> set[str]:
        """The contacts of a campaign's rows that were left out, or are unknown; the report states why."""
        sql = (
            "SELECT coalesce(rows.to_address, row_key) FROM rows JOIN inputs ON inputs.input_id = row_id >> 32"
            " JOIN campaigns USING (campaign_id) WHERE name = ? AND state IN ('skipped', 'busy', 'unknown')"
        )
        return {to for (to,) in books.query(campaign.place.ledger, sql, campaign.name)}


def _spelled(to: str) -> str:
    """The same number as somebody else would write it."""
    return f"{to[:2]} ({to[2:5]}) {to[5:8]}-{to[8:]}" if to.startswith("+1") else to


async def kill_loop(
    plan: Plan, folder: Path, program: Zygote, tell: Callable[[Tally], None] = lambda tally: None
) -> Tally:
    """Run the loop in an empty folder against a sandbox; `tell` hears how far it is after each campaign."""
    settings = SandboxSettings(
        limit_per_s=plan.per_second,
        window_s=plan.window_s,
        faults=plan.faults,
        seed=plan.seed,
        latency_s=plan.latency_s,
        latency_jitter_s=plan.latency_s,
        ends_after_s=0.05,
        huge_bytes=2 << 20,
        ipv6=True,
        flows=(default_flow(), default_flow(sid=OTHER_FLOW_SID)),
    )
    async with Sandbox(settings) as sandbox:
        return await Killing(plan, folder, sandbox, program, tell).run()
