"""A clock that tests move, and a plain HTTP client that sees everything of an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from dispatcher.sandbox import DEFAULT_FLOW_SID

ACCOUNT_SID = "AC" + "0" * 32
FLOW_PATH = f"/v2/Flows/{DEFAULT_FLOW_SID}"


@dataclass
class FakeClock:
    """Seconds since 1970, moved by hand."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Http:
    """One keep-alive session with credentials; `call` never raises for a status."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        async with self._session.request(
            method, url, data=form if data is None else data, headers=headers, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.read())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    authorization = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, "not-a-real-token")}
    async with aiohttp.ClientSession(headers=authorization, timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield Http(session)
