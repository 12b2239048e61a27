"""The dataset card of a split: `README.md` beside the parquet, read by people and by `datasets`."""

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipeline.meta import meta_values
from pipeline.snapshot import Snapshot
from pipeline.split_rows import joined_meta
from pipeline.strata import LANGUAGE, count, strata_of, with_language
from schemas import SPLITS


def dataset_card(snapshot: Snapshot) -> str:
    """Return the card of a split: YAML that names the files of each side, then tables for a reader.

    It depends on the rows and file names alone, so a version has one card.
    """
    sides = [side for side in SPLITS if any(file.name.startswith(f"{side}-") for file in snapshot.manifest.files)]
    rows = _rows(snapshot)
    head = {
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": side, "path": f"{side}-*.parquet"} for side in sides],
            }
        ],
        "tags": ["instruction-tuning", "tuneloop"],
    }
    statuses = Counter({item["values"]: item["counts"] for item in pc.value_counts(rows.column("status")).to_pylist()})
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        f"# Split {snapshot.manifest.version}",
        "",
        f"{snapshot.manifest.rows:,} examples. `prompt` and `completion` are lists of messages: trainers that know "
        "this form learn the completion only.",
        "",
        *(line for by in strata_of(rows) for line in _sides(rows, by)),
        "| status | examples |",
        "|---|---|",
        *(f"| {status} | {n:,} |" for status, n in sorted(statuses.items())),
        "",
        "| source | licence | examples |",
        "|---|---|---|",
        *(f"| {source} | {given} | {n:,} |" for (source, given), n in sorted(_licences(rows).items())),
        "",
        "No example of one side shares a group with, or resembles, an example of another side; the record of "
        "the run in `data/split/refs/` holds the proof.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _sides(rows: pa.Table, by: str) -> Iterator[str]:
    """Yield a table of the rows on each side, and which share of the line's rows that is."""
    yield f"| {by} | {' | '.join(SPLITS)} |"
    yield f"|---|{'---|' * len(SPLITS)}"
    for name, sides in count(rows, by).items():
        n = sum(sides.values())
        yield f"| {name} | {' | '.join(f'{sides[side]:,} ({sides[side] / n:.1%})' for side in SPLITS)} |"
    yield ""


def _rows(snapshot: Snapshot) -> pa.Table:
    """Return what the card counts."""
    plain, languages, start = [], [], 0
    for batch in snapshot.batches(["template", "source", "split", "status", "license", "meta"]):
        row, value = meta_values(batch.column("meta"), LANGUAGE)
        languages.append((row + start, value))
        plain.append(batch.drop_columns(["meta"]))
        start += batch.num_rows
    return with_language(pa.Table.from_batches(plain), joined_meta(languages))


def _licences(rows: pa.Table) -> Counter[tuple[str, str]]:
    lines = rows.group_by(["source", "license"]).aggregate([([], "count_all")]).to_pylist()
    return Counter({(line["source"], line["license"] or "not stated"): line["count_all"] for line in lines})
