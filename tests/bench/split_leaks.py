"""Prints how many rows of published data sets leak from one of their own sides into another.

    python tests/bench/split_leaks.py [FOLDER]     (FOLDER: $TUNELOOP_SHARED or ../shared/data)

banking77 and clinc150 come with train and test sides that many papers report on. A leak is what the split stage would
drop: an equal prompt, or a near one (0.85) of the same meaning. Counted are the rows of the greater sides that are
given away, and the rows of the lesser sides that would go.
"""

import csv
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from figures import tell

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.leaks import SAME_PROMPT, find_leaks  # noqa: E402 - a script finds the checkout first
from pipeline.prompts import Prompts  # noqa: E402
from schemas import SPLITS  # noqa: E402

SHOWN = 6
Rows = list[tuple[str, str, str]]  # side, text, label


def main() -> None:
    """Print one block a data set."""
    default = os.environ.get("TUNELOOP_SHARED", str(ROOT.parent / "shared" / "data"))
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not folder.is_dir():
        sys.exit(f"no real data at {folder}: set TUNELOOP_SHARED")
    report("banking77", banking77(folder / "banking77"))
    report("clinc150 (small)", clinc150(folder / "clinc150" / "data_small.json"))


def banking77(folder: Path) -> Rows:
    """Return the questions of both files."""
    rows = []
    for side in ("train", "test"):
        with (folder / f"{side}.csv").open(encoding="utf-8", newline="") as file:
            rows += [(side, row["text"], row["category"]) for row in csv.DictReader(file)]
    return rows


def clinc150(file: Path) -> Rows:
    """Return the queries of the three sides, those out of scope included."""
    names = {"train": "train", "oos_train": "train", "val": "validation", "oos_val": "validation"}
    names |= {"test": "test", "oos_test": "test"}
    data = json.loads(file.read_text("utf-8"))
    return [(names[key], text, label) for key, pairs in data.items() for text, label in pairs]


def report(name: str, rows: Rows) -> None:
    """Search the sides and print what crosses."""
    sides = np.array([SPLITS.index(side) for side, _, _ in rows], np.int8)
    groups = pa.chunked_array([[str(n) for n in range(len(rows))]])
    texts = [pa.chunked_array([[text for _, text, _ in rows]])]
    began = time.monotonic()
    leaks = find_leaks(Prompts.of(texts), groups, sides, 0.85)
    seconds = time.monotonic() - began
    sizes = ", ".join(f"{side} {n:,}" for side, n in Counter(side for side, _, _ in rows).items())
    print(f"{name}: {sizes}; {seconds:.1f} s, {leaks.n_near:,} near pairs, {leaks.n_judged:,} read closely")
    tell(f"{name}: seconds", seconds, "s")
    # With the sides turned round the rows that would go are those that are given away.
    turned = find_leaks(Prompts.of(texts), groups, (2 - sides).astype(np.int8), 0.85).rows
    for at in (2, 1):
        total, given_away = int((sides == at).sum()), int((sides[turned] == at).sum())
        if total:
            print(
                f"  {given_away:,} of {total:,} {SPLITS[at]} rows ({given_away / total:.2%}) resemble a lesser side's"
            )
            tell(f"{name}: {SPLITS[at]} rows that resemble a lesser side's", given_away, of=total, headline=True)
    found = leaks.rows
    pairs = Counter((rows[row][0], rows[int(leaks.partner[row])][0]) for row in found)
    for (left, right), n in sorted(pairs.items()):
        here = [row for row in found if (rows[row][0], rows[int(leaks.partner[row])][0]) == (left, right)]
        exact = sum(leaks.why[row] == SAME_PROMPT for row in here)
        print(f"  {n} {left} rows would go for {right} rows: {exact} equal but for case and spacing, {n - exact} near")
    other = [row for row in found if rows[row][2] != rows[int(leaks.partner[row])][2]]
    print(f"  of these, {len(other)} carry another label than the row they resemble")
    near = [row for row in found if leaks.why[row] != SAME_PROMPT]
    for row in [*np.setdiff1d(found, near)[:SHOWN], *near[:SHOWN]]:
        (side, text, label), (partner_side, partner, partner_label) = rows[row], rows[int(leaks.partner[row])]
        told = label if label == partner_label else f"{label} against {partner_label}"
        print(
            f"    {leaks.score[row]:.3f} {side} {text!r} | {partner_side} {partner!r}   [{told}; {leaks.sentence(row)}]"
        )


if __name__ == "__main__":
    main()
