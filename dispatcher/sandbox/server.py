"""The sandbox as a server: sockets, the clock, the rate limit, the faults, and what of it belongs to which request."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from dispatcher.errors import SettingsError
from dispatcher.sandbox import answers, control, routes
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.credentials import authorized
from dispatcher.sandbox.dates import http_date, to_us
from dispatcher.sandbox.distortions import distorted, redirected, strikes
from dispatcher.sandbox.faults import Effect, Fault, FaultPhase, FaultPlan, Target
from dispatcher.sandbox.routes import Operation, Request, Route
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.studio import Studio
from dispatcher.sandbox.window import RateLimit
from dispatcher.sandbox.wire import Wire

Clock = Callable[[], float]
_DEFAULTS = SandboxSettings()
_BACKLOG = 4096
_SHUTDOWN_S = 2.0
#: Other spellings of 127.0.0.1.
_NAMES = ("localhost", "LocalHost", "localhost.")
#: Seen on recorded answers of the real API.
_FIXED_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag",
    "X-Powered-By": "AT-5000",
    "X-Home-Region": "us1",
    "X-Api-Domain": "studio.twilio.com",
    "Strict-Transport-Security": "max-age=31536000",
    "Server": "dispatcher-sandbox",
}


def steady_clock() -> Clock:
    """Seconds since 1970 that never step, whatever is done to the machine's clock meanwhile."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


