"""docs/page.md says of settings and roles what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from dispatcher.settings import Settings, WebSettings
from dispatcher.web.access import NEEDS, Action, may
from dispatcher.web.store import Role

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "page.md").read_text("utf-8")
#: What each line of the table of roles is about.
LINES: tuple[tuple[Action, ...], ...] = (
    (Action.look,),
    (Action.prepare,),
    (Action.test, Action.test_anybody),
    (Action.pause,),
    (Action.delete_draft,),
    (Action.send, Action.go_on, Action.stop),
    (Action.retry, Action.reconcile, Action.recall),
    (Action.download, Action.delete_file),
    (Action.history, Action.people, Action.health),
)


def test_each_setting_that_is_named_is_one() -> None:
    """Every name after `[web]`, in sentences and in the examples, is a setting; the examples can be loaded."""
    named = set(re.findall(r"`\[web\] (\w+)", TEXT))
    team, cluster = (tomllib.loads(example) for example in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL))
    assert len(named) >= 3
    assert named <= set(WebSettings.model_fields)
    WebSettings.model_validate(team["web"])
    assert Settings.model_validate(cluster).is_cluster


def test_what_is_kept_is_as_the_defaults_are() -> None:
    """Days, hours and megabytes in the text are those that hold where nobody sets any."""
    web = WebSettings.model_validate({})
    for said in (
        f"{web.keep_uploads_days} days after the upload",
        f"sessions {web.session_idle_h} hours idle, {web.session_max_days} days at most",
        f"at most {web.upload_max_mb} MB, all together {web.uploads_max_mb // 1000} GB",
        f"port {web.port}",
    ):
        assert said in " ".join(TEXT.split()), said


def test_the_table_of_roles_is_the_code_s() -> None:
    """Who may what: each line of the table, for each role, and no action is left out."""
    assert {action for line in LINES for action in line} == set(NEEDS)
    table = [line for line in TEXT.splitlines() if line.startswith("| ")]
    start = table.index("| | viewer | preparer | sender |")
    for actions, line in zip(LINES, table[start + 1 :], strict=False):
        cells = [cell.strip() for cell in line.strip("|").split("|")][1:]
        for role, cell in zip(Role, cells, strict=True):
            allowed = [may(role, action) for action in actions]
            # "to own numbers" is some of what the line is about.
            expected = "yes" if all(allowed) else "some" if any(allowed) else ""
            said = {"to own numbers": "some", "to any number": "yes"}.get(cell, cell)
            assert said == expected, (line, role)
