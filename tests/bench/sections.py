"""The sections of the benchmark: each runs processes and returns lines of goal and figure."""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import intake_speed
from tests.bench.page import Line, at_least, at_most

FLOW = "FW0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).parents[2]
PY = sys.executable
WINDOW_S = 10.0
HEADROOM = 0.01


def run(name: str, *, quick: bool) -> list[Line]:
    """One section's lines."""
    return _SECTIONS[name](quick)


def send(quick: bool) -> list[Line]:
    """Against the rivals, in turn, round after round."""
    rows, rounds = (5_000, 2) if quick else (50_000, 3)
    small = {"twilio_threads": rows // 5, "twilio_async": rows // 2, "script": rows // 10}
    rivals = ("naive", "tuned", "twilio_async", "twilio_threads", "script")
    letters = dict(zip(rivals, "abcde", strict=True))
    goals = {"naive": 1.5, "tuned": 0.8, "twilio_async": 2.5, "twilio_threads": 10.0, "script": 12.0}
    lines = []
    for in_flight in (50, 200):
        rates: dict[str, list[float]] = {name: [] for name in ("ours", *rivals)}
        costs: dict[str, list[float]] = {name: [] for name in ("ours", *rivals)}
        peak_mib = 0.0
        for _ in range(rounds):
            for name in rates:
                with _server() as port:
                    figures = (
                        _ours(port, rows, in_flight=in_flight)
                        if name == "ours"
                        else _figures("rivals", name, port, small.get(name, rows), in_flight)
                    )
                rates[name].append(figures["rows"] / figures["seconds"])
                costs[name].append(figures["cpu_s"] / figures["rows"] * 1e6)
                if name == "ours":
                    peak_mib = max(peak_mib, figures["peak_mib"])
        rate, cost = statistics.median(rates["ours"]), statistics.median(costs["ours"])
        lines.append(Line(f"rows/s, {in_flight} in flight", "", f"{rate:,.0f} ({cost:.0f} µs CPU a row)"))
        for name in rivals:
            what = f"rows/s ÷ ({letters[name]}) {name}, {in_flight} in flight"
            lines.append(at_least(what, _ratio(rates, name), goals[name]))
        lines.append(at_most(f"CPU a row ÷ (a) naive, {in_flight} in flight", _ratio(costs, "naive"), 0.75))
        lines.append(
            at_most(f"CPU a row ÷ (c) twilio_async, {in_flight} in flight", _ratio(costs, "twilio_async"), 0.5)
        )
        lines.append(at_most(f"peak memory, {in_flight} in flight", peak_mib, 90, " MiB", 0))
    return lines


def _ratio(figures: dict[str, list[float]], rival: str) -> float:
    """Ours to a rival's, round by round: a machine that is slower for a minute is slower for both."""
    return statistics.median(ours / its for ours, its in zip(figures["ours"], figures[rival], strict=True))


def memory(quick: bool) -> list[Line]:
    """Whole campaigns, the report included: a large one takes no more memory than a small one."""
    few, many = (5_000, 50_000) if quick else (20_000, 1_000_000)
    peaks = {}
    for rows in (few, many):
        with _server() as port:
            peaks[rows] = _ours(port, rows, in_flight=50)["peak_mib"]
    return [
        at_most(f"peak memory, {many:,} rows sent and reported", peaks[many], 90, " MiB", 0),
        at_most(f"its growth from {few:,} rows", peaks[many] / peaks[few], 1.15),
    ]


def latency(quick: bool) -> list[Line]:
    """50 ms of server latency: what is in flight is used."""
    lines = []
    for in_flight, share in ((50, 0.92), (200, 0.88)):
        rows = in_flight * 20 * (3 if quick else 15)
        with _server("--latency-s", "0.05") as port:
            figures = _ours(port, rows, in_flight=in_flight)
        ideal = in_flight / 0.05
        lines.append(
            at_least(
                f"share of {ideal:,.0f}/s, {in_flight} in flight", figures["rows"] / figures["seconds"] / ideal, share
            )
        )
    return lines


def rate(quick: bool) -> list[Line]:
    """The limit, kept and used, against a server that enforces the exact window."""
    seconds = 25 if quick else 60
    lines = []
    for per_second in (20, 200, 1000):
        with _server("--limit-per-s", str(per_second)) as port:
            _ours(port, int(per_second * seconds), in_flight=100, rate=per_second, report=False)
            seen = _stats(port)
        # To a tenth of a percent: the headroom of 1 % leaves exactly 0.99, and each timer is some microseconds late.
        what = f"share of {per_second}/s delivered after the first second"
        lines.append(at_least(what, round(_delivered(seen, per_second), 3), 0.99, digits=3))
        lines.append(at_most(f"worst window at {per_second}/s", seen["worst_window"], per_second * WINDOW_S, digits=0))
        lines.append(at_most(f"429s at {per_second}/s", seen["throttled"], 0, digits=0))
    lines += _spike(20 if quick else 40)
    lines += _shared(seconds + 35)
    return lines


def _delivered(seen: dict[str, Any], per_second: float) -> float:
    times: list[float] = seen["accepted_s"]
    first = times[0] + 1.0
    counted = [at for at in times if at >= first]
    return (len(counted) - 1) / (counted[-1] - counted[0]) / per_second


def _spike(per_second: int) -> list[Line]:
    cap = math.floor(per_second * WINDOW_S * (1 - HEADROOM) + 1e-9)
    rows = cap * 2 + cap // 2
    ideal_s = (math.ceil(rows / cap) - 1) * WINDOW_S
    with _server("--limit-per-s", str(per_second)) as port:
        _ours(port, rows, in_flight=100, rate=per_second, pace="spike", report=False)
        seen = _stats(port)
    times = seen["accepted_s"]
    return [
        at_most(
            f"spike: {rows} rows at {per_second}/s, of {ideal_s:.0f} s",
            (times[-1] - times[0]) / ideal_s,
            1.02,
            digits=3,
        ),
        at_most("spike: 429s", seen["throttled"], 0, digits=0),
    ]


def _shared(seconds: int) -> list[Line]:
    per_second, others = 100, 50
    with _server("--limit-per-s", str(per_second), "--others-per-s", str(others)) as port:
        rows = int((per_second - others) * seconds)
        _ours(port, rows, in_flight=100, rate=per_second, report=False)
        seen = _stats(port)
    # The first two windows are the other program's absence and the finding out; what counts is what comes then.
    times = [at for at in seen["accepted_s"] if at >= seen["accepted_s"][0] + 2 * WINDOW_S]
    share = (len(times) - 1) / (times[-1] - times[0]) / (per_second - others)
    throttled = seen["throttled"] / seen["requests"]
    return [
        at_least("share of what another program leaves", share, 0.95, digits=3),
        at_most("429s beside it, % of requests", throttled * 100, 2, " %", 1),
    ]


def intake(quick: bool) -> list[Line]:
    """Files into rows, ledger included; see intake_speed.py."""
    lines = []
    sizes = (
        {"csv": 100_000, "parquet": 100_000, "xlsx": 20_000, "typed.xlsx": 20_000}
        if quick
        else {"csv": 1_000_000, "parquet": 1_000_000, "xlsx": 300_000, "typed.xlsx": 300_000}
    )
    goals = {"csv": 150_000, "parquet": 150_000, "xlsx": 60_000, "typed.xlsx": 30_000}
    names = {"typed.xlsx": "xlsx with numbers, dates and formats"}
    for kind, rows in sizes.items():
        figures = _intake(kind, rows)
        lines.append(
            at_least(
                f"rows/s per core from {names.get(kind, kind)}, {rows:,} rows",
                figures["rows"] / figures["cpu_s"],
                goals[kind],
                digits=0,
            )
        )
    known = 100_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        for people, figures in intake_speed.known_contacts(Path(folder), known, 1):
            what = f"rows/s per core from csv, {known:,} contacts known: {people}"
            share = figures["rows"] / figures["cpu_s"]
            # Who was all reached already is left out with a sentence for each, before the question.
            lines.append(
                at_least(what, share, 150_000, digits=0)
                if people == "other people"
                else Line(what, "", f"{share:,.0f}")
            )
    many = 500_000 if quick else 5_000_000
    big = _intake("csv", many)["peak_mb"]
    small = _intake("csv", 100_000)["peak_mb"]
    lines.append(at_most(f"peak memory, CSV of {many:,} rows", big, 300, " MiB", 0))
    lines.append(at_most(f"its growth from 100,000 to {many:,} rows", big / small, 1.15))
    return lines


def growth(quick: bool) -> list[Line]:
    """The same work in ever larger ledgers."""
    sizes = (10_000, 100_000, 500_000) if quick else (10_000, 100_000, 1_000_000, 5_000_000)
    rounds = 2 if quick else 5
    sent_rows = 9_000
    lines = []
    rates: dict[int, list[float]] = {size: [] for size in sizes}
    firsts: dict[int, list[float]] = {size: [] for size in sizes}
    peaks = dict.fromkeys(sizes, 0.0)
    folder = Path(tempfile.mkdtemp(prefix="dispatcher-bench-"))
    try:
        with _server() as port:
            for size in sizes:
                _plan(folder / str(size), port, size)
            # In turn, like everything that is compared: a machine's speed changes from minute to minute.
            for _ in range(rounds):
                for size in sizes:
                    firsts[size].append(_first_request(folder / str(size), port))
            for _ in range(rounds):
                for size in sizes:
                    state = folder / str(size)
                    if size == sizes[0]:
                        # It has no rows left for a second round.
                        shutil.rmtree(state)
                        _plan(state, port, size)
                    figures = _figures("ours", "send", str(state), port, 50, 1e6, "even", sent_rows)
                    rates[size].append(figures["rows"] / figures["seconds"])
                    peaks[size] = max(peaks[size], figures["peak_mib"])
            for size in sizes:
                what = f"{statistics.median(rates[size]):,.0f} rows/s, {peaks[size]:.0f} MiB"
                what += f", first request after {statistics.median(firsts[size]):.2f} s"
                lines.append(Line(f"{size:,} rows in the ledger", "", what))
            least, most = sizes[0], sizes[-1]
            share = statistics.median(big / small for big, small in zip(rates[most], rates[least], strict=True))
            lines.append(at_least("rows/s at the largest ÷ at the smallest", share, 0.9))
            lines.append(at_most("memory at the largest ÷ at the smallest", peaks[most] / peaks[least], 1.15))
            first_s = statistics.median(firsts[most])
            lines.append(at_most(f"resume of {most:,} rows, killed before: first request", first_s, 0.7, " s"))
            state = folder / str(sizes[-2])
            figures = _figures("ours", "report", str(state), port, str(folder / "report.csv"))
            lines.append(at_most(f"report of {sizes[-2]:,} rows", figures["seconds"], 15, " s", 1))
            lines.append(at_most("its peak memory", figures["peak_mib"], 150, " MiB", 0))
    finally:
        shutil.rmtree(folder)
    return lines


def _plan(state: Path, port: int, rows: int) -> None:
    """A ledger of so many rows, all but the last 100,000 of them sent."""
    _run("ours", "plan", str(state), str(port), str(rows), str(rows - min(rows, 100_000)))


def start(quick: bool) -> list[Line]:
    """From the shell: help, and the first request of a small file."""
    help_s = statistics.median(_timed([PY, "-m", "dispatcher", "--help"]) for _ in range(3 if quick else 7))
    first = []
    for _ in range(3 if quick else 5):
        with _server() as port, tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "contacts.csv"
            numbers = "".join(f"Ann{n},+1202{2_000_000 + n:07d}\n" for n in range(1000))
            file.write_text("first_name,phone\n" + numbers, encoding="utf-8")
            command = ["run", str(file), "--to", "phone", "--from", "+12025550100", "--flow", FLOW, "--yes"]
            command += ["--base-url", f"http://127.0.0.1:{port}", "--rate", "10000", "--no-preflight"]
            began_s = time.time()
            _dispatcher(command, folder)
            first.append(_stats(port)["first_wall_s"] - began_s)
    return [
        at_most("dispatcher --help", help_s, 0.5, " s"),
        at_most("first request of a file of 1,000 rows", statistics.median(first), 1.5, " s"),
    ]


def rules(quick: bool) -> list[Line]:
    """Each rule in turn with all of them off, round after round."""
    many, listed, rounds = (200_000, 100_000, 2) if quick else (5_000_000, 500_000, 5)
    asked: dict[str, list[str]] = {
        "none": [],
        "60 places open": ["--places", "60"],
        f"{listed:,} people on a list": ["--suppressed", str(listed)],
        "a cool-off": ["--cooloff"],
    }
    goals = dict(zip(asked, (0.0, 5.0, 6.0, 15.0), strict=True))
    claims: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, options in asked.items():
            claims[name].append(_claim_us(options))
    off = statistics.median(claims["none"])
    lines = [Line("a claim of 250 rows, rules off", "", f"{off:.1f} µs CPU a row")]
    for name, goal in goals.items():
        if goal:
            more = statistics.median(on - off for on, off in zip(claims[name], claims["none"], strict=True))
            lines.append(at_most(f"{name}: more of it", max(0.0, more), goal, " µs a row", 1))
    rates: dict[str, list[float]] = {"plan": [], "plan-off": []}
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        path, rows = Path(folder) / "contacts.csv", 100_000 if quick else 300_000
        intake_speed.itself("--one", "make", "--path", str(path), "--formats", "csv", "--rows", str(rows))
        for _ in range(rounds):
            for what, found in rates.items():
                found.append(rows / intake_speed.measure(what, path, 1)["cpu_s"])
    with_hours = statistics.median(rates["plan"])
    lines.append(at_least("planning with hours, rows/s per core, from CSV", with_hours, 60_000, digits=0))
    share = with_hours / statistics.median(rates["plan-off"])
    lines.append(Line("its rate ÷ that with hours off", "", f"{share:.2f}"))
    waits = _rules_speed("waiting", many)
    lines.append(at_most(f"a look at {many:,} rows that wait", waits["look_ms"], 1.0, " ms"))
    lines.append(at_most("what a closing writes", waits["written"], 0, " rows", 0))
    lines.append(
        at_most(f"upgrade of a ledger of {many:,} planned rows", _rules_speed("upgrade", many)["seconds"], 30, " s", 1)
    )
    return lines


def _claim_us(options: Sequence[str]) -> float:
    """CPU of the ledger's thread, a row."""
    command = [PY, "-m", "tests.bench.ledger_speed", "--rows", "200000", "--lots", "250", *options]
    text = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, text=True, check=True).stdout
    (line,) = [line for line in text.splitlines() if "begin, lots of" in line]
    return float(line.split("lots of 250")[1].split()[0])


