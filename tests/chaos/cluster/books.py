"""The books of a trial: what the Studios were asked and what the ledger says, read past the program."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.chaos import books as every
from tests.chaos.cluster.site import Client, Site
from tests.support.postgres import connected

#: Every row of an account's that has a contact, in files that were read to their end.
_ROWS = """
SELECT c.name, coalesce(r.to_address, r.row_key), r.state, coalesce(r.reason_code, r.reason, t.error_message, ''),
  t.execution_sid
FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32 JOIN campaigns AS c USING (campaign_id)
  JOIN accounts AS a USING (account_id) LEFT JOIN attempts AS t ON t.attempt_id = r.last_attempt
WHERE a.account_sid = %s AND i.ready_at_ms IS NOT NULL AND r.row_key IS NOT NULL
"""
_ATTEMPTS = """
SELECT c.name, u.run_id, u.host, u.pid, u.epoch, t.attempt_id, t.begun_at_ms, t.sent_at_ms, t.ended_at_ms, t.outcome,
  t.http_status, t.error_message, t.execution_sid, t.found_by, t.absence, t.dispatch_id
FROM attempts AS t JOIN runs AS u USING (run_id) JOIN campaigns AS c USING (campaign_id)
  JOIN accounts AS a ON a.account_id = c.account_id JOIN rows AS r ON r.row_id = t.row_id
WHERE a.account_sid = %s AND coalesce(t.to_address, r.to_address, r.row_key) = %s ORDER BY t.attempt_id
"""
#: What says why a row has no execution.
_WITH_REASON = frozenset({"skipped", "busy", "rejected", "unknown"})


def count(site: Site, keep: Path) -> None:
    """Into the site's tally. `keep`: a folder for what tells more of whoever was started twice or lost."""
    tally = site.tally
    for client in site.clients:
        log = every.log(client.sandbox)
        stats = client.sandbox.stats()
        with connected(site.url) as connection:
            rows = connection.execute(_ROWS, (client.sid,)).fetchall()
        tally.accounts += 1
        tally.creates += stats["creates"]
        tally.create_requests += stats["creates_total_requests"]
        tally.faults += Counter(stats["faults"])
        tally.contacts_twice += sum(n - 1 for n in log.contacts_twice.values())
        tally.rows_twice += sum(n - 1 for n in log.rows_twice.values())
        tally.strangers += len(set(log.created_s) - client.files.people)
        recorded = {sid: to for _, to, state, _, sid in rows if state == "created"}
        differ = recorded.items() ^ log.ours.items()
        tally.books_differ += len(differ)
        explained = {to for _, to, state, reason, _ in rows if state in _WITH_REASON and (reason or state == "unknown")}
        lost = client.files.people - set(log.created_s) - explained
        tally.lost += len(lost)
        tally.unknown_left += sum(state == "unknown" for _, _, state, _, _ in rows)
        for _, to, state, reason, _ in rows:
            if state in _WITH_REASON and to not in log.created_s:
                tally.left_out[f"{state} ({reason})" if state == "skipped" else state] += 1
        worst, limit = stats["worst_window_requests"], stats["window_limit"]
        tally.windows_above += worst > limit
        tally.saw_window(worst, limit)
        odd = [*log.contacts_twice, *(to for _, to in differ), *sorted(lost)]
        _tell(site, client, odd, log, keep)


def _tell(site: Site, client: Client, odd: list[str], log: every.Log, keep: Path) -> None:
    """What is known of contacts for whom a promise was broken."""
    if not odd:
        return
    lines = []
    with connected(site.url) as connection:
        for to in dict.fromkeys(odd):
            lines.append(f"{client.sid} {to}: created at {log.created_s.get(to)}")
            lines += [f"  {row}" for row in connection.execute(_ATTEMPTS, (client.sid, to)).fetchall()]
            states = [row for row in connection.execute(_ROWS, (client.sid,)).fetchall() if row[1] == to]
            lines += [f"  row: {row}" for row in states]
    (keep / f"odd-{client.sid}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    site.tally.notes += lines[:12]
