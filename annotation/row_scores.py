"""How much the newest training run is surprised by each open row, where its score speaks of today's text.

row 9f3c..., cost 5.1 nats a token, text as the run saw it     -> ranked among its template
row 77ab..., rendered anew since, two tokens longer            -> no score
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.open_rows import TOKENS, OpenRows, tokens_of
from annotation.suspicion import Floats, Surprise, surprise_of
from annotation.training_run import TrainingRun, find_run
from pipeline.snapshot import Snapshot
from schemas import ConfigError, SnapshotError


class RowScores(NamedTuple):
    """What a run says of the open rows.

    Attributes:
        surprise: One value a row, NaN where it has no score.
        source: Which run it is, or in a sentence why there is none.
        n_scored: Rows with a score.
        n_changed: Rows whose score was left out, since their text has changed after the run.
    """

    surprise: Surprise
    source: str
    n_scored: int
    n_changed: int


def row_scores(data_root: Path, recipe: str, rows: OpenRows) -> RowScores:
    """Return the surprise of the newest finished run at each open row.

    A run that is missing, unfinished or damaged stops nobody from reviewing: then `source` says why there is no score.
    """
    try:
        run = find_run(data_root, recipe)
        return _scored(data_root, run, rows)
    except (ConfigError, SnapshotError) as error:
        nothing = np.full(len(rows), np.nan)
        return RowScores(Surprise(nothing, nothing, nothing, np.zeros(len(rows))), error.what, 0, 0)


def _scored(data_root: Path, run: TrainingRun, rows: OpenRows) -> RowScores:
    then, scores = run.rows(data_root), run.scores()
    is_same = _is_unchanged(then, rows)
    tuned, base = (_aligned(arm, rows.ids) for arm in (scores.tuned, scores.base))
    n_changed = int((~np.isnan(tuned) & ~is_same).sum())
    tuned, base, *doubts = (np.where(is_same, one, np.nan) for one in (tuned, base, *scores.doubts_of(rows.ids)))
    surprise = surprise_of(rows.template, tuned, base, doubts)
    return RowScores(surprise, f"run {run.key}", int((~np.isnan(surprise.unlikely)).sum()), n_changed)


def _is_unchanged(then: Snapshot, rows: OpenRows) -> NDArray[np.bool_]:
    """Return which rows have the paraphrase and the token counts that the run saw."""
    schema = pa.schema([("id", pa.string()), ("tokens", pa.dictionary(pa.int32(), pa.string()))])
    parts = [
        pa.table([batch.column("id"), tokens_of(batch).dictionary_encode()], schema=schema)
        for batch in then.batches(["id", *TOKENS])
    ]
    seen = pa.concat_tables([schema.empty_table(), *parts])
    places = pc.index_in(rows.ids, value_set=seen["id"])
    return np.asarray(pc.fill_null(pc.equal(_texts(seen["tokens"]).take(places), _texts(rows.tokens)), False), bool)


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _aligned(scores: pa.Table, ids: pa.ChunkedArray) -> Floats:
    return np.asarray(scores["nll"].take(pc.index_in(ids, value_set=scores["example"])), float)
