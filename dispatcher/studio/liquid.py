"""Liquid as Studio renders it, by python-liquid: kept to what Twilio lists, and bounded. Pure.

Twilio's own list of filters and tags is the guide (twilio.com/docs/studio/user-guide/liquid-template-language): what it
does not have is a warning 81018 there, and nothing is sent as it was meant, so it is not rendered here. A missing value
is an empty text, without an error. Nothing is loaded from a disk; loops, texts and a filter's work are bounded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from liquid import Environment, Mode, RenderContext
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path, StringLiteral
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.for_tag import ForNode
from liquid.exceptions import LiquidError, LoopIterationLimitError
from liquid.stringify import to_liquid_string

from dispatcher.studio.definition import expressions
from dispatcher.studio.filters import NOW, OWN, NotRendered, bounded

if TYPE_CHECKING:
    from typing import TextIO

    from liquid import BoundTemplate
    from liquid.expression import Expression
    from liquid.stream import TokenStream

#: A variable's steps; None: one that is computed (`flow.data[x]`).
Steps: TypeAlias = tuple[str | int | None, ...]

#: So often may a loop go round (twilio.com/docs/studio/user-guide/studio-faq).
LOOP_MAX = 15
#: The longest text, and the longest that a filter may make, in characters.
TEXT_MAX = 64 * 1024
REASON_MAX = 120
#: So many values of an output are kept, and no longer ones.
_KNOWN_MAX = 1_000
_KNOWN_TEXT_MAX = 1_000

#: Twilio's lists.
_FILTERS = (
    "append capitalize ceil date default divided_by downcase escape escape_once first floor join last lstrip map minus"
    " modulo newline_to_br plus prepend remove remove_first replace replace_first reverse round rstrip size slice sort"
    " split strip strip_html strip_newlines times to_json truncate truncatewords uniq upcase url_encode"
)
FILTERS = frozenset(_FILTERS.split())
#: Without `include`: there is nothing that a flow could include.
_TAGS = "assign break capture case comment continue cycle for if raw unless"
TAGS = frozenset(_TAGS.split())
#: What python-liquid has under tags that are none.
_NOT_TAGS = frozenset(("content", "output", "illegal"))
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_MARKUP = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
#: A step of a path that is also a word of the language (`flow.data.limit`): python-liquid does not take it there.
_KEYWORDS = (
    "true|false|nil|null|empty|blank|and|or|not|contains|in|if|else|for|limit|offset|reversed|cols|with|as|continue"
    "|required"
)
_KEYWORD_STEP = re.compile(_QUOTED.pattern + rf"|(?<=[\w\]])\s*\.\s*({_KEYWORDS})(?![\w-])")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a text came to."""

    #: As it stands where it could not be rendered.
    text: str
    #: The variables that left nothing where they stand, in their order, each once.
    blanks: tuple[str, ...] = ()
    #: Why it could not be rendered; empty: it could.
    reason: str = ""


class Liquid:
    """Compiles the texts of a definition. One thread at a time may render what it has compiled."""

    def __init__(self) -> None:
        self._environment = _Environment(tolerance=Mode.STRICT, strict_filters=True)

    def compile(self, source: str, is_later: Callable[[Steps], bool]) -> Text:
        """A text, ready to be rendered. `is_later`: whether a variable is not known before the flow runs."""
        if "{{" not in source and "{%" not in source:
            return Text(self._environment, source, None, ())
        try:
            _check_names(source)
            self._environment.is_later = is_later
            template = self._environment.from_string(_quote_keywords(source))
            later = _check(self._environment, template)
        except NotRendered as refused:
            return Text(self._environment, source, None, (), reason=str(refused))
        except LiquidError as error:
            return Text(self._environment, source, None, (), reason=_reason(error))
        except Exception as error:  # a library's own slip must not be a run's
            return Text(self._environment, source, None, (), reason=_reason(error))
        return Text(self._environment, source, template, later)


class _Part(NamedTuple):
    """An output whose value rests on texts alone."""

    node: _OutputNode
    #: The variables in it.
    paths: tuple[tuple[str, ...], ...]
    #: Their values → what it came to: a file's rows have the same ones again and again.
    known: dict[tuple[str | None, ...], str]
    #: It is a variable, without filters.
    is_bare: bool


