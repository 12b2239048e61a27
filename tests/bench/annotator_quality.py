"""Consensus and flags against workers and answers that are known: crowdtruth RTE, mlqe-pe, xsum, coachlm.

    python tests/bench/annotator_quality.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED)

RTE has 800 items, 10 workers on each, and the right answer. For fewer answers an item, that many are drawn of the ten,
three times. A worker is near chance whose accuracy on the right answers is under 0.625, a quarter of the way from a
coin to perfect; only workers with 30 answers or more are counted, since nobody is flagged on fewer.
"""

import ast
import csv
import json
import os
import random
import re
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from figures import tell

from annotation.annotator_quality import LEAST_ITEMS, quality_of
from annotation.reliability import krippendorff_alpha
from pipeline.aggregation_models import Model, Vote, posteriors
from pipeline.same_edit import chrf

PER_ITEM, SEEDS, SURE, NEAR_CHANCE = (10, 5, 3, 2), (1, 2, 3), 0.9, 0.625
MODELS: list[Model] = ["dawid-skene", "mace"]
Said = dict[int, dict[str, str]]


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TUNELOOP_SHARED", ""))
    if not (folder / "crowdtruth" / "rte.jsonl").is_file():
        print(f"annotator_quality: skipped, no crowdtruth/rte.jsonl under {folder}")
        return
    said, gold = read_rte(folder)
    consensus_table(said, gold)
    flags_table(said, gold)
    alphas(folder, said)
    edits(folder)


def read_rte(folder: Path) -> tuple[Said, dict[int, str]]:
    """Return item to worker to answer, and item to the right answer."""
    said: Said = defaultdict(dict)
    gold = {}
    for line in (folder / "crowdtruth" / "rte.jsonl").read_text("utf-8").splitlines():
        vote = json.loads(line)
        said[int(vote["orig_id"])][vote["worker"]] = vote["response"]
        gold[int(vote["orig_id"])] = vote["gold"]
    return dict(said), gold


def drawn(said: Said, n: int, seed: int) -> Said:
    """Return n answers of each item."""
    chance = random.Random(seed)
    return {item: dict(chance.sample(sorted(votes.items()), n)) for item, votes in said.items()}


def consensus_table(said: Said, gold: dict[int, str]) -> None:
    """Print how many items each rule decides and how many of these are right."""
    print(f"RTE consensus: accuracy over all items (ties count half), and [decided: right of them], sure from {SURE}")
    for n in PER_ITEM:
        results: dict[str, list[float]] = defaultdict(list)
        for seed in SEEDS if n < 10 else SEEDS[:1]:
            some = drawn(said, n, seed)
            results["majority"].append(sum(vote_score(some[item], gold[item]) for item in gold) / len(gold))
            alike = {item: next(iter(votes.values())) for item, votes in some.items() if len(set(votes.values())) == 1}
            decided(results, "policy", alike, gold)
            for model in MODELS:
                votes = [Vote(item, who, word) for item, of_item in some.items() for who, word in of_item.items()]
                start = time.perf_counter()
                found = posteriors(votes, model)
                results[f"{model} seconds"].append(time.perf_counter() - start)
                best = {item: max(sorted(one.items()), key=lambda pair: pair[1]) for item, one in found.items()}
                results[model].append(sum(best[item][0] == gold[item] for item in gold) / len(gold))
                decided(results, model, {item: word for item, (word, p) in best.items() if p >= SURE}, gold)
        mean = {name: sum(values) / len(values) for name, values in results.items()}
        line = f"  {n:>2} answers an item: majority {mean['majority']:.4f}, "
        line += f"policy [{mean['policy decided']:.3f}: {mean['policy right']:.3f}]"
        for model in MODELS:
            line += f", {model} {mean[model]:.4f} [{mean[f'{model} decided']:.3f}: {mean[f'{model} right']:.3f}]"
            line += f" in {mean[f'{model} seconds']:.1f} s"
        print(line)
        for model in MODELS:
            what = f"accuracy by {model}, {n} answers an item"
            tell(what, results[model], peer="majority", theirs=results["majority"], headline=n == PER_ITEM[0])


def vote_score(votes: dict[str, str], right: str) -> float:
    """Return 1 where most are right, a half for a tie."""
    share = sum(word == right for word in votes.values()) / len(votes)
    return 1.0 if share > 0.5 else 0.5 if share == 0.5 else 0.0


def decided(results: dict[str, list[float]], name: str, words: dict[int, str], gold: dict[int, str]) -> None:
    """Add the share of items decided and the share of these that is right."""
    results[f"{name} decided"].append(len(words) / len(gold))
    results[f"{name} right"].append(sum(gold[item] == word for item, word in words.items()) / max(1, len(words)))


