"""Commands that read the store: log, show, diff, explain."""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from pipeline import refs
from pipeline.commands import DataRoot
from pipeline.diff import diff as compare
from pipeline.diff import find_version, version_before
from pipeline.explain import explain as tell
from pipeline.recipe import STAGES, load_recipe
from pipeline.snapshot import Snapshot
from pipeline.split_table import split_lines
from pipeline.talk import funnel_line
from schemas import ConfigError, RunRecord, nearest

RecipeName = Annotated[str | None, Parameter(help="name or file of the recipe; the sample recipe if left out")]
AsJson = Annotated[bool, Parameter(name="--json", help="JSON on stdout, for programs")]
_IDS_SHOWN = 5


def log(
    stage: Annotated[str | None, Parameter(help="one stage; all if left out")] = None,
    *,
    recipe: RecipeName = None,
    data_root: DataRoot = Path("data"),
    as_json: AsJson = False,
) -> None:
    """List the runs of a recipe, newest first.

    Example: tuneloop log dedupe
    """
    name = recipe_name(recipe)
    for one in [_stage(stage)] if stage else STAGES:
        for path in refs.record_paths(data_root, one, name):
            record = refs.read_record(path)
            if as_json:
                _out(record.model_dump_json(exclude={"parts"}))
            else:
                gone = "" if (data_root / one / record.version).is_dir() else "   (collected)"
                _out(f"{record.number:>4} {record.started_at} {record.version} {funnel_line(record)}{gone}")


def show(
    stage: Annotated[str, Parameter(help="ingest, dedupe, format, annotate or split")],
    *,
    n: Annotated[int, Parameter(name=["-n", "--rows"], help="rows to show", validator=validators.Number(gte=0))] = 3,
    dropped: Annotated[bool, Parameter(help="show dropped rows instead of kept ones")] = False,
    reason: Annotated[str | None, Parameter(help="only rows dropped for this reason")] = None,
    recipe: RecipeName = None,
    data_root: DataRoot = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Show a stage's newest run: what it counted, then some rows.

    Example: tuneloop show dedupe --reason near_duplicate -n 5
    """
    record = newest_record(data_root, _stage(stage), recipe_name(recipe))
    rows = _dropped(data_root, record, reason) if dropped or reason else _kept(data_root, record)
    if as_json:
        for row in islice(rows, n):
            _out(json.dumps(row, ensure_ascii=False))
        return
    _out(funnel_line(record))
    peak = record.peak_memory_bytes / 1e6
    _out(f"version {record.version}, run {record.number}, {record.seconds:.1f} s, peak {peak:,.0f} MB")
    for name, count in record.counts.items():
        _out(f"  {name}: {count:,}")
    for line in split_lines(record.facts):
        _out(line)
    for row in islice(rows, n):
        _out("")
        for key, value in row.items():
            if value not in (None, [], ""):
                _out(f"  {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


def diff(
    older: Annotated[str, Parameter(help="a version, or the beginning of it; or a stage")],
    newer: Annotated[str | None, Parameter(help="the version to compare with, if the first is no stage")] = None,
    *,
    recipe: RecipeName = None,
    data_root: DataRoot = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Compare two versions, or name a stage to compare its newest version with the one before.

    Example: tuneloop diff split
    """
    if newer is None:
        record = newest_record(data_root, _stage(older), recipe_name(recipe))
        before = version_before(data_root, record.stage, record.recipe)
        if before is None:
            sys.stderr.write(f"{record.stage} has one version only: {record.version}\n")
            return
        older, newer = before, record.version
    change = compare(find_version(data_root, older), find_version(data_root, newer))
    if as_json:
        _out(json.dumps(vars(change)))
        return
    _out(f"{change.same:,} rows are the same")
    for word, ids in (("added", change.added), ("removed", change.removed), ("changed", change.changed)):
        more = " ..." if len(ids) > _IDS_SHOWN else ""
        _out(f"{len(ids):,} {word}" + (f": {', '.join(ids[:_IDS_SHOWN])}{more}" if ids else ""))
    for column, count in change.columns.items():
        _out(f"  {count:,} differ in {column}")


def explain(
    row: Annotated[str, Parameter(help="id, its first digits, or origin file:line")],
    *,
    recipe: RecipeName = None,
    data_root: DataRoot = Path("data"),
) -> None:
    """Tell the whole story of a row, by its id (or the first digits of it) or its origin file:line.

    Example: tuneloop explain tickets.jsonl:12
    """
    for chapter in tell(data_root, recipe_name(recipe), row):
        _out(f"{chapter.stage} ({chapter.fate})")
        for line in chapter.lines:
            _out(f"  {line}")


def recipe_name(given: str | None) -> str:
    """Return the name of a recipe given by name or by file."""
    if given is None or given.endswith(".toml"):
        return load_recipe(Path(given) if given else None).name
    return given


def newest_record(data_root: Path, stage: str, recipe: str) -> RunRecord:
    """Return the newest record of a stage.

    Raises:
        ConfigError: The stage has never run for this recipe.
    """
    record = refs.newest(data_root, stage, recipe)
    if record is None:
        known = refs.recipes_with(data_root, stage)
        raise ConfigError(
            f"{stage} has never run for recipe {recipe}",
            where=str(data_root),
            fix=f"run `tuneloop data` first; {nearest(recipe, known)}",
        )
    return record


def _stage(name: str) -> str:
    if name not in STAGES:
        raise ConfigError(f"no stage {name!r}", where="command line", fix=nearest(name, STAGES))
    return name


def _kept(data_root: Path, record: RunRecord) -> Iterator[dict[str, Any]]:
    for batch in Snapshot.open(data_root / record.stage, record.version).batches():
        yield from batch.to_pylist()


def _dropped(data_root: Path, record: RunRecord, reason: str | None) -> Iterator[dict[str, Any]]:
    if reason is not None and reason not in record.dropped_by_reason:
        raise ConfigError(
            f"nothing was dropped as {reason!r}", where=record.stage, fix=nearest(reason, record.dropped_by_reason)
        )
    for file in record.dropped:
        for batch in Snapshot.read_part(data_root / record.stage / "dropped" / file.name):
            for row in batch.to_pylist():
                if reason in (None, row["reason"]):
                    yield row


def _out(line: str) -> None:
    sys.stdout.write(line + "\n")
