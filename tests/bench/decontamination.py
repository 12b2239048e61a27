"""Prints what decontamination finds and misses on real data, and how fast it is.

    python tests/bench/decontamination.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

Contaminated rows of math_data.json are those whose question equals one of gsm8k's test set but for case and white
space: 1,055 of 3,260. The nearest of the others has a score of 0.937 and other names and numbers, so the truth is
clear. Rephrasings: row n rephrases item n. Recall is told at the score that flags a share of gsm8k's training rows.
"""

import csv
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from figures import tell

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.benchmarks import Item, read_items  # noqa: E402 - a script finds the checkout first
from pipeline.contamination import Contamination, Decontaminate, Hit  # noqa: E402
from pipeline.plain import normal  # noqa: E402
from pipeline.repetition import LEAST_NUMBERS, agrees  # noqa: E402

Rows = list[tuple[str, str]]
NEAR = 0.9
LEVELS = (0.01, 0.001, 0.0)


def main() -> None:
    """Print one line a set of rows."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not folder.is_dir():
        print(f"no real data at {folder}: left out")
        return
    gsm8k(folder)
    rephrased_code(folder)
    rephrased_exams(folder)
    other_sets(folder)
    speed(folder)


def gsm8k(folder: Path) -> None:
    """Print what is found of copies, of hidden copies and of rephrasings of gsm8k's test set, and what wrongly."""
    items = read_items({"gsm8k": folder / "gsm8k" / "test.jsonl"})
    known = set(plain([item.question for item in items]))
    adapters = json.loads((folder / "llm-adapters" / "ft-training_set" / "math_data.json").read_text("utf-8"))
    rows = [(row["instruction"], row["output"]) for row in adapters]
    copied = np.array([text in known for text in plain([question for question, _ in rows])])
    found = marked(items, rows)
    for name, some in (("copies of gsm8k test", copied), ("other rows (false)", ~copied)):
        print(f"{f'math_data.json, {name}':<44} {found[some].sum():>5} of {some.sum():>5}")
        tell(f"math_data.json, {name}", found[some].sum(), of=some.sum())
    train = [(row["question"], row["answer"]) for row in lines(folder / "gsm8k" / "train.jsonl")]
    told("gsm8k train (false: no question is the same)", items, train)
    for name, hidden in hidden_copies(items, train).items():
        print(f"{'gsm8k test, ' + name:<44} {marked(items, hidden).sum():>5} of {len(hidden):>5}")
    texts = [
        row["text"].split("\nAnswer:") for row in lines(folder / "llm-decontaminator/rephrase/rephrase_gsm8k.jsonl")
    ]
    rephrased = [(question.removeprefix("Question: "), answer) for question, answer in texts]
    told("gsm8k test rephrased, with its answer", items, rephrased, show=0)
    told("gsm8k test rephrased, without", items, [(question, "") for question, _ in rephrased], show=0)
    sweep(items, train, rephrased)
    by_size(items, {"changed": hidden_copies(items, train)["one word in ten changed"], "train": train})


def by_size(items: list[Item], sets: dict[str, Rows]) -> None:
    """Print how many rows are covered so far by runs of several sizes, and so where numbers must agree."""
    for n in (5, 8, 13):
        contamination = Contamination.of(items, NEAR, Decontaminate(ngram=n))
        for name, rows in sets.items():
            pairs = contamination.compare(*columns(rows)).questions
            covered = pairs.covered / np.maximum(contamination.index.n_content[pairs.text], 1)
            for kind, score in (("", covered), (", numbers agree", covered * agrees(pairs))):
                best = np.zeros(len(rows))
                np.maximum.at(best, pairs.row, score)
                counts = ", ".join(f"{level}: {(best >= level).sum()}" for level in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8))
                print(f"  {f'runs of {n}, {name}{kind}':<42} {counts}")


