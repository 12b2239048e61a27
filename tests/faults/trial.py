"""One command of tuneloop in a process of its own: a crash, a hang or a memory without end is then only a finding.

run(["data", "--recipe", "r.toml"], folder)  ->  Trial(code=3, says="not readable as parquet: ...", peak_mb=210)
"""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import cli, commands, ingest, parts, plan

# Loaded here, so that no child has to.
WARM = (commands, ingest, parts, plan)
OURS = (0, 2, 3, 4, 5, 6)  # exit codes that people can act on; 1 is a bug, below 0 a signal
_QUESTION = {"instruction": "What is the capital of France?", "output": "Paris"}


@dataclass(frozen=True)
class Trial:
    """What became of a command.

    Attributes:
        code: Exit code; below 0 the signal that ended it, None if it ran too long.
        says: What it wrote to stderr.
        out: What it wrote to stdout.
        peak_mb: Largest resident size of its process.
    """

    code: int | None
    says: str
    out: str
    peak_mb: int

    @property
    def is_sound(self) -> bool:
        """Whether it ended with an exit code that is promised, and with no traceback."""
        return self.code in OURS and "Traceback" not in self.says and (self.code == 0 or "fix:" in self.says)

    @property
    def sentence(self) -> str:
        """The first line of what it says, or how it ended."""
        if not self.is_sound:
            last = [line for line in self.says.splitlines() if line.strip()][-2:]
            return f"exit {self.code}: {' | '.join(last)[:300]}"
        if not self.code:
            return "ok"
        lines = self.says.splitlines()
        return next((one for one, after in pairwise(lines) if after.startswith("  where:")), "")


def run(words: Sequence[str], folder: Path, *, seconds: int = 120, limit_mb: int = 0, rights: bool = True) -> Trial:
    """Run a command of tuneloop in a folder.

    Args:
        words: The command and its options.
        folder: Where it runs.
        seconds: After which it is ended.
        limit_mb: Address space it may take; 0 for any.
        rights: Whether it keeps the rights of root, to whom every file is readable.
    """

    def work() -> int:
        os.chdir(folder)
        if limit_mb:
            resource.setrlimit(resource.RLIMIT_AS, (limit_mb << 20, limit_mb << 20))
        if not rights:
            _give_up_rights()
        return cli.run(list(words))

    return in_child(work, folder, seconds)


def _give_up_rights() -> None:
    """Make this process, root or not, heed the permissions of files: no capability is in effect any more."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def in_child(work: Callable[[], int], folder: Path, seconds: int) -> Trial:
    """Run a function in a fork of this process; its result is the exit code."""
    out, err = folder / ".stdout", folder / ".stderr"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for path, descriptor in ((out, 1), (err, 2)):
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
                os.dup2(file, descriptor)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            code = work()
        except BaseException as error:  # noqa: BLE001 - whatever gets out of the command line is a finding
            os.write(2, f"Traceback: {type(error).__name__} got out: {error}\n".encode("utf-8", "replace"))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    killed: list[bool] = []

    def end() -> None:
        killed.append(True)
        os.kill(child, signal.SIGKILL)

    timer = threading.Timer(seconds, end)
    timer.start()
    _, status, usage = os.wait4(child, 0)
    timer.cancel()
    texts = [path.read_text("utf-8", "replace") if path.exists() else "" for path in (err, out)]
    return Trial(None if killed else os.waitstatus_to_exitcode(status), *texts, usage.ru_maxrss >> 10)


def recipe(sources: str, settings: str = "") -> str:
    """Return a recipe of some sources, each a block without its heading; any number of rows may be bad."""
    blocks = "".join(f'[[ingest.sources]]\nname = "s{n}"\n{block}\n' for n, block in enumerate(sources.split("---")))
    return f'name = "r"\n[ingest]\nmax_bad_share = 1.0\n{blocks}{settings}'


def ingest(folder: Path, source: str, **options: Any) -> tuple[Trial, list[dict[str, Any]], list[dict[str, Any]]]:
    """Run ingest over a source in a folder; return what became of it, and the rows kept and dropped."""
    (folder / "r.toml").write_text(recipe(source), "utf-8")
    trial = run(["data", "--recipe", "r.toml", "--to", "ingest", "--workers", "1"], folder, **options)
    return (trial, *rows_of(folder / "data", "ingest")) if trial.code == 0 else (trial, [], [])


def rows_of(data: Path, stage: str, name: str = "r") -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows that the newest run of a stage kept and dropped, checked against what it counted."""
    record = json.loads(max((data / stage / "refs" / name).glob("*.json")).read_text("utf-8"))
    kept = [path for path in sorted((data / stage / record["version"]).glob("*.parquet"))]
    dropped = [data / stage / "dropped" / file["name"] for part in record["parts"] for file in part["dropped"]]
    found = tuple(
        [row for path in paths for row in pq.read_table(path, use_threads=False).to_pylist()]
        for paths in (kept, dropped)
    )
    if len(found[0]) + len(found[1]) != record["rows_in"]:
        raise AssertionError(f"{stage}: {record['rows_in']} rows in, {len(found[0])} kept, {len(found[1])} dropped")
    return found[0], found[1]


def tell(text: str, start: float) -> None:
    """Say on stderr how far it is."""
    sys.stderr.write(f"{time.monotonic() - start:7.1f} s  {text}\n")
