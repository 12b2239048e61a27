"""Runs lm-eval on an exported split and a tuned model, and compares its figures with ours on its own logged outputs.

    tuneloop export --to out --lm-eval
    python tests/bench/lm_eval_equal.py out          (an environment for lm-eval: .venv-bench-lm-eval, or $LM_EVAL_VENV)

Exit code 1 if exact match, BLEU, chrF or chrF++ differs by more than 1e-6. Prints also how many of its outputs are, text
for text, what our own evaluation of the run answered, where scores.parquet is named second.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from figures import tell
from sacrebleu.metrics.bleu import BLEU

from train.corpus_metrics import chrf, chrf_plus_plus, corpus_metrics
from train.lm_eval_task import FOLDER, LM_EVAL
from train.metrics import is_without_blanks

ROOT = Path(__file__).resolve().parents[2]
VENV = Path(os.environ.get("LM_EVAL_VENV", ROOT / ".venv-bench-lm-eval"))
MOST = 1e-6


def run(folder: Path, model: str) -> Path:
    """Run lm-eval where the tasks lie, and return the folder of its results."""
    program = VENV / "bin" / "lm_eval"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        for what in ("torch==2.13.0", f"lm-eval[hf]=={LM_EVAL}"):
            subprocess.run([str(VENV / "bin" / "python"), "-m", "pip", "install", "-q", what], check=True)
    (group,) = [path.stem for path in folder.glob("*.yaml") if "group" in yaml.safe_load(path.read_text("utf-8"))]
    words = [
        str(program), "run", "--model", "hf", "--model_args", f"pretrained={model},add_bos_token=False", "--device", "cpu",
        "--tasks", group, "--include_path", ".", "--output_path", "results", "--log_samples", "--batch_size", "16",
    ]  # fmt: skip
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
    # The checkout's packages have bare names, and are none of lm-eval's.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | quiet
    subprocess.run(words, cwd=folder, check=True, env=environment, capture_output=True)
    return folder / "results"


def main() -> int:
    """Compare, print a line a figure, and return the exit code."""
    export = Path(sys.argv[1]).resolve()
    ours_said = (
        pq.read_table(sys.argv[2], filters=[("arm", "=", "tuned"), ("split", "=", "test")]) if sys.argv[2:] else None
    )
    by_id = (
        dict(zip(*(ours_said[name].to_pylist() for name in ("example", "answer")), strict=True)) if ours_said else {}
    )
    model = "../merged" if (export / "merged").is_dir() else "../model"
    results = run(export / FOLDER, model)
    newest = max(results.rglob("results_*.json"), key=lambda path: path.name)
    figures = json.loads(newest.read_text("utf-8"))["results"]
    worst, same, total, compared = 0.0, 0, 0, 0
    for task in sorted(figures):
        if "exact_match,strip" not in figures[task]:
            continue  # the group has none of its own
        # The time follows the name, so that no task's log is taken for that of one whose name begins as its does.
        logs = sorted(results.rglob(f"samples_{task}_20*.jsonl"), key=lambda path: path.name)
        rows = [json.loads(line) for line in logs[-1].read_text("utf-8").splitlines()]
        answers = [row["filtered_resps"][0] for row in rows]
        references = [row["target"] for row in rows]
        same += sum(
            by_id.get(row["doc"]["id"], "\0").strip() == answer for row, answer in zip(rows, answers, strict=True)
        )
        total += len(rows)
        found = corpus_metrics(task, ["exact_match"], references, {"tuned": answers}, [])
        ours = {"exact_match": next(one.value for one in found.metrics if one.metric == "same_text")}
        ours |= {"chrf": chrf(answers, references)[0], "chrf++": chrf_plus_plus(answers, references)[0]}
        apart = sum(map(is_without_blanks, references))
        ours["bleu"] = float(BLEU(tokenize="13a").corpus_score(answers, [references]).score)
        if not apart:
            ours["bleu"] = corpus_metrics(task, ["bleu"], references, {"tuned": answers}, []).metrics[0].value
        for name, value in ours.items():
            theirs = figures[task].get(f"{name},strip")
            if theirs is not None:
                worst = max(worst, abs(theirs - value))
                compared += 1
                print(f"{task:<36} {name:<12} lm-eval {theirs:.9f}  ours {value:.9f}  n {len(rows)}")
    print(f"largest difference {worst:.2g} (at most {MOST:g}), lm-eval {LM_EVAL}")
    tell(f"largest difference to lm-eval {LM_EVAL}", worst)
    tell("figures compared", compared)
    if by_id:
        print(f"{same} of {total} outputs are those of our own evaluation")
    return int(worst > MOST or total == 0)


if __name__ == "__main__":
    sys.exit(main())
