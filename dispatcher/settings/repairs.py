"""A statement of config.toml that cannot be read: what people write instead of TOML, and how it must look.

Each repair takes one habit out (a colon, curly quotes, a text without quotes, …); they are tried in turn until tomllib
reads the statement. What is told is never a guess that could not be read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable

#: What tomllib raises: its own error is a ValueError, and a number of thousands of digits is another one.
UNREADABLE = (ValueError, RecursionError)
#: What word processors make of quotation marks, in pairs.
_PAIRS = (
    re.compile('[\u201c\u201d\u201e\u00ab\u00bb]([^\u201c\u201d\u201e\u00ab\u00bb"]*)[\u201c\u201d\u00ab\u00bb]'),
    re.compile('[\u2018\u201a\u2039\u203a]([^\u2018\u2019\u201a\u2039\u203a"]*)[\u2018\u2019\u2039\u203a]'),
)
_CURLY = re.compile("[\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u201a\u2039\u203a]")
QUOTED = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_QUOTED_OR = r"(\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')|"
_BLANKS = re.compile(_QUOTED_OR + "([\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000])")
_INVISIBLE = re.compile(_QUOTED_OR + "([\u200b-\u200f\u2060\ufeff\u00ad])")
_COMMENT = re.compile(_QUOTED_OR + r"((?:^|(?<=\s))(?://|;|--|')(?=\s|\w).*)", re.MULTILINE)
_KEY = r"^(\s*[A-Za-z_][\w-]*\s*)"
_SEPARATOR = re.compile(_KEY + r"(?::=|=>|==+|:|=\s+=)(?!=)\s*")
_BLANK_IN_NAME = re.compile(r"^\s*([A-Za-z_]\w*(?:[ .]+[A-Za-z_]\w*)+)\s*=")
_ASSIGNED = re.compile(r"^(\s*[\w-]+\s*=)\s*(.*?)\s*$", re.DOTALL)
_HEADER = re.compile(r"^\s*[\[({<]*\s*([A-Za-z_][\w.]*)\s*:?[\])}>]+\s*(#.*)?$|^\s*\[+\s*([A-Za-z_][\w.]*)\s*(#.*)?$")
_BARE = re.compile(r"true|false|[-+]?(?:0|[1-9]\d*)(?:\.\d+)?")
_DECIMAL = re.compile(r"([-+]?\d+),(\d+)")
_THOUSANDS = re.compile(r"([-+]?\d{1,3})((?:[,' ]\d{3})+)")
_WITH_UNIT = re.compile(
    r"[\"']?([-+]?\d+(?:\.\d+)?)\s*(?:/|per\b|%|(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|bytes|rows?|requests?)\b).*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^,\s\"'][^,\"']*")


def repaired(statement: str, *, is_list: bool) -> tuple[str, list[str]] | None:
    """The statement as it must read, and what was wrong with it; None: that cannot be told.

    `statement`: a table's header, or a name with its value, over however many lines. `is_list`: the setting takes a
    list.
    """
    wrong: list[str] = []
    for name, repair in _REPAIRS:
        if reads(statement):
            break
        better = repair(statement)
        if better != statement:
            wrong.append(name)
            statement = better
    if reads(statement):
        return statement.strip(), wrong
    better = _value(statement, wrong, is_list=is_list)
    return (better.strip(), wrong) if reads(better) else None


def value_of(statement: str) -> str:
    """What stands after the = as it is written, without its comment."""
    return _without_comment(re.split("[=:]", statement, maxsplit=1)[-1].strip())[0]


def reads(text: str) -> bool:
    """Whether it is TOML."""
    try:
        tomllib.loads(text)
    except UNREADABLE:
        return False
    return True


def _blanks(text: str) -> str:
    return _INVISIBLE.sub(_only_second(""), _BLANKS.sub(_only_second(" "), text))


def _only_second(replacement: str) -> Callable[[re.Match[str]], str]:
    """What stands in quotation marks stays."""
    return lambda match: match[1] if match[1] is not None else replacement


def _quotes(text: str) -> str:
    if not _CURLY.search(QUOTED.sub("", text)):
        return text
    for pair in _PAIRS:
        text = pair.sub(r'"\1"', text)
    return text if reads(text) else _CURLY.sub('"', text)


def _comments(text: str) -> str:
    return _COMMENT.sub(lambda match: match[1] or "# " + match[2].lstrip("/;-' "), text)


def _separator(text: str) -> str:
    text = _SEPARATOR.sub(lambda match: match[1].rstrip() + " = ", text)
    # TOML would take it for a number, which no setting is.
    return re.sub(r"=\s*(\+\d+|\d{10,})(?=\s|$)", r'= "\1"', text)


def _header(text: str) -> str:
    match = _HEADER.match(text)
    return f"[{match[1] or match[3]}]" if match else text


def _name(text: str) -> str:
    def underscored(match: re.Match[str]) -> str:
        return re.sub(r"\s+", "_", match[1].strip()) + " ="

    return _BLANK_IN_NAME.sub(underscored, text)


def _one_line(text: str) -> str:
    if "{" not in text or "\n" not in text.strip():
        return text
    parts = [line.partition("#")[0].strip().rstrip(",") for line in text.strip().split("\n")]
    inner = ", ".join(part for part in (parts[0].partition("{")[2].strip(), *parts[1:-1]) if part)
    last = parts[-1].removesuffix("}").strip().rstrip(",")
    return f"{parts[0].partition('{')[0]}{{ {inner}{', ' if inner and last else ''}{last} }}"


def _ends(text: str) -> str:
    return re.sub(r"[,;]\s*$", "", text)


_REPAIRS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("blanks that only look like blanks", _blanks),
    ("typographic quotation marks", _quotes),
    ("a comment that does not begin with #", _comments),
    ("no = between name and value", _separator),
    ("brackets that do not fit", _header),
    ("a blank in the name", _name),
    ("a table in braces over several lines", _one_line),
    ("a comma or semicolon at the end", _ends),
)


def _value(statement: str, wrong: list[str], *, is_list: bool) -> str:
    """The value put right; adds to `wrong` what it was."""
    assigned = _ASSIGNED.match(statement)
    if assigned is None or not assigned[2] or assigned[2].startswith("#"):
        return statement
    name, value = assigned[1], assigned[2]
    code, comment = _without_comment(value)
    for what, repair in _VALUES:
        better = repair(code, is_list)
        if better is not None and reads(f"{name} {better}"):
            wrong.append(what)
            return f"{name} {better}" + (f"  #{comment}" if comment else "")
    return statement


def _without_comment(value: str) -> tuple[str, str]:
    """A # begins a comment where a blank stands before it, and no quotation mark is open."""
    kept = QUOTED.sub(lambda match: "_" * len(match[0]), value)
    at = re.search(r"\s+#", kept)
    return (value, "") if at is None else (value[: at.start()], value[at.end() :])


