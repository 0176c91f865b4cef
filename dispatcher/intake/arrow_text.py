"""Values of Arrow's types as the text that a person would write.

| type                            | text                                                          |
|---------------------------------|---------------------------------------------------------------|
| string, dictionary of strings   | as it is                                                      |
| int, uint, decimal              | its digits: 15551234567, 1.10                                 |
| float, double, half             | the shortest that reads back the same: 0.1, 120; NaN: empty   |
| bool                            | true, false                                                   |
| date, time, timestamp           | ISO 8601: 2026-01-02, 10:30:00, 2026-01-02T10:30:00+01:00     |
| duration                        | 30:00:00                                                      |
| list, struct, map               | JSON                                                          |
| binary                          | its text, if it is UTF-8                                      |
| null                            | empty                                                         |
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from dispatcher.intake.numbers import moment_text

#: What pyarrow writes where no calendar has the time.
_OUT_OF_RANGE = "<value out of range"


class NoTextError(Exception):
    """A column's values cannot be written as text: why."""


def texts(array: Any, dates: str = "", *, with_clock: bool = False) -> Any:
    """The column as large_string without nulls. `dates`: how dates are written (strftime), with their times or not.

    Raises: NoTextError.
    """
    try:
        found = pc.cast(_texts(array), pa.large_string())
        if dates and (pa.types.is_date(array.type) or pa.types.is_timestamp(array.type)):
            return _made(_dated(text, dates, with_clock=with_clock) for text in found.to_pylist())
        return found
    except MemoryError:  # pyarrow's own is an ArrowException, too
        raise
    except (pa.ArrowException, ArithmeticError, ValueError, LookupError, TypeError, NotImplementedError) as error:
        raise NoTextError(_why(error)) from None


def has_times(array: Any) -> bool:
    """Whether one of these timestamps is more than a day alone."""
    try:
        return not pc.all(pc.match_substring_regex(texts(array), r"^$|T00:00:00(?:$|[-+Z])")).as_py()
    except NoTextError:
        return False


def _why(error: Exception) -> str:
    return "bytes that are no text" if isinstance(error, UnicodeDecodeError) else "values that have no text"


