"""`run`, `resume` and `retry` on a ledger of many machines: a real PostgreSQL, a real worker, a real sandbox.

Whoever plans knows nothing but the account; the worker alone has its secret.
"""

from __future__ import annotations

import contextlib
import signal
import time

import pytest

from tests.acceptance.cli.clusters import PER_S, ROWS, Cluster, status
from tests.acceptance.cli.program import (
    ACCOUNT_SID,
    CREDENTIALS,
    Program,
    finish,
    read_report,
    read_until,
    sandbox_process,
    until,
    write_contacts,
)
from tests.acceptance.cli.test_terminal import terminal
from tests.support import postgres

#: What a run's answer has on one machine, whatever its end.
KEYS = {
    *("schema", "campaign", "state", "exit_code", "error", "ledger", "rows", "skipped", "run", "worst_window"),
    *("window_limit", "attempts", "throttled", "duration_s", "rate_per_s", "report", "waiting", "next_at", "hours"),
}


def test_a_worker_sends_what_was_ordered(cluster: Cluster) -> None:
    """Whoever has planned it gets the answer of a run: its keys, its counts, its report, its exit code."""
    cluster.start_worker()
    result = cluster.plans("run", "spring.csv", "--yes", "--json")
    assert result.code == 0, result.err
    assert "its worker compares the file with the flow" in result.err
    answer = result.json
    assert set(answer) == KEYS
    assert (answer["state"], answer["rows"]["created"], answer["error"]) == ("finished", ROWS, None)
    assert (answer["run"]["created"], answer["run"]["requests"], answer["attempts"]) == (ROWS, ROWS, ROWS)
    assert 0 < answer["worst_window"] <= answer["window_limit"] == 10 * PER_S
    report = read_report(cluster.plans.folder / "spring-report.csv")
    assert [row["dispatch_status"] for row in report] == ["created"] * ROWS
    cluster.check_nobody_twice(ROWS)
    # And again: nothing is left, and nobody has to come. The rate is the account's by now.
    cluster.settings(rate={"per_second": 80})
    again = cluster.plans("run", "spring.csv", "--yes", "--json")
    assert (again.code, again.json["run"], again.json["rows"]["created"]) == (0, None, ROWS)
    assert "the account sends 40 a second" in again.err
    assert "fix: dispatcher ledger rate 80" in again.err


def test_the_live_state_is_the_workers(cluster: Cluster) -> None:
    """Lines of events: progress, the rate, and which host sends."""
    import json

    cluster.start_worker()
    result = cluster.plans("run", "spring.csv", "--yes", "--json-events")
    assert result.code == 0, result.err
    lines = [json.loads(line) for line in result.out.splitlines()]
    seen = [line for line in lines if line["event"] == "state" and line["phase"] == "watching"]
    under_way = [line for line in seen if 0 < line["done"] < ROWS]
    assert under_way, seen
    assert all(line["sent_by"] for line in under_way)
    assert all(line["rows"]["created"] <= line["requests"] for line in under_way)
    assert {line["to_send"] for line in seen} == {ROWS}
    assert lines[-1]["event"] == "end"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_it_to_the_workers(cluster: Cluster, number: signal.Signals) -> None:
    """Looking on ends with 130, a report and how to pause; the campaign goes on to its end."""
    cluster.start_worker()
    process = cluster.plans.start("run", "spring.csv", "--yes", "--json")
    until(lambda: cluster.sandbox.stats()["creates"] >= 10, "creates", process)
    process.send_signal(number)
    said = read_until(process, "the workers go on")
    result = finish(process)
    said += result.err
    assert result.code == 130, said
    assert "error[interrupted]: stopped looking on" in said
    assert "fix: dispatcher pause spring" in said
    assert "dispatcher resume" not in said
    answer = result.json
    # What was just sent is written a moment later.
    assert answer["rows"]["created"] < ROWS
    assert answer["state"] == "running"
    assert answer["due_at"]
    assert len(read_report(cluster.plans.folder / "spring-report.csv")) == ROWS
    until(lambda: cluster.sandbox.stats()["creates"] == ROWS, "the rest")
    until(lambda: status(cluster)["state"] == "finished", "the end")
    cluster.check_nobody_twice(ROWS)


