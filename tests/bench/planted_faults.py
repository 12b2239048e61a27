"""Counts how many of the sample data's planted faults the pipeline finds, and how many other rows it flags.

python tests/bench/planted_faults.py [ROWS]     (ROWS: make a larger sample first; default: the shipped one)
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet as pq
from figures import tell

ROOT = Path(__file__).resolve().parents[2]
# Which outcome counts as finding a fault of a kind: a reason of a dropped row, or the start of a mark.
FOUND_BY = {
    "exact_duplicate": ("exact_duplicate",),
    "near_duplicate": ("near_duplicate", "exact_duplicate"),
    "conflict": ("conflict",),
    "wrong_answer": ("conflict",),
    "mojibake": ("mojibake",),
    "empty_field": ("empty_prompt", "empty_response", "missing_field", "bad_turns"),
    "pii": ("pii:",),
    "malformed": ("malformed", "wrong_type", "undecodable", "bad_turns"),
    "benchmark_leak": ("benchmark",),
}


def main() -> None:
    """Run the sample recipe into a store of its own and print found/planted by kind."""
    with tempfile.TemporaryDirectory() as temporary:
        sample = ROOT / "data" / "sample"
        recipe = (ROOT / "pipeline" / "recipes" / "sample.toml").read_text("utf-8")
        if len(sys.argv) > 1:
            sample = Path(temporary) / "sample"
            generator = [sys.executable, str(ROOT / "data" / "sample" / "generator")]
            subprocess.run([*generator, "--rows", sys.argv[1], "--to", str(sample)], check=True)
            recipe = recipe.replace("data/sample/", f"{sample}/")
        path = Path(temporary) / "sample.toml"
        path.write_text(recipe, encoding="utf-8")
        store = Path(temporary) / "data"
        words = [sys.executable, "-m", "pipeline", "data", "--recipe", str(path), "--data-root", str(store)]
        done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        report(read_faults(sample), flags(store))


def read_faults(sample: Path) -> list[dict[str, str]]:
    """Return the planted faults."""
    return [json.loads(line) for line in (sample / "faults.jsonl").read_text("utf-8").splitlines()]


def flags(store: Path) -> dict[str, set[str]]:
    """Return file:line to every reason and mark that row got; a duplicate counts for its partner too."""
    found: dict[str, set[str]] = defaultdict(set)
    for stage in ("ingest", "dedupe"):
        record = json.loads(max((store / stage / "refs" / "sample").glob("*.json")).read_text("utf-8"))
        for part in record["parts"]:
            for file in part["dropped"]:
                for row in pq.read_table(store / stage / "dropped" / file["name"]).to_pylist():
                    found[name_of(row["origin"])].add(row["reason"])
                    if row["partner_origin"]:
                        found[name_of(row["partner_origin"])].add(row["reason"])
        for path in (store / stage / record["version"]).glob("*.parquet"):
            for row in pq.read_table(path, columns=["origin", "marks"]).to_pylist():
                found[name_of(row["origin"])].update(row["marks"])
    return found


def name_of(origin: str) -> str:
    """Return file:line without the folder."""
    return origin.rsplit("/", 1)[-1]


def report(faults: list[dict[str, str]], found: dict[str, set[str]]) -> None:
    """Print one line a kind: planted, found, share, and unplanted rows that got the same flag."""
    planted, hits = Counter(fault["kind"] for fault in faults), Counter()
    by_kind: dict[str, set[str]] = defaultdict(set)
    for fault in faults:
        by_kind[fault["kind"]] |= {fault["origin"], fault["partner"] or fault["origin"]}
        if any(flag.startswith(FOUND_BY[fault["kind"]]) for flag in found[fault["origin"]]):
            hits[fault["kind"]] += 1
    print(f"{'kind':<16} {'planted':>8} {'found':>6} {'share':>7}   flagged besides")
    every = set().union(*by_kind.values())
    others: set[str] = set()
    for kind, n in sorted(planted.items()):
        besides = sorted(
            origin
            for origin, flags_of in found.items()
            if origin not in every
            and not origin.startswith("benchmark.jsonl")
            and any(flag.startswith(FOUND_BY[kind]) for flag in flags_of)
        )
        shown = f"{len(besides)} {' '.join(besides[:3])}" if besides else "0"
        print(f"{kind:<16} {n:>8} {hits[kind]:>6} {hits[kind] / n:>6.1%}   {shown}")
        others.update(besides)
        tell(f"{kind}: found", hits[kind], of=n)
    seen = [kind for kind in planted if kind != "wrong_answer"]  # which no rule sees
    whole = sum(planted[kind] for kind in seen)
    tell("faults that rules can see: found", sum(hits[kind] for kind in seen), of=whole, headline=True)
    tell("other rows flagged", len(others))


if __name__ == "__main__":
    main()
