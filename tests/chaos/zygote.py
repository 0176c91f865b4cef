"""A process that has imported the program and forks it: a kill loop that need not wait for Python to start.

Each line of standard input is an order as JSON; the answers are lines of JSON on standard output: the pid of the
process that was forked, and, once one has ended, its status. What runs in it is the program from its first argument to
its last byte; only the imports are done before.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import dispatcher
from tests.guard import signals


def preload() -> None:
    """Import every module of the program, and what they import."""
    for module in pkgutil.walk_packages(dispatcher.__path__, "dispatcher."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def step_clock(path: str) -> None:
    """From now on the wall clock is off by what the file says, in seconds; read at each call."""
    real_time, real_time_ns = time.time, time.time_ns

    def offset_s() -> float:
        return float(Path(path).read_text(encoding="ascii") or 0)

    time.time = lambda: real_time() + offset_s()
    time.time_ns = lambda: real_time_ns() + int(offset_s() * 1e9)


def reroute(ports: dict[str, int]) -> None:
    """Whoever connects to one of these ports comes to another: this process' own wire there, which a test can cut."""
    connect = socket.socket.connect

    def rerouted(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and (port := ports.get(str(address[1]))) is not None:
            address = (address[0], port, *address[2:])
        connect(self, address)

    socket.socket.connect = rerouted  # type: ignore[method-assign, assignment]


def become(order: dict[str, Any]) -> None:
    """Be the program that the order describes. Raises: SystemExit."""
    os.setsid()
    os.chdir(order["cwd"])
    os.environ.update(order.get("env", {}))
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        file = os.open(name, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    if "clock" in order:
        step_clock(order["clock"])
    if "ports" in order:
        reroute(order["ports"])
    if "file_size_max" in order:
        # Only the soft limit: the test can raise it again while the program runs.
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_size_max"], resource.RLIM_INFINITY))
    # A process of its own would have looked at the clock now.
    clock = importlib.import_module("dispatcher.clock")
    clock._ORIGIN_NS = time.time_ns() - clock._counted_ns()  # type: ignore[attr-defined]
    sys.argv = ["dispatcher", *order["arguments"]]
    importlib.import_module("dispatcher.__main__").main()


def main() -> None:
    """Serve orders until the input ends."""
    signals.use_defaults()
    preload()
    answers = os.dup(1)

    def say(**answer: Any) -> None:
        # One write: a signal's answer must not fall into another.
        os.write(answers, json.dumps(answer).encode() + b"\n")

    def reap(*_: object) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            say(ended=pid, status=os.waitstatus_to_exitcode(status))

    signal.signal(signal.SIGCHLD, reap)
    say(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        # Not before its pid is told: the end of a short life would be told first.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            code = 1
            try:
                become(order)
            except SystemExit as leaving:
                code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        say(pid=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


if __name__ == "__main__":
    main()
