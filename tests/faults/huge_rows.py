"""B4: rows that are huge or hold numbers beyond any machine: each gives a sentence, and memory stays under 2 GiB.

{"value": [[[[... 100,000 deep ...]]]]}   ->   malformed: nested deeper than 100 levels
{"value": 1e999}                          ->   malformed: number 1e999 is too large for 64 bits
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

from table import Line
from trial import ingest

MOST_MB = 2048
_GOOD = '{"instruction": "Which river crosses Cairo?", "output": "The Nile.", "value": 1}'
_PIECE = 100_000
_TOO_MANY = "more than 2,000,000 lists and objects"
_TOO_LONG = "longer than 64 MiB"


class Case(NamedTuple):
    """What stands in a row, in pieces so that nobody holds it whole, and what is to be said of it."""

    name: str
    value: Iterable[str]
    says: str = ""  # empty: the row is kept


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for values in .jsonl, in .json and for cells and columns of .csv."""
    for what, found in (
        (".jsonl", [_json_case(case, "jsonl") for case in _chosen(share, seed)]),
        (".json", [_json_case(case, "json") for case in _chosen(share, seed)]),
        (".csv", [_csv_case(*case) for case in _csv_cases()[: max(2, round(share * 5))]]),
    ):
        outcomes = Counter(outcome for outcome, _, _ in found)
        problems = [problem for _, problem, _ in found if problem]
        for problem in problems:
            sys.stderr.write(f"B4 {what}: {problem}\n")
        peak = max(mb for _, _, mb in found)
        note = f"peak {peak:,} MB; {'; '.join(problems[:3])}".rstrip("; ")
        yield Line("B4", f"huge rows, {what}", len(found), dict(sorted(outcomes.items())), bad=len(problems), note=note)


def _cases() -> list[Case]:
    keys = (f'{"," if n else ""}"k{n}":{n}' for n in range(1_000_000))
    again = (f'"k{n}":{n},' for n in range(1_000_000))
    integer = "does not fit 64 bits"
    return [
        Case("a text of 100 MB", ['"', *_times("x", 100_000_000), '"'], _TOO_LONG),
        Case("a text of 50 MB", ['"', *_times("x", 50_000_000), '"']),
        Case("100,000 lists deep", [*_times("[", 100_000), *_times("]", 100_000)], "nested"),
        Case("100,000 objects deep", [*_times('{"a":', 100_000), "1", *_times("}", 100_000)], "nested"),
        Case("500 lists deep", ["[" * 500 + "]" * 500], "nested deeper than 100 levels"),
        Case("a million keys", chain("{", keys, "}")),
        Case("a million keys, the last one twice", chain("{", again, ['"k999999":1}']), "'k999999' stands twice"),
        Case("20 million empty lists", chain("[", _times("[],", 20_000_000), "1]"), _TOO_MANY),
        Case("7 million objects", chain("[", _times('{"a":0},', 7_000_000), "1]"), _TOO_MANY),
        Case("4,400 digits", ["1" * 4400], integer),
        Case("10 million digits", _times("1", 10_000_000), integer),
        Case("2^63 - 1", [str(2**63 - 1)]),
        Case("2^63", [str(2**63)], integer),
        Case("2^64", [str(2**64)], integer),
        Case("-2^63 - 1", [str(-(2**63) - 1)], integer),
        Case("1e999", ["1e999"], "too large for 64 bits"),
        Case("NaN", ["NaN"], "NaN is not JSON"),
        Case("-Infinity", ["-Infinity"], "-Infinity is not JSON"),
        Case("a key twice", ['{"a": 1, "a": 2}'], "key 'a' stands twice"),
    ]


def _times(text: str, n: int) -> Iterator[str]:
    whole, rest = divmod(n, _PIECE)
    yield from repeat(text * _PIECE, whole)
    yield text * rest


def _chosen(share: float, seed: int) -> list[Case]:
    cases = _cases()
    return cases if share >= 1 else random.Random(seed).sample(cases[9:], max(4, round(share * len(cases))))


def _json_case(case: Case, ending: str) -> tuple[str, str, int]:
    """Return what became of a value, what is wrong with that, and the peak of memory."""
    opening, between, closing = ("", "\n", "\n") if ending == "jsonl" else ("[", ",\n", "]")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A file of sound rows tells first what columns there are.
        (folder / "raw").mkdir()
        (folder / "raw" / "a.jsonl").write_text(_GOOD + "\n")
        with (folder / "raw" / f"b.{ending}").open("w") as file:
            file.write(f'{opening}{_GOOD}{between}{{"instruction": "Which?", "output": "This.", "value": ')
            file.writelines(case.value)
            file.write("}" + closing)
        source = 'path = "raw"\ntemplate = "instruct"\nkeep = ["value"]'
        trial, kept, dropped = ingest(folder, source, seconds=300)
    sys.stderr.write(f"B4 {ending} {case.name}: exit {trial.code}, {trial.peak_mb} MB\n")
    if not trial.is_sound:
        return "crashed", f"{case.name}: {trial.sentence}", trial.peak_mb
    said = trial.sentence if trial.code else "".join(row["detail"] for row in dropped)
    outcome = "file refused" if trial.code else "quarantined" if dropped else "kept"
    problem = ""
    if trial.peak_mb > MOST_MB:
        problem = f"{case.name}: peak {trial.peak_mb} MB"
    elif not (ending == "json" and _TOO_LONG in said) and (
        # A .json file with an element over the limit has no bounds that can be found: it is refused whole.
        case.says not in said or bool(case.says) == (outcome == "kept")
    ):
        problem = f"{case.name}: {outcome}, {said or len(kept)}"
    return outcome, problem, trial.peak_mb


def _csv_cases() -> list[tuple[str, Iterable[str], str]]:
    columns = (f",c{n}" for n in range(1_000_000))
    return [
        ("a cell of 10 MB", ["instruction,output\nq,", *_times("x", 10_000_000), "\n"], ""),
        (
            "a cell of 40 MB",
            ["instruction,output\nq,", *_times("x", 40_000_000), "\n"],
            "field larger than field limit",
        ),
        ("a million columns", chain(["instruction,output"], columns, ["\nq,a", *_times(",1", 1_000_000), "\n"]), ""),
        (
            "a million cells too many",
            ["instruction,output\nq,a", *_times(",1", 1_000_000), "\n"],
            "columns, the header",
        ),
        ("a quote that stays open for 40 MB", ['instruction,output\nq,"', *_times("x\n", 20_000_000)], "quote"),
    ]


def _csv_case(name: str, pieces: Iterable[str], says: str) -> tuple[str, str, int]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "raw").mkdir()
        (folder / "raw" / "a.jsonl").write_text(_GOOD + "\n")
        with (folder / "raw" / "b.csv").open("w") as file:
            file.writelines(pieces)
        trial, kept, dropped = ingest(folder, 'path = "raw"\ntemplate = "instruct"', seconds=300)
    if not trial.is_sound:
        return "crashed", f"{name}: {trial.sentence}", trial.peak_mb
    said = trial.sentence if trial.code else " ".join({row["detail"] for row in dropped})
    outcome = "file refused" if trial.code else "quarantined" if dropped else "kept"
    problem = (
        "" if says in said and bool(says) == (outcome != "kept") else f"{name}: {outcome}, {said[:200] or len(kept)}"
    )
    return outcome, problem or (f"{name}: peak {trial.peak_mb} MB" if trial.peak_mb > MOST_MB else ""), trial.peak_mb
