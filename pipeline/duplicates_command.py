"""The command `duplicates`: what dedupe dropped and why, and what another threshold would do."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter, validators

from pipeline.border import border as find_border
from pipeline.clusters import MARKS, Cluster, clusters_of, largest, marked_groups
from pipeline.commands import DataRoot
from pipeline.drafts import with_drafts
from pipeline.duplicates_page import border_lines, cluster_lines, group_lines, threshold_lines
from pipeline.inspection import Gone, Inspection
from pipeline.other_threshold import at_threshold
from pipeline.past_settings import changed_since, past_settings
from pipeline.recipe import load_recipe
from pipeline.store_commands import AsJson, RecipeName, newest_record
from schemas import ConfigError

_WIDTH, _LEAST_WIDTH = 100, 60
_MEMBERS_SHOWN = 5


@dataclass(frozen=True)
class _View:
    """How to show.

    Attributes:
        n: How many clusters, pairs of a kind, or rows.
        width: Columns of the terminal.
        spill: Folder for what is mapped meanwhile.
    """

    n: int
    width: int
    as_json: bool
    spill: Path


def duplicates(
    *,
    row: Annotated[
        str | None, Parameter(help="only the cluster of this row, whole: origin or first digits of id")
    ] = None,
    border: Annotated[bool, Parameter(help="pairs of prompts nearest the threshold, on both sides")] = False,
    near: Annotated[float | None, Parameter(help="what another threshold would drop, 0.5 to 1")] = None,
    reason: Annotated[str | None, Parameter(help="only this reason; conflict and boilerplate list marked rows")] = None,
    n: Annotated[
        int,
        Parameter(
            name=["-n", "--rows"], help="clusters, pairs of a kind, or rows to show", validator=validators.Number(gte=0)
        ),
    ] = 10,
    recipe: RecipeName = None,
    data_root: DataRoot = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Show what dedupe dropped beside what it kept, or what another threshold would do; writes no version.

    Example: tuneloop duplicates --border -n 20
    """
    _refuse(row, border, near, reason)
    run = _opened(recipe, data_root)
    width = max(shutil.get_terminal_size((_WIDTH, 0)).columns, _LEAST_WIDTH)
    with tempfile.TemporaryDirectory(prefix="tuneloop-") as spill:
        view = _View(max(n, 1), width, as_json, Path(spill))
        if border:
            lines = _border(run, near, view)
        elif near is not None:
            lines = _near(run, near, view)
        elif reason in MARKS:
            lines = _marked(run, reason, view)
        else:
            lines = _clusters(run, row, reason, view)
        # All is found before the first line comes, so that what is said of it stands above.
        first = list(islice(lines, 1))
        for notice in run.notices:
            sys.stderr.write(f"{notice}\n")
        for line in chain(first, lines):
            sys.stdout.write(f"{line}\n")


def _refuse(row: str | None, border: bool, near: float | None, reason: str | None) -> None:
    """Raise ConfigError for options that do not go together, or a threshold out of range."""
    if near is not None and not 0.5 <= near <= 1:
        raise ConfigError(
            f"a threshold of {near:g}", where="--near", fix="give a number from 0.5 to 1; 1 finds equal texts only"
        )
    views = {"--row": row is not None, "--border": border, "--near": near is not None and not border}
    chosen = [name for name, given in views.items() if given] + (["--reason"] if reason else [])
    if len(chosen) > 1:
        raise ConfigError(
            f"{' and '.join(chosen)} ask for different things", where="command line", fix="give one of them"
        )


def _opened(recipe: str | None, data_root: Path) -> Inspection:
    """Return the newest run of dedupe, opened; what has changed since is noted."""
    today = load_recipe(Path(recipe) if recipe else None) if recipe is None or recipe.endswith(".toml") else None
    record = newest_record(data_root, "dedupe", today.name if today else str(recipe))
    today = today and with_drafts(today, data_root, Path.cwd())
    stage, place = past_settings(record, today, data_root, Path.cwd())
    run = Inspection.of(record, stage, place)
    if today and (changed := changed_since(record, today, data_root)):
        run.notices.append(
            f"the recipe has changed since run {record.number} ({', '.join(changed)}): this is that run as it was, "
            "`tuneloop data` brings it up to date"
        )
    return run


