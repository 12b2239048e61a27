"""How good the queue's order is, on data whose mistakes are known.

    python tests/bench/queue_on_truth.py [FOLDER] [STORE]

FOLDER (TUNELOOP_SHARED if left out) holds public data: mlqe-pe, mmlu-redux, gsm8k, stanford_alpaca; what is missing is
skipped. STORE is a store with the sample's data and, for the order after training, a finished run of it (`make data
train`); left out, the sample's data are made in a folder of their own, without a run.

Prints the precision among the first 5 % and the recall among the first 20 % of each order, beside chance and the order
of length (longest answer first, shortest first). Rows that an order cannot tell apart count by their expected share.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
from crowdkit.aggregation import DawidSkene
from figures import tell
from numpy.typing import NDArray

from annotation.checked_texts import CHECKED, Kinds
from annotation.disagreement import share_against
from annotation.queue import queue_of
from annotation.rule_checks import RULES, Bits, broken_rules, count_rules, doubt_of, rules_of
from annotation.suspicion import Floats
from pipeline.recipe import load_recipe
from pipeline.template import load_templates
from schemas import Annotated, arrow_schema

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = load_templates([])
KINDS = Kinds.of({name: template for name, (template, _) in TEMPLATES.items()})
SCHEMA = pa.schema([arrow_schema(Annotated).field(name) for name in CHECKED])
FIRST, WIDE = 0.05, 0.2
LETTERS = "ABCD"
Flags = NDArray[np.bool_]


def main() -> None:
    """Print a section for each set of data."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    on_sample(Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None)
    for name, show in (
        ("mlqe-pe", on_translations), ("mmlu-redux", on_choices), ("gsm8k", on_sums),
        ("stanford_alpaca", on_instructions),
    ):  # fmt: skip
        if (folder / name).is_dir():
            show(folder / name)
        else:
            print(f"\n{name}: skipped, not in {folder}")


def told(name: str, score: Sequence[float] | Floats, is_wrong: Flags, told_of: str = "") -> None:
    """Print one order: the highest score comes first; a figure is told of the data in `told_of`."""
    values = np.asarray(score, float)
    n, n_first, n_wide = len(values), round(len(values) * FIRST), round(len(values) * WIDE)
    first, wide = expected(values, is_wrong, n_first), expected(values, is_wrong, n_wide)
    print(
        f"  {name:<34} precision of the first {n_first:>4,}: {first / n_first:6.1%}"
        f"   recall in the first {n_wide:>5,}: {wide / is_wrong.sum():6.1%}   of {n:,}"
    )
    if told_of and not name.startswith(("chance", "longest", "shortest")):
        what, by_chance = f"{told_of}, {name}: precision in the first 5 %", 100 * float(is_wrong.mean())
        tell(what, 100 * first / n_first, "%", peer="chance", theirs=by_chance, better="more")


def expected(score: Floats, is_wrong: Flags, k: int) -> float:
    """Return how many wrong rows stand among the first k, on average over all orders of equal scores."""
    edge = np.sort(score)[::-1][k - 1]
    above, level = score > edge, score == edge
    return float(is_wrong[above].sum() + is_wrong[level].mean() * (k - above.sum()))


def baselines(answers: Sequence[str], is_wrong: Flags) -> None:
    """Print chance and the two orders of length."""
    length = np.array([len(answer) for answer in answers])
    told("chance", np.zeros(len(answers)), is_wrong)
    told("longest answer first", length, is_wrong)
    told("shortest answer first", -length, is_wrong)


def batch(template: str, prompts: Iterable[str], answers: Iterable[str]) -> pa.RecordBatch:
    """Return rows as the rules read them."""
    rows = [
        {
            "template": template, "marks": [], "prompt": [{"role": "user", "content": prompt}],
            "completion": [{"role": "assistant", "content": answer}],
        }
        for prompt, answer in zip(prompts, answers, strict=True)
    ]  # fmt: skip
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


