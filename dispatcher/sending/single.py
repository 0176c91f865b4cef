"""One create request outside of a run: a test send. It keeps the limit, and the breaker hears what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dispatcher.clock import now_ms
from dispatcher.model import Outcome
from dispatcher.sending.account import OpenAccount
from dispatcher.sending.breaker import Turn
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Answer, Asked, Verdict, classify


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """What became of it."""

    verdict: Verdict
    answer: Answer
    #: When it was sent, ms since the epoch; None: it never was.
    sent_at_ms: int | None
    ended_at_ms: int


async def send_single(
    account: OpenAccount, studio: Studio, flow_sid: str, form: bytes, *, to: str, api_version: str
) -> Single:
    """Send it as soon as the limit allows, once, whatever comes. The account's lease must be held."""
    limiter, loop = await account.limiter(), asyncio.get_running_loop()
    sent_at_s: float | None = None
    sent_at_ms: int | None = None
    turn: Turn | None = None

    def leaving() -> bool:
        nonlocal sent_at_s, sent_at_ms
        if not account.breaker.may_send(turn):
            return False
        limiter.record_sent()
        sent_at_s, sent_at_ms = loop.time(), now_ms()
        return True

    answer: Answer | None = None
    await limiter.acquire(1)
    try:
        while answer is None:
            turn = await account.breaker.wait_for_turn()
            try:
                answer = await studio.create(flow_sid, form, leaving)
            finally:
                if turn is not None and answer is None:
                    account.breaker.end_turn(turn)
    finally:
        if sent_at_s is None:
            limiter.release()
        else:
            limiter.record_answer(sent_at_s, given_up=answer is None or answer.failure is not None)
    asked = Asked(account.record.account_sid, flow_sid, to)
    verdict = classify(answer, api_version=api_version, asked=asked)
    if verdict.outcome is Outcome.throttled and sent_at_s is not None:
        account.throttled(verdict.retry_after_s, sent_at_s)
    elif sent_at_s is None or verdict.trouble:
        account.failed(verdict.summary, connected=sent_at_s is not None)
    else:
        account.answered(sent_at_s)
    if turn is not None:
        account.breaker.end_turn(turn)
    return Single(verdict=verdict, answer=answer, sent_at_ms=sent_at_ms, ended_at_ms=now_ms())