def _clusters(run: Inspection, row: str | None, reason: str | None, view: _View) -> Iterator[str]:
    record = run.record
    total, found = (0, clusters_of(run, row)) if row else (0, [])
    if not row and len(run.rows):
        total, found = largest(run, view.n, reason)
    if view.as_json:
        yield from (json.dumps(_cluster_object(run, one), ensure_ascii=False) for one in found)
        return
    if not row:
        if not len(run.rows):
            run.notices.append(f"run {record.number} of recipe {record.recipe} dropped none of {record.rows_in:,} rows")
            return
        told = ", ".join(f"{name} {count:,}" for name, count in record.dropped_by_reason.items())
        went = f"{len(run.rows):,} of {record.rows_in:,} rows went"
        yield f"run {record.number}, near {run.stage.near:g}: {went} ({told})"
        yield f"{total:,} clusters{f' with {reason}' if reason else ''}, the largest first"
    # Each part of ingest is read once for all that is shown.
    places = [one.places[: None if row else _MEMBERS_SHOWN] for one in found]
    numbers = np.concatenate([run.rows[some] for some in places])
    run.texts([*numbers.tolist(), *(one.kept for one in found if one.kept >= 0)])
    for place, one in enumerate(found):
        if place or not row:
            yield ""
        yield from cluster_lines(run, one, view.width, None if row else _MEMBERS_SHOWN)


def _marked(run: Inspection, mark: str, view: _View) -> Iterator[str]:
    total, groups = marked_groups(run, mark, view.n, view.spill)
    if view.as_json:
        for rows in groups:
            yield json.dumps(
                {"mark": mark, "rows": [asdict(one) for one in run.texts(rows.tolist())]}, ensure_ascii=False
            )
        return
    if not groups:
        run.notices.append(f"run {run.record.number} of recipe {run.record.recipe} marked no row {mark}")
        return
    what = "the same prompt, other responses" if mark == "conflict" else "the same long response, other prompts"
    counted = "1 group is" if total == 1 else f"{total:,} groups are"
    yield f"{counted} marked {mark} ({what}) and kept, the largest first"
    for rows in groups:
        yield ""
        yield from group_lines(run, rows, mark, view.width, _MEMBERS_SHOWN)


def _border(run: Inspection, near: float | None, view: _View) -> Iterator[str]:
    threshold = run.stage.near if near is None else near
    if threshold >= 1:
        raise ConfigError(
            "at near 1 only equal texts count: there is no border",
            where=f"run {run.record.number} of recipe {run.record.recipe}",
            fix="look at another threshold: --border --near 0.9",
        )
    found = find_border(run, threshold, view.n, view.spill)
    if not view.as_json:
        yield from border_lines(run, found, view.width)
        return
    for pair in found.pairs:
        one = asdict(pair)
        for side, asked in (("left", pair.left), ("right", pair.right)):
            (row,) = run.texts([asked.row])
            text = row.prompt.get(asked.field, asked.text)
            named = {"id": row.id, "origin": row.origin, "rows": asked.n_rows}
            one[side] = {**named, "field": asked.field, "text": text}
        yield json.dumps(one, ensure_ascii=False)


def _near(run: Inspection, near: float, view: _View) -> Iterator[str]:
    found = at_threshold(run, near, view.spill)
    if not view.as_json:
        yield from threshold_lines(run, found, view.n, view.width)
        return
    for change, told in (
        ("goes", [one for one, _ in found.gone(found.goes[: view.n])]),
        ("stays", run.gone(found.stays[: view.n])),
    ):
        for one in told:
            yield json.dumps({"change": change, **_gone_object(run, one)}, ensure_ascii=False)


def _cluster_object(run: Inspection, cluster: Cluster) -> dict[str, Any]:
    kept = asdict(run.texts([cluster.kept])[0]) if cluster.kept >= 0 else None
    dropped = [_gone_object(run, one) for one in run.gone(cluster.places)]
    return {"kept": kept, "item": None if kept else cluster.beside, "dropped": dropped}


def _gone_object(run: Inspection, one: Gone) -> dict[str, Any]:
    told = asdict(one)
    del told["row"]
    return {**asdict(run.texts([one.row])[0]), **told}
