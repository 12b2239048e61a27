"""A project of three hundred rows, its stages run in children that are forked from a process that has all loaded.

A child costs a hundredth of a second, so a fault can be put at every system call a stage makes.
"""

import csv
import itertools
import json
import os
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from pipeline import plan
from pipeline.fsck import fsck
from pipeline.recipe import Recipe, load_recipe
from pipeline.refs import newest
from pipeline.run import Outcome, run_data
from pipeline.snapshot import Snapshot
from schemas import DataError

CLONE = Path(__file__).resolve().parents[2]
SAMPLE = CLONE / "data" / "sample"
STAGES = ("ingest", "dedupe", "format", "annotate", "split")
LEDGER = "ledger"
NAME = "small"
RECIPE = f"""
name = "{NAME}"
[[ingest.sources]]
name = "alpaca"
path = "alpaca.jsonl"
shape = "alpaca"
template = "instruct"
[[ingest.sources]]
name = "news"
path = "news.csv"
template = "summarize"
fields = {{ document = "article", summary = "highlights" }}
[[ingest.sources]]
name = "tickets"
path = "tickets.jsonl"
template = "classify"
fields = {{ text = "text", label = "label" }}
constants = {{ labels = "access, billing, cancellation, damage, delivery, refund, return, warranty" }}
key = "ticket_id"
[dedupe]
benchmarks = ["benchmark.jsonl"]
[format]
tokenizer = "tokenizer"
[split]
shares = {{ train = 0.8, validation = 0.1, test = 0.1 }}
"""


class Quiet:
    """A progress that nobody reads."""

    def begin(self, stage: str, parts: int, why: list[str]) -> None: ...

    def part(self, stage: str, done: int, of: int, rows: int) -> None: ...

    def end(self, outcome: Outcome) -> None: ...


def make_project(root: Path, rows: int = 300) -> Path:
    """Write sources, benchmark, tokenizer and recipe into a new folder; return it."""
    root.mkdir(parents=True)
    third = rows // 3
    alpaca = json.loads((SAMPLE / "alpaca.json").read_text("utf-8"))[:third]
    (root / "alpaca.jsonl").write_text("".join(json.dumps(row) + "\n" for row in alpaca), encoding="utf-8")
    with (SAMPLE / "news.csv").open(newline="", encoding="utf-8") as file:
        news = list(itertools.islice(csv.reader(file), third + 1))
    with (root / "news.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(news)
    tickets = (SAMPLE / "tickets.jsonl").read_text("utf-8").splitlines(keepends=True)[:third]
    (root / "tickets.jsonl").write_text("".join(tickets), encoding="utf-8")
    shutil.copy(SAMPLE / "benchmark.jsonl", root)
    shutil.copytree(SAMPLE / "tokenizer", root / "tokenizer")
    (root / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return root


def change(root: Path, number: int = 1) -> None:
    """Add a row and edit one, as a user would, so that every stage has something to do."""
    with (root / "alpaca.jsonl").open("a", encoding="utf-8") as file:
        row = {"instruction": f"Count from one to {number + 20}.", "input": "", "output": f"One to {number + 20}."}
        file.write(json.dumps(row) + "\n")


def warm(root: Path) -> None:
    """Run a small project in this process, so that children find all loaded; the templates are read this once."""
    make_project(root, 60)
    found = plan.load_templates([])
    plan.load_templates = lambda _: found
    run(root)
    change(root)
    run(root)


def recipe_of(root: Path) -> Recipe:
    return load_recipe(root / "recipe.toml")


def run(root: Path, to: str | None = None, **options: object) -> dict[str, str]:
    """Run `data` in this process and return the version of each stage."""
    outcomes = run_data(recipe_of(root), root / "data", Quiet(), to=to, root=root, **options)  # type: ignore[arg-type]
    return {outcome.stage: outcome.record.version for outcome in outcomes}


def versions(root: Path) -> dict[str, str]:
    """Return the newest version of each stage that has one."""
    found = {stage: newest(root / "data", stage, NAME) for stage in (*STAGES, LEDGER)}
    return {stage: record.version for stage, record in found.items() if record}


def copy(old: Path, new: Path) -> Path:
    """Copy a project with its store."""
    shutil.rmtree(new, ignore_errors=True)
    return Path(shutil.copytree(old, new, symlinks=True))


def leftovers(root: Path) -> list[str]:
    """Return what a stopped run may leave and the next one must sweep."""
    drafts = ("*/tmp/*", "*/refs/*/.draft-*", "*/.latest-*", "tags/.*.json.*", "*/.v1.*")
    found = {path for pattern in drafts for path in (root / "data").glob(pattern)}
    return sorted(str(path.relative_to(root)) for path in found)


def read_all(root: Path) -> dict[str, pa.Table]:
    """Return every row of every newest version; SnapshotError if one cannot be read."""
    return {stage: Snapshot.open(root / "data" / stage, version).table() for stage, version in versions(root).items()}


def damage(root: Path) -> list[str]:
    """Return what fsck finds, in sentences."""
    return [f"{one.path.relative_to(root)}: {one.what}" for one in fsck(root / "data")[1]]


def in_child(work: Callable[[], object], log: Path | None = None) -> int:
    """Run something in a forked child; return its exit code, negative for the signal that ended it.

    Args:
        work: Its DataError gives its own exit code, another exception 1.
        log: Where the child writes what it would tell.
    """
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        work()
        code = 0
    except DataError as error:
        code = error.exit_code
        _tell(log, str(error))
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 - the child tells what happened and ends
        _tell(log, traceback.format_exc())
    finally:
        os._exit(code)


def _tell(log: Path | None, text: str) -> None:
    # By number: sys.stderr may have been opened on something else, and nothing may be opened under some limits.
    if log:
        log.write_text(text)
    else:
        os.write(2, text.encode())
