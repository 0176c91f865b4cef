"""Which column a flow's variable means. Pure: what is certain is taken, what is likely is a guess for a question."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Words that mean the same in columns and in flows, folded; the first is what flows use.
_SAME = (
    ("firstname", "givenname", "forename", "vorname", "rufname", "prenom", "nombre", "nome", "voornaam", "imie"),
    ("lastname", "surname", "familyname", "nachname", "familienname", "nom", "apellido", "apellidos", "cognome"),
    ("name", "fullname", "kunde", "customer", "client", "cliente", "contact", "kontakt"),
    ("date", "datum", "fecha", "data"),
    ("time", "uhrzeit", "zeit", "heure", "hora", "ora"),
    ("appointment", "termin", "rendezvous", "rdv", "cita"),
    ("city", "ort", "stadt", "ville", "ciudad", "citta"),
    ("email", "mail", "emailaddress"),
    ("amount", "betrag", "montant", "importe", "importo"),
    ("address", "adresse", "direccion", "indirizzo"),
    ("company", "firma", "entreprise", "empresa", "azienda"),
)  # fmt: skip
_MEANS = {word: group[0] for group in _SAME for word in group}
_CLOSE = 0.75


@dataclass(frozen=True, slots=True)
class Matches:
    """Variables and columns. Each variable is in one of the two."""

    #: Variable -> column: but for how they are written, the names are the same, and no other's is.
    certain: Mapping[str, str]
    #: Variable -> the column that is probably meant; None: none looks like it.
    guesses: Mapping[str, str | None]


def match(variables: Sequence[str], columns: Sequence[str]) -> Matches:
    """Find the variables' columns. A guess names no column that another variable certainly has."""
    certain: dict[str, str] = {}
    folded = Counter(map(fold, columns))
    asked = Counter(map(fold, variables))
    for variable in variables:
        if variable in columns:
            certain[variable] = variable
            continue
        key = fold(variable)
        same = [column for column in columns if key and fold(column) == key and column not in variables]
        if len(same) == 1 and folded[key] == 1 and asked[key] == 1:
            certain[variable] = same[0]
    free = [column for column in columns if column not in certain.values()]
    guesses: dict[str, str | None] = {}
    for variable in variables:
        if variable not in certain:
            found = _likely(variable, [column for column in free if column not in guesses.values()])
            guesses[variable] = found
    return Matches(certain, guesses)


def fold(name: str) -> str:
    """A name without what differs between writers: case, accents, blanks, punctuation (FirstName, first_name)."""
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    return "".join(letter for letter in letters if letter.isalnum() and not unicodedata.combining(letter))


def _likely(variable: str, columns: Sequence[str]) -> str | None:
    key, words = fold(variable), _words(variable)
    same = [column for column in columns if key and _MEANS.get(fold(column), fold(column)) == _MEANS.get(key, key)]
    akin = [column for column in columns if (of := _words(column)) and words and (of < words or words < of)]
    for found in (same, akin):
        if len(found) == 1:
            return found[0]
    by_fold = {fold(column): column for column in columns}
    close = difflib.get_close_matches(key, by_fold, n=1, cutoff=_CLOSE) if key else []
    return by_fold[close[0]] if close else None


def _words(name: str) -> set[str]:
    parts = re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name))
    return {fold(part) for part in parts} - {""}
