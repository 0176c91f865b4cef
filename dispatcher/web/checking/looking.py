"""The job `look`: what a file nobody has explained looks like, for the form in which a person says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher.campaign.setup import likely_sheet
from dispatcher.errors import DispatcherError, SheetNotChosen
from dispatcher.settings import Settings
from dispatcher.web.checking.jobs import File, LookJob
from dispatcher.web.figures import sample
from dispatcher.web.words import is_fit

if TYPE_CHECKING:
    from dispatcher.intake.looking import Look
    from dispatcher.settings import InputSettings

#: Cells of a column that are shown, and characters of each.
SAMPLES = 3
SAMPLE_MAX = 80
#: So many sheets are looked at for a guess.
SHEETS_MAX = 6


def look_at(job: LookJob) -> dict[str, Any]:
    """What is seen, as a draft keeps it. Blocking. Raises: InputError, SettingsError."""
    from dispatcher.intake.encodings import samples
    from dispatcher.intake.guesses import numbers_column, region

    path, wanted = Path(job.file.path), Settings.model_validate(job.settings).input
    encodings = samples(path) if wanted.encoding is None else []
    if encodings:
        wanted = wanted.model_copy(update={"encoding": encodings[0].encoding})
    seen, sheets = _look(path, wanted)
    numbers = numbers_column(seen.columns)
    country = region(seen.cells[numbers.name]) if numbers.name is not None else None
    notes = told(seen.notes, job.file)
    if encodings:
        notes.append(f'Letters beyond English are read like this: "{sample(encodings[0].text, 80)}".')
    return {
        "columns": [
            {"name": name, "samples": [cell[:SAMPLE_MAX] for cell in seen.cells[name][:SAMPLES]]} for name in seen.names
        ],
        "rows": seen.rows,
        "sheets": list(sheets),
        "sheet": seen.settings.sheet,
        "to": numbers.name,
        "is_certain": numbers.is_certain,
        "country": country.country if country is not None else None,
        "needs_country": country is not None and country.is_needed,
        "repeated": list(seen.repeated),
        "notes": notes,
        "encodings": [{"encoding": one.encoding, "text": one.text} for one in encodings],
        "settings": _settings(seen.settings),
    }


def _look(path: Path, wanted: InputSettings) -> tuple[Look, tuple[str, ...]]:
    """The sheet that is wanted, else the likely one; and all of them, where there are several to choose from."""
    from dispatcher.intake.looking import look

    if wanted.sheet is not None:
        return look(path, wanted), _sheets(path, wanted)
    try:
        return look(path, wanted), ()
    except SheetNotChosen as several:
        return _likely(path, wanted, several.sheets), several.sheets


def _sheets(path: Path, wanted: InputSettings) -> tuple[str, ...]:
    from dispatcher.intake.formats import open_table

    try:
        open_table(path, wanted.model_copy(update={"sheet": None, "header_row": 0})).close()
    except SheetNotChosen as several:
        return several.sheets
    except DispatcherError:
        # Of one sheet, and not of the one that is wanted.
        return ()
    return ()


def _likely(path: Path, wanted: InputSettings, sheets: Sequence[str]) -> Look:
    """The sheet that alone has numbers, else the first that can be looked at."""
    from dispatcher.intake.looking import look

    looks: list[tuple[str, Look]] = []
    failed: DispatcherError | None = None
    for sheet in sheets[:SHEETS_MAX]:
        try:
            looks.append((sheet, look(path, wanted.model_copy(update={"sheet": sheet}))))
        except DispatcherError as error:
            failed = failed or error
    if not looks:
        assert failed is not None
        raise failed
    likely = likely_sheet(looks)
    return next((seen for name, seen in looks if name == likely), looks[0][1])


def _settings(seen: InputSettings) -> dict[str, Any]:
    """How the file is to be read, where that is not as every file is."""
    found = {f"input.{name}": getattr(seen, name) for name in ("sheet", "encoding", "delimiter", "header_row")}
    return {name: value for name, value in found.items() if value not in (None, 0)}


def told(notes: Sequence[str], file: File) -> list[str]:
    """Notes of how a file was read, as sentences for the page; what names commands or settings is left out."""
    found = []
    for note in notes:
        text = note.replace(file.path, file.name)
        if is_fit(text):
            found.append(text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else "."))
    return found
