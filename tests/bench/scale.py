"""The whole of `tuneloop data` at growing sizes: `python tests/bench/scale.py [--rows 100000 1000000] [--more] [--in FOLDER]`.

Made pairs of 514 characters (about 130 tokens of English), one in ten of which repeats an earlier one, as JSON lines in
files of 65,536 rows. Every stage is a process of its own, whose start, about two seconds, is counted, and whose anonymous
memory is sampled together with that of its workers. Printed are seconds and memory by stage, the power by which the time
grows from the first size to the last, and with `--more` what one per cent more rows cost at the first size: a file with a
hundredth as many, in one process, beside all rows in one process.

Ten million rows take 55 GB of disk and on two cores about half an hour.
"""

import argparse
import json
import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from figures import tell
from made_pairs import blocks
from memory import PeakMemory

ROOT = Path(__file__).resolve().parents[2]
_LARGE = 1_000_000
STAGES = ("ingest", "dedupe", "format", "annotate", "split")
_RECIPE = """name = "scale"

[format]
tokenizer = "TOKENIZER"
max_tokens = 4096

[[ingest.sources]]
name = "made"
path = "rows/*.jsonl"
template = "instruct"
license = "CC0-1.0"
"""


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument(
        "--more", action="store_true", help="at the first size, add a hundredth as many rows and run again"
    )
    parser.add_argument("--in", dest="folder", type=Path, help="where to work, on a disk with room")
    asked = parser.parse_args()
    totals = []
    for at, rows in enumerate(asked.rows):
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            totals.append(run(rows, Path(name), more=asked.more and at == 0))
    first, last = asked.rows[0], asked.rows[-1]
    if len(totals) > 1:
        exponent = math.log(totals[-1] / totals[0]) / math.log(last / first)
        print(f"from {first:,} to {last:,} rows the time grows with the power {exponent:.2f}")
        tell(f"power of the time from {first:,} to {last:,} rows", round(exponent, 3))


def run(rows: int, folder: Path, *, more: bool) -> float:
    """Print what every stage takes; return the seconds of all together."""
    (folder / "rows").mkdir()
    make(rows, folder / "rows", 7, "made")
    n = rows
    recipe = _RECIPE.replace("TOKENIZER", str(ROOT / "data" / "sample" / "tokenizer"))
    (folder / "scale.toml").write_text(recipe, encoding="utf-8")
    print(f"{n:,} rows\n{'stage':<10}{'in':>12}{'kept':>12}{'seconds':>10}{'rows/s':>10}{'MB anonymous':>14}")
    total = most = start = staged = 0.0
    for stage in STAGES:
        seconds, megabytes = timed(folder, "--to", stage)
        record = json.loads(max((folder / "data" / stage / "refs" / "scale").glob("*.json")).read_text("utf-8"))
        total, most = total + seconds, max(most, megabytes)
        staged, start = staged + record["seconds"], seconds - record["seconds"]
        print(
            f"{stage:<10}{record['rows_in']:>12,}{record['rows_kept']:>12,}{seconds:>10.1f}"
            f"{record['rows_in'] / seconds:>10,.0f}{megabytes:>14,.0f}",
            flush=True,
        )
    print(f"{'together':<34}{total:>10.1f}{n / total:>10,.0f}{most:>14,.0f}", flush=True)
    tell(f"all stages, {n:,} rows", total, "s", headline=n >= _LARGE)
    tell(f"anonymous memory at most, {n:,} rows", most, "MB")
    if more:
        make(rows // 100, folder / "rows", 8, "more")
        seconds, megabytes = timed(folder)
        # Cold, too, would start Python once and not for each stage.
        share = seconds / (staged + start)
        tell(f"1 % more than {n:,} rows, of the time of all in one process", share)
        print(
            f"{'1 % more':<34}{seconds:>10.1f}{'':>10}{megabytes:>14,.0f}   {share:.1%} of {staged + start:.1f} s",
            flush=True,
        )
    return total


def make(rows: int, folder: Path, seed: int, stem: str) -> None:
    """Write made pairs as JSON lines, in a process of its own: what it remembers of them must not be measured."""
    maker = multiprocessing.get_context("spawn").Process(target=write, args=(rows, folder, seed, stem))
    maker.start()
    maker.join()
    if maker.exitcode:
        sys.exit("the rows could not be made")


def write(rows: int, folder: Path, seed: int, stem: str) -> None:
    """Write a file for each block of made pairs."""
    for number, block in enumerate(blocks("free", rows, seed)):
        with (folder / f"{stem}-{number:05d}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(lines(*block))


def lines(prompts: pa.Array, responses: pa.Array) -> Iterator[str]:
    """Yield a line a pair."""
    for prompt, response in zip(prompts.to_pylist(), responses.to_pylist(), strict=True):
        yield json.dumps({"prompt": prompt, "response": response}, ensure_ascii=False) + "\n"


def timed(folder: Path, *words: str) -> tuple[float, float]:
    """Run `tuneloop data` and return its seconds and its highest anonymous memory in MB."""
    command = [sys.executable, "-m", "pipeline", "data", "--recipe", "scale.toml", *words]
    with PeakMemory() as memory:
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return seconds, memory.anon_bytes / 1e6


if __name__ == "__main__":
    main()