class Sandbox:
    """A local Studio on a real socket. Use it as `async with Sandbox(settings) as sandbox:`, or start() and stop() it.

    `clock` gives seconds since 1970; tests pass their own and move it. Only latency, `slow` and `drip` use real time.
    """

    def __init__(self, settings: SandboxSettings = _DEFAULTS, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or steady_clock()
        self._runner: web.ServerRunner | None = None
        self._closing = asyncio.Event()
        self._wire = Wire(settings, self._closing)
        self._address: tuple[str, int] | None = None
        self._listens_on_ipv6 = False
        self._in_flight = 0
        self._authorized: set[str | None] = set()
        self.reset()

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen. Raises SettingsError if the address is not to be had."""
        self._closing.clear()
        self._loop = asyncio.get_running_loop()
        server = web.Server(
            self._handle,
            request_factory=self._make_request,
            # A client that gives up takes its hanging request along.
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=self.settings.keepalive_timeout_s,
        )
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        site = web.TCPSite(runner, self.settings.host, self.settings.port, backlog=_BACKLOG)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise SettingsError(
                "The sandbox cannot listen there",
                found=f"{self.settings.host}:{self.settings.port}: {error.strerror or error}",
                fix="another port, or port 0 to let the system choose",
            ) from error
        self._runner = runner
        self._address = runner.addresses[0][:2]
        self._listens_on_ipv6 = self.settings.ipv6 and await _listen_beside(runner, self._address[1])

    async def stop(self) -> None:
        """Close every connection, also those that hang on purpose. What was counted stays readable."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, to be given to a client in the place of `https://studio.twilio.com`."""
        if self._address is None:
            raise SettingsError("The sandbox has not been started")
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def base_urls(self) -> list[str]:
        """One account under many names: every spelling of `base_url` that leads here, `base_url` first."""
        port = self.base_url.rpartition(":")[2]
        urls = [self.base_url]
        for name in _NAMES:
            # Not every system knows its loopback by each of its names.
            with contextlib.suppress(OSError):
                found = await self._loop.getaddrinfo(name, int(port), family=socket.AF_INET, type=socket.SOCK_STREAM)
                if any(address[0] == self._address[0] for *_, address in found if self._address):
                    urls.append(f"http://{name}:{port}")
        return [*urls, f"http://[::1]:{port}"] if self._listens_on_ipv6 else urls

    @property
    def settings(self) -> SandboxSettings:
        """What holds now."""
        return self._settings

    @settings.setter
    def settings(self, settings: SandboxSettings) -> None:
        self._settings = self._wire.settings = settings
        self.studio.change(settings)

    def change(self, **changes: object) -> None:
        """Go on with other settings: what `POST /_sandbox/settings` does. Raises SettingsError."""
        self.settings = self._settings.changed(changes)

    def reset(self) -> None:
        """Back to the state at the start: no executions, no counts, the fault table and seed of the settings."""
        settings = self.settings
        now_us = self.now_us()
        self.studio = Studio(settings, now_us)
        self.fault_plan = FaultPlan(settings.seed)
        self.fault_plan.replace((FaultPhase(faults=settings.faults),), now_us)
        self._rate = RateLimit(
            limit_per_window=settings.limit_per_window,
            window_us=settings.window_us,
            count_refused=settings.count_refused,
        )
        self._jitter = random.Random(f"{settings.seed}/latency")
        self._requests = 0
        self._worst_in_flight = 0

    def stats(self, *, brief: bool = False) -> dict[str, Any]:
        """What `GET /_sandbox/stats` answers; `brief` leaves out created_by_to, which has an entry for each contact."""
        now_us = self.now_us()
        self.studio.creator.apply_due(now_us)
        return self.studio.tally.report(brief=brief) | {
            "active": self.studio.executions.active_count(now_us),
            "worst_window": self._rate.accepted.worst,
            "worst_window_requests": self._rate.arrived.worst,
            "worst_concurrency": self._worst_in_flight,
            "window_s": self.settings.window_s,
            "window_limit": self.settings.limit_per_window,
            "faults": dict(self.fault_plan.injected),
        }

    def creates(self, *, after: int = -1, page_size: int = 1000, planted: bool = False) -> dict[str, Any]:
        """What `GET /_sandbox/creates` answers: `{"creates": […], "next": the next page's after, or None}`."""
        return control.creates(self, after=after, size=page_size, planted=planted)

    def now_us(self) -> int:
        """The true time; what the sandbox shows of it may be wrong (`clock_skew_s`)."""
        return to_us(self._clock())

    # -- requests ------------------------------------------------------------------------------------------------------

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        return web.BaseRequest(
            message, payload, protocol, writer, task, self._loop, client_max_size=self.settings.max_body_bytes
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        try:
            body = await request.read() if request.body_exists else b""
        except web.HTTPRequestEntityTooLarge:
            too_large = answers.problem(413, None, f"The body exceeds {self.settings.max_body_bytes} bytes")
            return _response(too_large, self._headers(self.now_us(), 0, 0.0))
        if path.startswith("/_sandbox/"):
            return control.handle(self, request, path, query, body)
        self._in_flight += 1
        self._worst_in_flight = max(self._worst_in_flight, self._in_flight)
        started = time.perf_counter()
        try:
            now_us = self.now_us()
            self._requests += 1
            host = request.headers.get("Host") or "{}:{}".format(*self._address or ("", 0))
            asked = Request(f"http://{host}", query, body, self._requests)
            answer, fault = self._decide(request, path, asked, now_us)
            if self.settings.latency_s or self.settings.latency_jitter_s:
                await self._wire.wait(self.settings.latency_s + self._jitter.random() * self.settings.latency_jitter_s)
            headers = self._headers(now_us, asked.n, time.perf_counter() - started)
            if fault is not None:
                sids = self.studio.executions.sids
                answer = distorted(fault, answer, path, asked, self.settings, sids) or answer
                spoiled = self._headers_of(answer, headers)
                if not await self._wire.spoil(request, fault.effect, answer, spoiled):
                    # The connection is closing; aiohttp finds that out when it writes this, and lets go.
                    return web.Response(status=500)
            assert answer is not None
            return _response(answer, self._headers_of(answer, headers))
        finally:
            self._in_flight -= 1

    def _decide(
        self, request: web.BaseRequest, path: str, asked: Request, now_us: int
    ) -> tuple[Answer | None, Fault | None]:
        """The answer, and the fault it suffers on its way. No answer: the fault struck before anything was done."""
        tally, studio = self.studio.tally, self.studio
        studio.creator.apply_due(now_us)
        route = routes.match(request.method, path)
        if isinstance(route, Route) and route.operation is Operation.CREATE:
            tally.create_requests += 1
            self._rate.arrive(now_us)
        if not self._is_authorized(request.headers.get("Authorization")):
            tally.requests["unauthorized"] += 1
            return answers.unauthenticated(), None
        if not isinstance(route, Route):
            tally.requests["not_found" if route.status == 404 else "not_allowed"] += 1
            return route, None
        tally.requests[route.operation.value] += 1
        return self._carry_out(route, asked, now_us)

    def _carry_out(self, route: Route, asked: Request, now_us: int) -> tuple[Answer | None, Fault | None]:
        target = route.operation.target
        fault = self.fault_plan.draw(target, now_us)
        if fault is not None and not strikes(fault, route, asked.query):
            fault = None
        refused = self._refuse(target, fault, now_us)
        if refused is not None:
            return refused, None
        if fault is not None:
            self.fault_plan.injected[fault.name] += 1
        if fault is not None and not fault.after:
            if fault.effect is Effect.RESET_LATE:
                self.studio.creator.create_late(route, asked, now_us + to_us(self.settings.late_s))
            return None, fault
        executions = self.studio.executions
        route = redirected(fault, route, executions.sids, len(executions.log))
        return self.studio.carry_out(route, asked, now_us), fault

    def _refuse(self, target: Target, fault: Fault | None, now_us: int) -> Answer | None:
        """The 429 of this request, by a fault, by the account's concurrency or by its rate; None: it may go on."""
        creating = target is Target.CREATE
        limit = self.settings.concurrency_limit
        if fault is not None and fault.effect is Effect.THROTTLED:
            self.fault_plan.injected[fault.name] += 1
            message = "Too Many Requests"
        elif limit and self._in_flight > limit:
            message = "Too many concurrent requests"
        elif creating and not self._rate.accept(now_us):
            message = "Too Many Requests"
        else:
            return None
        if creating:
            self.studio.tally.throttled += 1
        else:
            self.studio.tally.read_throttled += 1
        return answers.throttled(self.settings.retry_after_s, message)

    def _is_authorized(self, authorization: str | None) -> bool:
        if authorization in self._authorized:
            return True
        accepted = authorized(authorization, self.settings.credentials)
        if accepted and len(self._authorized) < 1000:
            self._authorized.add(authorization)
        return accepted

    def _headers(self, now_us: int, request_n: int, duration_s: float) -> dict[str, str]:
        return {
            "Date": http_date(now_us + to_us(self.settings.clock_skew_s + self.settings.date_header_skew_s)),
            "Twilio-Concurrent-Requests": str(self._in_flight),
            "Twilio-Request-Id": self.studio.resources.request_sid(request_n),
            "Twilio-Request-Duration": f"{duration_s:.3f}",
            **_FIXED_HEADERS,
        }

    def _headers_of(self, answer: Answer | None, headers: dict[str, str]) -> dict[str, str]:
        if answer is None:
            return headers
        return headers | {"Content-Type": answer.content_type} | dict(answer.headers)


async def _listen_beside(runner: web.ServerRunner, port: int) -> bool:
    """Listen on [::1] too. False: this machine has none, or the port is taken there."""
    try:
        await web.TCPSite(runner, "::1", port, backlog=_BACKLOG).start()
    except OSError:
        return False
    return True


def _response(answer: Answer, headers: dict[str, str]) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=headers)
