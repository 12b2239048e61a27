"""What goes along with removed rows: the same line under another template, the same text, and what was written of it.

A row of line 812 is named          ->  line 812 under every template; what dedupe dropped beside it, or kept for it
a row is parent of a model's draft  ->  the draft, in ingest and in its file
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import refs
from pipeline.meta import meta_values
from pipeline.removed import hidden
from pipeline.snapshot import Snapshot
from pipeline.stored_rows import among, names, names_of, parts_in, present
from pipeline.synthetic import SYNTHETIC, is_marked, parents_in
from schemas import RunRecord

DRAFTS = "drafts"
_SAME = ("exact_duplicate", "near_duplicate")


@dataclass
class Selection:
    """Rows that are to go.

    Attributes:
        ids: Of examples.
        named: How many of them the request itself names; the others are the same text.
        raws: Salted digests of quarantined rows.
        seen: Digests of what reviewers were shown.
        origins: Where the rows stand in their sources, file:line.
        values: Columns and salted digests of values that ingest is to refuse from now on.
    """

    ids: set[str] = field(default_factory=set)
    named: int = 0
    raws: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)
    values: set[tuple[str, str]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.ids or self.raws)


def take_along(data_root: Path, found: Selection, salt: str) -> None:
    """Add to a selection all that goes with it, and what goes with that."""
    before = (-1, -1)
    while before != (before := (len(found.ids), len(found.raws))):
        _take_same_line(data_root, found, salt)
        _take_same_text(data_root, found)
        _take_written_from(data_root, found)
    _take_draft_lines(data_root, found, salt)


def take(found: Selection, rows: pa.RecordBatch, salt: str) -> None:
    """Add rows to a selection: their ids, their places, and the digests of raw ones."""
    found.ids |= set(pc.drop_null(rows["id"]).to_pylist())
    if "origin" in rows.schema.names:
        found.origins |= set(rows["origin"].to_pylist())
    if "raw" in rows.schema.names:
        found.raws |= {hidden(salt, "raw", raw) for raw in rows["raw"].to_pylist() if raw}


def _take_same_line(data_root: Path, found: Selection, salt: str) -> None:
    """Take what was made from the same lines: a line is the same only within one run, since files change."""
    folder = data_root / "ingest"
    scopes = {
        (*_files(folder / record.version), *(folder / "dropped" / file.name for file in record.dropped))
        for record in records_of(data_root, "ingest")
    }
    for paths in sorted(scopes):
        there = [path for path in paths if path.is_file()]
        origins: set[str] = set()
        ids = names(found.ids)
        for path in there:
            for batch in Snapshot.read_part(path, ["id", "origin"]):
                origins |= set(batch["origin"].filter(among(batch["id"], ids)).to_pylist())
        lines = names(origins)
        for path in there if origins else ():
            columns = [name for name in ("id", "origin", "raw", "reason") if name in names_of(path)]
            for batch in Snapshot.read_part(path, columns):
                take(found, batch.filter(pc.and_(among(batch["origin"], lines), present(batch))), salt)


def _take_same_text(data_root: Path, found: Selection) -> None:
    """Take what dedupe found to be the same, whichever of the two it kept."""
    for path in sorted((data_root / "dedupe" / "dropped").glob("*.parquet")):
        for batch in Snapshot.read_part(path, ["id", "partner_id", "reason"]):
            pairs, ids = batch.filter(among(batch["reason"], names(_SAME))), names(found.ids)
            either = pc.or_(among(pairs["id"], ids), among(pairs["partner_id"], ids))
            for name in ("id", "partner_id"):
                found.ids |= set(pc.drop_null(pairs[name].filter(either)).to_pylist())


def _take_written_from(data_root: Path, found: Selection) -> None:
    """Take what a model wrote from these rows: its meta names them as parents."""
    for path in parts_in(data_root):
        if path.is_relative_to(data_root / "ingest") and {"marks", "meta"} <= set(names_of(path)):
            for batch in Snapshot.read_part(path, ["id", "origin", "marks", "meta"]):
                written = batch.filter(is_marked(batch["marks"], SYNTHETIC))
                row, parent = parents_in(*meta_values(written["meta"], SYNTHETIC))
                mine = row[among(parent, names(found.ids)).to_numpy(zero_copy_only=False)]
                for column, taken in (("id", found.ids), ("origin", found.origins)):
                    taken |= set(written[column].take(pa.array(mine)).to_pylist())


def _take_draft_lines(data_root: Path, found: Selection, salt: str) -> None:
    """Take the digests of drafts that are to go, as they stand in their files: their lines hold no id of their own."""
    numbers: dict[str, set[int]] = {}
    for origin in found.origins:
        name, _, number = origin.rpartition(":")
        numbers.setdefault(name, set()).add(int(number))
    for path in sorted((data_root / DRAFTS).glob("*/*.jsonl")):
        wanted = {
            n
            for name, some in numbers.items()
            if name.endswith(f"{DRAFTS}/{path.parent.name}/{path.name}")
            for n in some
        }
        if wanted:
            lines = path.read_text("utf-8").split("\n")
            found.raws |= {hidden(salt, "raw", lines[n - 1]) for n in wanted if n <= len(lines) and lines[n - 1]}


def records_of(data_root: Path, stage: str) -> Iterator[RunRecord]:
    """Yield the records of a stage, of all recipes."""
    for recipe in refs.recipes_with(data_root, stage):
        yield from map(refs.read_record, refs.record_paths(data_root, stage, recipe))


def _files(version: Path) -> list[Path]:
    return sorted(version.glob("*.parquet"))
