"""The documents name what is there: files, links, states, and the picture of the rooms as the code draws it."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import dispatcher
from dispatcher import answers
from dispatcher.campaign.timing import WaitsFor
from dispatcher.events import EventBus
from dispatcher.model import PausedBy, Reason, RowState
from dispatcher.reporting.summary import CampaignState
from docs import api, errors, json_schemas, presets, rooms
from tests.support.schemas import check

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
INSTALLATION = ROOT / "docs" / "installation.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "samples" / "README.md"]
#: A path of the repository, in backticks.
PATHS = re.compile(r"`((?:dispatcher|tests|docs|samples|\.github|\.ci)/[\w./-]*)`")
LINKS = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
#: What a command in backticks gives to pytest.
ARGUMENTS = re.compile(r'`make test ARGS=("[^"]*"|[^`\s]+)`')
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_is_there(document: Path) -> None:
    """Every path in backticks and every relative link leads to a file or a folder."""
    text = document.read_text("utf-8")
    paths = set(PATHS.findall(text))
    links = {link for link in LINKS.findall(text) if not re.match(r"[a-z]+:", link)}
    missing = {path for path in paths if not (ROOT / path).exists()}
    missing |= {link for link in links if not (document.parent / link).exists()}
    arguments = {word for found in ARGUMENTS.findall(text) for word in found.strip('"').split()}
    missing |= {word for word in arguments if word.startswith("tests") and not (ROOT / word).exists()}
    assert missing == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_in_documents(document: Path) -> None:
    """Examples can be read by Python, and what they import from the package is public."""
    for example in PYTHON.findall(document.read_text("utf-8")):
        tree = compile(example, document.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert isinstance(tree, ast.Module)
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module == "dispatcher":
                assert {alias.name for alias in node.names} <= set(dispatcher.__all__)


def test_the_way_through_the_rooms_names_every_room() -> None:
    """A room that is added is told of in docs/architecture.md, too."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    names = [name for layer in rooms.layers() for name in layer]
    assert [name for name in names if f"**{name}**" not in text and f"`dispatcher/{name}" not in text] == []


def test_the_state_diagram_has_every_state() -> None:
    """The words are the ones of the code, and no state is left out."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    diagram = text[text.index("stateDiagram-v2") :].split("```")[0]
    states = {word for pair in re.findall(r"(\S+) --> (\w+|\[\*\])", diagram) for word in pair}
    assert states == {state.value for state in RowState} | {"[*]"}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("state", [*CampaignState]),
        (
            "skipped",
            [reason for reason in Reason if reason.state is RowState.skipped and reason is not Reason.test_only],
        ),
        ("paused", [*PausedBy]),
        ("waiting", [*WaitsFor]),
    ],
)
def test_the_fields_of_the_json_have_every_word(field: str, values: Sequence[str]) -> None:
    """Scripts branch on these words: what a field can say is written where the field is."""
    lines = (ROOT / "docs" / "report.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"| `{field}` |")]
    assert [value for value in values if f"`{value}`" not in line] == []


def test_the_picture_is_what_the_code_draws() -> None:
    """An import or a room that is new is in the picture: `make rooms` draws it."""
    assert rooms.PATH.read_text("utf-8") == rooms.draw(), "make rooms"


def test_the_presets_table_is_what_they_are() -> None:
    """Each preset is in docs/rules.md with its hours, its source and its date: `python -m docs.presets` writes them."""
    assert presets.table() in presets.PATH.read_text("utf-8"), "python -m docs.presets"


def test_the_python_page_is_what_the_docstrings_say() -> None:
    """Each public name is in docs/python.md as the code has it: `python -m docs.api` writes its lower part."""
    assert api.PATH.read_text("utf-8") == api.text(), "python -m docs.api"
    told = set(re.findall(r"^### (\w+)$", api.reference(), re.MULTILINE))
    told |= {kind.__name__ for kind in errors.kinds()}
    assert told == set(dispatcher.__all__)


def test_the_page_of_errors_is_what_the_tree_says() -> None:
    """Every error, reason and code with an advice is in docs/errors.md: `python -m docs.errors` writes it."""
    assert errors.PATH.read_text("utf-8") == errors.text(), "python -m docs.errors"


def test_every_code_has_its_cause_and_its_fix() -> None:
    """No error is without a section of its own, and no two share a code that a script would look for."""
    text = errors.PATH.read_text("utf-8")
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "dispatcher" / "errors").glob("*.py")]
    names = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    kinds = errors.kinds()
    assert {kind.__name__ for kind in kinds} == names
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        _, _, section = text.partition(f"\n## {kind.code}\n")
        section = section.partition("\n## ")[0]
        assert f"`{kind.__name__}`" in section
        assert f"exit code {kind.exit_code.value}" in section
        assert all(len(line.split()) >= 5 for line in section.splitlines() if line.startswith("- **Cause")), kind
        assert "- **Fix:** " in section
    assert [reason for reason in Reason if f"| `{reason.value}` |" not in text] == []


def test_the_table_answers_a_newcomer_s_questions() -> None:
    """Where a 409 is decided, where the 10-second window is kept, where a column goes: each line has place and test."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    lines = [line for line in text[text.index("## Where to change what") :].splitlines() if line.startswith("| ")][1:]
    assert len(lines) > 20
    for line in lines:
        what, where, held = (cell.strip() for cell in line.strip("|").split(" | "))
        assert what
        assert PATHS.search(where) or "pyproject.toml" in where, line
        assert PATHS.search(held) or "make lint" in held, line


