"""Answers to reads as JSON: objects, pages of lists, error codes. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from dispatcher.errors import StudioUnavailable
from dispatcher.studio.outcomes import Answer, error_code


def page_items(payload: dict[str, Any], key: str) -> tuple[list[dict[str, Any]], str | None]:
    """A page's items and the next one's address. Raises: StudioUnavailable.

    A page says itself whether another follows (`meta.next_page_url`, null on the last). One that does not is cut: what
    it lacks proves nothing.
    """
    meta = payload.get("meta")
    if not isinstance(meta, dict) or "next_page_url" not in meta:
        raise StudioUnavailable("Studio's answer is no whole page of a list", found="it has no next_page_url")
    named, following = meta.get("key"), meta["next_page_url"]
    items = payload.get(named if isinstance(named, str) else key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise StudioUnavailable("Studio's answer is no page of a list")
    if following is not None and not isinstance(following, str):
        raise StudioUnavailable("Studio's answer is no page of a list", found="its next_page_url is no address")
    return items, following or None


def json_object(answer: Answer) -> dict[str, Any]:
    """An answer's object. Raises: StudioUnavailable."""
    try:
        payload = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise StudioUnavailable(
            "Studio's answer is not JSON", found=f"{answer.status}, {len(answer.body)} bytes"
        ) from None
    if not isinstance(payload, dict):
        raise StudioUnavailable("Studio's answer is no JSON object", found=str(answer.status))
    return payload


def refusal_code(answer: Answer) -> int | None:
    """Twilio's error code in an answer; None where there is none."""
    try:
        payload = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return error_code(payload) if isinstance(payload, dict) else None
