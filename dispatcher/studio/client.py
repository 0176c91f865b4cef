"""The only HTTP client: a pooled aiohttp session, every timeout explicit, nothing retried in secret.

`Studio.create` never raises for what the network does: it returns an `Answer`, because each failure proves something
about a row. Reads raise our errors; they are safe to repeat, and the caller says how (`retrying`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from dispatcher.clock import now_s
from dispatcher.errors import (
    CertificateUntrusted,
    PageExpired,
    ResourceNotFound,
    StudioError,
    StudioUnavailable,
)
from dispatcher.hosts import is_loopback
from dispatcher.studio.listing import resumed
from dispatcher.studio.outcomes import (
    UNTRUSTED,
    Answer,
    Failure,
    describe_status,
    is_execution_sid,
    parse_retry_after,
    server_time_s,
    stop_reason,
)
from dispatcher.studio.payloads import json_object, page_items, refusal_code
from dispatcher.studio.proxies import proxy_of
from dispatcher.studio.resources import Execution, ExecutionContext, Flow, Resource, Step, StepContext
from dispatcher.studio.wire import (
    ANSWER_MAX_BYTES,
    HAS_USER_TIMEOUT,
    CleanConnector,
    Deadlines,
    Poster,
    failed,
    plain,
)
from dispatcher.version import __version__

if TYPE_CHECKING:
    from dispatcher.settings import Credentials

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

#: The API's largest page (OpenAPI: PageSize 1 to 1000).
PAGE_SIZE_MAX = 1000
#: Twilio's error dictionary: the page token is not valid (any more).
BAD_PAGE_TOKEN = 21481
#: So long a proxy, or a kernel that has not been told otherwise, may go on delivering what was given up.
LATE_S = 120.0
#: Idle connections are given up before a load balancer would close them under a request.
KEEPALIVE_S = 20.0


class Gate(Protocol):
    """What every read of the account waits at: its breaker, which a 429 opens for all."""

    async def wait(self) -> None:
        """Return when a read may leave."""

    def throttled(self, retry_after_s: float | None) -> None:
        """A read was answered 429."""


async def _once(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


class Studio:
    """One account's Studio. Use as an async context manager.

    `retrying` wraps each read, so that it is tried again on StudioUnavailable.
    Raises: SettingsError where the environment names a proxy that cannot be used.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str,
        api_version: str = "v2",
        connect_s: float = 10.0,
        answer_s: float = 30.0,
        gate: Gate | None = None,
        retrying: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]] = _once,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.api_version = api_version
        self.gate = gate
        #: How far the server's clock is ahead of ours, in seconds, by its Date header; None before the first answer.
        self.clock_skew_s: float | None = None
        #: The least and the most that it has been: clocks are put right, and the header may be wrong for a while.
        self.clock_skews_s: tuple[float, float] | None = None
        self._skew_date: str | None = None
        self._retrying = retrying
        self._connect_s = connect_s
        self._answer_s = answer_s
        token = b64encode(f"{credentials.username}:{credentials.password}".encode()).decode("ascii")
        self._secrets = (token.encode(), credentials.password.encode())
        self._headers = CIMultiDict(
            {
                "Authorization": f"Basic {token}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"dispatcher/{__version__}",
            }
        )
        self._form_headers = self._headers.copy()
        self._form_headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._proxy = _proxy(self.base_url)
        self._session: aiohttp.ClientSession | None = None
        self._deadlines: Deadlines | None = None
        self._posters: dict[str, Poster] = {}
        #: A page may be large: one at a time is in memory, however many lists are read.
        self._page_turn = asyncio.Lock()

    async def __aenter__(self) -> Studio:
        # The pool is bounded by the number of workers; aiohttp's own limit of 100 would only add a second queue.
        connector = CleanConnector(answer_s=self._answer_s, limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=300)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=self._connect_s, sock_connect=self._connect_s, sock_read=self._answer_s
            ),
            auto_decompress=True,
            trust_env=False,
            raise_for_status=False,
        )
        self._deadlines = Deadlines(asyncio.get_running_loop(), self._answer_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for poster in self._posters.values():
            poster.close()
        self._posters.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._deadlines is not None:
            self._deadlines.close()

    @property
    def late_s(self) -> float:
        """How long after a request was given up it may still reach Studio, at the most, in seconds.

        Not at all where its socket drops it. A proxy has it already and delivers it when it likes, and so does a kernel
        without TCP_USER_TIMEOUT; but not on a way that does not leave this machine.
        """
        if self._proxy is None and (HAS_USER_TIMEOUT or is_loopback(self.base_url)):
            return 0.0
        return LATE_S

    # --- creating ---

    @overload
    async def create(self, flow_sid: str, form: bytes) -> Answer: ...

    @overload
    async def create(self, flow_sid: str, form: bytes, leaving: Callable[[], bool]) -> Answer | None: ...

    async def create(self, flow_sid: str, form: bytes, leaving: Callable[[], bool] | None = None) -> Answer | None:
        """Send one create request, once. Never raises for what the network or the server does.

        `leaving` is asked at the moment it would leave; not asked: it was never sent. Where it says False nothing is
        sent, and None returned.
        """
        poster = self._posters.get(flow_sid) or self._new_poster(flow_sid)
        answer = await poster.post(form, leaving)
        if answer is None:
            return None
        self._measure_skew(answer.date)
        if answer.status >= 300 and any(secret in answer.body for secret in self._secrets):
            # A proxy's error page may repeat what it was sent, and the message goes into the ledger and the report.
            answer = answer._replace(body=b"")
        return answer

    def _new_poster(self, flow_sid: str) -> Poster:
        assert self._session is not None, "use Studio as an async context manager"
        assert self._deadlines is not None
        poster = self._posters[flow_sid] = Poster(
            self._session,
            self._url(f"Flows/{flow_sid}/Executions"),
            self._form_headers,
            proxy=self._proxy,
            connect_s=self._connect_s,
            keepalive_s=KEEPALIVE_S,
            deadlines=self._deadlines,
        )
        return poster

    async def _send(self, method: str, url: URL, headers: CIMultiDict[str], body: bytes | None) -> Answer:
        session = self._session
        assert session is not None, "use Studio as an async context manager"
        started = time.monotonic()
        status = 0
        try:
            # One deadline for the whole request: a server that drips bytes would never trip the read timeout.
            async with (
                asyncio.timeout(self._connect_s + self._answer_s),
                session.request(
                    method, url, data=body, headers=headers, allow_redirects=False, proxy=self._proxy
                ) as response,
            ):
                status = response.status
                payload = await _read(response)
                answer_headers = response.headers
                date = answer_headers.get("Date")
                answer = Answer(
                    status=status,
                    body=payload,
                    date=date,
                    retry_after=answer_headers.get("Retry-After"),
                    request_id=plain(answer_headers.get("Twilio-Request-Id")),
                    elapsed_s=time.monotonic() - started,
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError, ValueError) as error:
            return failed(error, status, time.monotonic() - started)
        self._measure_skew(date)
        return answer

    def _measure_skew(self, date: str | None) -> None:
        if date == self._skew_date:
            return  # the header has whole seconds: once a second is enough
        self._skew_date = date
        server_s = server_time_s(date)
        if server_s is not None:
            self.clock_skew_s = skew_s = server_s + 0.5 - now_s()
            least_s, most_s = self.clock_skews_s or (skew_s, skew_s)
            self.clock_skews_s = min(least_s, skew_s), max(most_s, skew_s)

    # --- reading ---

    def flows(self) -> AsyncIterator[Flow]:
        """Every flow of the account, all pages."""
        return self._pages("Flows", "flows", {"PageSize": str(PAGE_SIZE_MAX)}, Flow)

    async def flow(self, flow_sid: str) -> Flow:
        """One flow; on v2 with its definition."""
        return Flow.from_json(await self._get(f"Flows/{flow_sid}"))

    async def flow_revision(self, flow_sid: str, revision: str = "LatestPublished") -> Flow:
        """A revision of a flow (v2 only): a number, LatestPublished or LatestRevision."""
        return Flow.from_json(await self._get(f"Flows/{flow_sid}/Revisions/{quote(revision)}"))

    def executions(
        self,
        flow_sid: str,
        *,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        status: str | None = None,
        page_size: int = PAGE_SIZE_MAX,
    ) -> AsyncIterator[Execution]:
        """A flow's executions, newest first. Where a page token expires meanwhile, the list goes on all the same.

        `created_from` is inclusive, `created_to` exclusive; `status`: active or ended. v1's lists know no such filter:
        they are read whole, and filtered here.
        """

        def pages(created_to: datetime | None) -> AsyncIterator[Execution]:
            query: dict[str, str] = {"PageSize": str(page_size)}
            if created_from is not None:
                query["DateCreatedFrom"] = _time_text(created_from)
            if created_to is not None:
                query["DateCreatedTo"] = _time_text(created_to)
            if status is not None and self.api_version != "v1":
                query["status"] = status
            return self._pages(f"Flows/{flow_sid}/Executions", "executions", query, Execution)

        found = resumed(pages, created_to)
        return found if status is None else _with_status(found, status)

    async def execution(self, flow_sid: str, execution_sid: str) -> Execution:
        """One execution. Raises: ResourceNotFound (deleted, or past its 30 days)."""
        return Execution.from_json(await self._get(_execution_path(flow_sid, execution_sid)))

    async def execution_context(self, flow_sid: str, execution_sid: str) -> ExecutionContext:
        """What an execution knows, our Parameters among it."""
        path = f"{_execution_path(flow_sid, execution_sid)}/Context"
        context = ExecutionContext.from_json(await self._get(path))
        if context.execution_sid not in (None, execution_sid):
            # Whose an execution is depends on it: an answer that went astray must not decide.
            raise StudioUnavailable("Studio's answer is about another execution", found=context.execution_sid)
        return context

    def steps(self, flow_sid: str, execution_sid: str) -> AsyncIterator[Step]:
        """An execution's steps, newest first."""
        path = f"{_execution_path(flow_sid, execution_sid)}/Steps"
        return self._pages(path, "steps", {"PageSize": str(PAGE_SIZE_MAX)}, Step)

    async def step(self, flow_sid: str, execution_sid: str, step_sid: str) -> Step:
        """One step."""
        return Step.from_json(await self._get(f"{_execution_path(flow_sid, execution_sid)}/Steps/{quote(step_sid)}"))

    async def step_context(self, flow_sid: str, execution_sid: str, step_sid: str) -> StepContext:
        """What an execution knew at a step."""
        path = f"{_execution_path(flow_sid, execution_sid)}/Steps/{quote(step_sid)}/Context"
        return StepContext.from_json(await self._get(path))

    async def end_execution(self, flow_sid: str, execution_sid: str) -> Execution | None:
        """End an execution (`Status=ended`). None: it had ended already (409). Asking twice does no harm."""
        url = self._url(_execution_path(flow_sid, execution_sid))

        async def call() -> Execution | None:
            answer = await self._ask("POST", url, self._form_headers, b"Status=ended", accept=(409,))
            return None if answer.status == 409 else Execution.from_json(json_object(answer))

        result: Execution | None = await self._retrying(call)
        return result

    async def _get(self, path: str) -> dict[str, Any]:
        url = self._url(path)

        async def call() -> dict[str, Any]:
            return json_object(await self._ask("GET", url, self._headers, None))

        result: dict[str, Any] = await self._retrying(call)
        return result

    async def _ask(
        self, method: str, url: URL, headers: CIMultiDict[str], body: bytes | None, accept: tuple[int, ...] = ()
    ) -> Answer:
        """One read, once.

        Raises: StudioUnavailable, ResourceNotFound, AuthenticationError, CertificateUntrusted, StudioError.
        """
        if self.gate is not None:
            await self.gate.wait()
        answer = await self._send(method, url, headers, body)
        status = answer.status
        if answer.failure is None and (200 <= status < 300 or status in accept):
            return answer
        if answer.failure is Failure.certificate:
            raise CertificateUntrusted(found=answer.detail, fix=UNTRUSTED)
        if answer.failure is not None:
            raise StudioUnavailable(found=answer.detail, fix="check the network, then try again")
        code = refusal_code(answer)
        summary = describe_status(status, code)
        if status == 404:
            raise ResourceNotFound(found=summary, fix="check the SID and the account; data are kept for 30 days")
        stop = stop_reason(status, code)
        if stop is not None:
            raise stop
        if status == 429 or status >= 500 or status == 408:
            unavailable = StudioUnavailable(found=summary, fix="try again later")
            unavailable.retry_after_s = parse_retry_after(answer.retry_after, answer.date)
            unavailable.throttled = status == 429
            if status == 429 and self.gate is not None:
                self.gate.throttled(unavailable.retry_after_s)
            raise unavailable
        if code == BAD_PAGE_TOKEN:
            raise PageExpired(found=summary, fix="read the list again from its beginning")
        raise StudioError("Studio refused a read", found=summary)

    async def _pages(self, path: str, key: str, query: Mapping[str, str], kind: type[R]) -> AsyncIterator[R]:
        url: URL | None = self._url(path, query)
        seen: set[URL] = set()
        while url is not None:
            if url in seen:
                raise StudioError("Studio's list leads back to a page that was read", found=f"page {len(seen) + 1}")
            seen.add(url)
            here = url

            async def call(url: URL = here) -> tuple[list[dict[str, Any]], str | None]:
                async with self._page_turn:
                    return page_items(json_object(await self._ask("GET", url, self._headers, None)), key)

            page: tuple[list[dict[str, Any]], str | None] = await self._retrying(call)
            items, following = page
            for item in items:
                yield kind.from_json(item)
            url = self._same_host(following) if following else None

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> URL:
        text = f"{self.base_url}/{self.api_version}/{path}"
        return URL(text + (f"?{urlencode(query)}" if query else ""), encoded=True)

    def _same_host(self, url: str) -> URL:
        """A page's address on the host we were told to call: credentials go nowhere else.

        Raises: StudioError for a text that is no address.
        """
        try:
            parts = urlsplit(url)
            # Without its slash a path would run into the host's name: `studio.twilio.com` + `.elsewhere.example`.
            path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
            return URL(f"{self.base_url}{path}" + (f"?{parts.query}" if parts.query else ""), encoded=True)
        except ValueError:
            raise StudioError("Studio's list names a next page that is no address") from None


def _execution_path(flow_sid: str, execution_sid: str) -> str:
    """Raises: StudioUnavailable for what is no SID: it came from an answer, and may be anything."""
    if not is_execution_sid(execution_sid):
        raise StudioUnavailable("Studio has named an execution by something that is no SID")
    return f"Flows/{flow_sid}/Executions/{execution_sid}"


async def _with_status(executions: AsyncIterator[Execution], status: str) -> AsyncIterator[Execution]:
    async for execution in executions:
        if execution.status == status:
            yield execution


async def _read(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and length > ANSWER_MAX_BYTES:
        raise ValueError(f"an answer of {length} bytes")
    if length is not None and "Content-Encoding" not in response.headers:
        return await response.read()
    # Its size is not known beforehand: it may never end.
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_MAX_BYTES:
            raise ValueError(f"an answer of more than {ANSWER_MAX_BYTES} bytes")
    return bytes(body)


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _proxy(base_url: str) -> str | None:
    """The environment's proxy; a rehearsal on this machine never goes through one. Raises: SettingsError."""
    return None if is_loopback(base_url) else proxy_of(base_url)