def _texts(array: Any) -> Any:
    kind = array.type
    if isinstance(kind, pa.Bool8Type):
        return _texts(pc.cast(array.storage, pa.bool_()))
    if isinstance(kind, pa.BaseExtensionType):
        return _texts(array.storage) if not pa.types.is_fixed_size_binary(kind.storage_type) else _each(array)
    if pa.types.is_dictionary(kind):
        return _texts(array.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _checked(_filled(pc.cast(array, pa.large_string())))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _checked(_filled(_of_bytes(array)))
    if pa.types.is_binary_view(kind):
        return _checked(_filled(_of_bytes(pc.cast(array, pa.large_binary()))))
    if pa.types.is_decimal(kind):
        return _made(_plain_decimal(text) for text in _filled(pc.cast(array, pa.string())).to_pylist())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return _filled(pc.cast(array, pa.string()))
    if pa.types.is_floating(kind):
        dtype = kind.to_pandas_dtype()
        return _made("" if value is None else _float(dtype(value)) for value in array.to_pylist())
    if pa.types.is_date(kind):
        return _in_range(_filled(pc.cast(pc.cast(array, pa.date32()), pa.string())))
    if pa.types.is_timestamp(kind):
        return _timestamps(array)
    if pa.types.is_time(kind):
        return _made(map(_iso, _filled(pc.cast(array, pa.string())).to_pylist()))
    return _each(array)


def _filled(array: Any) -> Any:
    return pc.fill_null(array, "")


def _made(found: Iterable[str]) -> Any:
    return pa.array(list(found), pa.large_string())


def _checked(array: Any) -> Any:
    """Text that is UTF-8: a file may call bytes text that are none. Raises: NoTextError."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raise NoTextError("bytes that are no text") from None
    return array


def _of_bytes(array: Any) -> Any:
    try:
        return pc.cast(pc.cast(array, pa.large_binary()), pa.large_string())
    except pa.ArrowInvalid:
        raise NoTextError("bytes that are no text") from None


def _in_range(array: Any) -> Any:
    if pc.any(pc.starts_with(array, _OUT_OF_RANGE)).as_py():
        raise NoTextError("times that no calendar has")
    return array


def _timestamps(array: Any) -> Any:
    try:
        found = _filled(pc.cast(array, pa.string()))
    except pa.ArrowInvalid:
        # A zone that this system does not know (GMT+2): the same instants in UTC.
        found = _filled(pc.cast(pc.cast(array, pa.timestamp(array.type.unit, "UTC")), pa.string()))
    return _made(map(_iso, _in_range(found).to_pylist()))


def _dated(iso: str, dates: str, *, with_clock: bool) -> str:
    """Times that Python's calendar has not stay as they are."""
    try:
        when = datetime.datetime.fromisoformat(iso) if iso else None
    except ValueError:
        return iso
    return "" if when is None else moment_text(when, dates, with_clock=with_clock)


def _each(array: Any) -> Any:
    kind = array.type
    return _made("" if value is None else _one(value, kind) for value in array.to_pylist())


def _one(value: Any, kind: Any) -> str:
    plain = _plain(value, kind)
    return plain if isinstance(plain, str) else orjson.dumps(plain).decode()


def _float(value: Any) -> str:
    """`value`: a numpy number, so that it is as short as its own precision allows."""
    if np.isnan(value):
        return ""
    if np.isinf(value):
        return str(value)
    if value == 0:  # which has no sign
        return "0"
    if 1e-7 <= abs(value) < 1e21:
        return str(np.format_float_positional(value, unique=True, trim="-"))
    return str(value)


def _plain_decimal(text: str) -> str:
    return f"{Decimal(text):f}" if "E" in text else text


def _iso(text: str) -> str:
    """pyarrow's `2026-01-02 10:30:00.000000+0100` as ISO 8601, without a fraction that says nothing."""
    if not text:
        return text
    date, space, time = text.rpartition(" ")
    sign = max(time.rfind("+"), time.rfind("-"))
    zone = "Z" if time.endswith("Z") else time[sign:] if sign > 0 else ""
    clock = time.removesuffix(zone)
    if "." in clock:
        clock = clock.rstrip("0").rstrip(".")
    if len(zone) == 5:
        zone = f"{zone[:3]}:{zone[3:]}"
    return f"{date}T{clock}{zone}" if space else f"{clock}{zone}"


def _plain(value: Any, kind: Any) -> Any:
    """A value as orjson takes it, whatever it is nested in: what is inside is written as it would be alone."""
    match value:
        case None | bool():
            return value
        case str():
            return value
        case bytes():
            return value.decode("utf-8")
        case dict():
            return {str(key): _plain(item, _field(kind, key)) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, _item(kind, at)) for at, item in enumerate(value)]
        case float():
            number = kind.to_pandas_dtype()(value) if pa.types.is_floating(kind) else np.float64(value)
            text = _float(number)
            return orjson.Fragment(text) if np.isfinite(number) else None
        case int():
            return orjson.Fragment(str(value))
        case Decimal():
            return orjson.Fragment(f"{value:f}")
        case datetime.datetime() | datetime.date() | datetime.time():
            return _iso(value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat())
        case datetime.timedelta():
            return _hours(value)
        case uuid.UUID():
            return str(value)
    return str(value)


def _hours(value: datetime.timedelta) -> str:
    seconds = round(abs(value.total_seconds()))
    sign = "-" if value < datetime.timedelta(0) and seconds else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _field(kind: Any, name: Any) -> Any:
    if pa.types.is_struct(kind) and kind.get_field_index(str(name)) >= 0:
        return kind.field(str(name)).type
    return pa.null()


def _item(kind: Any, at: int) -> Any:
    if pa.types.is_map(kind):
        return pa.struct([("0", kind.key_type), ("1", kind.item_type)])
    if pa.types.is_struct(kind):
        return kind.field(at).type if at < kind.num_fields else pa.null()
    return getattr(kind, "value_type", pa.null())
