"""A number and what it counts, for people: 1 row, 1,240 rows."""

from __future__ import annotations


def counted(n: int, one: str, many: str | None = None) -> str:
    """`one` is said of a single thing; of others `many`, or without it the first word of `one` with an s.

    counted(1, "row is") is "1 row is"; counted(2, "row is", "rows are") is "2 rows are".
    """
    if n == 1:
        return f"1 {one}"
    if many is None:
        first, space, rest = one.partition(" ")
        many = f"{first}s{space}{rest}"
    return f"{n:,} {many}"
