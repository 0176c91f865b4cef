"""No test leaves this machine: connections and name look-ups other than to loopback fail, and are remembered.

`conftest.py` installs it in the test process and fails the test that tried; `sitecustomize.py` beside this file
installs it in every Python process that a test starts, where the attempt fails like a network without a route.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import Any

#: What was attempted in this process since it was last cleared, as text.
attempts: list[str] = []

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


def install() -> None:
    """Guard `socket.socket.connect`, `connect_ex` and `socket.getaddrinfo`; asyncio's loop goes through them too."""
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = _guarded_getaddrinfo


def is_local(host: object) -> bool:
    """Whether a host, as given to connect or getaddrinfo, is this machine's loopback (or means "any" or "here")."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    # With a dot at its end or in capitals it is the same name: the spellings of one account are tested.
    if host is None or str(host).lower().removesuffix(".") in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refused(sock: socket.socket, address: Any) -> bool:
    if sock.family not in _INTERNET or is_local(address[0]):
        return False
    attempts.append(f"connect to {address[0]}:{address[1]}")
    return True


def _guarded_connect(self: socket.socket, address: Any) -> None:
    if _refused(self, address):
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    return errno.ENETUNREACH if _refused(self, address) else _connect_ex(self, address)


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if is_local(host):
        return _getaddrinfo(host, *args, **kwargs)
    # .invalid is reserved never to exist (RFC 6761): how a test says "a name that cannot be resolved".
    if str(host).endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    # An address needs no look-up: whether it may be connected to is connect's question.
    try:
        ipaddress.ip_address(host)
    except ValueError:
        attempts.append(f"look-up of {host}")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return _getaddrinfo(host, *args, **kwargs)
