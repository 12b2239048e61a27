"""Every fault we can think of, put in on purpose: `python tests/faults [--share 0.05] [--seed 7] [--only R1,B4]`.

Prints one line for each kind of fault and exits with 1 if anything was damaged, lost, silently changed or executed, or
if the faults did not hit. `--markdown docs/faults.md` writes the table with machine, versions and date. With `--keep DIR` the
lines of each module are kept there as JSON, and the page is written from all that is kept: so it can be made from several
runs, of a module each.
"""

import argparse
import importlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from shared import NoDataError
from table import Line

MODULES = (
    "kills",
    "lost_writes",
    "disk",
    "damage",
    "races",
    "clocks",
    "memory_limits",
    "machine",
    "bad_json",
    "huge_rows",
    "odd_shapes",
    "bad_text",
    "bad_parquet",
    "bad_archives",
    "fuzz",
    "attacks",
    "secrets_and_network",
    "label_studio_faults",
)
PACKAGES = ("pyarrow", "numpy", "numba", "pydantic", "filelock", "datasets")


def main() -> int:
    """Run what was asked for, print the table, and return the exit code."""
    parser = argparse.ArgumentParser("tests/faults", description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="part of the faults to put in, 0 to 1")
    parser.add_argument("--seed", type=int, default=7, help="chooses the part")
    parser.add_argument("--only", default="", help="anchors or modules, such as R1,B4,kills")
    parser.add_argument("--keep", type=Path, help="folder for the lines of each module, as JSON")
    parser.add_argument("--markdown", type=Path, help="file to write the table to as well; of all runs that are kept")
    asked = parser.parse_args()
    only = {word for word in asked.only.split(",") if word}
    lines: list[Line] = []
    began = time.monotonic()
    _say(_row(("", "what was done", "points", "bad", "what came of it")))
    for name in _modules(only):
        start, found = time.monotonic(), list[Line]()
        for line in _lines(name, asked.share, asked.seed, only):
            found.append(line)
            _say("\n".join([_row(_cells(line)), *(f"FAULT {fault}" for fault in line.faults)]))
        lines += found
        if asked.keep:
            keep(asked.keep, name, found, asked.share, time.monotonic() - start)
    seconds = time.monotonic() - began
    _say(f"\n{totals(lines)}, {seconds:,.0f} s, {sum(os.times()[:4]):,.0f} s of CPU")
    faults = [fault for line in lines for fault in line.faults]
    if asked.markdown:
        page = markdown(*kept(asked.keep)) if asked.keep else markdown(lines, {asked.share}, seconds)
        asked.markdown.write_text(page, encoding="utf-8")
    return 1 if faults or not lines else 0


def keep(folder: Path, module: str, lines: list[Line], share: float, seconds: float) -> None:
    """Put the lines of a module into a file of a folder, in place of what an earlier run put there."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        "share": share,
        "seconds": round(seconds, 1),
        "lines": [{**vars(line), "outcomes": dict(line.outcomes)} for line in lines],
    }
    (folder / f"{module}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept(folder: Path) -> tuple[list[Line], set[float], float, list[str]]:
    """Return the lines of all modules that are kept in a folder, the shares they were run at, their seconds, and what is not there."""
    paths = [folder / f"{name}.json" for name in MODULES]
    found = [json.loads(path.read_text("utf-8")) for path in paths if path.is_file()]
    lines = []
    for one in found:
        part = "" if one["share"] == 1 else f"a part of {one['share']:g}"
        for line in one["lines"]:
            lines.append(Line(**{**line, "note": "; ".join(filter(None, (line["note"], part)))}))
    missing = [path.stem for path in paths if not path.is_file()]
    return lines, {one["share"] for one in found}, sum(one["seconds"] for one in found), missing


def _modules(only: set[str]) -> list[str]:
    """Return the modules to run: those that are named, and those that may have an anchor that is."""
    anchors = only.difference(MODULES)
    if strange := sorted(word for word in anchors if not re.fullmatch(r"[RBSF]\d+", word)):
        sys.exit(f"no fault or module {', '.join(strange)}; there are {', '.join(MODULES)}")
    if not only:
        return list(MODULES)
    return [name for name in MODULES if name in only or (anchors and _may_have(name, anchors))]


def _may_have(name: str, anchors: set[str]) -> bool:
    told = getattr(importlib.import_module(name), "ANCHORS", None) if find_spec(name) else None
    return told is None or bool(anchors.intersection(told))


def _lines(name: str, share: float, seed: int, only: set[str]) -> Iterator[Line]:
    if find_spec(name) is None:
        missing = f"module {name} is not there: nothing was tried"
        yield Line("-", f"module {name}", 0, {}, problems=(missing,))
        return
    try:
        for line in importlib.import_module(name).run(share, seed):
            if not only or name in only or line.anchor in only:
                yield line
    except NoDataError as error:
        sys.stderr.write(f"     {name}: not run, {error}\n")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def totals(lines: list[Line]) -> str:
    """Return the sentence below the table."""
    return f"injected {sum(line.points for line in lines):,}, damaged {sum(line.bad for line in lines):,}"


def _cells(line: Line) -> tuple[str, str, str, str, str]:
    came = ", ".join(f"{name} {n:,}" for name, n in line.outcomes.items() if n)
    note = f"; {line.note}" if line.note else ""
    return line.anchor, line.what, f"{line.points:,}", str(line.bad), f"{came}{note}"


def _row(cells: tuple[str, str, str, str, str]) -> str:
    anchor, what, points, bad, came = cells
    return f"{anchor:<4} {what:<62} {points:>7} {bad:>4}  {came}"


def markdown(lines: list[Line], shares: set[float], seconds: float, missing: Sequence[str] = ()) -> str:
    """Return the page docs/faults.md."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    whole = f" --share {min(shares)}" if len(shares) == 1 and shares != {1.0} else ""
    rows = [" | ".join(cell.replace("|", "\\|") for cell in _cells(line)) for line in lines]
    return "\n".join(
        (
            "# Faults put in on purpose",
            "",
            f"`python tests/faults{whole}` on {datetime.now(UTC).date()}: {totals(lines)}, {seconds / 60:,.0f} minutes.",
            "",
            f"Machine: {machine}. Python {platform.python_version()}, {packages}.",
            "",
            "*Bad* counts what was damaged, lost, silently changed or executed. *Old* and *new* are what stood after a",
            "stop: the version before or the one being made, whole. After every stop the plain command was run again",
            "and had to give what an undisturbed run gives.",
            "",
            "| | what was done | points | bad | what came of it |",
            "|---|---|---:|---:|---|",
            *(f"| {row} |" for row in rows),
            "",
            *((f"Not run: {', '.join(missing)}.", "") if missing else ()),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