def test_a_pause_from_anywhere(cluster: Cluster) -> None:
    """Needs no credentials; whoever looks on ends with 5 and the reason; `resume` orders the rest."""
    cluster.start_worker()
    process = cluster.plans.start("run", "spring.csv", "--yes", "--json")
    until(lambda: cluster.sandbox.stats()["creates"] >= 10, "creates", process)
    under_way = status(cluster)
    assert (under_way["state"], bool(under_way["sent_by"])) == ("running", True)
    shown = cluster.plans("status", "spring", env={"TWILIO_ACCOUNT_SID": None})
    assert f"sent by {under_way['sent_by']}" in " ".join(shown.out.split())
    paused = cluster.plans("pause", "spring", "--reason", "wrong price", env={"TWILIO_ACCOUNT_SID": None})
    assert paused.code == 0, paused.err
    result = finish(process)
    assert result.code == 5, result.err
    assert "error[paused]: campaign 'spring' is paused since " in result.err
    assert "wrong price" in result.err
    answer = result.json
    assert (answer["state"], answer["rows"]["sending"]) == ("paused", 0)
    assert answer["run"]["created"] == answer["rows"]["created"] == cluster.sandbox.stats()["creates"] < ROWS
    again = cluster.plans("run", "spring.csv", "--yes", "--json")
    assert (again.code, again.json["error"]["code"]) == (5, "paused")
    resumed = cluster.plans("resume", "spring", "--yes", "--json")
    assert (resumed.code, resumed.json["rows"]["created"]) == (0, ROWS), resumed.err
    assert resumed.json["run"]["created"] == ROWS - answer["rows"]["created"]
    cluster.check_nobody_twice(ROWS)


def test_one_worker_dies(cluster: Cluster) -> None:
    """Another goes on, and whoever looks on sees both as one: with the secret, everything is as on one machine."""
    workers = {worker.pid: worker for worker in (cluster.start_worker("one"), cluster.start_worker("two"))}
    process = cluster.plans.start("run", "spring.csv", "--yes", "--json", env=dict(CREDENTIALS))
    until(lambda: cluster.sandbox.stats()["creates"] >= 40, "creates", process)
    ((holder,),) = postgres.query(cluster.url, "SELECT holder FROM accounts")
    workers[int(holder.split(":")[1])].kill()
    result = finish(process)
    assert result.code == 0, result.err
    assert "is not known here" not in result.err
    assert (result.json["rows"]["created"], result.json["run"]["created"]) == (ROWS, ROWS)
    assert result.json["run"]["id"] > 1
    cluster.check_nobody_twice(ROWS)


def test_a_test_is_sent_from_here(cluster: Cluster) -> None:
    """Under the account's lease, as on one machine; no worker has to be there."""
    result = cluster.plans("run", "spring.csv", "--test-to", "+12025559999", "--json", env=dict(CREDENTIALS))
    assert (result.code, result.json["outcome"]) == (0, "created"), result.err
    assert cluster.sandbox.stats()["creates"] == 1
    refused = cluster.plans("run", "spring.csv", "--test-to", "+12025559999", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (4, "authentication")


def test_rows_are_cancelled_while_they_are_sent(cluster: Cluster) -> None:
    """Without the account's lease, which the worker holds; whoever looks on ends as at any other end."""
    cluster.start_worker()
    process = cluster.plans.start("run", "spring.csv", "--yes", "--json")
    until(lambda: cluster.sandbox.stats()["creates"] >= 10, "creates", process)
    taken = cluster.plans(
        "cancel", "spring", "--reason", "wrong price", "--yes", "--json", env={"TWILIO_ACCOUNT_SID": None}
    )
    assert taken.code == 0, taken.err
    result = finish(process)
    assert result.code == 0, result.err
    rows = result.json["rows"]
    assert rows["skipped"] > 0
    assert rows["created"] == ROWS - rows["skipped"] == cluster.sandbox.stats()["creates"]


def test_more_rows_join_what_is_sent(cluster: Cluster) -> None:
    """A worker makes room for whoever plans, also for its own campaign."""
    cluster.start_worker()
    process = cluster.plans.start("run", "spring.csv", "--yes", "--json")
    until(lambda: cluster.sandbox.stats()["creates"] >= 10, "creates", process)
    write_contacts(cluster.plans.folder / "more.csv", 20, first=1000)
    more = cluster.plans("run", "more.csv", "--campaign", "spring", "--add", "--yes", "--json")
    assert more.code == 0, more.err
    assert finish(process).code == 0
    cluster.check_nobody_twice(ROWS + 20)


def test_refused_rows_are_ordered_again(cluster: Cluster) -> None:
    """`retry` without its file and without the secret."""
    cluster.start_worker()
    cluster.sandbox.faults(reject=1)
    write_contacts(cluster.plans.folder / "spring.csv", 4)
    first = cluster.plans("run", "spring.csv", "--yes", "--json")
    assert (first.code, first.json["rows"]["rejected"], first.json["run"]["rejected"]) == (3, 4, 4), first.err
    cluster.sandbox.faults()
    again = cluster.plans("retry", "spring", "--all-rejected", "--yes", "--json")
    assert (again.code, again.json["rows"]["created"]) == (0, 4), again.err


def test_a_finding_is_held(program: Program, migrated: tuple[postgres.Postgres, str]) -> None:
    """The worker looks at the flow before its first request; what a person has to see ends the looking on with 5."""
    program.env = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID}
    server, template = migrated
    with (
        sandbox_process(program.folder, "--flow-status", "draft") as sandbox,
        server.database(template) as url,
        contextlib.ExitStack() as workers,
    ):
        found = Cluster(program, sandbox, url, workers)
        found.settings()
        write_contacts(program.folder / "spring.csv", 3)
        found.start_worker()
        result = program("run", "spring.csv", "--yes", "--json")
        assert result.code == 5, result.err
        assert "error[paused]: campaign 'spring' is held by its server since" in result.err
        assert "never been published" in result.json["error"]["found"]
        assert (result.json["paused"]["by"], result.json["rows"]["planned"]) == ("held", 3)
        assert sandbox.stats()["creates_total_requests"] == 0


