"""Our stage dedupe against datatrove and text-dedup on the same made pairs: `make bench-dedupe`.

    python tests/bench/dedupe_against_peers.py [--sizes 50000,200000] [--runs 3] [--shapes free] [--no-peers]

Ours is the whole stage in a process of its own: it reads the snapshot, decides, writes kept and dropped rows as
parquet, computes the version and commits; "decide" is the part of it that finds duplicates. A peer reads one text a
row, finds duplicates at its own defaults with two workers and writes what it keeps. "found" is the share of planted
repeats that share a cluster with what they repeat; "gone" counts the rows taken away; "ours is 50x" means that we do
50 times the rows a second. Nothing is asserted.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from figures import tell
from made_pairs import SHAPES, MadePairs, make_pairs
from peers.run import PeerError, run_peer

SIZES = (50_000, 200_000, 1_000_000, 3_000_000)
PEERS = ("datatrove", "text-dedup")
PEERS_UP_TO = 200_000
# Smaller sizes are left out of the slope: what starting costs weighs too much there.
SLOPE_FROM = 200_000
SHAPE_ROWS = 100_000
HEAD = (
    f"{'rows':>9} {'shape':12} {'who':18} {'seconds':>8} {'decide':>8} {'rows/s':>8} {'ours is':>8}"
    f" {'peak MB':>8} {'anon MB':>8} {'found':>7} {'gone':>9}"
)


@dataclass(frozen=True)
class Measured:
    """One line of the table; memory in bytes, `found` as a share, or None where nothing was planted."""

    seconds: float
    rss: int
    anon: int
    found: float | None
    gone: int
    decide: float | None = None


def planted_found(originals: np.ndarray, clusters: np.ndarray) -> float | None:
    """Return the share of planted repeats that share a cluster with what they repeat."""
    repeats = np.flatnonzero(originals >= 0)
    if not len(repeats):
        return None
    mine, theirs = clusters[repeats], clusters[originals[repeats]]
    return float(((mine == theirs) & (mine >= 0)).mean())


def rows_gone(clusters: np.ndarray) -> int:
    """Return how many rows do not stay when each cluster keeps one."""
    return len(clusters) - len(np.unique(clusters[clusters >= 0]))


def ours(pairs: MadePairs, folder: Path, runs: int) -> Measured:
    """Return the run of median seconds out of `runs`, each a process of its own."""
    done = sorted((_our_run(pairs, folder) for _ in range(runs)), key=lambda one: one.seconds)
    decide = statistics.median(one.decide for one in done if one.decide is not None)
    return replace(done[len(done) // 2], decide=decide)


def _our_run(pairs: MadePairs, folder: Path) -> Measured:
    to = folder / "ours.parquet"
    script = Path(__file__).with_name("our_dedupe.py")
    command = [sys.executable, str(script), str(pairs.rows.parent), str(to)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"our own run failed:\n{ran.stderr[-3000:]}")
    said = json.loads(ran.stdout.splitlines()[-1])
    clusters = pq.read_table(to).column("cluster").to_numpy()
    return Measured(
        said["seconds"],
        said["peak_rss_bytes"],
        said["peak_anon_bytes"],
        planted_found(pairs.originals(), clusters),
        rows_gone(clusters),
        said["decide"],
    )


def theirs(peer: str, pairs: MadePairs) -> tuple[str, Measured]:
    """Return a peer's name with its version, and one run at its defaults.

    Raises:
        PeerError: It gave no result.
    """
    result = run_peer(peer, pairs.rows, {})
    found = planted_found(pairs.originals(), result.clusters)
    gone = rows_gone(result.clusters)
    measured = Measured(result.seconds, result.peak_rss_bytes, result.peak_anon_bytes, found, gone)
    return f"{peer} {result.version}", measured


def line(n_rows: int, shape: str, who: str, one: Measured, base: Measured) -> str:
    """Return a line of the table; `base` is our own run on the same rows."""
    decide = f"{one.decide:8.1f}" if one.decide is not None else f"{'':8}"
    found = f"{one.found:7.1%}" if one.found is not None else f"{'-':>7}"
    return (
        f"{n_rows:9} {shape:12} {who:18} {one.seconds:8.1f} {decide} {n_rows / one.seconds:8.0f}"
        f" {one.seconds / base.seconds:7.1f}x {one.rss / 1e6:8.0f} {one.anon / 1e6:8.0f} {found} {one.gone:9}"
    )


def compare(n_rows: int, shape: str, runs: int, peers: tuple[str, ...]) -> float:
    """Print a line for us and for each peer on the same rows; return our seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = make_pairs(shape, n_rows, folder / "pairs")
        base = ours(pairs, folder, runs)
        print(line(n_rows, shape, "ours", base, base), flush=True)
        what = f"{n_rows:,} rows, {shape}"
        if not peers:
            tell(f"{what}: seconds", base.seconds, "s")
        tell(f"{what}: anonymous memory", base.anon / 1e6, "MB")
        for peer in peers:
            try:
                who, one = theirs(peer, pairs)
                print(line(n_rows, shape, who, one, base), flush=True)
                tell(f"{what}: seconds", base.seconds, "s", peer=who, theirs=one.seconds, better="less", headline=True)
                if base.found is not None and one.found is not None:
                    tell(f"{what}: planted repeats found", 100 * base.found, "%", peer=who, theirs=100 * one.found)
            except PeerError as error:
                print(f"{n_rows:9} {shape:12} {error}", flush=True)
    return base.seconds


def growth(seconds: dict[int, float]) -> float:
    """Return the slope of log seconds over log rows, by least squares: 1 is linear, 2 quadratic."""
    slope, _ = np.polyfit([math.log(n) for n in seconds], [math.log(one) for one in seconds.values()], 1)
    return float(slope)


def main() -> None:
    """Print the table, then how our time grows."""
    parser = argparse.ArgumentParser(description="Our stage dedupe against its peers on made pairs.")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="rows of the shape free")
    parser.add_argument("--shapes", default=",".join(SHAPES), help=f"other shapes than free have {SHAPE_ROWS} rows")
    parser.add_argument("--runs", type=int, default=3, help="of ours; the median counts")
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    given = parser.parse_args()
    shapes = given.shapes.split(",")
    print(HEAD)
    grown: dict[int, float] = {}
    for n_rows in sorted(map(int, given.sizes.split(","))) if "free" in shapes else []:
        peers = PEERS if n_rows <= PEERS_UP_TO and not given.no_peers else ()
        seconds = compare(n_rows, "free", given.runs, peers)
        if n_rows >= SLOPE_FROM:
            grown[n_rows] = seconds
    for shape in shapes:
        if shape != "free":
            compare(SHAPE_ROWS, shape, given.runs, ())
    if len(grown) > 1:
        print(f"our seconds grow with rows to the power {growth(grown):.2f} from {min(grown)} to {max(grown)} rows")


if __name__ == "__main__":
    main()
