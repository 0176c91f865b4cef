"""The guard that keeps every test on this machine's loopback (tests/guard): it must itself be seen to hold."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tests.guard import loopback

ELSEWHERE = "192.0.2.1"  # TEST-NET-1, RFC 5737: nobody's


@pytest.fixture
def attempts() -> list[str]:
    """What the guard remembers; forgotten before the guard's own fixture would fail this test for it."""
    return loopback.attempts


async def test_asyncio_cannot_connect_elsewhere(attempts: list[str]) -> None:
    with pytest.raises(OSError, match="unreachable"):
        await asyncio.open_connection(ELSEWHERE, 443)
    assert attempts == [f"connect to {ELSEWHERE}:443"]
    attempts.clear()


def test_no_name_is_looked_up(attempts: list[str]) -> None:
    with pytest.raises(socket.gaierror):
        socket.create_connection(("studio.example", 443))
    assert attempts == ["look-up of studio.example"]
    attempts.clear()


def test_a_name_that_cannot_exist_is_a_fair_test_and_not_an_attempt(attempts: list[str]) -> None:
    with pytest.raises(socket.gaierror):
        socket.create_connection(("studio.invalid", 443))
    assert attempts == []


def test_loopback_works(attempts: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        assert client.getpeername() == server.getsockname()
    assert attempts == []


def test_a_child_process_cannot_connect_elsewhere_either() -> None:
    attempt = f"import socket; socket.create_connection(({ELSEWHERE!r}, 443), timeout=5)"
    done = subprocess.run([sys.executable, "-c", attempt], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr
    assert "loopback.py" in done.stderr


@given(st.ip_addresses(v=4))
def test_only_127_and_unspecified_are_local(address: object) -> None:
    assert loopback.is_local(str(address)) == (str(address).startswith("127.") or str(address) == "0.0.0.0")
