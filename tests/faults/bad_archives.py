"""B7: packed files that swell, archives, names that climb, links, devices and files not ours to read.

bomb.jsonl.gz (1 MB, 1 GB inside)  ->  exit 3: inflates to more than 256 MiB, 200 times its size
a.jsonl -> /dev/zero               ->  exit 3: no file at 'a.jsonl'
"""

import gzip
import os
import random
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import zstandard
from small_workbook import workbook
from table import Line
from trial import ingest

MOST_MB = 1024
_GOOD = b'{"instruction": "Which river crosses Cairo?", "output": "The Nile."}\n'
Prepare = Callable[[Path], object]


class Case(NamedTuple):
    """A file or folder that is put there, what `path` names, and what must come of it."""

    name: str
    prepare: Prepare
    path: str
    says: str = ""  # empty: one row is kept, once
    rights: bool = True


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for what is packed, and one for names and kinds of files."""
    for what, cases in (("packed files and archives", _packed()), ("names, links, devices, rights", _places())):
        chosen = random.Random(seed).sample(cases, max(4, round(share * len(cases))))
        yield _line(what, chosen)


def _line(what: str, cases: list[Case]) -> Line:
    outcomes: Counter[str] = Counter()
    problems, peak = [], 0
    for case in cases:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "in"
            folder.mkdir()
            case.prepare(folder)
            source = f'path = "{case.path}"\ntemplate = "instruct"'
            trial, kept, dropped = ingest(folder, source, rights=case.rights, seconds=120)
            strays = [path.name for path in Path(place).iterdir() if path.name != "in"]
        peak = max(peak, trial.peak_mb)
        said = trial.sentence if trial.code else "" if len(kept) == 1 and not dropped else f"{len(kept)} rows"
        outcomes["crashed" if not trial.is_sound else "refused" if trial.code else "read"] += 1
        if not trial.is_sound or strays or case.says not in said or (not case.says and said):
            problems.append(f"{case.name}: {said} {trial.sentence} {strays or ''}")
        elif trial.peak_mb > MOST_MB:
            problems.append(f"{case.name}: peak {trial.peak_mb} MB")
    for problem in problems:
        sys.stderr.write(f"B7 {problem}\n")
    note = f"peak {peak:,} MB; {'; '.join(problems[:3])}".rstrip("; ")
    return Line("B7", what, len(cases), dict(sorted(outcomes.items())), bad=len(problems), note=note)


def _packed() -> list[Case]:
    def swelling(name: str, head: bytes, piece: bytes, squeeze: Callable[[bytes], bytes]) -> Prepare:
        # One piece packed once and repeated: both formats allow several members in a file.
        return lambda folder: (folder / name).write_bytes(squeeze(head) + squeeze(piece) * 1024)

    space, feeds, row = (
        b" " * (1 << 20),
        b"\n" * (1 << 20),
        b'{"instruction": "' + b"x" * (1 << 20) + b'", "output": "y"}\n',
    )
    heads = {"jsonl": _GOOD, "json": b"[" + _GOOD, "csv": b"instruction,output\nWhich?,This.\n"}
    cases = []
    for ending, squeeze in (("gz", gzip.compress), ("zst", zstandard.compress)):
        cases += [
            Case(f"1 GB of spaces in {kind}.{ending}", swelling(f"a.{kind}.{ending}", head, space, squeeze),
                 f"a.{kind}.{ending}", "inflates to more than")
            for kind, head in heads.items()
        ]  # fmt: skip
        cases += [
            Case(f"1 GB of rows in jsonl.{ending}", swelling(f"a.jsonl.{ending}", b"", row, squeeze),
                 f"a.jsonl.{ending}", "inflates to more than"),
            Case(f"1 GB of empty lines in jsonl.{ending}", swelling(f"a.jsonl.{ending}", _GOOD, feeds, squeeze),
                 f"a.jsonl.{ending}", "inflates to more than"),
            Case(f"1 GB in txt.{ending}", swelling(f"a.txt.{ending}", b"x", space, squeeze), f"a.txt.{ending}", "longer than 64 MiB"),
            Case(f"packed twice, {ending}", lambda folder, end=ending, pack=squeeze: (folder / f"a.jsonl.{end}").write_bytes(pack(pack(_GOOD))),
                 f"a.jsonl.{ending}", "is not utf-8"),
            Case(f"cut short, {ending}", lambda folder, end=ending, pack=squeeze: (folder / f"a.jsonl.{end}").write_bytes(pack(_GOOD)[:-3]),
                 f"a.jsonl.{ending}", "damaged or cut short"),
            Case(f"nothing inside, {ending}", lambda folder, end=ending, pack=squeeze: (folder / f"a.jsonl.{end}").write_bytes(pack(b"")),
                 f"a.jsonl.{ending}", "no rows"),
        ]  # fmt: skip
    archives = {"a.zip": _zip, "a.tar": _tar, "a.tar.gz": _tar, "a.tgz": _tar}
    cases += [Case(f"{name} with climbing names", lambda folder, name=name, make=make: make(folder / name), name,
                   "packed in a way that is not read") for name, make in archives.items()]  # fmt: skip
    sheets = {
        "a cell in the last corner": (workbook(far="XFD1048576"), "a sheet of 1,048,576 rows and 16,384 columns"),
        "a cell beyond every sheet": (workbook(far="ZZZZZZ99999999999"), "a sheet of"),
        "300 MB of spaces": (workbook(more="<!--" + " " * 300_000_000 + "-->"), "inflates to 286 MiB"),
        "merges over each other": (workbook([("q", "a")] * 5, merges=["D2:E9", "A3:B9", "D3:F9", "A4:F9"]), "lie over each other"),
        "an entity that swells": (workbook(doctype='<!DOCTYPE l [<!ENTITY a "' + "x" * 9999 + '">]>', text="&a;"), "unrecognized entity"),
        "names that climb": (workbook(others={"../../evil.txt": "x", "/tmp/evil": "x"}), ""),
    }  # fmt: skip
    cases += [Case(f"workbook with {name}", lambda folder, data=data: (folder / "a.xlsx").write_bytes(data), "a.xlsx", says)
              for name, (data, says) in sheets.items()]  # fmt: skip
    return cases


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../../evil.jsonl", _GOOD)


def _tar(path: Path) -> None:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as packed:
        one = tarfile.TarInfo("../../evil.jsonl")
        one.size = len(_GOOD)
        packed.addfile(one, BytesIO(_GOOD))


def _places() -> list[Case]:
    def good(*names: str) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(_GOOD)
            return folder

        return write

    one = good("raw/a.jsonl")
    nothing, none, closed = good(), "no file at", "Permission denied"
    return [
        Case("a link to itself", lambda f: (f / "a.jsonl").symlink_to("a.jsonl"), "a.jsonl", none),
        Case("a link to /dev/zero", lambda f: (f / "a.jsonl").symlink_to("/dev/zero"), "a.jsonl", none),
        Case("a pipe", lambda f: os.mkfifo(f / "a.jsonl"), "a.jsonl", none),
        Case("/dev/zero", nothing, "/dev/zero", none),
        Case("/dev/stdin", nothing, "/dev/stdin", none),
        Case("/proc/self/mem", nothing, "/proc/self/mem", "is no file that can be read"),
        Case("a password file", nothing, "../../../../../../../../etc/passwd", "is no file that can be read"),
        Case("a folder called a.jsonl", good("a.jsonl/b.jsonl"), "a.jsonl"),
        Case("an empty folder called a.jsonl", lambda f: (f / "a.jsonl").mkdir(), "a.jsonl", none),
        Case("a folder in itself", lambda f: (one(f) / "raw/self").symlink_to("."), "raw"),
        Case("a glob into a folder in itself", lambda f: (one(f) / "raw/self").symlink_to("."), "raw/**/*.jsonl"),
        Case("a glob into a folder above", lambda f: (one(f) / "raw/up").symlink_to(".."), "raw/**/*.jsonl"),
        Case("a pipe in a folder", lambda f: os.mkfifo(one(f) / "raw/b.jsonl"), "raw"),
        Case("a dead link in a folder", lambda f: (one(f) / "raw/b.jsonl").symlink_to("nowhere"), "raw"),
        Case("a name with a NUL", nothing, "a\\u0000.jsonl", none),
        Case("a name of 5,000 letters", nothing, "x" * 5000 + ".jsonl", "cannot be looked at: File name too long"),
        Case("a home that nobody has", nothing, "~nobody-is-called-so/a.jsonl", "cannot be looked at"),
        Case("an open bracket", nothing, "[", none),
        Case("a file with brackets in its name", good("a[1].jsonl"), "a[1].jsonl"),
        *(Case(f"a closed .{end}", lambda f, end=end: (good(f"a.{end}")(f) / f"a.{end}").chmod(0), f"a.{end}", closed, rights=False)
          for end in ("jsonl", "json", "csv", "parquet", "xlsx", "txt", "jsonl.gz", "jsonl.zst")),
        Case("a closed file in a folder", lambda f: (good("raw/a.jsonl", "raw/b.jsonl")(f) / "raw/b.jsonl").chmod(0), "raw", closed, rights=False),
        Case("a closed folder", lambda f: (one(f) / "raw").chmod(0), "raw", closed, rights=False),
        Case("a closed folder in a folder", lambda f: (good("raw/a.jsonl", "raw/in/b.jsonl")(f) / "raw/in").chmod(0), "raw", closed, rights=False),
        Case("a folder that may not be entered", lambda f: (one(f) / "raw").chmod(0o400), "raw/a.jsonl", closed, rights=False),
    ]  # fmt: skip
