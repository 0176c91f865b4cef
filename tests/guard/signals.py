"""A test's children start with the default signals, whatever started pytest.

`nohup`, `make test &` in a script and some CI runners start programs with SIGINT or SIGHUP ignored. A child inherits
that, also across exec, and a program that respects it (ours does) would never hear the Ctrl-C that a test sends.
"""

from __future__ import annotations

import os
import signal

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
#: How xdist's workers, which are children too, hear what their parent goes on ignoring.
_VARIABLE = "TESTS_IGNORE_SIGNALS"


def keep_from_children() -> None:
    """Go on ignoring what this process was told to ignore, in a way that its children do not inherit.

    exec keeps "ignored" but turns "caught" into the default: a handler that does nothing serves both.
    """
    told = os.environ.get(_VARIABLE, "").split() if "PYTEST_XDIST_WORKER" in os.environ else []
    ignored = []
    for name in NAMES:
        number = getattr(signal, name, None)  # Windows lacks two
        if number is not None and (name in told or signal.getsignal(number) is signal.SIG_IGN):
            signal.signal(number, lambda *_: None)
            ignored.append(name)
    os.environ[_VARIABLE] = " ".join(ignored)


def use_defaults() -> None:
    """Take signals as a program does that a shell starts on a terminal: for processes that fork instead of exec."""
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
