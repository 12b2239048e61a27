"""Scores duplicate finders on the labelled pairs: `python tests/bench/instruct_dups/score.py [--half open] [--peers]`.

Ours is the stage dedupe at its defaults, run as `tuneloop data --to dedupe` runs it, on all rows of the half at once.
With `--peers` datatrove, text-dedup, rensa and datasketch follow, each at its defaults and at the setting that has the
best F1 on the open half, so that the half they are scored on chose nothing. `--wrong N` prints pairs we got wrong.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]

from figures import tell  # noqa: E402 - a script finds the checkout first
from our_dedupe import Silent, clusters_of  # noqa: E402
from pairs import BUCKETS, KINDS, LANGUAGES, Pair, load, rows  # noqa: E402
from peers.run import PeerError, run_peer  # noqa: E402
from peers.settings import OTHERS, Settings  # noqa: E402

from pipeline.recipe import Recipe  # noqa: E402
from pipeline.run import run_data  # noqa: E402

PEERS = ("datatrove", "text-dedup", "rensa", "datasketch")
RECIPE = {
    "name": "labelled",
    "ingest": {"sources": [{"name": "rows", "path": "rows.jsonl", "template": "instruct", "shape": "alpaca"}]},
}


@dataclass(frozen=True)
class Score:
    """What a finder made of the pairs, in order."""

    pairs: Sequence[Pair]
    merged: np.ndarray

    def f1(self, chosen: Callable[[Pair], bool] = lambda _: True) -> float:
        """Return 2TP / (2TP + FP + FN) over the chosen pairs."""
        counts = Counter((p.label, bool(m)) for p, m in zip(self.pairs, self.merged, strict=True) if chosen(p))
        true = 2 * counts["duplicate", True]
        return true / max(true + counts["different", True] + counts["duplicate", False], 1)

    def wrong(self, chosen: Callable[[Pair], bool]) -> float:
        """Return the share of the chosen pairs that were decided against their label."""
        own = [(p.label == "duplicate") != m for p, m in zip(self.pairs, self.merged, strict=True) if chosen(p)]
        return sum(own) / max(len(own), 1)


def ours(pairs: Sequence[Pair]) -> Score:
    """Return the score of our stage."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        lines = [
            json.dumps({"instruction": row["instruction"], "input": row["input"], "output": row["response"]})
            for row in rows([*pairs])
        ]
        (root / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        outcomes = run_data(Recipe.model_validate(RECIPE), root / "data", Silent(), to="dedupe", root=root)
        record = outcomes[-1].record
        assert record.rows_in == len(lines), "a row was quarantined"
        return _scored(pairs, clusters_of(record, root / "data", len(lines)))


def theirs(peer: str, pairs: Sequence[Pair], settings: Settings) -> Score:
    """Return a peer's score with some settings laid over its defaults."""
    with tempfile.TemporaryDirectory() as name:
        table = rows([*pairs])
        prompts = [f"{row['instruction']}\n{row['input']}".strip() for row in table]
        path = Path(name) / "rows.parquet"
        pq.write_table(pa.table({"prompt": prompts, "response": [row["response"] for row in table]}), path)
        return _scored(pairs, run_peer(peer, path, settings).clusters)


def _scored(pairs: Sequence[Pair], clusters: np.ndarray) -> Score:
    left, right = clusters[::2], clusters[1::2]
    return Score(pairs, (left == right) & (left >= 0))


def best_of(peer: str, pairs: Sequence[Pair]) -> Settings:
    """Return the settings with the best F1 on the pairs, of the defaults and the others, on prompts and on both sides."""
    tried = [{**other, "text": text} for other in ({}, *OTHERS[peer]) for text in ("both", "prompt")]
    return max(tried, key=lambda settings: theirs(peer, pairs, settings).f1())


def table(scores: dict[str, Score]) -> None:
    """Print F1 of all and of parts, and the share of pairs decided wrongly by kind."""
    names = list(scores)
    print("| " + " | ".join(["", *names]) + " |\n|---|" + "---:|" * len(names))

    def line(name: str, cell: Callable[[Score], str]) -> None:
        print("| " + " | ".join([name, *(cell(score) for score in scores.values())]) + " |")

    line("F1", lambda score: f"{score.f1():.3f}")
    for made in ("hand", "slot"):
        line(f"F1, {made}", lambda score, made=made: f"{score.f1(lambda pair: pair.made == made):.3f}")
    for bucket in BUCKETS:
        line(f"F1, {bucket} words", lambda score, bucket=bucket: f"{score.f1(lambda pair: pair.bucket == bucket):.3f}")
    for language in LANGUAGES:
        line(f"F1, {language}", lambda score, own=language: f"{score.f1(lambda pair: pair.language == own):.3f}")
    labels = {pair.kind: pair.label for pair in scores[names[0]].pairs}
    for kind in KINDS:
        told = "missed" if labels[kind] == "duplicate" else "merged wrongly"
        line(f"{kind}: {told}", lambda score, kind=kind: f"{score.wrong(lambda pair: pair.kind == kind):.1%}")
    slots = {
        kind: scores[names[0]].wrong(lambda pair, kind=kind: pair.kind == kind and pair.made == "slot")
        for kind in KINDS
        if labels[kind] == "different"
    }
    worst = max(slots, key=lambda kind: slots[kind])
    print(f"\n{names[0]}: most wrong merges of slot pairs in a kind: {worst}, {slots[worst]:.2%}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Scores duplicate finders on the labelled pairs.")
    parser.add_argument("--half", choices=("open", "held", "all"), default="open")
    parser.add_argument("--peers", action="store_true", help="the peers as well, in environments of their own")
    parser.add_argument("--wrong", type=int, default=0, help="print this many pairs that we got wrong")
    given = parser.parse_args()
    pairs = load(given.half)
    scores = {"ours": ours(pairs)}
    for peer in PEERS if given.peers else ():
        try:
            scores[peer] = theirs(peer, pairs, {})
            best = best_of(peer, load("open"))
            print(f"{peer}, best on the open half: {json.dumps(best)}", file=sys.stderr)
            scores[f"{peer}, best"] = theirs(peer, pairs, best)
        except PeerError as error:
            print(f"{peer}: {error}", file=sys.stderr)
    table(scores)
    own = scores["ours"]
    if len(scores) == 1:
        tell(f"F1, half {given.half}", own.f1())
    for peer, other in scores.items():
        if peer != "ours":
            tell(f"F1, half {given.half}", own.f1(), peer=peer, theirs=other.f1(), headline=peer.endswith("best"))
    kinds = {pair.kind for pair in pairs if pair.label == "different"}
    merged = [kind for kind in kinds if own.wrong(lambda pair, kind=kind: pair.kind == kind)]
    tell("kinds of look-alikes of which pairs are merged", len(merged), of=len(kinds))
    wrong = [p for p, m in zip(pairs, scores["ours"].merged, strict=True) if (p.label == "duplicate") != m]
    for pair in wrong[:: max(len(wrong) // max(given.wrong, 1), 1)][: given.wrong]:
        print(f"{pair.id} ({pair.label})\n  {pair.left.model_dump()}\n  {pair.right.model_dump()}")


if __name__ == "__main__":
    main()