def test_with_the_secret_the_flow_is_compared_here(cluster: Cluster) -> None:
    """As on one machine: nothing is ordered where the flow does not fit."""
    cluster.settings(campaign={"flow": "FW" + "9" * 32})
    result = cluster.plans("run", "spring.csv", "--yes", "--json", env=dict(CREDENTIALS))
    assert (result.code, result.json["error"]["code"]) == (2, "flow_not_found"), result.err
    assert "due_at" not in status(cluster)


def test_a_start_to_come(cluster: Cluster) -> None:
    """It is ordered for then: 7, and `next_at`; nobody has to run it again."""
    cluster.settings(schedule={"start_at": "2100-06-01T09:00Z"})
    result = cluster.plans("run", "spring.csv", "--yes", "--json")
    assert result.code == 7, result.err
    assert result.json["next_at"] == result.json["due_at"] == "2100-06-01T09:00:00Z"
    assert [one["rows"] for one in result.json["waiting"]] == [ROWS]


def test_a_part_is_not_ordered(cluster: Cluster) -> None:
    """`--limit` is refused before anything is planned, with what does the same."""
    result = cluster.plans("run", "spring.csv", "--yes", "--limit", "5", "--json")
    assert (result.code, result.json["error"]["code"]) == (2, "usage")
    assert "--canary-rows 5" in result.err or "canary" in result.err
    assert cluster.plans("status", "spring").code == 2


def test_rows_that_nobody_has_agreed_to_are_not_sent(cluster: Cluster) -> None:
    """Another file for a campaign that workers send: where its sending is refused, they send none of it."""
    cluster.settings(rate={"per_second": 10})
    cluster.start_worker()
    order = terminal(cluster.plans, "run", "spring.csv", "--yes")
    until(lambda: cluster.sandbox.stats()["creates"] >= 10, "the worker begins")
    write_contacts(cluster.plans.folder / "more.csv", 20, first=5000)
    asked = terminal(cluster.plans, "run", "more.csv", "--campaign", "spring", "--add")
    asked.read("to send: ")
    asked.type("no\n")
    code, shown = asked.end()
    assert code == 2
    assert "nobody has agreed to these rows" in shown
    code, shown = order.end()
    assert code == 5
    assert "the order was taken" in shown
    sent = cluster.sandbox.stats()["creates"]
    assert sent < ROWS
    time.sleep(4)  # two ticks of a worker that would go on
    assert cluster.sandbox.stats()["creates"] == sent
    cluster.check_nobody_twice(sent)


def test_a_planner_dies_before_it_is_answered(cluster: Cluster) -> None:
    """kill -9 at the question: workers send nothing of what nobody has agreed to, and that is told; then it goes on."""
    cluster.settings(rate={"per_second": 20})
    cluster.start_worker()
    order = terminal(cluster.plans, "run", "spring.csv", "--yes")
    until(lambda: cluster.sandbox.stats()["creates"] >= 10, "the worker begins")
    write_contacts(cluster.plans.folder / "more.csv", 20, first=5000)
    asked = terminal(cluster.plans, "run", "more.csv", "--campaign", "spring", "--add")
    asked.read("to send: ")
    asked.process.kill()
    asked.end()
    code, shown = order.end()
    assert code == 5
    assert "the order was taken" in shown
    sent = cluster.sandbox.stats()["creates"]
    time.sleep(4)  # two ticks of a worker that would go on
    assert cluster.sandbox.stats()["creates"] == sent < ROWS
    assert "has not ordered it yet" in cluster.plans("status", "spring").out
    assert cluster.plans("resume", "spring", "--yes").code == 0
    cluster.check_nobody_twice(ROWS + 20)