def hidden_copies(items: list[Item], train: Rows) -> dict[str, Rows]:
    """Return the items as they are hidden in practice."""
    chance = random.Random(7)
    shots = [f"Q: {question} A: {answer}" for question, answer in train]
    cut = [" ".join(item.question.split()[: -len(item.question.split()) // 4]) for item in items]
    return {
        "upper case, no punctuation": [(letters(item.question).upper(), "") for item in items],
        "inside a longer prompt": [(f"Solve this. {item.question} Think step by step.", "") for item in items],
        "after three other questions": [
            (" ".join([*chance.sample(shots, 3), f"Q: {item.question} A:"]), "") for item in items
        ],
        "in the response": [("Make up a word problem.", f"Sure! {item.question}") for item in items],
        "last quarter cut off": [(text, "") for text in cut],
        "one word in ten changed": [(changed(item.question, chance), "") for item in items],
        "solution alone": [("Show your working.", item.answer) for item in items],
    }


def letters(text: str) -> str:
    """Return a text without the punctuation that is free to differ."""
    return "".join(letter for letter in text if letter not in ",;?!\"'’“”").replace(". ", " ")


def changed(text: str, chance: random.Random) -> str:
    """Return a text with every tenth word or so replaced, numbers left alone."""
    words = text.split()
    return " ".join("thing" if word.isalpha() and chance.random() < 0.1 else word for word in words)


def sweep(items: list[Item], train: Rows, rephrased: Rows) -> None:
    """Print the recall of single signals at scores that flag 1 %, 0.1 % and none of the training rows."""
    signals = {
        "coverage by runs of 8": 0,
        "longest run": 1,
        "words in any order, numbers agree": 2,
        "that, and the answer": 3,
    }
    for name, signal in signals.items():
        false, true = (np.sort(scored(items, rows)[:, signal])[::-1] for rows in (train, rephrased))
        line = []
        for level in LEVELS:
            at = max(float(false[int(level * len(false))]), 1e-6)
            line.append(f"{(true > at).mean():>6.1%} at {(false > at).mean():.2%} (score {at:.2f})")
        print(f"  rephrased, {name:<33} {', '.join(line)}")


def scored(items: list[Item], rows: Rows) -> np.ndarray:
    """Return the best score of each row by each signal."""
    contamination = Contamination.of(items, NEAR, Decontaminate())
    compared = contamination.compare(*columns(rows))
    pairs = compared.questions
    content = np.maximum(contamination.index.n_content[pairs.text], 1)
    alike = np.where(agrees(pairs) & (pairs.numbers - pairs.missing >= LEAST_NUMBERS), pairs.alike, 0)
    best = np.zeros((len(rows), 4))
    signals = (pairs.covered / content, pairs.longest / content, alike, alike * compared.is_answered)
    for n, score in enumerate(signals):
        np.maximum.at(best[:, n], pairs.row, score)
    return best


def rephrased_code(folder: Path) -> None:
    """Print what is found of HumanEval: its own solutions, and those rewritten by the authors of the rephrasings."""
    items = read_items({"humaneval": folder / "humaneval" / "HumanEval.jsonl"})
    database = folder / "llm-decontaminator"
    for name in ("test/HumanEval", *(f"rephrase/humaneval_{kind}" for kind in ("python", "js", "c", "multi"))):
        rows = [("", row["text"]) for row in lines(database / f"{name}.jsonl") if "text" in row]
        print(f"{f'humaneval, {name}':<44} {marked(items, rows).sum():>5} of {len(rows):>5}")


def rephrased_exams(folder: Path) -> None:
    """Print what is found of three MMLU exams, as they are and rephrased: their questions have few numbers."""
    for name in ("abstract_algebra", "high_school_us_history", "sociology"):
        with (folder / f"llm-decontaminator/rephrase/{name}_test.csv").open(encoding="utf-8", newline="") as file:
            exam = list(csv.reader(file))
        items = [
            Item(name, n, text, row["ABCD".index(row[5]) + 1])
            for n, row in enumerate(([one[0], *one[1:6]] for one in exam), start=1)
            for text in (row[0], "\n".join(row[:5]))
        ]
        told(f"{name}, as it is", items, [("\n".join(row[:5]), row[5]) for row in exam], show=0)
        path = folder / f"llm-decontaminator/rephrase/{name}_test_rephrase_english_filtered_question.jsonl"
        told(f"{name}, rephrased", items, [(row["text"], "") for row in lines(path)], show=0)


def other_sets(folder: Path) -> None:
    """Print what is found in sets that were not made from these benchmarks, for a look."""
    names = ("gsm8k/test.jsonl", "humaneval/HumanEval.jsonl", "ifeval/input_data.jsonl", "mmlu-redux/all.csv")
    names += ("mt-bench/mt_bench/question.jsonl", "mt-bench/vicuna_bench/question.jsonl")
    items = read_items({name: folder / name for name in names})
    alpaca = json.loads((folder / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8"))
    told("alpaca against six benchmarks", items, [(f"{r['instruction']} {r['input']}", r["output"]) for r in alpaca])
    roleplay = json.loads(next((folder / "gpteacher" / "Roleplay").glob("*.json")).read_text("utf-8"))
    told(
        "roleplay against six benchmarks",
        items,
        [(f"{r['instruction']} {r['input']}", r["response"]) for r in roleplay],
    )


def speed(folder: Path) -> None:
    """Print rows a second on one core, rows of some 500 characters, items of all benchmarks and 20,000 of one kind."""
    alpaca = json.loads((folder / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8"))
    texts = [f"{row['instruction']} {row['input']} {row['output']}" for row in alpaca]
    chance = random.Random(1)
    rows = []
    for _ in range(40_000):
        whole = " ".join(chance.sample(texts, 3))
        at = chance.randrange(max(len(whole) - 500, 1))
        rows.append((whole[at : at + 250], whole[at + 250 : at + 500]))
    train = [(row["question"], row["answer"]) for row in lines(folder / "gsm8k" / "train.jsonl")]
    tools = folder / "gpteacher" / "Toolformer"
    names = [
        "gsm8k/train.jsonl",
        "mmlu-redux/all.csv",
        *(str(path.relative_to(folder)) for path in tools.glob("*.json")),
    ]
    many = read_items({name: folder / name for name in names})
    gsm8k_items = read_items({"gsm8k": folder / "gsm8k" / "test.jsonl"})
    for name, items, some in (
        ("general rows, gsm8k", gsm8k_items, rows),
        ("general rows, many items", many, rows),
        ("gsm8k train, gsm8k", gsm8k_items, train),
    ):
        began = time.perf_counter()
        contamination = Contamination.of(items, NEAR, Decontaminate())
        built = time.perf_counter() - began
        question, answer = columns(some)
        contamination.matches(np.arange(10), question[:10], answer[:10])
        began = time.process_time()
        n_hits = 0
        for start in range(0, len(some), 8192):
            batch = slice(start, start + 8192)
            n_hits += len(contamination.matches(np.arange(len(question[batch])), question[batch], answer[batch]))
        rate = len(some) / (time.process_time() - began)
        print(f"{name:<44} {rate:>9,.0f} rows/s, {n_hits} hits, {len(items):,} items indexed in {built:.1f} s")
        tell(f"rows a second of processor time: {name}", rate)


def told(name: str, items: list[Item], rows: Rows, show: int = 20) -> None:
    """Print how many rows are hits, by kind, and some of them."""
    hits = found_in(items, rows)
    print(f"{name:<44} {len(hits):>5} of {len(rows):>5}")
    tell(name, len(hits), of=len(rows))
    for hit in hits[:show]:
        question, answer = rows[hit.row]
        print(f"      {hit.score:.2f} {hit.how}\n         row   {question[:150]!r} -> {answer[-60:]!r}")
        print(f"         item  {hit.item.question[:150]!r} -> {hit.item.answer[-60:]!r}")


def marked(items: list[Item], rows: Rows) -> np.ndarray:
    """Return which rows are hits."""
    found = np.zeros(len(rows), bool)
    found[[hit.row for hit in found_in(items, rows)]] = True
    return found


def found_in(items: list[Item], rows: Rows) -> list[Hit]:
    """Return the hits."""
    return Contamination.of(items, NEAR, Decontaminate()).matches(np.arange(len(rows)), *columns(rows))


def columns(rows: Rows) -> tuple[pa.LargeStringArray, pa.LargeStringArray]:
    """Return questions and answers, normal."""
    question, answer = (normal(pa.array(column, pa.large_string())) for column in zip(*rows, strict=True))
    return question, answer


def plain(texts: list[str]) -> list[str]:
    """Return the texts, normal."""
    found: list[str] = normal(pa.array(texts, pa.large_string())).to_pylist()
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    main()
