"""Writes the sample files: contacts.csv, contacts.xlsx, contacts.parquet (the same rows) and dirty.csv.

Run it with: python samples/make_samples.py
Names are made up, and the numbers are those that are kept free for fiction (555-0100 to 555-0199).
"""

from __future__ import annotations

import csv
import datetime as dt
import random
from pathlib import Path

import pyarrow
import pyarrow.parquet
import xlsxwriter

FOLDER = Path(__file__).resolve().parent
HEADER = ("customer_id", "first_name", "last_name", "phone", "city", "appointment", "notes")
CITIES = (
    ("202", "Washington"), ("212", "New York"), ("213", "Los Angeles"), ("312", "Chicago"), ("404", "Atlanta"),
    ("415", "San Francisco"), ("503", "Portland"), ("602", "Phoenix"), ("617", "Boston"), ("713", "Houston"),
)  # fmt: skip
FIRST = (
    "Ada",
    "Ben",
    "Chloé",
    "Dario",
    "Emeka",
    "Freya",
    "Gus",
    "Hana",
    "Ivo",
    "Jun",
    "Kai",
    "Lea",
    "Mo",
    "Nils",
    "Zoë",
)
LAST = ("Acorn", "Birch", "Cedar", "Driftwood", "Elm", "Fern", "Gorse", "Heather", "Juniper", "Larch", "Maple", "O'Oak")
NOTES = ("", "", "", "new", "asked for a morning slot", "call back, please", 'prefers "text" to calls', "second visit")
#: What is wrong on purpose: row number as a spreadsheet shows it -> the phone cell.
WRONG = {
    14: "",
    38: "4.41E+11",
    77: "(202) 555-012",
    101: "1-800-ACORNS",
    126: "+12125550123 / +12125550124",
    150: "12025550142.0",
    173: "#N/A",
    199: "312-555-0117 ext. 5",
    231: "+12005550100",
    258: "n/a",
}
#: Rows with the number of an earlier row.
TWICE = {60: 20, 140: 21, 222: 22, 270: 23, 299: 24}
ROWS = 300

DIRTY_HEADER = "customer_id,first_name,phone,appointment,notes"
DIRTY = r"""
D01,Ada,+12025550101,2026-03-02 09:00,as it should be
D02,Ben,,2026-03-02 09:15,no number
D03,Chloé,n/a,2026-03-02 09:30,a word for nothing
D04,Dario,4.41E+11,2026-03-02 09:45,rounded by a spreadsheet
D05,Emeka,12025550105.0,2026-03-02 10:00,turned into a decimal number
D06,Freya,"12,025,550,106",2026-03-02 10:15,turned into an amount
D07,Gus,#N/A,2026-03-02 10:30,an error from a lookup
D08,Hana,=C2,2026-03-02 10:45,a formula instead of its result
D09,Ivo,447400123456,2026-03-02 11:00,lost its plus
D10,Jun,202555011,2026-03-02 11:15,a digit short
D11,Kai,+12025550111223,2026-03-02 11:30,too many digits
D12,Lea,+12005550112,2026-03-02 11:45,no such area code
D13,Mo,1-800-FLOWERS,2026-03-02 12:00,letters
D14,Nils,202-555-0114 ext. 5,2026-03-02 12:15,an extension
D15,Zoë,202-555-0115 / 202-555-0116,2026-03-02 12:30,two numbers in one cell
D16,Ada,whatsapp:,2026-03-02 12:45,a channel without a number
D17,Ben,ask reception,2026-03-02 13:00,no number at all
D18,Chloé,+12025550118,2026-03-02 13:15
D19,Dario,+12025550119,2026-03-02 13:30,wants tea, not coffee
D20,Emeka,+12025550120,2026-03-02 13:45,"says "hello" often"
D21,Freya,+12025550121,2026-03-02 14:00,"a quotation mark that nobody closes
D22,Gus,(202) 555-0101,2026-03-02 14:15,the number of D01 written another way
"""


def contacts() -> list[tuple[str, ...]]:
    """The rows below the header; row 2 is the first."""
    chance = random.Random(20260302)
    numbers = [(area, city, last) for last in range(100) for area, city in CITIES]
    start = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    rows: list[tuple[str, ...]] = []
    for row_number in range(2, ROWS + 2):
        area, city, last = numbers[row_number]
        ways = (
            f"+1{area}5550{last + 100}",
            f"({area}) 555-0{last + 100}",
            f"{area}-555-0{last + 100}",
            f"{area}5550{last + 100}",
        )
        phone = chance.choices(ways, weights=(6, 2, 1, 1))[0]
        if row_number in TWICE:
            phone = rows[TWICE[row_number] - 2][3]
        phone = WRONG.get(row_number, phone)
        when = start + dt.timedelta(minutes=15 * (row_number - 2))
        rows.append(
            (
                f"C{row_number - 1:04d}",
                chance.choice(FIRST),
                chance.choice(LAST),
                phone,
                city,
                when.strftime("%Y-%m-%d %H:%M"),
                chance.choice(NOTES),
            )
        )
    return rows


def main() -> None:
    """Write the four files beside this script."""
    rows = contacts()
    with (FOLDER / "contacts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
    (FOLDER / "dirty.csv").write_text(f"{DIRTY_HEADER}{DIRTY}", encoding="utf-8")
    columns = dict(zip(HEADER, (list(column) for column in zip(*rows, strict=True)), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), FOLDER / "contacts.parquet")
    with xlsxwriter.Workbook(FOLDER / "contacts.xlsx", {"strings_to_formulas": False}) as book:
        book.set_properties({"created": dt.datetime(2026, 3, 2, tzinfo=dt.UTC)})
        sheet = book.add_worksheet("Contacts")
        for at, row in enumerate([HEADER, *rows]):
            for column, text in enumerate(row):
                sheet.write_string(at, column, text)


if __name__ == "__main__":
    main()
