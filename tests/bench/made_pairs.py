"""Made prompt/response pairs: `python tests/bench/made_pairs.py ROWS FOLDER [SHAPE]`.

Written as a parquet for the peers, as a snapshot of ingest for us, and beside them the truth. The same seed gives the
same bytes. Shapes:

    free          prompts of 40 to 400 characters, pairs of some 514; one row in ten repeats an earlier one: a third
                  of these exactly, a third with other capitals and punctuation in the prompt, a third with two
                  letters of a long word of the prompt swapped
    one template  one sentence, two words of it drawn from 20,000
    equal         all rows the same
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from made_texts import TextMaker, log_uniform, mistyped, restyled

from pipeline.content import content_version
from pipeline.snapshot import MANIFEST, PART_ROWS, PartWriter, Snapshot
from schemas import Ingested, arrow_schema

SHAPES = ("free", "one template", "equal")
KINDS = ("fresh", "exact", "restyled", "mistyped")
SOURCE = "bench"
_REPEATED_SHARE = 0.1
_PROMPT_CHARS = (40, 400)
_RESPONSE_CHARS = (60, 1100)
_TEMPLATE_WORDS = 20_000


@dataclass(frozen=True)
class MadePairs:
    """Where the rows lie, and which repeat which.

    Attributes:
        rows: Parquet of `prompt` and `response`.
        snapshot: The same rows as ingest writes them; row n has the origin `bench.jsonl:<n + 1>`.
        truth: Parquet of `original`, the row that this one repeats or -1, and `kind`, one of `KINDS`.
    """

    rows: Path
    snapshot: Snapshot
    truth: Path

    def originals(self) -> np.ndarray:
        """Return for every row the row it was made to repeat, or -1."""
        found: np.ndarray = pq.read_table(self.truth).column("original").to_numpy()
        return found


def make_pairs(shape: str, n_rows: int, folder: Path, seed: int = 7) -> MadePairs:
    """Write `n_rows` pairs into a folder that is made."""
    folder.mkdir(parents=True)
    snapshot = folder / "snapshot"
    snapshot.mkdir()
    schema, files = arrow_schema(Ingested), []
    rows, truth = folder / "rows.parquet", folder / "truth.parquet"
    plan = _Plan(shape, n_rows, seed)
    pairs = pa.schema([("prompt", pa.string()), ("response", pa.string())])
    with pq.ParquetWriter(rows, pairs) as writer:
        for number, (prompt, response) in enumerate(plan.blocks()):
            writer.write_batch(pa.record_batch([prompt, response], schema=pairs))
            part = PartWriter(snapshot / f"part-{number:05d}.parquet", schema)
            part.write(_as_ingested(prompt, response, number * PART_ROWS, seed, schema))
            files.append(part.close())
    pq.write_table(
        pa.table({"original": plan.original, "kind": pa.DictionaryArray.from_arrays(plan.kind, list(KINDS))}), truth
    )
    version = content_version([snapshot / file.name for file in files], schema)
    manifest = Snapshot.draft("ingest", version, schema, files)
    (snapshot / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    return MadePairs(rows, Snapshot(snapshot, manifest), truth)


def open_pairs(folder: Path) -> MadePairs:
    """Return pairs that `make_pairs` wrote."""
    return MadePairs(folder / "rows.parquet", Snapshot.open(folder, "snapshot"), folder / "truth.parquet")


def blocks(shape: str, n_rows: int, seed: int = 7) -> Iterator[tuple[pa.Array, pa.Array]]:
    """Yield prompts and responses, `PART_ROWS` rows at a time; nothing is written."""
    yield from _Plan(shape, n_rows, seed).blocks()


class _Plan:
    """Which row repeats which, and the rows, a part at a time."""

    def __init__(self, shape: str, n_rows: int, seed: int) -> None:
        if shape not in SHAPES:
            raise ValueError(f"no shape {shape!r}; there are {', '.join(SHAPES)}")
        self._shape, self._n_rows, self._seed = shape, n_rows, seed
        self._maker = TextMaker(seed)
        draw = np.random.default_rng([seed, 1])
        self.kind = np.zeros(n_rows, np.int8)
        self.original = np.full(n_rows, -1, np.int64)
        if shape == "equal":
            self.kind[1:], self.original[1:] = 1, 0
        if shape == "free":
            repeats = draw.random(n_rows) < _REPEATED_SHARE
            repeats[:1] = False
            self.kind[repeats] = draw.integers(1, len(KINDS), int(repeats.sum()))
            fresh = np.flatnonzero(~repeats)
            # Any fresh row before this one, each as likely.
            before = np.searchsorted(fresh, np.flatnonzero(repeats))
            self.original[repeats] = fresh[draw.integers(0, before)]

    def blocks(self) -> Iterator[tuple[pa.Array, pa.Array]]:
        """Yield prompts and responses of `PART_ROWS` rows at a time."""
        needed = np.unique(self.original[self.original >= 0])
        kept: list[pa.Array] = []
        kept_responses: list[pa.Array] = []
        for start in range(0, self._n_rows, PART_ROWS):
            stop = min(start + PART_ROWS, self._n_rows)
            draw = np.random.default_rng([self._seed, 2, start])
            if self._shape != "free":
                yield self._simple(stop - start, draw)
                continue
            kind, original = self.kind[start:stop], self.original[start:stop]
            fresh = np.flatnonzero(kind == 0)
            prompts = self._maker.texts(log_uniform(*_PROMPT_CHARS, len(fresh), draw), draw, instruct=True)
            responses = self._maker.texts(log_uniform(*_RESPONSE_CHARS, len(fresh), draw), draw, instruct=False)
            # Rows that this or a later part repeats are kept, in the order of `needed`.
            wanted = pa.array(np.flatnonzero(np.isin(fresh + start, needed, assume_unique=True)))
            kept.append(prompts.take(wanted))
            kept_responses.append(responses.take(wanted))
            pieces, order = [prompts], [fresh]
            response_pieces = [responses]
            for number, edit in ((1, None), (2, restyled), (3, mistyped)):
                places = np.flatnonzero(kind == number)
                sources = pa.array(np.searchsorted(needed, original[places]))
                again = pa.chunked_array(kept).take(sources).combine_chunks()
                pieces.append(again if edit is None else edit(again, draw))
                response_pieces.append(pa.chunked_array(kept_responses).take(sources).combine_chunks())
                order.append(places)
            back = pa.array(np.argsort(np.concatenate(order)))
            yield pa.concat_arrays(pieces).take(back), pa.concat_arrays(response_pieces).take(back)

    def _simple(self, count: int, draw: np.random.Generator) -> tuple[pa.Array, pa.Array]:
        """Return rows of the shapes that need no memory of other rows."""
        words = pa.array(self._maker.made[:_TEMPLATE_WORDS])
        if self._shape == "equal":
            text = f"Because {' '.join(self._maker.made[:50])}."
            return pa.repeat(pa.scalar("Explain how a bicycle stays upright."), count), pa.repeat(
                pa.scalar(text), count
            )
        one, other = (words.take(pa.array(draw.integers(0, len(words), count))) for _ in range(2))
        ends = ("Write one short sentence with the words ", " and ", " for a child.")
        prompt = pc.binary_join_element_wise(ends[0], one, ends[1], other, ends[2], "")
        return prompt, pc.binary_join_element_wise(one, other, " ")


def _as_ingested(prompt: pa.Array, response: pa.Array, start: int, seed: int, schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows as ingest would write them under the template `instruct`."""
    count = len(prompt)
    draw = np.random.default_rng([seed, 3, start])
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[draw.integers(0, 16, (count, 32), dtype=np.uint8)]
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), count, [None, pa.py_buffer(digits)])
    # Two fields a row, in order of name: instruction, response.
    pair = pa.array(np.arange(2 * count).reshape(2, count).T.reshape(-1))
    values = pa.concat_arrays([prompt, response]).take(pair)
    names = pa.array(["instruction", "response"]).take(pa.array(np.tile([0, 1], count)))
    fields = pa.StructArray.from_arrays([names, values], ["name", "value"])
    offsets = pa.array(np.arange(0, 2 * count + 1, 2, dtype=np.int32))
    nothing = pa.array(np.zeros(count + 1, np.int32))
    lines = pa.array(np.arange(start + 1, start + count + 1)).cast(pa.string())
    columns: dict[str, pa.Array] = {
        "id": fixed.cast(pa.binary()).cast(pa.string()),
        "source": pa.repeat(pa.scalar(SOURCE), count),
        "origin": pc.binary_join_element_wise(pa.scalar(f"{SOURCE}.jsonl"), lines, ":"),
        "task": pa.repeat(pa.scalar("instruct"), count),
        "template": pa.repeat(pa.scalar("instruct"), count),
        "fields": pa.ListArray.from_arrays(offsets, fields),
        "license": pa.nulls(count, pa.string()),
        "meta": pa.repeat(pa.scalar("{}"), count),
    }
    for name in ("turns", "marks"):
        kind = schema.field(name).type
        columns[name] = pa.ListArray.from_arrays(nothing, pa.array([], kind.value_type))
    arrays = [columns[field.name].cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


if __name__ == "__main__":
    begun = time.perf_counter()
    done = make_pairs(sys.argv[3] if len(sys.argv) > 3 else "free", int(sys.argv[1]), Path(sys.argv[2]))
    print(f"{done.snapshot.manifest.rows:,} rows in {time.perf_counter() - begun:.1f} s: {sys.argv[2]}")
