"""The only pandas reader: regular blocks of delimited text, Parquet, workbooks."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd


def parse_block(block: bytes, delimiter: str, width: int, kept: Sequence[int] | None) -> list[tuple[str, ...]]:
    """The rows of a block of UTF-8 whose records all have `width` fields (`records.regular_prefix` says so).

    Cells are text exactly as written: pandas would take "+1555…" for a number and "NA" for nothing.
    """
    frame = pd.read_csv(
        io.BytesIO(block),
        sep=delimiter,
        header=None,
        names=range(width),
        usecols=None if kept is None else list(kept),
        dtype=object,
        keep_default_na=False,
        na_filter=False,
        index_col=False,
        skip_blank_lines=False,
        encoding="utf-8",
        engine="c",
    )
    return list(zip(*(frame[position].tolist() for position in frame.columns), strict=True))