#: A text without tags: what stands in it, and the outputs between.
_Plain: TypeAlias = "tuple[str | _Part, ...]"


class Text:
    """A compiled text."""

    __slots__ = ("_environment", "_plain", "_template", "later", "reason", "source")

    def __init__(
        self,
        environment: _Environment,
        source: str,
        template: BoundTemplate | None,
        later: tuple[str, ...],
        *,
        reason: str = "",
    ) -> None:
        self._environment = environment
        self._template = template
        self._plain = None if template is None else _plain(template)
        self.source = source
        #: The expressions that stand in the rendered text as they are, since they are known only later.
        self.later = later
        #: Why it cannot be rendered, whatever the values; empty: it can.
        self.reason = reason

    def render(self, values: Mapping[str, object], *, show_later: bool = True) -> Rendered:
        """The text with these values, by their first step. Without `show_later` what is known later is left out."""
        if self._template is None:
            return Rendered(self.source, (), self.reason)
        environment = self._environment
        environment.blanks.clear()
        environment.shows_later = show_later
        try:
            if self._plain is not None and (quick := _filled(self._template, self._plain, values)) is not None:
                return quick
            buffer = _Buffer()
            self._template.render_with_context(RenderContext(self._template, globals=values), buffer)
        except Exception as error:  # whatever a value does to a filter, the text as it stands is the answer
            return Rendered(self.source, (), _reason(error))
        return Rendered(buffer.getvalue(), tuple(dict.fromkeys(environment.blanks)))


class _Buffer(io.StringIO):
    """A text's end; python-liquid's own bounded buffer would turn CR LF into LF."""

    def __init__(self) -> None:
        super().__init__(newline="")

    def write(self, text: str, /) -> int:
        if self.tell() + len(text) > TEXT_MAX:
            raise NotRendered(f"it is longer than {TEXT_MAX:,} characters")
        return super().write(text)


class _Environment(Environment):
    loop_iteration_limit = LOOP_MAX

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.is_later: Callable[[Steps], bool] = lambda _: False
        #: Of the rendering that is under way.
        self.blanks: list[str] = []
        self.shows_later = True

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS | _NOT_TAGS}
        self.add_tag(_Output)
        self.filters |= OWN
        self.filters = {name: bounded(name, found, TEXT_MAX) for name, found in self.filters.items() if name in FILTERS}


class _OutputNode(OutputNode):
    """An output that says when it left nothing, and stands for itself where its value is known only later."""

    __slots__ = ("_environment", "is_later", "names", "source")

    def __init__(self, found: OutputNode, environment: _Environment, source: str) -> None:
        super().__init__(found.token, found.expression)
        self._environment = environment
        self.source = source
        paths = list(_paths(found.expression))
        self.names = [str(path) for path in paths]
        self.is_later = _is_of_now(found.expression) or any(environment.is_later(_steps(path)) for path in paths)

    @property
    def shows_later(self) -> bool:
        """Whether what is known later stands in the text of the rendering that is under way."""
        return self._environment.shows_later

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        environment = self._environment
        if self.is_later:
            return buffer.write(self.source) if environment.shows_later else 0
        text = to_liquid_string(self.expression.evaluate(context), False)
        if not text and self.names:
            environment.blanks.append(self.names[0])
        return buffer.write(text)


class _Output(Output):
    def parse(self, stream: TokenStream) -> OutputNode:
        found = super().parse(stream)
        assert isinstance(self.env, _Environment)
        return _OutputNode(found, self.env, f"{{{{{stream.current.value.strip()}}}}}")


def _check(environment: _Environment, template: BoundTemplate) -> tuple[str, ...]:
    """The outputs that are known only later. Raises: NotRendered where a tag or filter cannot be what it is meant."""
    later: dict[str, None] = {}
    captures = False
    for node in _nodes(template):
        captures |= isinstance(node, CaptureNode)
        if isinstance(node, _OutputNode) and node.is_later:
            later[node.source] = None
        for expression in node.expressions():
            for part in _parts(expression):
                if isinstance(part, FilteredExpression):
                    for one in part.filters or ():
                        if one.name not in environment.filters:
                            raise NotRendered(f"the filter {one.name!r} is not among those that Twilio lists")
                if isinstance(part, RangeLiteral) and not isinstance(node, ForNode):
                    raise NotRendered("a range stands outside of a loop")
            if not isinstance(node, _OutputNode):
                paths = [path for path in _paths(expression) if environment.is_later(_steps(path))]
                if paths or _is_of_now(expression):
                    what = str(paths[0]) if paths else "the day"
                    raise NotRendered(f"what it says is decided by {what}, which is known only when the flow runs")
    if later and captures:
        raise NotRendered(f"it keeps {next(iter(later))}, which is known only when the flow runs")
    return tuple(later)


