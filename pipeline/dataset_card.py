"""The dataset card of a split: `README.md` beside the parquet, read by people and by `datasets`."""

from collections import Counter

import pyarrow.compute as pc
import yaml

from pipeline.snapshot import Snapshot
from schemas import SPLITS


def dataset_card(snapshot: Snapshot) -> str:
    """Return the card of a split: YAML that names the files of each side, then tables for a reader.

    It depends on the rows and file names alone, so a version has one card.
    """
    sides = [side for side in SPLITS if any(file.name.startswith(f"{side}-") for file in snapshot.manifest.files)]
    statuses, sources, table = _count(snapshot)
    head = {
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": side, "path": f"{side}-*.parquet"} for side in sides],
            }
        ],
        "tags": ["instruction-tuning", "tuneloop"],
    }
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        f"# Split {snapshot.manifest.version}",
        "",
        f"{snapshot.manifest.rows:,} examples. `prompt` and `completion` are lists of messages: trainers that know "
        "this form learn the completion only.",
        "",
        f"| template | {' | '.join(SPLITS)} |",
        f"|---|{'---|' * len(SPLITS)}",
        *(f"| {name} | {' | '.join(f'{table[name, side]:,}' for side in SPLITS)} |" for name in _names(table)),
        "",
        "| status | examples |",
        "|---|---|",
        *(f"| {status} | {n:,} |" for status, n in sorted(statuses.items())),
        "",
        "| source | licence | examples |",
        "|---|---|---|",
        *(f"| {source} | {given} | {n:,} |" for (source, given), n in sorted(sources.items())),
        "",
        "No example of one side shares a group with, or resembles, an example of another side; the record of "
        "the run in `data/split/refs/` holds the proof.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _names(table: Counter[tuple[str, str]]) -> list[str]:
    return sorted({name for name, _ in table})


def _count(snapshot: Snapshot) -> tuple[Counter[str], Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Return counts by status, by (source, licence), and by (template, side)."""
    statuses: Counter[str] = Counter()
    sources: Counter[tuple[str, str]] = Counter()
    table: Counter[tuple[str, str]] = Counter()
    rows = snapshot.table(["template", "split", "status", "source", "license"])
    for line in rows.group_by(["template", "split"]).aggregate([([], "count_all")]).to_pylist():
        table[line["template"], line["split"]] += line["count_all"]
    for line in rows.group_by(["source", "license"]).aggregate([([], "count_all")]).to_pylist():
        sources[line["source"], line["license"] or "not stated"] += line["count_all"]
    for item in pc.value_counts(rows.column("status")).to_pylist():
        statuses[item["values"]] += item["counts"]
    return statuses, sources, table
