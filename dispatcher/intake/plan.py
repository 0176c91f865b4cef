"""Opening a file: its format, its columns, and its rows batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dispatcher.errors import ColumnError, InputError, SettingsError
from dispatcher.intake.header import explained, visible
from dispatcher.intake.header import notes as header_notes
from dispatcher.intake.origin import folder_of, is_ours
from dispatcher.ledger.records import NewInput, RowBatch
from dispatcher.model import Refusal
from dispatcher.plurals import counted
from dispatcher.remedies import AnyOf, Setting

if TYPE_CHECKING:
    from dispatcher.intake.columns import ColumnMap
    from dispatcher.intake.mappings import Contacts
    from dispatcher.intake.origin import Told
    from dispatcher.intake.rows import Table
    from dispatcher.intake.screening import Screening
    from dispatcher.intake.timing import TimingReader
    from dispatcher.settings import Settings


class OpenedInput:
    """A file, open. Use it in a `with` block; `batches` once."""

    def __init__(self, new_input: NewInput, table: Table, screening: Screening, kept: Sequence[int] | None) -> None:
        self.new_input = new_input
        self._table = table
        self._screening = screening
        self._kept = kept
        self._sha256: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how the file was read: the sheet, blank rows left out, … A sentence each.

        Whole when `batches` is exhausted.
        """
        blank = self._screening.blank_rows
        left_out = (f"{counted(blank, 'blank row', 'blank rows')} left out",) if blank else ()
        return (*self._table.notes, *left_out, *self._screening.notes())

    @property
    def is_report(self) -> bool:
        """Whether it has columns of our reports: such a file is a part of its campaign."""
        return any(is_ours(visible(name)) for name in self._table.header)

    @property
    def is_part(self) -> bool:
        """Whether it may be a part of its campaign: a report of ours, or what no file can be looked at for again.

        Standard input is that, and rows of a program, which may hand them over page by page.
        """
        return self.is_report or not self.new_input.folder

    @property
    def total_bytes(self) -> int | None:
        """The file's size; None where it is not known (standard input)."""
        return self._table.total_bytes

    @property
    def done_bytes(self) -> int:
        """How much of it is read; safe to ask from another thread."""
        return self._table.done_bytes

    @property
    def sha256(self) -> str:
        """Of the file's bytes; known when `batches` is exhausted."""
        if self._sha256 is None:
            raise RuntimeError("sha256 is known when batches() is exhausted")
        return self._sha256

    def batches(self) -> Iterator[RowBatch]:
        """Every contact of the file in order, checked. Synchronous: run it in a thread.

        Raises: InputError: the file cannot be read on, has no rows, or was changed meanwhile. What was handed out
        before must then not be planned.
        """
        count = 0
        for chunk in self._table.chunks(self._kept):
            batch = self._screening.screen(chunk)
            if batch.row_numbers:
                count += len(batch.row_numbers)
                yield batch
        if not count:
            raise InputError(
                f"{self.new_input.source} has a header and no rows", fix="put a row for each contact below the header"
            )
        self._sha256 = self._table.sha256()

    def close(self) -> None:
        """Close the file."""
        self._table.close()

    def __enter__(self) -> OpenedInput:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_input(
    contacts: Contacts, settings: Settings, *, told: Told | None = None, name: str | None = None
) -> OpenedInput:
    """Open a file of contacts as [columns], [input] and [campaign] say; `-` is standard input.

    Or take rows from a program, as mappings; `name` is what these are called. `told`: how what a report says of its
    rows is taken; None: not at all.

    Raises: InputError: they cannot be used. ColumnError: a column that the settings name is not in them.
    SettingsError: the sender, region or delimiter is wrong. UsageError: neither a file nor rows. What the rows raise.
    """
    # Reading a file takes pandas and phonenumbers; asking for help or the status does not.
    from dispatcher.intake.columns import map_columns
    from dispatcher.intake.formats import open_table
    from dispatcher.intake.mappings import MappingTable, check_name
    from dispatcher.intake.phones import Addresses
    from dispatcher.intake.screening import Limits, Screening

    try:
        addresses = Addresses(settings.columns.region)
    except ValueError:
        raise SettingsError(
            f"[columns] region: there is no country {settings.columns.region!r}", fix=Setting("columns.region", "US")
        ) from None
    sender: str | None = None
    if settings.campaign.from_:
        answer = addresses.read_sender(settings.campaign.from_)
        if isinstance(answer, Refusal):
            raise SettingsError(f"[campaign] from: {answer.sentence}", fix=Setting("campaign.from", "+1…"))
        sender = answer
    elif not settings.campaign.from_column:
        raise SettingsError(
            "the sender is not set", fix=AnyOf(Setting("campaign.from", "+1…"), Setting("campaign.from_column"))
        )
    check_name(contacts, name)
    table: Table
    if isinstance(contacts, (str, Path)):
        table, source, folder = open_table(contacts, settings.input), str(contacts), folder_of(contacts)
    else:
        table, folder = MappingTable(contacts, name=name), ""
        source = table.name
    try:
        try:
            columns = map_columns(table.header, settings.columns, settings.campaign)
        except ColumnError as error:
            if not isinstance(contacts, (str, Path)):
                # Its names are where they are: keys.
                raise
            raise explained(error, table, settings.columns.to, settings.input.delimiter) from None
        table.check_used(columns.in_file(columns.to), [columns.in_file(position) for position in columns.used])
        table.notes.extend(header_notes(columns.header))
        screening = Screening(
            columns,
            addresses,
            from_address=sender,
            id_parameter=settings.campaign.id_parameter,
            limits=Limits(
                parameters_max_bytes=settings.input.parameters_max_bytes, cell_max_bytes=settings.input.cell_max_bytes
            ),
            told=told,
            timing=_timing(columns, settings),
        )
    except BaseException:
        table.close()
        raise
    new_input = NewInput(
        source=source,
        header=columns.header,
        parameter_columns=columns.parameters,
        parameter_constants=columns.constants,
        from_address=sender,
        folder=folder,
        key_columns=tuple(visible(name) for name in settings.columns.key),
    )
    return OpenedInput(new_input, table, screening, columns.kept)


def _timing(columns: ColumnMap, settings: Settings) -> TimingReader | None:
    """What reads places and times; None: nothing asks for them. Raises: SettingsError."""
    own = (columns.zone, columns.area, columns.not_before, columns.not_after)
    if not settings.keeps_places and not any(column is not None for column in own):
        return None
    from dispatcher.intake.timing import TimingReader, places_of

    return TimingReader(
        columns,
        places_of(settings),
        keeps_places=settings.keeps_places,
        skips_unknown=settings.hours_mode == "wait",
    )
