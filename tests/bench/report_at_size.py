"""The data report and the pages to browse, of many made pairs: seconds and memory.

    python tests/bench/report_at_size.py [ROWS]     (ROWS: 1,000,000)

Pairs of some 514 characters, one in ten of which repeats another, go through all stages first. Each command is a process
of its own; seconds of the processor stand beside those of the clock.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from figures import tell
from made_pairs import make_pairs
from memory import PeakMemory
from sample_seconds import command_of

RECIPE = """
name = "large"
[[ingest.sources]]
name = "pairs"
path = "{rows}"
template = "instruct"
fields = {{ instruction = "prompt", response = "response" }}
[format]
tokenizer = "{tokenizer}"
"""
TOKENIZER = Path(__file__).resolve().parents[2] / "data" / "sample" / "tokenizer"


def main(n_rows: int) -> None:
    """Print a line a command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = make_pairs("free", n_rows, folder / "pairs").rows
        recipe = folder / "large.toml"
        recipe.write_text(RECIPE.format(rows=rows, tokenizer=TOKENIZER), encoding="utf-8")
        for command in ("data", "report", "browse"):
            words = [command, "--recipe", str(recipe), "--data-root", str(folder / "data")]
            processor, start = _processor(), time.monotonic()
            with PeakMemory() as memory:
                command_of(words)
            seconds, processor = time.monotonic() - start, _processor() - processor
            anon = memory.anon_bytes / 1e6
            print(f"{command:<8} {n_rows:,} rows  {seconds:.1f} s, {processor:.1f} s of processor, {anon:,.0f} MB")
            tell(f"{command} of {n_rows:,} rows: seconds", seconds, "s", headline=command == "report")
            tell(f"{command} of {n_rows:,} rows: seconds of processor", processor, "s")
            tell(f"{command} of {n_rows:,} rows: anonymous memory", anon, "MB")
        record = json.loads(max((folder / "data" / "split" / "refs" / "large").glob("*.json")).read_text("utf-8"))
        print(f"in the split: {record['rows_kept']:,} rows")
        tell("rows in the split", record["rows_kept"], of=n_rows)


def _processor() -> float:
    """Return the seconds of processor that the children used that have ended, in all."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