def web(quick: bool) -> list[Line]:
    """The page of a campaign of a million rows, while it is sent; two cores, sandbox and browser included."""
    rows, checked, upload_mb = (50_000, 50_000, 50) if quick else (1_000_000, 300_000, 150)
    words = ("--rows", str(rows), "--checked", str(checked), "--upload-mb", str(upload_mb))
    command = [PY, "-m", "tests.bench.web_speed", *words]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True).stdout)
    return [
        at_most(f"first byte of any page while {rows:,} rows are sent, p95", found["pages_p95_ms"], 100, " ms", 0),
        at_most("first byte of any step before, p95", found["steps_p95_ms"], 100, " ms", 0),
        Line("share of 200/s delivered, no page open", "", f"{found['alone_share']:.3f}"),
        at_least("share of 200/s delivered, eight live pages open", found["watched_share"], 0.95, digits=3),
        at_least(f"the same while a file of {checked:,} rows is checked", found["checking_share"], 0.90, digits=3),
        at_most(f"more memory by an upload of {upload_mb} MB", found["upload_mib"], 16, " MiB", 1),
        at_most("memory of a server that nobody uses", found["idle_mib"], 90, " MiB", 0),
        Line(f"check of {rows:,} rows, until its page", "", f"{found['check_s']:.0f} s"),
    ]