def by_rule(bits: Bits, is_wrong: Flags) -> None:
    """Print each rule with how many rows break it and how many of these are wrong."""
    for place, rule in enumerate(RULES):
        breaks = (bits >> np.uint32(place) & np.uint32(1)).astype(bool)
        if breaks.any():
            n_wrong = int(is_wrong[breaks].sum())
            print(f"    rule {rule.name:<16} {breaks.sum():>5,} rows, {n_wrong:,} wrong: {n_wrong / breaks.sum():.0%}")


def on_sample(store: Path | None) -> None:
    """The sample's planted faults, by kind."""
    with tempfile.TemporaryDirectory() as folder:
        if store is None:
            store = Path(folder)
            command = [sys.executable, "-m", "pipeline", "data", "--data-root", str(store)]
            done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr[-3000:])
        queue = queue_of(store, load_recipe(None), TEMPLATES, random_share=0)
        rows = [*queue.rows()]
    faults = [json.loads(line) for line in (ROOT / "data/sample/faults.jsonl").read_text("utf-8").splitlines()]
    kinds = {fault["origin"]: fault["kind"] for fault in faults}
    # Of two conflicting answers either may be the wrong one.
    kinds |= {fault["partner"]: "conflict" for fault in faults if fault["kind"] == "conflict"}
    rows = [one for one in rows if one.row["completion"]]
    kind = np.array([kinds.get(one.row["origin"].rsplit("/", 1)[-1], "") for one in rows])
    rank = np.arange(len(rows), 0, -1, dtype=float)
    print(
        f"\nsample: {len(rows):,} rows with an answer outside the test side, {(kind != '').sum()} with a planted fault"
    )
    print(f"  scores: {queue.scores}")
    told("queue, all faults", rank, kind != "", "sample")
    baselines([one.row["completion"][-1]["content"] for one in rows], kind != "")
    for name in sorted(set(kind) - {""}):
        told(f"queue, {name} ({(kind == name).sum()})", rank, kind == name, "sample" if name == "wrong_answer" else "")
    marks = pa.RecordBatch.from_pylist([{name: one.row[name] for name in CHECKED} for one in rows], SCHEMA)
    by_rule(broken_rules(marks, KINDS), kind != "")
    print("  a planted wrong answer is a plausible one: without a model nothing in the text shows it")


