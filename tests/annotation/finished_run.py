"""A finished training run for tests: its report and its scores, three templates wide at most."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.annotation.test_feedback import Row, trained

COMPARED = {"measure": "score", "difference": 0.5, "low": 0.1, "high": 0.9, "n": 2, "n_groups": 2}
AGAINST_BASE = {"better": "tuned", "than": "base", **COMPARED}


def report(templates: Mapping[str, tuple[float, float]], key: str = "aa11", **more: Any) -> dict[str, Any]:
    """Return a report whose templates have these scores of base and tuned."""
    slices = [
        {
            "by": "template", "value": name, "n": 2, "metric": "exact_match", "against_base": AGAINST_BASE,
            "means": [{"arm": "base", "score": base, "nll": 3.0}, {"arm": "tuned", "score": tuned, "nll": 2.0}],
        }
        for name, (base, tuned) in templates.items()
    ]  # fmt: skip
    model = {
        "run": key, "base": "tiny", "method": "full", "n_parameters": 9, "n_trainable": 9, "steps": 3, "best_step": 3,
        "train_seconds": 1.0, "tokens_per_second": 9.0,
    }  # fmt: skip
    return {
        "recipe": "tiny", "data_version": "v1", "split": "test", "n": 4, "n_reviewed": 1, "n_train": 5,
        "n_train_reviewed": 2, "model": model, "verdict": "better", "means": [], "comparisons": [AGAINST_BASE],
        "slices": slices, "forgetting": None, "curve": [], "samples": [], **more,
    }  # fmt: skip


def answered(one: Row, base: float, tuned: float, said: str = "the model's own") -> list[Row]:
    """Return the rows of `scores.parquet` for an example that base and tuned model answered."""
    both = {name: one[name] for name in ("group", "split", "template", "source")}
    both |= {"example": one["id"], "metric": "exact_match", "n_tokens": 2, "nll": 2.0, "answer": said}
    return [{**both, "arm": "base", "score": base}, {**both, "arm": "tuned", "score": tuned}]


def finish(
    root: Path,
    scores: Sequence[Row],
    told: Mapping[str, Any],
    version: str = "v1",
    started_at: str = "2026-11-27T08:00:00",
) -> Path:
    """Write what a finished run leaves, its report and its beginning among it."""
    key = told["model"]["run"]
    folder = trained(root, scores, key, version)
    (folder / "report.json").write_text(json.dumps(told))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"base": "tiny-1", "started_at": started_at}))
    return folder
