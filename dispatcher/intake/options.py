"""What the settings say about reading a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeOptions:
    """By section of the settings; this room knows no settings itself."""

    #: [columns]
    to: str | None
    region: str | None = None
    #: Columns, or parameter -> column; None: every column but To and From.
    parameters: Sequence[str] | Mapping[str, str] | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    #: Empty: the normalised To.
    key: Sequence[str] = ()
    #: [campaign]
    from_address: str | None = None
    from_column: str | None = None
    #: "": off.
    id_parameter: str = "dispatch_id"
    #: [input]
    sheet: str | None = None
    #: One character, or "tab".
    delimiter: str | None = None
    encoding: str | None = None
    parameters_max_bytes: int = 16_384
    cell_max_bytes: int = 1_000_000
    #: Take rows with too few cells as if the rest were empty (some spreadsheets leave trailing delimiters out).
    fill_short_rows: bool = False
