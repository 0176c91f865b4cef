"""Text files as UTF-8 bytes, whatever they were written in. An encoding is declared or marked, never guessed."""

from __future__ import annotations

import codecs

from dispatcher.errors import InputError
from dispatcher.intake.sources import Plain
from dispatcher.remedies import Advice, AnyOf, Setting

#: UTF-32 first: its little-endian mark starts with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Undecodable(Exception):
    """Some bytes are no text in the file's encoding. `before`: the text between the last read and them."""

    def __init__(self, before: bytes, found: str) -> None:
        super().__init__(found)
        self.before = before
        self.found = found


class Text:
    """A text file as UTF-8 bytes without byte order mark. UTF-8 itself passes unchecked: whoever cuts it checks it."""

    def __init__(self, content: Plain, encoding: str | None) -> None:
        """`encoding` None: what the byte order mark says, else UTF-8.

        Raises: InputError: no such encoding.
        """
        self._content = content
        head = content.read(4)
        mark = next(((mark, codec) for mark, codec in _MARKS if head.startswith(mark)), None)
        if encoding is not None:
            try:
                codec = codecs.lookup(encoding).name
                text_codec = "".encode(codec) is not None
            except (LookupError, TypeError):
                text_codec = False
            if not text_codec:
                raise InputError(
                    f"[input] encoding: no encoding is called {encoding!r}",
                    fix=AnyOf(Setting("input.encoding", "utf-8"), Setting("input.encoding", "cp1252")),
                )
            if codec in ("utf-8-sig", "utf-16", "utf-32"):
                codec = mark[1] if mark else {"utf-8-sig": "utf-8"}.get(codec, codec)
        else:
            codec = mark[1] if mark else "utf-8"
        if mark and mark[1] == codec:
            head = head[len(mark[0]) :]
        self.encoding = codec
        self._decoder = None if codec == "utf-8" else codecs.getincrementaldecoder(codec)("strict")
        self._head = head

    def read(self, size: int) -> bytes:
        """About `size` bytes of UTF-8; b"" at the end.

        Raises: Undecodable.
        """
        while True:
            data = self._head or self._content.read(size)
            self._head = b""
            if self._decoder is None:
                return data
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                before = error.object[: error.start].decode(self.encoding, "ignore")
                found = error.object[error.start : error.end][:4]
                raise Undecodable(before.encode("utf-8"), _hex(found)) from None
            if text or not data:
                return text.encode("utf-8", "surrogatepass")


def undecodable(name: str, encoding: str, row_number: int, found: str) -> InputError:
    """The error for bytes that are no text, with the row they are in."""
    other = "cp1252" if encoding == "utf-8" else "utf-8"
    return InputError(
        f"{name}, row {row_number}: the text is not {encoding.upper()}",
        found=f"byte {found}",
        fix=AnyOf(Setting("input.encoding", other), Advice("whatever it was saved in"), Advice("save it as UTF-8")),
    )


def check_utf8(data: bytes, final: bool = True) -> tuple[int, str] | None:
    """Where UTF-8 is broken: the offset and the bytes as hex; None if it is not. Not `final`: the end may be cut."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if final or error.reason != "unexpected end of data":
            return error.start, _hex(data[error.start : error.end])
    return None


def _hex(data: bytes) -> str:
    return " ".join(f"0x{byte:02x}" for byte in data)


def has_mark(head: bytes) -> bool:
    """Whether a file's first bytes are a byte order mark."""
    return any(head.startswith(mark) for mark, _ in _MARKS)