def test_the_readme_is_read_to_its_end() -> None:
    """1,200 words at most: what is more has a page of its own."""
    assert len(README.read_text("utf-8").split()) <= 1_200


def test_the_unattended_lines_are_right() -> None:
    """The cron line hands the credentials on, and the unit takes for failures only what are some."""
    text = INSTALLATION.read_text("utf-8")
    (cron,) = [line for line in text.splitlines() if line.startswith("0 9 * * *")]
    assert "set -a && . ./twilio.env" in cron
    command = cron.split("&& ")[-1].split(">>")[0]
    assert shlex.split(command)[0].endswith("dispatcher")
    unit = text[text.index("[Service]") :].split("```")[0]
    keys = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    assert keys["SuccessExitStatus"].split() == ["3", "7", "130"]
    assert {"Type", "WorkingDirectory", "StateDirectory", "ExecStart", "TimeoutStopSec"} <= keys.keys()


def test_the_cron_line_hands_on_credentials(tmp_path: Path) -> None:
    """What a shell makes of it: a variable of the file reaches the program."""
    (cron,) = [line for line in INSTALLATION.read_text("utf-8").splitlines() if line.startswith("0 9 * * *")]
    steps = cron.split("  ", 1)[1].split(" && ")
    program = tmp_path / ".venv" / "bin" / "dispatcher"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$TWILIO_ACCOUNT_SID $*"\n')
    program.chmod(0o700)
    (tmp_path / "twilio.env").write_text("TWILIO_ACCOUNT_SID=AC123\n")
    line = " && ".join([f"cd {tmp_path}", *steps[1:]])
    subprocess.run(["sh", "-c", line], check=True)
    assert (tmp_path / "runs.jsonl").read_text().startswith("AC123 run contacts.csv --campaign spring --yes")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="a system without systemd")
def test_the_unit_is_one_to_systemd(tmp_path: Path) -> None:
    """systemd itself finds nothing to say about it; the program stands for one that is there."""
    text = INSTALLATION.read_text("utf-8")
    unit = text[text.index("[Service]") :].split("```")[0]
    path = tmp_path / "spring.service"
    path.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", unit), encoding="utf-8")
    found = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    # Other units of the machine may have warnings of their own.
    assert (found.returncode, [line for line in found.stderr.splitlines() if "spring.service" in line]) == (0, [])


@pytest.mark.parametrize(("name", "document"), list(json_schemas.documents()))
def test_the_schemas_are_what_the_types_say(name: str, document: dict[str, Any]) -> None:
    """Each JSON Schema is one, and is made from dispatcher/answers.py: `python -m docs.json_schemas` writes them."""
    jsonschema.Draft202012Validator.check_schema(document)
    assert (json_schemas.FOLDER / name).read_text("utf-8") == json_schemas.text(document), "python -m docs.json_schemas"


def test_the_schemas_are_all_there() -> None:
    """No file is left of what is not made any more, and docs/report.md leads to each."""
    files = {path.name for path in json_schemas.FOLDER.iterdir()}
    assert files == {name for name, _ in json_schemas.documents()}
    text = (ROOT / "docs" / "report.md").read_text("utf-8")
    assert [name for name in files if f"schemas/{name}" not in text] == []


def test_an_empty_answer_fits_its_schema() -> None:
    """Where nothing is known, every key of a run's object is there, and null."""
    frame = {"schema": 1, "exit_code": 2, "error": None}
    check("run", {**answers.empty_run(), **frame})
    required = json_schemas._document(answers.RunAnswer, "")["required"]
    assert set(answers.empty_run()) == set(required)


def test_a_snapshot_fits_its_schema() -> None:
    """The live state has the keys that are told of, and no other."""
    line = {"event": "state", "at": "2026-01-31T09:05:00.123Z", **EventBus().snapshot().as_json()}
    check("events", line)
