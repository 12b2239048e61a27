"""The command `browse`: rows of a snapshot as static pages."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
from cyclopts import Parameter, validators

from pipeline import refs
from pipeline.ancestry import ancestry, dropped_files
from pipeline.browse import browse as write_pages
from pipeline.commands import DataRoot
from pipeline.diff import find_version
from pipeline.facets import Part
from pipeline.recipe import STAGES
from pipeline.report_command import REPORTS
from pipeline.snapshot import MANIFEST, Snapshot
from pipeline.store_commands import RecipeName, newest_record, recipe_name
from schemas import ConfigError, RunRecord


def browse(
    what: Annotated[
        str | None,
        Parameter(help="a stage, a version or tag, a folder or a .parquet file; the newest split if left out"),
    ] = None,
    *,
    to: Annotated[Path | None, Parameter(help="folder for the pages; under data/reports/ if left out")] = None,
    n: Annotated[
        int, Parameter(name=["-n", "--rows"], help="rows to show; 0 for all", validator=validators.Number(gte=0))
    ] = 2000,
    dropped: Annotated[bool, Parameter(help="only rows that were dropped")] = False,
    recipe: RecipeName = None,
    data_root: DataRoot = Path("data"),
) -> None:
    """Write static pages to look through rows: by template, source, reason, side, status and mark.

    Without a name: the newest split, with all that was dropped on the way to it. Prints the page to begin with.

    Example: tuneloop browse dedupe --dropped
    """
    title, folder, parts = _found(what, recipe, data_root)
    parts = [part for part in parts if part.paths and (part.dropped or not dropped)]
    if not parts:
        raise ConfigError(
            "no row was dropped there" if dropped else "there are no rows there",
            where=title,
            fix="leave out --dropped to see what was kept" if dropped else "`tuneloop log` lists the versions",
        )
    if foreign := [path for part in parts for path in part.paths if "origin" not in pq.read_schema(path).names]:
        raise ConfigError(
            "the rows have no column `origin`: no stage of tuneloop wrote them",
            where=str(foreign[0]),
            fix="name it as a source in a recipe, run `tuneloop data`, then `tuneloop browse`",
        )
    place = to or data_root / REPORTS / folder / "rows"
    done = write_pages(title, parts, place, n)
    sys.stderr.write(f"{done.shown:,} of {done.rows:,} rows on {done.pages:,} pages\n")
    sys.stdout.write(f"{done.index}\n")


def _found(what: str | None, recipe: str | None, data_root: Path) -> tuple[str, Path, list[Part]]:
    """Return a title, where the pages go, and the parts that are meant."""
    if what is None or what in STAGES:
        name = recipe_name(recipe)
        record = newest_record(data_root, what or "split", name)
        runs = ancestry(data_root, record) if what is None else {record.stage: record}
        title = f"{record.stage} {record.version} of recipe {name}" + (
            ", with all dropped on the way" if not what else ""
        )
        return title, Path(name) / record.version, [_kept(data_root, record), *_dropped(data_root, runs.values())]
    path = Path(what)
    if path.suffix == ".parquet" and path.is_file():
        return what, Path("paths") / path.stem, [Part(path.stem, _has_reasons(path), [path])]
    if path.is_dir() and not (path / MANIFEST).is_file():
        files = sorted(path.glob("*.parquet"))
        return (
            what,
            Path("paths") / path.resolve().name,
            [
                Part(path.resolve().name, is_dropped, [one for one in files if _has_reasons(one) == is_dropped])
                for is_dropped in (False, True)
            ],
        )
    snapshot = Snapshot.open(path.parent, path.name) if path.is_dir() else find_version(data_root, what)
    stage, version = snapshot.manifest.stage, snapshot.manifest.version
    kept = Part(stage, dropped=False, paths=[snapshot.folder / file.name for file in snapshot.manifest.files])
    made = _made(snapshot)
    owner = made.recipe if made else "paths"
    return (
        f"{stage} {version}",
        Path(owner) / version,
        [kept, *_dropped(snapshot.folder.parents[1], [made] if made else [])],
    )


def _kept(data_root: Path, record: RunRecord) -> Part:
    snapshot = Snapshot.open(data_root / record.stage, record.version)
    return Part(record.stage, dropped=False, paths=[snapshot.folder / file.name for file in snapshot.manifest.files])


def _dropped(data_root: Path, runs: Iterable[RunRecord]) -> Iterator[Part]:
    for record in runs:
        yield Part(record.stage, dropped=True, paths=dropped_files(data_root, record))


def _made(snapshot: Snapshot) -> RunRecord | None:
    """Return the newest run that made a version, of whatever recipe, if a record of it is still there."""
    data_root, stage = snapshot.folder.resolve().parents[1], snapshot.manifest.stage
    for recipe in refs.recipes_with(data_root, stage):
        for path in refs.record_paths(data_root, stage, recipe):
            record = refs.read_record(path)
            if record.version == snapshot.manifest.version:
                return record
    return None


def _has_reasons(path: Path) -> bool:
    return "reason" in pq.read_schema(path).names
