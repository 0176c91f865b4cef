"""Which column is what. Nothing is guessed: a name that does not fit gets the names there are, and the nearest.

In: the header as written, and the settings. Out: positions. A name in the settings means the column whose header looks
the same (`header.visible`); no other leniency.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.errors import ColumnError
from dispatcher.intake.header import shown as shown_name
from dispatcher.intake.header import visible
from dispatcher.intake.origin import CAMPAIGN_COLUMN, STATUS_COLUMN, column_at, is_ours
from dispatcher.remedies import Advice, AnyOf, Remedy, Setting

if TYPE_CHECKING:
    from dispatcher.settings import CampaignSettings, ColumnsSettings


#: What pandas writes a table's row numbers under: no column of the user's.
_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """Positions in a row's cells, that is, after the report's own columns are dropped."""

    #: Names as written, without the report's own.
    header: tuple[str, ...]
    #: The file's columns that are read, by position; None: all. Behind the cells, what a report says of its rows.
    kept: tuple[int, ...] | None
    #: Where a report tells its rows' states and campaigns; None: the file does not.
    status: int | None
    campaign: int | None
    to: int
    from_: int | None
    key: tuple[int, ...]
    #: Parameter name -> position.
    parameters: dict[str, int]
    constants: dict[str, str]
    #: Where the contact's time zone and state stand, and the row's own times; None: no column has them.
    zone: int | None = None
    area: int | None = None
    not_before: int | None = None
    not_after: int | None = None

    @property
    def used(self) -> frozenset[int]:
        """The columns whose values go out, or say whose row it is."""
        some = (self.from_, self.zone, self.area, self.not_before, self.not_after)
        named = [position for position in some if position is not None]
        return frozenset((self.to, *named, *self.key, *self.parameters.values()))

    def in_file(self, position: int) -> int:
        """Where a column stands in the file."""
        return position if self.kept is None else self.kept[position]

    def name(self, position: int) -> str:
        """A column's name as a message shows it."""
        return visible(self.header[position]) or f"column {position + 1}"


def map_columns(file_header: Sequence[str], settings: ColumnsSettings, campaign: CampaignSettings) -> ColumnMap:
    """Find the columns that the settings name.

    Raises: ColumnError: a name is missing, not in the file, there twice, or two parameters share a name.
    """
    kept = tuple(position for position, name in enumerate(file_header) if not is_ours(visible(name)))
    header = tuple(file_header[position] for position in kept)
    status, campaign_at = column_at(file_header, STATUS_COLUMN), column_at(file_header, CAMPAIGN_COLUMN)
    behind = tuple(position for position in (status, campaign_at) if position is not None)
    names = _Names(header)
    if settings.to is None:
        raise ColumnError(
            "the column with the phone numbers is not set",
            found=names.shown(),
            fix=Setting("columns.to", names.likely_to()),
        )
    to = names.position(settings.to, "columns.to")
    from_ = names.position(campaign.from_column, "campaign.from_column") if campaign.from_column else None
    key = tuple(names.position(name, "columns.key") for name in settings.key)
    rules = {
        name: names.position(column, f"columns.{name}")
        for name in ("zone", "area", "not_before", "not_after")
        if (column := getattr(settings, name)) is not None
    }
    parameters = _parameters(names, settings.parameters, used={to, from_})
    _check_names(parameters, settings.constants, campaign.id_parameter)
    return ColumnMap(
        header=header,
        kept=None if len(kept) == len(file_header) else (*kept, *behind),
        status=None if status is None else len(header),
        campaign=None if campaign_at is None else len(header) + len(behind) - 1,
        to=to,
        from_=from_,
        key=key,
        parameters=parameters,
        constants=dict(settings.constants),
        **rules,
    )


class _Names:
    """A header that can be asked for names."""

    def __init__(self, header: Sequence[str]) -> None:
        self.stripped = [visible(name) for name in header]

    def position(self, name: str, setting: str, shown: str = "") -> int:
        """Where the column is that a setting names; `shown`: what a message calls it, if not `[table] name`."""
        shown = shown or "[{}] {}".format(*setting.split("."))
        wanted = visible(name)
        found = [position for position, column in enumerate(self.stripped) if column == wanted and column]
        if len(found) == 1:
            return found[0]
        if found:
            raise ColumnError(
                f"{shown}: the file has {len(found)} columns named {_quoted(wanted)}",
                found=f"columns {_listed(str(position + 1) for position in found)}",
                fix="give them different names in the header line",
            )
        near = self.near(wanted)
        fix: Remedy = Advice(f"did you mean {_quoted(near)}?") if near else Setting(setting)
        raise ColumnError(f"{shown}: the file has no column {_quoted(wanted)}", found=self.shown(), fix=fix)

    def near(self, wanted: str) -> str | None:
        by_lower = {column.lower(): column for column in self.stripped if column}
        close = difflib.get_close_matches(wanted.lower(), by_lower, n=1, cutoff=0.6)
        return by_lower[close[0]] if close else None

    def likely_to(self) -> str:
        """A column for the hint only: it is shown, never used."""
        for word in ("phone", "mobile", "cell", "number", "tel", "to"):
            for column in self.stripped:
                if word in column.lower():
                    return column
        return "COLUMN"

    def shown(self) -> str:
        if not any(self.stripped):
            return "no named column"
        names = [_quoted(name) for name in self.stripped if name]
        more = len(names) - 40
        return "the columns " + ", ".join(names[:40]) + (f" and {more} more" if more > 0 else "")


def _parameters(
    names: _Names, chosen: Sequence[str] | Mapping[str, str] | None, used: set[int | None]
) -> dict[str, int]:
    if isinstance(chosen, Mapping):
        return {
            parameter: names.position(column, "columns.parameters", f"[columns.parameters] {parameter}")
            for parameter, column in chosen.items()
        }
    if chosen is not None:
        twice = _first_repeated(visible(name) for name in chosen)
        if twice is not None:
            raise ColumnError(f"[columns] parameters names {_quoted(twice)} twice", fix="name each column once")
        return {visible(name): names.position(name, "columns.parameters") for name in chosen}
    parameters: dict[str, int] = {}
    for position, column in enumerate(names.stripped):
        # A column without a name has no name to be sent under.
        if position in used or not column or _INDEX.fullmatch(column):
            continue
        if column in parameters:
            names.position(column, "columns.parameters", "[columns] parameters (every column, as none are named)")
        parameters[column] = position
    return parameters


def _check_names(parameters: Mapping[str, int], constants: Mapping[str, str], id_parameter: str) -> None:
    for name in constants:
        if name in parameters:
            raise ColumnError(
                f"the parameter {_quoted(name)} is set twice: by a column and by [columns.constants]",
                fix=AnyOf(Setting("columns.parameters"), Advice("rename the constant")),
            )
    if id_parameter and (id_parameter in parameters or id_parameter in constants):
        raise ColumnError(
            f"the parameter {_quoted(id_parameter)} is the name under which each row's id travels",
            fix=AnyOf(Advice("send the column under another name"), Setting("campaign.id_parameter")),
        )
    for name in (*parameters, *constants):
        if not name:
            raise ColumnError("a parameter has no name", fix="give each parameter a name")


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _listed(parts: Iterable[str]) -> str:
    return " and ".join(parts)


def _quoted(name: str | None) -> str:
    return f'"{shown_name(name or "")}"'
