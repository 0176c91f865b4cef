"""Twilio's page envelope: `meta` with absolute URLs, and page tokens that are opaque to the client."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from dispatcher.sandbox import answers
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.executions import Cursor

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1000
_TOKEN = re.compile(r"P([AB])([0-9a-f]{16})([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What a list request asks for: how many, from where, and the page number, which only travels along."""

    size: int = PAGE_SIZE_DEFAULT
    number: int = 0
    cursor: Cursor | None = None


def parse_page_query(query: Mapping[str, str]) -> PageQuery | Answer:
    """The paging part of a query string, or the error it is answered with."""
    size_text, number_text, token_text = query.get("PageSize", ""), query.get("Page", ""), query.get("PageToken", "")
    size = PAGE_SIZE_DEFAULT
    if size_text:
        if not size_text.isascii() or not size_text.isdigit() or int(size_text[:9]) < 1:
            return answers.invalid(f"Invalid value for PageSize: {size_text[:40]}")
        size = int(size_text[:9])
        if size > PAGE_SIZE_MAX:
            return answers.problem(400, 20007, f"Page size must be at most {PAGE_SIZE_MAX}")
    if number_text and not (number_text.isascii() and number_text.isdigit() and len(number_text) < 10):
        return answers.invalid(f"Invalid value for Page: {number_text[:40]}")
    cursor = None
    if token_text:
        token = _TOKEN.fullmatch(token_text)
        if token is None:
            return invalid_token()
        cursor = Cursor((int(token[2], 16), int(token[3], 16)), older=token[1] == "A")
    return PageQuery(size, int(number_text or 0), cursor)


def invalid_token() -> Answer:
    return answers.problem(400, 21481, "Invalid PageToken")


def _token(cursor: Cursor) -> str:
    return f"P{'A' if cursor.older else 'B'}{cursor.key[0]:016x}{cursor.key[1]:016x}"


def envelope(
    url: str,
    key: str,
    records: Sequence[Mapping[str, Any]],
    page: PageQuery,
    *,
    following: Cursor | None,
    previous: Cursor | None,
    filters: Mapping[str, str],
) -> dict[str, Any]:
    """The answer to a list request. `url` is the list's own, without a query; the filters travel in each page's URL."""

    def page_url(number: int, cursor: Cursor | None) -> str:
        query = dict(filters) | {"PageSize": str(page.size), "Page": str(number)}
        if cursor is not None:
            query["PageToken"] = _token(cursor)
        return f"{url}?{urlencode(query)}"

    return {
        "meta": {
            "page": page.number,
            "page_size": page.size,
            "first_page_url": page_url(0, None),
            "previous_page_url": page_url(max(page.number - 1, 0), previous) if previous else None,
            "url": page_url(page.number, page.cursor),
            "next_page_url": page_url(page.number + 1, following) if following else None,
            "key": key,
        },
        key: records,
    }


def slice_page(total: int, page: PageQuery) -> tuple[range, Cursor | None, Cursor | None]:
    """The indices of one page of a short list that does not change, and the cursors of its neighbours.

    Here a cursor's key holds an index: the page begins after it (older), or ends before it.
    """
    if page.cursor is None:
        start = 0
    elif page.cursor.older:
        start = min(page.cursor.key[1] + 1, total)
    else:
        start = max(page.cursor.key[1] - page.size, 0)
    stop = min(start + page.size, total)
    following = Cursor((0, stop - 1), older=True) if stop < total else None
    previous = Cursor((0, start), older=False) if start > 0 else None
    return range(start, stop), following, previous