def _backslash(value: str, is_list: bool) -> str | None:
    fits = re.fullmatch(r'"([^"\']*\\[^"\']*)"', value)
    return f"'{fits[1]}'" if fits else None


def _lone_quote(value: str, is_list: bool) -> str | None:
    inner = value.strip("\"'")
    quotes = value[:1] in "\"'" or value[-1:] in "\"'"
    return _in_quotes(inner) if quotes and not re.search("[\"',\n\\[\\]]", inner) else None


def _capitals(value: str, is_list: bool) -> str | None:
    return value.lower() if value.lower() in ("true", "false") else None


def _decimal(value: str, is_list: bool) -> str | None:
    fits = _DECIMAL.fullmatch(value)
    return f"{fits[1]}.{fits[2]}" if fits and len(fits[2]) != 3 else None


def _thousands(value: str, is_list: bool) -> str | None:
    return re.sub(r"[,' ]", "", value) if _THOUSANDS.fullmatch(value) else None


def _unit(value: str, is_list: bool) -> str | None:
    fits = _WITH_UNIT.fullmatch(value)
    return fits[1] if fits else None


def _items(value: str, is_list: bool) -> str | None:
    opened = value.startswith("[")
    if not opened and not (is_list or re.search(r"[\"']\s*,\s*[\"']", value)):
        return None
    inner = value.removeprefix("[").removesuffix("]")
    items = [item.strip() for item in _ITEM.findall(inner)]
    if re.search("[\\[\\]{}=]", QUOTED.sub("", inner)) or not items:
        return None
    return "[" + ", ".join(item if QUOTED.fullmatch(item) else _in_quotes(item) for item in items) + "]"


def _bare(value: str, is_list: bool) -> str | None:
    if re.search('["\n]', value) or value[:1] in "[{'" or _BARE.fullmatch(value):
        return None
    return _in_quotes(value)


def _in_quotes(text: str) -> str:
    return f"'{text}'" if "\\" in text else f'"{text}"'


#: In this order: the first that makes the value readable is told.
_VALUES: tuple[tuple[str, Callable[[str, bool], str | None]], ...] = (
    ("a backslash in double quotation marks", _backslash),
    ("true and false are written small", _capitals),
    ("a comma in a number", _decimal),
    ("separated thousands", _thousands),
    ("a number with its unit", _unit),
    ("list items without brackets or quotation marks", _items),
    ("a quotation mark without its other half", _lone_quote),
    ("a text without quotation marks", _bare),
)
