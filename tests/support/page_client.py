"""A browser without scripts: signs in by the link, follows what pages say. For tests and measurements of servers."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

_FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


class Browser:
    """One person's: signed in by the link, follows what pages say."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self.url = http, url

    async def get(self, path: str) -> str:
        """A page."""
        async with self._http.get(self.url + path) as answer:
            answer.raise_for_status()
            return await answer.text()

    async def first_byte_s(self, path: str) -> float:
        """How long until the first byte of a page."""
        began_s = time.perf_counter()
        async with self._http.get(self.url + path) as answer:
            await answer.content.readany()
            took_s = time.perf_counter() - began_s
            answer.raise_for_status()
            await answer.read()
        return took_s

    async def post(self, path: str, page: str, **fields: str) -> tuple[str, str]:
        """A form of a page, sent; the address it leads to, and its page."""
        hidden = dict(_FIELD.findall(page))
        sent = {name: hidden[name] for name in ("_token", "version", "revision") if name in hidden} | fields
        async with self._http.post(self.url + path, data=sent) as answer:
            text = await answer.text()
            assert answer.status < 400, (path, answer.status, text[:2000])
            return answer.url.path, text

    async def upload(self, path: Path, *, profile: str | None = None) -> str:
        """A file, as the form on `/new` sends it; the draft's address."""
        token = dict(_FIELD.findall(await self.get("/new")))["_token"]
        form = aiohttp.FormData()
        form.add_field("_token", token)
        if profile is not None:
            form.add_field("profile", profile)
        with path.open("rb") as file:
            form.add_field("file", file, filename=path.name)
            async with self._http.post(f"{self.url}/uploads", data=form) as answer:
                assert answer.status < 400, await answer.text()
                return str(answer.url.path).removesuffix("/columns").removesuffix("/check")

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The lines of a live page's stream, for as long as it is there."""
        async with self._http.get(self.url + path, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            async for line in answer.content:
                yield line

    async def until(self, draft: str, suffix: str, timeout_s: float) -> str:
        """Wait until a draft has come to a step; its page."""
        end_s = time.monotonic() + timeout_s
        while True:
            async with self._http.get(self.url + draft) as answer:
                text = await answer.text()
                if answer.url.path.endswith(suffix):
                    return text
            assert time.monotonic() < end_s, text[:3000]
            await asyncio.sleep(0.2)

    async def checked(self, draft: str, flow: str, timeout_s: float, name: str) -> str:
        """Answer the columns, wait for the check; its page."""
        page = await self.until(draft, "/columns", timeout_s)
        fields = {"to": "phone", "flow": flow, "from": "+15550001111", "proposed": flow, "name": name, "do": "check"}
        await self.post(f"{draft}/columns", page, region="US", **fields, **{"v-first_name": "first_name"})
        return await self.until(draft, "/check", timeout_s)

    async def launch(self, draft: str) -> str:
        """Type the number and send now; the campaign's page."""
        page = await self.get(f"{draft}/send")
        total = re.search(r"Type ([\d,]+) to confirm", page)
        assert total is not None, page
        _, text = await self.post(f"{draft}/send", page, when="now", count=total[1], overlap="yes")
        return text


@asynccontextmanager
async def signed_in(printed: str) -> AsyncIterator[Browser]:
    """A browser of whoever has the link."""
    url = printed.split("/sign-in")[0]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        token = printed.rpartition("link=")[2]
        async with http.post(f"{url}/sign-in", data={"link": token, "to": "/"}) as answer:
            answer.raise_for_status()
        yield Browser(http, url)
