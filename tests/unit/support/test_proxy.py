"""The wire that can be cut: each of its faults is the one that it is said to be."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.proxy import Proxy

#: So long nothing comes where nothing is to come.
_SILENCE_S = 0.2


class Echo:
    """Answers each line by itself; keeps what it has heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listener.accept()[:1], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while data := client.recv(1024):
                self.heard.append(data)
                client.sendall(data)
            self.heard.append(b"")


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connected(proxy) as client:
        yield client


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(client: socket.socket, word: bytes) -> bytes:
    client.sendall(word)
    return client.recv(1024)


def is_silent(client: socket.socket) -> bool:
    client.settimeout(_SILENCE_S)
    try:
        client.recv(1024)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_it_passes_everything(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    """Bytes and ends, in both directions."""
    assert said(client, b"one") == b"one"
    assert proxy.connections == 1
    client.close()
    end_s = time.monotonic() + 5
    while (echo.heard, proxy.connections) != ([b"one", b""], 0):
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_cut_is_felt_at_once(client: socket.socket, proxy: Proxy) -> None:
    """RST, not an orderly end; the next connection is as good as any."""
    assert said(client, b"one") == b"one"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1024)
    with connected(proxy) as after:
        assert said(after, b"two") == b"two"


def test_it_refuses_new_ones_alone(client: socket.socket, proxy: Proxy) -> None:
    """Who is connected goes on; and later the same port takes connections again."""
    assert said(client, b"one") == b"one"
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    assert said(client, b"two") == b"two"
    proxy.accept()
    with connected(proxy) as after:
        assert said(after, b"three") == b"three"


def test_frozen_nothing_arrives(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    """In neither direction, for whoever was connected and whoever connects now; then all of it."""
    assert said(client, b"one") == b"one"
    with proxy.frozen():
        client.sendall(b"two")
        with connected(proxy) as new:
            new.sendall(b"new")
            assert is_silent(client)
            assert is_silent(new)
        assert echo.heard == [b"one"]
    assert client.recv(1024) == b"two"


def test_frozen_ones_can_be_cut(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    """What was held is lost then."""
    assert said(client, b"one") == b"one"
    with proxy.frozen():
        client.sendall(b"two")
        assert is_silent(client)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1024)
    assert b"two" not in echo.heard


def test_the_request_arrives_its_answer_does_not(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    """From the word on; also when it comes in two pieces. Others lose nothing."""
    proxy.lose_answers(after=b"COMMIT")
    assert said(client, b"BEGIN; COM") == b"BEGIN; COM"
    assert not proxy.wait_lost(0)
    client.sendall(b"MIT")
    assert proxy.wait_lost()
    assert echo.heard == [b"BEGIN; COM", b"MIT"]
    proxy.keep_answers()
    # A stream with a hole in it is worth nothing.
    client.sendall(b"more")
    assert is_silent(client)
    with connected(proxy) as after:
        assert said(after, b"COMMIT") == b"COMMIT"


def test_all_answers_are_lost(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    """From now on."""
    assert said(client, b"one") == b"one"
    proxy.lose_answers()
    client.sendall(b"two")
    assert proxy.wait_lost()
    assert is_silent(client)
    assert echo.heard == [b"one", b"two"]


def test_a_delay_is_of_each_direction(client: socket.socket, proxy: Proxy) -> None:
    """There and back; 0 ends it."""
    proxy.delay(0.1)
    begun_s = time.monotonic()
    assert said(client, b"one") == b"one"
    assert time.monotonic() - begun_s >= 0.2
    proxy.delay(0)
    begun_s = time.monotonic()
    assert said(client, b"two") == b"two"
    assert time.monotonic() - begun_s < 0.2
