"""A workbook of a few cells, sound or hostile, as bytes.

workbook(far="XFD1048576")  ->  one row of data, and one cell in the last corner
"""

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_LINKS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'


def workbook(
    rows: Sequence[tuple[str, str]] = (("Which?", "This."),),
    *,
    far: str = "",
    more: str = "",
    merges: Sequence[str] = (),
    doctype: str = "",
    text: str = "",
    others: Mapping[str, str] = {},
) -> bytes:
    """Return a workbook of one sheet with the columns instruction and output.

    Args:
        rows: Below the header.
        far: Where one more cell stands.
        more: XML after the cells.
        merges: Such as A2:B9.
        doctype: Before the sheet.
        text: XML of the text of one more cell, C2.
        others: Further files in it.
    """
    cells = [("instruction", "output"), *rows]
    made = "".join(
        f'<row r="{n}">{_cell(f"A{n}", pair[0])}{_cell(f"B{n}", pair[1])}'
        f"{_cell('C2', text) if text and n == 2 else ''}</row>"
        for n, pair in enumerate(cells, start=1)
    )
    made += f'<row r="{len(cells) + 1}">{_cell(far, "z")}</row>' if far else ""
    merged = "".join(f'<mergeCell ref="{one}"/>' for one in merges)
    tail = f"<mergeCells>{merged}</mergeCells>" if merges else ""
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'{_LINKS}<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{_LINKS}<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'{doctype}<worksheet xmlns="{_MAIN}"><sheetData>{made}</sheetData>{tail}{more}</worksheet>',
        **others,
    }  # fmt: skip
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if more else zipfile.ZIP_STORED) as packed:
        for name, xml in parts.items():
            packed.writestr(name, xml)
    return file.getvalue()


def _cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'
