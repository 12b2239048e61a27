"""Runs the benchmarks of `claims.toml` and writes docs/benchmarks.md: `make bench`, or

    python tests/bench --list                  # what there is, how long it takes, what is missing for it here
    python tests/bench --minutes 20            # the shortest first, as many as fit
    python tests/bench --only templates --only encoding
    python tests/bench --minutes 0             # runs nothing, writes the page from what has been measured here

Each runs in a process of its own that is ended after three times the time it should take. Its output and figures are
kept in data/bench; the page shows the newest result of each with its date. Exit code 1 if one failed.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from claims import LIST, ROOT, SHARED, Claim, lacks, read_claims
from figures import VARIABLE, read_figures
from machine import commit, load, machine, now
from page import Result, newest, write_page
from peers.venv import python_of

_PATIENCE = 3  # times the minutes that a benchmark should take, and
_AT_LEAST_S = 180.0
_CODE_LATE = 124


def main() -> int:
    """Run what was asked for, write the page and return the exit code."""
    given = _arguments()
    claims = read_claims(given.claims).claim
    listed = sorted(claims, key=lambda claim: claim.minutes)
    unknown = set(given.only) - {claim.id for claim in listed}
    if unknown:
        raise SystemExit(f"no such benchmark: {', '.join(sorted(unknown))}; `python tests/bench --list` names all")
    if given.list:
        _list(listed)
        return 0
    why_not: dict[str, str] = {}
    failed = []
    until = time.monotonic() + 60 * given.minutes
    for claim in listed:
        wanted = claim.id in given.only if given.only else True
        left = (until - time.monotonic()) / 60
        if given.peers and wanted and (given.only or claim.minutes <= left):
            _make_peers(claim)
        if missing := lacks(claim):
            why_not[claim.id] = missing
        elif not given.only and not given.all and claim.minutes > left:
            why_not[claim.id] = f"takes about {_minutes(claim)}, and was not asked for"
        elif wanted:
            result = _run(claim, given.to)
            failed += [claim.id] if result.problem else []
    write_page(claims, newest(claims, given.to), why_not, given.page)
    _say(f"written: {given.page}; results in {given.to}")
    for one in failed:
        _say(f"FAILED: {one}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the benchmarks of tests/bench and writes docs/benchmarks.md.")
    parser.add_argument("--minutes", type=float, default=20, help="run those that fit into this time, shortest first")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="run this one (may be repeated)")
    parser.add_argument("--all", action="store_true", help="run all, also those that take hours")
    parser.add_argument("--list", action="store_true", help="print what there is, and run nothing")
    parser.add_argument("--peers", action="store_true", help="install the peers of those that run, where they lack")
    parser.add_argument("--claims", type=Path, default=LIST, help="the list of what to run")
    parser.add_argument("--to", type=Path, default=ROOT / "data" / "bench", help="folder for the results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md", help="the page to write")
    return parser.parse_args()


def _list(listed: list[Claim]) -> None:
    for claim in listed:
        missing = lacks(claim)
        print(f"{claim.id:<24}{_minutes(claim):>10}  {claim.says}{f' [{missing}]' if missing else ''}")


def _minutes(claim: Claim) -> str:
    if claim.minutes < 1:
        return f"{claim.minutes * 60:.0f} s"
    return f"{claim.minutes:.0f} min" if claim.minutes < 120 else f"{claim.minutes / 60:.0f} h"


def _make_peers(claim: Claim) -> None:
    for need in claim.needs:
        if need.startswith("peer: "):
            _say(f"{claim.id}: {need}, installed if it is not there yet")
            python_of(need.removeprefix("peer: "))


def _run(claim: Claim, to: Path) -> Result:
    """Run one in a process of its own, and keep its output and its figures."""
    _say(f"{claim.id}: {claim.says} (about {_minutes(claim)})")
    words = shlex.split((claim.run or claim.command).replace("FOLDER", str(SHARED)))
    words = [sys.executable if word == "python" else word for word in words]
    folder = to / claim.id
    folder.mkdir(parents=True, exist_ok=True)
    began, load_before, start = now(), load(), time.monotonic()
    output, told = folder / f"{began}.txt", folder / f"{began}.figures"
    late_after = max(_AT_LEAST_S, _PATIENCE * 60 * claim.minutes)
    with output.open("wb") as file:
        code = _wait(words, file.fileno(), {VARIABLE: str(told.resolve())}, late_after)
    figures = read_figures(told)
    told.unlink(missing_ok=True)
    last = (output.read_text("utf-8", "replace").strip().splitlines() or [""])[-1][:200]
    late = f"was not done after {late_after / 60:.0f} minutes"
    problem = late if code == _CODE_LATE else f"ended with code {code}: {last}" if code else ""
    if not problem and not figures:
        problem = f"gave no figure: {last}"
    result = Result(
        id=claim.id, command=claim.run or claim.command, began=began, seconds=round(time.monotonic() - start, 1),
        load_before=load_before, load_after=load(), machine=machine(), commit=commit(), problem=problem,
        figures=figures,
    )  # fmt: skip
    (folder / f"{began}.json").write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    _say(f"{claim.id}: {problem or f'{len(figures)} figures'}, {result.seconds:.0f} s, load {load_before} to {load()}")
    return result


def _wait(words: list[str], output: int, more: dict[str, str], late_after: float) -> int:
    """Return the exit code; a late one is ended with all the processes it started."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    try:
        return process.wait(late_after)
    except subprocess.TimeoutExpired:
        return _CODE_LATE
    finally:
        # also where the user ends the runner
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