def cluster(quick: bool) -> list[Line]:
    """A PostgreSQL on this machine, its files on disk, fsync on; see cluster_speed.py and cluster_trials.py."""
    words = ("--rows", "150000", "--rounds", "1") if quick else ("--rows", "400000", "--rounds", "3")
    ledger: dict[str, Any] = _figures("cluster_speed", "--seconds", "2", *words)
    lines = [at_least("planning, rows/s", statistics.median(_each(ledger["planning"], "rows_per_s")), 30_000, digits=0)]
    for lot, goal in (("200", 8_000), ("25", 3_500)):
        found = ledger["lots"][lot]
        rate, wall = (statistics.median(_each(found, name)) for name in ("rows_per_core_s", "rows_per_s"))
        lines.append(at_least(f"begin and end, rows per core-second, lots of {lot}", rate, goal, digits=0))
        lines.append(Line(f"the same by wall-clock, one after the other, lots of {lot}", "", f"{wall:,.0f} rows/s"))
    seconds = 20 if quick else 60
    one = _figures("cluster_trials", "rate", "--per-second", 1000, "--seconds", seconds)
    lines.append(at_least("share of 1,000/s, one account", one["share_median"], 0.95, digits=3))
    lines.append(Line("cores for that: workers, PostgreSQL", "", _cores(one)))
    many = _figures("cluster_trials", "rate", "--accounts", 20, "--per-second", 20, "--seconds", seconds)
    lines.append(at_least("share of 20/s, twenty accounts, median", many["share_median"], 0.98, digits=3))
    lines.append(Line("the same, the least of them", "", f"{many['share_least']:.3f}"))
    lines.append(Line("cores for that: workers, PostgreSQL", "", _cores(many)))
    worst = max(one["worst_window"] / 10_000, many["worst_window"] / 200)
    lines.append(at_most("worst window, of the limit", worst, 1, digits=3))
    failover = _figures("cluster_trials", "failover", "--kills", 4 if quick else 12)
    lines.append(at_most("sending again after kill -9 of the worker, median", failover["median_s"], 12, " s", 1))
    lines.append(at_most("sending again after kill -9 of the worker, worst", failover["worst_s"], 12, " s", 1))
    for accounts in (20, 200):
        idle = _figures("cluster_trials", "idle", "--accounts", accounts, "--seconds", seconds)
        per_worker = idle["cpu_percent_a_worker"]
        lines.append(at_most(f"CPU of an idle worker, {accounts} accounts", per_worker, 1, " %"))
        what = f"connections of a worker, {accounts} accounts"
        lines.append(at_most(what, idle["connections_a_worker"], 4, digits=1))
    return lines


