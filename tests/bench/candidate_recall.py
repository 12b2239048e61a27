"""How many duplicates the candidate search finds, against an exhaustive comparison of every text with every other.

    python tests/bench/candidate_recall.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

Real prompts: all pairs of an Alpaca slice, of GPTeacher's Toolformer and of banking77 that rapidfuzz's cdist scores at
0.6 or more are put before the verifier; printed is the share of those it accepts that are among the candidates. Made
prompts: 1,000 pairs of words of the sample's base text, one of which was changed for another.
"""

import csv
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from figures import tell
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.difference import SAME  # noqa: E402 - a script finds the checkout first
from pipeline.nodes import nodes_of  # noqa: E402
from pipeline.pairing import candidates  # noqa: E402
from pipeline.plain import normal  # noqa: E402
from pipeline.similarity import near_pairs  # noqa: E402
from pipeline.verified import Alike, verify  # noqa: E402

# A changed number is no near miss of the search: it never means the same.
WORDS = [
    word
    for word in (ROOT / "data" / "sample" / "base.txt").read_text("utf-8").split()
    if not any(letter.isdigit() for letter in word)
]
LENGTHS = (6, 8, 12, 20, 50, 200)
PAIRS = 1000
LEAST = 0.6
NEAR = 0.9


def main() -> None:
    """Print one line a set of prompts."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if folder.is_dir():
        alpaca = json.loads((folder / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8"))
        exhaustive("alpaca", [f"{row['instruction']} {row['input']}" for row in alpaca])
        tools = folder / "gpteacher" / "Toolformer" / "toolformer-dedupe-only-dataset.json"
        rows = json.loads(tools.read_text("utf-8"))
        exhaustive("toolformer", [f"{row['instruction']} {row.get('input', '')}" for row in rows])
        with (folder / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
            exhaustive("banking77", [row["text"] for row in csv.DictReader(file)])
    else:
        print(f"no real data at {folder}: left out")
    for n_words in LENGTHS:
        one_word_changed(n_words)


def exhaustive(name: str, texts: list[str]) -> None:
    """Put every near pair before the verifier and print the share of the accepted ones that are candidates."""
    plain = pa.array([text for text in dict.fromkeys(normal(pa.array(texts)).to_pylist()) if text], pa.large_string())
    nodes = nodes_of(plain)
    listed, n_near, accepted = plain.to_pylist(), 0, []
    for start in range(0, len(listed), 1000):
        scored = cdist(
            listed[start : start + 1000],
            listed,
            scorer=Indel.normalized_similarity,
            score_cutoff=LEAST,
            workers=-1,
            dtype=np.float32,
        )
        left, right = np.nonzero(scored)
        left = left.astype(np.uint64) + np.uint64(start)
        some = left < right.astype(np.uint64)
        pairs = np.sort((left[some] << np.uint64(32)) | right[some].astype(np.uint64))
        n_near += len(pairs)
        accepted.append(verify(nodes, [pairs], LEAST).near(NEAR))
    true = Alike.joined(accepted)
    true = true.where(true.kind == SAME)
    found = np.concatenate([np.zeros(0, np.uint64), *candidates(nodes, NEAR - 0.1)])
    hit = np.isin(true.pairs, found).sum()
    print(
        f"{name:<28} {len(plain):>6} texts {n_near:>8} pairs at {LEAST} {len(true.left):>6} accepted"
        f" {hit / max(len(true.left), 1):>7.2%} found"
    )
    tell(f"{name}: found of {len(true.left):,} accepted pairs", 100 * hit / max(len(true.left), 1), "%")


def one_word_changed(n_words: int) -> None:
    """Print the share of pairs found among prompts of which one word was changed."""
    chance = random.Random(n_words)
    texts = []
    for _ in range(PAIRS):
        words = [chance.choice(WORDS) for _ in range(n_words)]
        other = list(words)
        other[chance.randrange(n_words)] = chance.choice(WORDS)
        texts += [" ".join(words), " ".join(other)]
    pairs = near_pairs(pa.array(texts), 0.5)
    found = set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    hit = sum((2 * at, 2 * at + 1) in found for at in range(PAIRS))
    print(f"{f'one word of {n_words} changed':<28} {2 * PAIRS:>6} texts {PAIRS:>30} pairs {hit / PAIRS:>10.1%} found")
    tell(f"one word of {n_words} changed: found", 100 * hit / PAIRS, "%")


if __name__ == "__main__":
    main()