def on_translations(folder: Path) -> None:
    """Machine translations, wrong where people changed more than half of the words."""
    for part in ("train", "dev"):
        lines = (folder / f"derived/en-de.{part}.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        hter = np.array([row["hter"] for row in rows])
        prompts = [f"Translate from English to German:\n\n{row['src']}" for row in rows]
        answers = [row["mt"] for row in rows]
        bits = broken_rules(batch("translate", prompts, answers), KINDS)
        for what, is_wrong in (("HTER over 0.5", hter > 0.5), ("any change", hter > 0)):
            print(f"\nmlqe-pe en-de {part}, {what}: {is_wrong.sum():,} of {len(rows):,} wrong ({is_wrong.mean():.1%})")
            told("queue without a model", doubt_of(bits), is_wrong, f"mlqe-pe {part}, {what}")
            baselines(answers, is_wrong)
            by_rule(bits, is_wrong)
    print("  most faults are of meaning: only a model, or a person, sees them in the text")


def on_choices(folder: Path) -> None:
    """Exam questions whose key people checked, with the answers of 14 models as votes."""
    table = pd.read_csv(folder / "all.csv", keep_default_na=False)
    is_wrong = table["binary_error_type"].to_numpy().astype(bool)
    models = list(table.columns[4:18])
    given = [LETTERS[key] for key in table["groundtruth_answer"]]
    votes = [[vote for vote in row if vote in LETTERS and vote] for row in table[models].to_numpy().tolist()]
    n_lost = len(models) * len(table) - sum(map(len, votes))
    prompts = [
        question
        + "\n"
        + "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, ast.literal_eval(choices), strict=False))
        for question, choices in zip(table["question"], table["choices"], strict=True)
    ]
    bits = broken_rules(batch("classify", prompts, given), KINDS)
    print(f"\nmmlu-redux: {is_wrong.sum()} of {len(table):,} wrong ({is_wrong.mean():.1%})")
    told("queue without votes", doubt_of(bits), is_wrong, "mmlu-redux")
    baselines([f"{prompt}{answer}" for prompt, answer in zip(prompts, given, strict=True)], is_wrong)
    against = np.array([share_against(key, some) for key, some in zip(given, votes, strict=True)])
    told(f"{len(models)} votes, share against the key", against, is_wrong, "mmlu-redux")
    few = np.array([share_against(key, some[:3]) for key, some in zip(given, votes, strict=True)])
    told("3 votes, share against the key", few, is_wrong)
    told(f"{len(models)} votes, Dawid-Skene", 1 - dawid_skene(given, votes), is_wrong)
    for name in sorted(set(table["error_type"]) - {"ok"}):
        told(f"share against: {name}", against, (table["error_type"] == name).to_numpy())
    print(f"  {n_lost} votes were no letter from A to D and are left out; no rule of the text can see a wrong key")


def dawid_skene(given: Sequence[str], votes: Sequence[Sequence[str]]) -> Floats:
    """Return how likely each given answer is by the votes of the models (crowd-kit)."""
    said = [(task, worker, vote) for task, some in enumerate(votes) for worker, vote in enumerate(some)]
    chance = DawidSkene(n_iter=50).fit_predict_proba(pd.DataFrame(said, columns=["task", "worker", "label"]))
    found = chance.reindex(range(len(given))).fillna(0.25)
    return np.array([found.at[task, key] for task, key in enumerate(given)])


def on_sums(folder: Path) -> None:
    """Worked sums in words: as they are, and with one result made wrong."""
    lines = [line for part in ("train", "test") for line in (folder / f"{part}.jsonl").read_text("utf-8").splitlines()]
    answers = [re.sub(r"<<.*?>>", "", json.loads(line)["answer"]) for line in lines]
    draw, spoiled = Random(7), []
    for answer in answers:
        results = [*re.finditer(r"(?<=\d\s=\s)\d+(?=\s|$)", answer)]
        if results:
            one = draw.choice(results)
            spoiled.append(f"{answer[: one.start()]}{int(one.group()) + draw.randint(1, 9)}{answer[one.end() :]}")
    counts = [
        count_rules(broken_rules(batch("instruct", ["Solve it."] * len(some), some), KINDS)).get("wrong_sum", 0)
        for some in (answers, spoiled)
    ]
    print(
        f"\ngsm8k, rule wrong_sum: {counts[0]} of {len(answers):,} answers as they are (some are wrong in the source);"
    )
    print(f"  {counts[1]:,} of {len(spoiled):,} in which one result was made wrong: {counts[1] / len(spoiled):.1%}")


def on_instructions(folder: Path) -> None:
    """What the rules find in a set that is known for its noise; nobody has said what in it is wrong."""
    rows = json.loads((folder / "alpaca_first5019.json").read_text("utf-8"))
    prompts = [row["instruction"] + (f"\n\n{row['input']}" if row["input"] else "") for row in rows]
    answers = [row["output"] for row in rows]
    bits = broken_rules(batch("instruct", prompts, answers), KINDS)
    print(f"\nAlpaca, the first {len(rows):,}: {(bits > 0).sum()} rows break a rule")
    for name, n in count_rules(bits).items():
        print(f"  {name}: {n}")
        shown = [row for row in range(len(rows)) if any(rule.name == name for rule in rules_of(int(bits[row])))][:3]
        for row in shown:
            print(f"    {short(prompts[row])}  ->  {short(answers[row])}")


def short(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:69]}…"


if __name__ == "__main__":
    main()
