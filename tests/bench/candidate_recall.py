"""Prints how many of the truly near pairs the candidate search finds, against an exhaustive comparison.

    python tests/bench/candidate_recall.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

Real prompts: all pairs with a score of 0.9 or more, by rapidfuzz's cdist. Made prompts: 1,000 pairs of random
words of which one word was changed, for several lengths.
"""

import csv
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.similarity import near_pairs, normal  # noqa: E402 - a script finds the checkout first

WORDS = (ROOT / "data" / "sample" / "base.txt").read_text("utf-8").split()
LENGTHS = (6, 8, 12, 20, 50, 200)
PAIRS = 1000


def main() -> None:
    """Print one line a set of prompts."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if folder.is_dir():
        alpaca = json.loads((folder / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8"))
        exhaustive("alpaca prompts", [f"{row['instruction']} {row['input']}".strip() for row in alpaca])
        with (folder / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
            exhaustive("banking77 texts", [row["text"] for row in csv.DictReader(file)])
    else:
        print(f"no real data at {folder}: left out")
    for n_words in LENGTHS:
        one_word_changed(n_words)


def exhaustive(name: str, texts: list[str], threshold: float = 0.9) -> None:
    """Compare every text with every other and print the share of near pairs that the search finds."""
    plain = [text for text in dict.fromkeys(normal(pa.array(texts)).to_pylist()) if text]
    true = set()
    for start in range(0, len(plain), 1000):
        block = plain[start : start + 1000]
        scored = cdist(
            block, plain, scorer=Indel.normalized_similarity, score_cutoff=threshold, workers=-1, dtype=np.float32
        )
        true |= {(start + a, b) for a, b in zip(*np.nonzero(scored), strict=True) if start + a < b}
    pairs = near_pairs(pa.array(plain), threshold)
    found = true & set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    print(f"{name:<32} {len(plain):>6} texts {len(true):>6} near pairs {len(found) / max(len(true), 1):>7.1%} found")


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
    print(
        f"{f'one word of {n_words} changed':<32} {2 * PAIRS:>6} texts {PAIRS:>6} pairs      {hit / PAIRS:>7.1%} found"
    )


if __name__ == "__main__":
    main()