def flags_table(said: Said, gold: dict[int, str]) -> None:
    """Print precision and recall of the flags."""
    print(f"RTE flags, truth: accuracy on gold under {NEAR_CHANCE}, of workers with {LEAST_ITEMS} or more answers")
    for n in PER_ITEM:
        hits, flagged, wanted, judged = 0, 0, 0, 0
        named: Counter[str] = Counter()
        for seed in SEEDS if n < 10 else SEEDS[:1]:
            some = drawn(said, n, seed)
            right: dict[str, list[bool]] = defaultdict(list)
            whole: dict[str, list[bool]] = defaultdict(list)
            for item, votes in some.items():
                for who in votes:
                    right[who].append(votes[who] == gold[item])
            for item, votes in said.items():
                for who in votes:
                    whole[who].append(votes[who] == gold[item])
            many = {who for who, one in right.items() if len(one) >= LEAST_ITEMS}
            truth = {who for who in many if sum(whole[who]) / len(whole[who]) < NEAR_CHANCE}
            found = {one.annotator for one in quality_of(list(some.values())) if one.flag}
            hits, flagged = hits + len(found & truth), flagged + len(found)
            wanted, judged = wanted + len(truth), judged + len(many)
            named.update(f"missed {who} {sum(whole[who]) / len(whole[who]):.2f}" for who in truth - found)
            named.update(f"wrongly {who} {sum(whole[who]) / len(whole[who]):.2f}" for who in found - truth)
        precision, recall = hits / max(1, flagged), hits / max(1, wanted)
        print(
            f"  {n:>2} answers an item: {judged} workers, {wanted} near chance, {flagged} flagged, "
            f"precision {precision:.3f}, recall {recall:.3f}; {', '.join(sorted(named)) or 'none missed, none wrongly'}"
        )
        tell(f"flags, {n} answers an item: precision", precision)
        tell(f"flags, {n} answers an item: recall", recall)


def alphas(folder: Path, said: Said) -> None:
    """Print alpha with its interval on three public sets."""
    print("alpha, nominal, with its 95 % interval")
    show("RTE, 10 workers", [dict(votes) for votes in said.values()])
    path = folder / "mlqe-pe" / "catastrophic_errors" / "ende_majority_dev.tsv"
    if path.is_file():
        scores = [ast.literal_eval(line.split("\t")[3]) for line in path.read_text("utf-8").splitlines() if line]
        show("mlqe-pe catastrophic errors", [{str(who): one for who, one in enumerate(three)} for three in scores])
    path = folder / "xsum-hallucination" / "factuality_annotations_xsum_summaries.csv"
    if path.is_file():
        items: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                items[row["bbcid"], row["system"]][row["worker_id"]] = row["is_factual"]
        show("xsum factuality", list(items.values()))


def show(name: str, items: list[dict[str, Any]]) -> None:
    """Print alpha of one set."""
    start = time.perf_counter()
    one = krippendorff_alpha(items, "nominal")
    seconds = time.perf_counter() - start
    print(
        f"  {name}: {one.n_items:,} items, {one.n_answers:,} answers, alpha {one.value:.3f} "
        f"({one.low:.3f} to {one.high:.3f}), pairs the same {one.same:.3f}, in {seconds:.3f} s"
    )


def edits(folder: Path) -> None:
    """Print how often a text with one digit changed, or one "not" put in, would pass as the same edit."""
    path = folder / "coachlm" / "Expert Revision Dataset.json"
    if not path.is_file():
        return
    texts = [row["Revised Response"] for row in json.loads(path.read_text("utf-8"))]
    chance = random.Random(0)
    digits, nots = [], []
    for text in texts:
        places = [found.start() for found in re.finditer(r"\d", text)]
        if places:
            at = chance.choice(places)
            digits.append(chrf(text, text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]))
        if verb := re.search(r"\b(is|are|can|should|will)\b", text):
            nots.append(chrf(text, f"{text[: verb.end()]} not{text[verb.end() :]}"))
    print("coachlm, experts' responses against themselves with a small change: share at or above a chrF")
    for name, values in (("one digit changed", digits), ('one "not" put in', nots)):
        shares = ", ".join(f"{t}: {sum(one >= t for one in values) / len(values):.3f}" for t in (0.8, 0.9, 0.95, 0.99))
        print(f"  {name}, {len(values):,} texts: {shares}")


if __name__ == "__main__":
    main()
