"""The engine's faults: jobs that come twice, or never. Made in its own tables, past the program."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.chaos.cluster.trials import Engine
from tests.support.postgres import connected

_TWICE = """
CREATE FUNCTION procrastinate.chaos() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO procrastinate.procrastinate_jobs (queue_name, task_name, priority, lock, args, scheduled_at)
  VALUES (new.queue_name, new.task_name, new.priority, new.lock, new.args, new.scheduled_at);
  RETURN NULL;
END
$$;
CREATE TRIGGER the_last AFTER INSERT ON procrastinate.procrastinate_jobs
FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION procrastinate.chaos();
"""
#: `which`: of the jobs that come in. Triggers go by their names: after the engine's own, which refer to the job.
_LOST = """
CREATE FUNCTION procrastinate.chaos() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM procrastinate.procrastinate_jobs WHERE id = new.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER the_last AFTER INSERT ON procrastinate.procrastinate_jobs
FOR EACH ROW WHEN ({which}) EXECUTE FUNCTION procrastinate.chaos();
"""
#: A job is found by whoever looks for one, when he looks: nobody is woken.
_UNTOLD = "DROP TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 ON procrastinate.procrastinate_jobs;"
_WHOLE = "DROP TRIGGER the_last ON procrastinate.procrastinate_jobs"
_SQL = {
    Engine.whole: "",
    Engine.twice: _TWICE,
    Engine.half: _LOST.format(which="new.task_name = 'shift' AND random() < 0.5"),
    Engine.ticks: _LOST.format(which="new.task_name = 'shift'") + _UNTOLD,
}


@contextlib.contextmanager
def spoiled(url: str, engine: Engine) -> Iterator[None]:
    """From now on jobs of this ledger's engine are lost or doubled; those of `ticks` within, when no tick makes any."""
    _run(url, _SQL[engine])
    yield
    if engine is Engine.ticks:
        _run(url, _WHOLE)


def _run(url: str, text: str) -> None:
    if text:
        with connected(url) as connection:
            connection.execute(text.encode())
