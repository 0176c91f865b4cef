"""Workbooks of hand-written XML, as programs other than Excel write them."""

from __future__ import annotations

import zipfile
from pathlib import Path

ANN = "+12025550101"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
HEADER = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c><c r="B1" t="inlineStr"><is><t>v</t></is></c></row>'
)


def book(
    path: Path,
    sheet: str,
    *,
    styles: tuple[str, ...] = (),
    strings: str | None = None,
    prefix: str = "",
    folder: str = "xl",
    slash: str = "/",
    before: str = "",
    after: str = "",
    properties: str = "",
    others: tuple[tuple[str, str, str], ...] = (),
) -> Path:
    """A workbook of hand-written XML. `styles`: the codes of styles 1, 2, …; `others`: sheets' name, kind and XML."""
    p = f"{prefix}:" if prefix else ""
    space = f'xmlns{":" + prefix if prefix else ""}="{MAIN}" xmlns:r="{RELATIONS}"'
    named = [("People", "worksheet", ""), *others]
    listed = "".join(
        f'<{p}sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, (name, _, _) in enumerate(named, 1)
    )
    formats = "".join(f'<{p}numFmt numFmtId="{200 + n}" formatCode="{code}"/>' for n, code in enumerate(styles))
    xfs = f'<{p}xf numFmtId="0"/>' + "".join(f'<{p}xf numFmtId="{200 + n}"/>' for n in range(len(styles)))
    targets = [(f"rId{n}", kind, f"worksheets{slash}sheet{n}.xml") for n, (_, kind, _) in enumerate(named, 1)]
    targets += [("rIdS", "styles", "styles.xml")] + (
        [("rIdT", "sharedStrings", "sharedStrings.xml")] if strings else []
    )
    relations = "".join(
        f'<Relationship Id="{one}" Type="{RELATIONS}/{kind}" Target="{target}"/>' for one, kind, target in targets
    )
    entries = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{RELATIONS}/officeDocument"'
        f' Target="{folder}/workbook.xml"/></Relationships>',
        f"{folder}/workbook.xml": f"<{p}workbook {space}>{properties}<{p}sheets>{listed}</{p}sheets></{p}workbook>",
        f"{folder}/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>',
        f"{folder}/styles.xml": f"<{p}styleSheet {space}><{p}numFmts>{formats}</{p}numFmts>"
        f"<{p}cellXfs>{xfs}</{p}cellXfs></{p}styleSheet>",
        f"{folder}/worksheets/sheet1.xml": f"<{p}worksheet {space}>{before}<{p}sheetData>{sheet}</{p}sheetData>"
        f"{after}</{p}worksheet>",
    }
    if strings:
        entries[f"{folder}/sharedStrings.xml"] = f"<{p}sst {space}>{strings}</{p}sst>"
    for n, (_, _, xml) in enumerate(others, 2):
        entries[f"{folder}/worksheets/sheet{n}.xml"] = xml
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            # No time of day in it: the same workbook is the same bytes.
            info = zipfile.ZipInfo(name.replace("/", slash) if slash != "/" else name)
            archive.writestr(info, text, zipfile.ZIP_DEFLATED)
    return path


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def cell(reference: str, value: str, kind: str = "", style: int = 0, inner: str = "") -> str:
    attributes = (f' t="{kind}"' if kind else "") + (f' s="{style}"' if style else "")
    return f'<c r="{reference}"{attributes}>{inner}<v>{value}</v></c>'


def phone(number: int, text: str = ANN) -> str:
    return f'<c r="A{number}" t="inlineStr"><is><t>{text}</t></is></c>'