def _plain(template: BoundTemplate) -> _Plain | None:
    """The parts of a text without tags; None: it has some."""
    parts: list[str | _Part] = []
    for node in template.nodes:
        if isinstance(node, ContentNode):
            parts.append(node.text)
            continue
        if not isinstance(node, _OutputNode):
            return None
        paths = [_steps(path) for path in _paths(node.expression)]
        names = [tuple(step for step in steps if isinstance(step, str)) for steps in paths]
        if any(len(name) != len(steps) for name, steps in zip(names, paths, strict=True)):
            return None
        bare = isinstance(node.expression, FilteredExpression) and not node.expression.filters and len(names) == 1
        parts.append(_Part(node, tuple(names), {}, bare))
    return tuple(parts)


def _filled(template: BoundTemplate, plain: _Plain, values: Mapping[str, object]) -> Rendered | None:
    """The text; None: a variable is no text, or a part of one. Most texts are so, and a file has a million of them."""
    texts: list[str] = []
    blanks: list[str] = []
    for part in plain:
        if isinstance(part, str):
            texts.append(part)
            continue
        node, paths, known, _ = part
        if node.is_later:
            texts.append(node.source if node.shows_later else "")
            continue
        found: list[str | None] = []
        for path in paths:
            value: object = values
            for step in path:
                if not isinstance(value, dict):
                    if value is not None:
                        return None
                    break
                value = value.get(step)
            if value is not None and not isinstance(value, str):
                return None
            found.append(value)
        if part.is_bare:
            texts.append(found[0] or "")
            if not found[0]:
                blanks.append(node.names[0])
            continue
        key = tuple(found)
        text = known.get(key)
        if text is None:
            text = to_liquid_string(node.expression.evaluate(RenderContext(template, globals=values)), False)
            if len(known) >= _KNOWN_MAX:
                known.clear()
            if len(text) <= _KNOWN_TEXT_MAX:
                known[key] = text
        if not text and node.names:
            blanks.append(node.names[0])
        texts.append(text)
    text = "".join(texts)
    return Rendered(text, tuple(dict.fromkeys(blanks))) if len(text) <= TEXT_MAX else None


def _nodes(template: BoundTemplate) -> Iterator[Node]:
    context = RenderContext(template)
    waiting = list(reversed(template.nodes))
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(list(node.children(context, include_partials=False))))


def _parts(expression: Expression) -> Iterator[Expression]:
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(list(part.children())))


def _paths(expression: Expression) -> Iterator[Path]:
    return (part for part in _parts(expression) if isinstance(part, Path))


def _steps(path: Path) -> Steps:
    return tuple(None if isinstance(step, Path) else step for step in path.path)


def _is_of_now(expression: Expression) -> bool:
    return any(
        isinstance(part, FilteredExpression)
        and isinstance(part.left, StringLiteral)
        and part.left.value.strip().lower() in NOW
        and any(one.name == "date" for one in part.filters or ())
        for part in _parts(expression)
    )


def _check_names(source: str) -> None:
    for _, content in expressions(source):
        if not _QUOTED.sub("", content).isascii():
            raise NotRendered(
                'a name in it is not ASCII, which Studio does not take (81018); flow.data["…"] can be any'
            )


def _quote_keywords(source: str) -> str:
    """The text with such steps in brackets."""
    if "raw" in source:
        return source  # what it keeps as it is must not be changed
    return _MARKUP.sub(
        lambda markup: _KEYWORD_STEP.sub(lambda step: f'["{step[1]}"]' if step[1] else step[0], markup[0]), source
    )


def _reason(error: Exception) -> str:
    """Why, on one line."""
    if isinstance(error, LoopIterationLimitError):
        return f"a loop in it goes round more than {LOOP_MAX} times, and Studio ends it then"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return line if len(line) <= REASON_MAX else f"{line[:REASON_MAX]}…"
