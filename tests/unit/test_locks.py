"""The locks: what a clone installs is fixed to the byte, is what pyproject.toml asks for, and names no place."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKS = ("requirements.lock", "requirements-dev.lock")
_ENTRY = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+?))?(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})*)"
)


def _entries(lock: Path) -> list[re.Match[str]]:
    """Each requirement of a lock file; every line belongs to one, or the test fails here."""
    joined = re.sub(r"\s*\\\n\s*", " ", lock.read_text("utf-8"))
    entries = [(line, _ENTRY.fullmatch(line)) for line in joined.splitlines()]
    assert entries, f"{lock.name} is empty"
    assert [line for line, entry in entries if entry is None] == []
    return [entry for _, entry in entries if entry is not None]


def _versions(lock: Path) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for entry in _entries(lock):
        versions.setdefault(entry["name"], set()).add(entry["version"])
    return versions


def _unlocked(wanted: list[str], lock: Path) -> list[str]:
    """The requirements that no version in the lock meets."""
    versions = _versions(lock)
    return [
        text
        for text in wanted
        for requirement in [Requirement(text)]
        if not (found := versions.get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(Version(version), prereleases=True) for version in found)
    ]


@pytest.fixture(scope="module")
def pyproject(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_records_no_address_and_no_path(root: Path, name: str) -> None:
    """A lock holds no address of an index, no path and no comment of the tool that wrote it."""
    text = (root / name).read_text("utf-8")
    assert re.findall(r"^.*(?:://|-url|find-links|^#|\s@\s|(?<!\\)/).*$", text, re.MULTILINE) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_has_hashes(root: Path, name: str) -> None:
    """Every requirement in a lock has its hashes: what is installed is fixed to the byte."""
    assert [entry["name"] for entry in _entries(root / name) if not entry["hashes"]] == []


def test_what_running_needs_is_in_both_locks(root: Path, pyproject: dict[str, Any]) -> None:
    """Both locks have a version that fits for each requirement of the program and of its build."""
    wanted = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["build"]]
    assert wanted
    assert {name: _unlocked(wanted, root / name) for name in LOCKS} == {name: [] for name in LOCKS}


def test_what_developing_needs_is_in_the_dev_lock(root: Path, pyproject: dict[str, Any]) -> None:
    """requirements-dev.lock has a version that fits for each requirement of development, and of what is optional."""
    optional = pyproject["project"]["optional-dependencies"]
    wanted = [*pyproject["dependency-groups"]["dev"], *itertools.chain(*optional.values())]
    assert wanted
    assert _unlocked(wanted, root / "requirements-dev.lock") == []


def test_the_build_backend_is_the_locked_one(pyproject: dict[str, Any]) -> None:
    """Set-up builds without isolation: what [build-system] asks for must be what the locks bring."""
    assert pyproject["build-system"]["requires"] == pyproject["dependency-groups"]["build"]


def test_tests_run_with_the_versions_that_users_run(root: Path) -> None:
    """Every entry of requirements.lock, version and marker and hashes, stands in requirements-dev.lock too."""
    runtime, dev = ({entry.group() for entry in _entries(root / name)} for name in LOCKS)
    assert runtime - dev == set()


def test_every_range_ends_somewhere(root: Path) -> None:
    """Every dependency has an upper bound, and aiohttp stays within the minor series that its inside is tested with."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    all_of_it = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    wanted = {requirement.name: requirement for requirement in map(Requirement, all_of_it)}
    assert [name for name, one in wanted.items() if not any(bound.operator == "<" for bound in one.specifier)] == []
    (locked,) = map(Version, _versions(root / "requirements.lock")["aiohttp"])
    assert Version(f"{locked.major}.{locked.minor}.999") in wanted["aiohttp"].specifier
    assert Version(f"{locked.major}.{locked.minor + 1}") not in wanted["aiohttp"].specifier