def _each(found: Sequence[dict[str, float]], name: str) -> list[float]:
    return [one[name] for one in found]


def _cores(figures: dict[str, float]) -> str:
    return f"{figures['workers_cores']:.2f}, {figures['postgres_cores']:.2f}"


def _rules_speed(what: str, rows: int) -> dict[str, float]:
    command = [PY, "-m", "tests.bench.rules_speed", what, "--rows", str(rows)]
    text = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, text=True, check=True).stdout
    found: dict[str, float] = json.loads(text.splitlines()[-1])
    return found


SECTIONS = ("send", "memory", "latency", "rate", "intake", "rules", "web", "growth", "start", "cluster")
_SECTIONS: dict[str, Callable[[bool], list[Line]]] = {
    "send": send,
    "memory": memory,
    "latency": latency,
    "rate": rate,
    "intake": intake,
    "rules": rules,
    "web": web,
    "growth": growth,
    "start": start,
    "cluster": cluster,
}


@contextmanager
def _server(*options: str) -> Iterator[int]:
    process = subprocess.Popen([PY, "-m", "tests.bench.server", *options], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _stats(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=10) as answer:
        seen: dict[str, Any] = json.loads(answer.read())
    return seen


def _run(module: str, *arguments: str) -> str:
    command = [PY, "-W", "ignore", "-m", f"tests.bench.{module}", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=1200).stdout


def _figures(module: str, *arguments: object) -> dict[str, float]:
    figures: dict[str, float] = json.loads(_run(module, *map(str, arguments)).splitlines()[-1])
    return figures


def _ours(
    port: int, rows: int, *, in_flight: int, rate: float = 1e6, pace: str = "even", report: bool = True
) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        _run("ours", "plan", folder, str(port), str(rows))
        limit = [] if report else [rows]
        return _figures("ours", "send", folder, port, in_flight, rate, pace, *limit)


def _first_request(state: Path, port: int) -> float:
    """`resume` from the shell until its first request is there; then it is killed: its report is another figure."""
    before = _stats(port)["requests"]
    began_s = time.monotonic()
    process = _start(["resume", "bench", "--yes", "--base-url", f"http://127.0.0.1:{port}"], state)
    try:
        while _stats(port)["requests"] == before and process.poll() is None:
            time.sleep(0.01)
        return time.monotonic() - began_s
    finally:
        process.kill()
        process.wait()


def _environment(state: Path | str) -> dict[str, str]:
    account = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "not-a-secret"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "DISPATCHER_"))}
    return {**kept, **account, "DISPATCHER_STATE_DIR": str(state), "DISPATCHER_RECONCILE_SETTLE_S": "0"}


def _start(command: Sequence[str], state: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PY, "-m", "dispatcher", *command, "--report", str(state / "report.csv")],
        cwd=ROOT,
        env=_environment(state),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _dispatcher(command: Sequence[str], folder: str) -> None:
    subprocess.run(
        [PY, "-m", "dispatcher", *command],
        cwd=folder,
        env=_environment(folder),
        check=True,
        capture_output=True,
        timeout=120,
    )


def _timed(command: Sequence[str]) -> float:
    started_s = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started_s


def _intake(kind: str, rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        path = Path(folder) / f"contacts.{kind}"
        # Not in this process: a child's peak memory starts at what its parent holds.
        intake_speed.itself("--one", "make", "--path", str(path), "--formats", kind, "--rows", str(rows))
        return intake_speed.measure("plan", path, 3)
