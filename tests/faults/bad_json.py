"""B1: every file of JSONTestSuite through `tuneloop data`, as a source of its own and as a value inside a row.

y_object_empty_key.json   must be read, or be refused for a rule of ours that is stronger than JSON
n_array_extra_comma.json  must never give a row
i_number_huge_exp.json    JSON leaves it open: either, with a sentence
"""

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from shared import shared
from table import Line
from trial import ingest

# What is sound JSON and no source of rows, or no row: JSON allows more than data does.
RULES = (
    "is no object with columns",
    "neither a list nor an object begins here",
    "an object without a list of objects inside",
    "stands twice in one object",
    "no column 'instruction'",
    "no rows",
)
_GOOD = '{"instruction": "Which river crosses Cairo?", "output": "The Nile.", "value": 1}\n'


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for the files as sources, and one for them as values."""
    paths = sorted(shared("json-test-suite").rglob("[yni]_*.json"))
    chosen = random.Random(seed).sample(paths, max(12, round(share * len(paths))))
    with tempfile.TemporaryDirectory() as folder:
        yield _as_sources(sorted(chosen), Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield _as_values(sorted(chosen), Path(folder))


def _as_sources(paths: list[Path], folder: Path) -> Line:
    """A folder of a good file and the case: its rows are kept, dropped with a reason, or the file is refused."""
    raw = folder / "raw"
    raw.mkdir()
    (raw / "a.jsonl").write_text(_GOOD)
    outcomes: Counter[str] = Counter()
    problems = []
    for path in paths:
        case = raw / "b.json"
        case.write_bytes(path.read_bytes())
        trial, kept, dropped = ingest(folder, 'path = "raw"\ntemplate = "instruct"')
        letter = path.name[0]
        mine = [row for row in dropped if row["origin"].startswith("raw/b.json")]
        if not trial.is_sound:
            problems.append(f"{path.name}: {trial.sentence}")
            outcomes[f"{letter} crashed"] += 1
            continue
        said = [trial.sentence] if trial.code else sorted({row["detail"] for row in mine})
        how = "refused" if trial.code else "quarantined" if mine else "read" if len(kept) > 1 else "no rows"
        outcomes[f"{letter} {how}"] += 1
        if letter == "n" and how in ("read", "no rows"):
            problems.append(f"{path.name}: broken JSON was taken")
        if letter == "n" and how == "quarantined" and _only_rules(said):
            problems.append(f"{path.name}: broken JSON was dropped for another reason: {said}")
        if letter == "y" and how in ("refused", "quarantined") and not _only_rules(said):
            problems.append(f"{path.name}: sound JSON was turned down: {said}")
    return Line("B1", "JSONTestSuite, files as sources", len(paths), dict(sorted(outcomes.items())), bad=len(problems),
                note=_told(problems))  # fmt: skip


def _as_values(paths: list[Path], folder: Path) -> Line:
    """Each file as the value of a column of a .jsonl row; what is read must be what Python's own reader reads."""
    raw = folder / "raw"
    raw.mkdir()
    for path in paths:
        value = path.read_bytes().replace(b"\n", b" ")
        row = b'{"instruction": "Which?", "output": "This.", "value": ' + value + b"}\n"
        (raw / f"{path.stem}.jsonl").write_bytes(_GOOD.encode() + row)
    trial, kept, dropped = ingest(folder, 'path = "raw"\ntemplate = "instruct"\nkeep = ["value"]', seconds=600)
    outcomes: Counter[str] = Counter()
    problems = [] if trial.code == 0 else [trial.sentence]
    read = {row["origin"]: row for row in kept}
    gone = {row["origin"]: row for row in dropped}
    for path in paths if trial.code == 0 else []:
        letter, origin = path.name[0], f"raw/{path.stem}.jsonl:2"
        outcomes[f"{letter} {'read' if origin in read else 'quarantined'}"] += 1
        if (origin in read) == (origin in gone):
            problems.append(f"{path.name}: neither kept nor dropped, or both")
        elif origin in read:
            # A line feed inside a text, which is wrong, cannot stand in a line: it was made a space, which is right.
            if letter == "n" and path.name != "n_string_unescaped_newline.json":
                problems.append(f"{path.name}: broken JSON was taken")
            if json.loads(read[origin]["meta"])["value"] != _expected(path):
                problems.append(f"{path.name}: read as {read[origin]['meta']}")
        elif letter == "y" and not _only_rules([gone[origin]["detail"]]):
            problems.append(f"{path.name}: sound JSON was turned down: {gone[origin]['detail']}")
    return Line("B1", "JSONTestSuite, values in .jsonl", sum(outcomes.values()), dict(sorted(outcomes.items())),
                bad=len(problems), note=_told(problems))  # fmt: skip


def _expected(path: Path) -> object:
    try:
        return json.loads(path.read_bytes().replace(b"\n", b" "))
    except ValueError:
        return f"nothing, as {path.name} is no JSON"


def _only_rules(said: list[str]) -> bool:
    return all(any(rule in sentence for rule in RULES) for sentence in said)


def _told(problems: list[str]) -> str:
    for problem in problems:
        sys.stderr.write(f"B1 {problem}\n")
    return "; ".join(problems[:3])
