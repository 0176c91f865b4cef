"""No test touches this person's own folder: the system's word on where it lies is replaced by a test's.

The program keeps the locks of accounts in one folder of the user, which no environment variable moves (`pwd`, not
$HOME). `conftest.py` gives each test a folder of its own; processes that a test starts are told by `VARIABLE`.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "TESTS_HOME"


def install() -> None:
    """From now on `pwd.getpwuid` says the folder that `VARIABLE` names, whoever asks."""
    if sys.platform == "win32":
        return
    import pwd

    real = pwd.getpwuid

    def getpwuid(uid: int, /) -> pwd.struct_passwd:
        entry = list(real(uid))
        entry[5] = os.environ[VARIABLE]
        return pwd.struct_passwd(entry)

    pwd.getpwuid = getpwuid
