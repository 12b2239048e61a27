"""What one per cent more rows costs: `python tests/bench/more_rows.py [PARTS]`.

A store dedupes PARTS parts of 65,536 made pairs each, then the same and one more part of a hundredth of that; another
store dedupes all of it from scratch. Printed are the seconds of the stage and of deciding alone, what was looked at
again, and whether both stores hold the same version.
"""

import sys
import tempfile
import time
from pathlib import Path

from figures import tell
from made_pairs import make_pairs
from our_dedupe import run_dedupe, time_decisions

from pipeline.snapshot import PART_ROWS, Snapshot


def main(parts: int) -> None:
    """Print the three runs."""
    rows = parts * PART_ROWS
    decided = time_decisions()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = make_pairs("free", rows + rows // 100, folder / "pairs").snapshot
        files = whole.manifest.files[:parts]
        manifest = whole.manifest.model_copy(update={"files": files, "rows": rows, "version": "before"})
        before = Snapshot(whole.folder, manifest)
        versions, whole_stage = [], []
        for told, store, parent in (
            ("all but the last part", "grown", before),
            ("1 % more", "grown", whole),
            ("all from scratch", "fresh", whole),
        ):
            start = time.perf_counter()
            record = run_dedupe(parent, folder / store)
            seconds = time.perf_counter() - start
            versions.append(record.version)
            whole_stage.append(seconds)
            looked = ", ".join(f"{key} {value}" for key, value in record.facts["index"].items())
            print(f"{told:22} {record.rows_in:9,} rows  stage {seconds:6.1f} s  decide {decided[-1]:6.1f} s  {looked}")
    print(f"deciding again takes {decided[1] / decided[2]:.1%} of deciding from scratch")
    what = f"{rows + rows // 100:,} rows"
    tell(
        f"{what}: seconds of the stage", whole_stage[1], "s", peer="from scratch", theirs=whole_stage[2], better="less"
    )
    tell(f"{what}: seconds to decide", decided[1], "s", peer="from scratch", theirs=decided[2], better="less")
    tell("versions that differ", int(versions[1] != versions[2]))
    print("the versions are equal" if versions[1] == versions[2] else "THE VERSIONS DIFFER")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
