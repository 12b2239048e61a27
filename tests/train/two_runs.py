"""Two finished runs on two data versions, made without training: scores are written by hand."""

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.snapshot import Snapshot
from schemas import arrow_schema
from schemas.report import Model, Report, Score
from schemas.training import Encode, Train, TrainingRecord
from tests.conftest import Project
from train.plan import MANIFEST, REPORT, RUNS, SCORES, read_record

RECIPE = """
name = "sums"
[[ingest.sources]]
name = "things"
path = "things.jsonl"
template = "instruct"
key = "n"
fields = { instruction = "q", response = "a" }
[dedupe]
near = 1.0
[format]
tokenizer = "tokenizer"
[split]
shares = { train = 0.4, validation = 0.2, test = 0.4 }
"""
WORDS = ["harbour", "orchard", "library", "mountain", "kitchen", "station", "village", "theatre", "desert", "island"]


def sums(n=60):
    """Return rows that no stage takes for each other."""
    return [
        {
            "n": n,
            "q": f"Tell the {WORDS[n % 10]} of {WORDS[(n // 10 + 3) % 10]}{n} what {n * 37} is.",
            "a": f"It is {n}.",
        }
        for n in range(n)
    ]


@dataclass
class Store:
    """A project whose versions are made one after another."""

    project: Project

    def split(self, rows) -> Snapshot:
        """Return the split of these rows."""
        (self.project.root / "things.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        version = self.project.run()["split"].record.version
        return Snapshot.open(self.project.data / "split", version)

    def run(self, key, split, score, *, started="2026-01-01T00:00:00+00:00", base=0.25, **changes) -> TrainingRecord:
        """Write a finished run; `score` gives the tuned model's score of a row, its NLL is 2 minus that."""
        folder = self.project.data / RUNS / key
        folder.mkdir(parents=True)
        rows = [row for row in split.table().to_pylist() if row["split"] == "test"]
        table = [
            {
                "example": row["id"], "group": row["group"], "split": "test", "template": row["template"],
                "source": row["source"], "arm": arm, "metric": "exact_match", "score": float(value),
                "answer": "so", "nll": 2.0 - value, "n_tokens": 3,
            }
            for row in rows
            for arm, value in (("base", base), ("tuned", score(row)))
        ]  # fmt: skip
        pq.write_table(pa.Table.from_pylist(table, schema=arrow_schema(Score)), folder / SCORES)
        settings = Train(base="some/base", method="lora").model_dump(mode="json") | changes.pop("settings", {})
        model = Model(
            run=key, base="some/base", method="lora", n_parameters=9, n_trainable=1, steps=1, best_step=1,
            train_seconds=1.0, tokens_per_second=1.0,
        )  # fmt: skip
        version = split.manifest.version
        report = Report(
            recipe="sums", data_version=version, split="test", n=len(rows), n_reviewed=0, n_train=1, n_train_reviewed=0,
            model=model, verdict="", means=[], comparisons=[], slices=[], forgetting=None, curve=[], samples=[],
        )  # fmt: skip
        (folder / REPORT).write_text(report.model_dump_json(), encoding="utf-8")
        parts = dict(
            key=key, key_parts={"input base.txt": "1"}, evaluation="e", recipe="sums",
            parents={"split": version, "encode": "x"}, settings=settings, encode=Encode().model_dump(mode="json"),
            base="some/base@main", code="c", distributions={"torch": "2"}, git_commit=None, started_at=started,
            seconds=1.0, peak_memory_bytes=1, model=model,
        )  # fmt: skip
        (folder / MANIFEST).write_text(TrainingRecord(**parts | changes).model_dump_json(), encoding="utf-8")
        latest: Path = self.project.data / RUNS / "latest-sums"
        latest.unlink(missing_ok=True)
        latest.symlink_to(key)
        found = read_record(folder)
        assert found
        return found
