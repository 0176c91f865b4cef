"""Whether an execution shows that its contact wants nothing any more. Pure.

Twilio's error 21610 says so for certain (twilio.com/docs/api/errors/21610); so does `OptOutType`, which Advanced
Opt-Out adds to a reply (twilio.com/docs/messaging/tutorials/advanced-opt-out); and so does an opt-out word, if it is
all of the reply.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from dispatcher.settings import OPT_OUT_WORDS
from dispatcher.studio.definition import Definition
from dispatcher.tracking.context_values import WidgetError

#: "Attempt to send to unsubscribed recipient".
UNSUBSCRIBED = 21610
#: What people put around a word: `STOP.`, `"stop"`.
_AROUND = " \t\r\n.!,;:\"'`*()[]\u00ab\u00bb\u201c\u201d\u2018\u2019"
#: Always an opt-out, whatever the flow makes of it.
_ALWAYS = frozenset(OPT_OUT_WORDS)


def opted_out(
    context: Mapping[str, Any], errors: Iterable[WidgetError], keywords: Collection[str], flow: Definition | None
) -> str | None:
    """How the contact has opted out, for people; None: not that the context shows it.

    `keywords`: replies that are an opt-out; of those that are not always one a `flow` may look for itself, and means
    something else by it then.
    """
    if any(error.code == UNSUBSCRIBED for error in errors):
        return f"Twilio refused a message: {UNSUBSCRIBED}"
    wanted = {word.strip().upper() for word in keywords} - {""}
    for reply in _replies(context):
        if str(reply.get("OptOutType") or "").strip().upper() == "STOP":
            return "the reply was an opt-out"
        word = str(reply.get("Body") or "").strip(_AROUND).upper()
        if word in wanted and (word in _ALWAYS or not _looks_for(flow, word)):
            return f"the reply was {word}"
    return None


def _replies(context: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    results = context.get("widgets")
    for result in results.values() if isinstance(results, Mapping) else ():
        reply = result.get("inbound") if isinstance(result, Mapping) else None
        if isinstance(reply, Mapping):
            yield reply


def _looks_for(flow: Definition | None, word: str) -> bool:
    """Whether a widget of the flow compares with the word. A condition may name several: `CONFIRM, CANCEL`."""
    compared = [text for widget in flow.widgets.values() for text in widget.compared] if flow is not None else []
    return word in {part.strip(_AROUND).upper() for text in compared for part in text.split(",")}
