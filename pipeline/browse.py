"""Rows as a folder of static pages: by template, source, reason, side, status and mark, 50 rows a page.

    browse(parts, folder, most=2000)  ->  folder/index.html, folder/reason-2-dedupe-near-duplicate.0001.html, ...

No script: a filter is a link to a page. Of many rows some are shown, spread so that small groups are whole, and with
every dropped row the row that stays in its place.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from markupsafe import Markup

from pipeline.chosen_rows import Places, rows_at
from pipeline.facets import FACETS, Facets, Part, with_ids
from pipeline.figures import share_bar
from pipeline.page import render
from pipeline.row_view import RowView, view_of
from pipeline.snapshot import make_folder
from schemas import ConfigError

MARKER = "browse.json"
ROWS_A_PAGE = 50
MOST_CHARS, OPEN_CHARS = 20_000, 1_500
_SLUG_CHARS = 40


@dataclass(frozen=True)
class Browsed:
    """What was written."""

    index: Path
    rows: int
    shown: int
    pages: int


@dataclass(frozen=True)
class _Listing:
    """The rows under one value of a facet.

    Attributes:
        stem: What the names of its pages begin with.
        rows: How many there are; `shown` are on the pages.
    """

    facet: str
    value: str
    stem: str
    rows: int
    shown: Places

    @property
    def n_pages(self) -> int:
        return max(1, -(-len(self.shown) // ROWS_A_PAGE))

    def page(self, number: int) -> str:
        """Return the name of a page, counted from 0."""
        return f"{self.stem}.{number + 1:04d}.html"


class _Open:
    """The pages of one listing, written as their rows come."""

    def __init__(self, folder: Path, title: str, listing: _Listing) -> None:
        self._folder, self._title, self._listing = folder, title, listing
        self._cards: list[Markup] = []
        self._number = 0

    def add(self, card: Markup) -> None:
        """Take the next row; a full page is written."""
        self._cards.append(card)
        if len(self._cards) == ROWS_A_PAGE:
            self.flush()

    def flush(self) -> None:
        """Write what has come since the last page, if anything has, or the only page."""
        if not self._cards and self._number:
            return
        one, number = self._listing, self._number
        text = render(
            "rows.html.jinja",
            title=self._title,
            listing=one,
            cards=self._cards,
            number=number,
            before=one.page(number - 1) if number else "",
            after=one.page(number + 1) if number + 1 < one.n_pages else "",
            first=number * ROWS_A_PAGE + 1,
        )
        (self._folder / one.page(number)).write_text(text, encoding="utf-8")
        self._cards, self._number = [], number + 1


def browse(title: str, parts: Sequence[Part], folder: Path, most: int) -> Browsed:
    """Write the pages and return where to begin; an older set of pages in the folder is replaced.

    Args:
        title: What is shown, in a few words.
        parts: Rows; kept ones before dropped ones.
        folder: Made if it is not there.
        most: Rows to show, not counting rows that stay in the place of a dropped one; 0 shows all.

    Raises:
        ConfigError: The folder holds something else.
        SnapshotError: A file is damaged, or the folder cannot be made.
    """
    facets = Facets.of(parts)
    chosen = facets.chosen(most or facets.n)
    partners = with_ids(parts, _partner_ids(parts, chosen))
    chosen = np.union1d(chosen, np.array(sorted(partners.values()), np.int64)).astype(np.int64)
    listings = list(_listings(facets, chosen))
    _clear(folder)
    counts = {facet: {one.value: one.rows for one in listings if one.facet == facet} for facet in FACETS}
    (folder / MARKER).write_text(
        json.dumps({"title": title, "rows": facets.n, "shown": len(chosen), **counts}, ensure_ascii=False, indent=1)
        + "\n",
        encoding="utf-8",
    )
    _write_rows(title, parts, folder, chosen, listings, partners)
    tables = [
        (name, [(one, share_bar(one.rows / max(facets.n, 1))) for one in listings if one.facet == name])
        for name in FACETS
    ]
    index = folder / "index.html"
    index.write_text(
        render(
            "index.html.jinja",
            title=title,
            everything=listings[0],
            tables=[(name, rows) for name, rows in tables if rows],
            rows=facets.n,
            shown=len(chosen),
        ),
        encoding="utf-8",
    )
    return Browsed(index, facets.n, len(chosen), sum(one.n_pages for one in listings))


def _partner_ids(parts: Sequence[Part], chosen: Places) -> set[str]:
    paths = [path for part in parts for path in part.paths]
    n_kept = _n_rows(path for part in parts if not part.dropped for path in part.paths)
    dropped = (row for _, row in rows_at(paths, chosen[chosen >= n_kept], ["partner_id"]))
    return {row["partner_id"] for row in dropped if row.get("partner_id")}


def _n_rows(paths: Iterable[Path]) -> int:
    return sum(pq.read_metadata(path).num_rows for path in paths)


def _listings(facets: Facets, chosen: Places) -> Iterator[_Listing]:
    """Yield all rows, then each value of each facet, the most rows first."""
    yield _Listing("", "every row", "all", facets.n, chosen)
    for facet in FACETS:
        found = [(value, facets.places(facet, value)) for value in facets.rows[facet]]
        for number, (value, places) in enumerate(sorted(found, key=lambda one: (-len(one[1]), one[0])), start=1):
            slug = re.sub(r"[^A-Za-z0-9]+", "-", value)[:_SLUG_CHARS].strip("-").lower()
            stem = f"{facet}-{number}{'-' if slug else ''}{slug}"
            yield _Listing(facet, value, stem, len(places), np.intersect1d(places, chosen))


def _clear(folder: Path) -> None:
    """Make the folder, or empty it of pages that were written here before."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file()):
        raise ConfigError(
            "there is something else than pages of `tuneloop browse`",
            where=str(folder),
            fix="name a folder that is empty or not there yet: --to rows",
        )
    make_folder(folder)
    for path in folder.glob("*.html"):
        path.unlink()


def _write_rows(
    title: str,
    parts: Sequence[Part],
    folder: Path,
    chosen: Places,
    listings: Sequence[_Listing],
    partners: dict[str, int],
) -> None:
    stages = [(part, path) for part in parts for path in part.paths]
    everything = listings[0]
    links = {
        name: f"{everything.page(at // ROWS_A_PAGE)}#r{place}"
        for (name, place), at in zip(
            partners.items(), np.searchsorted(chosen, [*partners.values()]).tolist(), strict=True
        )
    }
    opened = [_Open(folder, title, one) for one in listings]
    under: dict[int, list[int]] = {place: [] for place in chosen.tolist()}
    for number, one in enumerate(listings):
        for place in one.shown.tolist():
            under[place].append(number)
    start = 0
    for part, path in stages:
        stop = start + _n_rows([path])
        own = chosen[(chosen >= start) & (chosen < stop)]
        for place, row in rows_at([path], own - start):
            view = view_of(row, part.stage)
            card = Markup(  # noqa: S704 - a template of ours, its values escaped
                render(
                    "row.html.jinja",
                    row=view,
                    place=start + place,
                    fate=_fate(part, view),
                    partner=links.get(view.partner_id, ""),
                    most=MOST_CHARS,
                    open=OPEN_CHARS,
                )
            )
            for number in under[start + place]:
                opened[number].add(card)
        start = stop
    for listing in opened:
        listing.flush()


def _fate(part: Part, view: RowView) -> str:
    return f"dropped by {part.stage}: {view.reason}" if part.dropped else ""
