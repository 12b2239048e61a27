"""F2: sound files of every format, changed at random, into whatever reads them: only errors of ours may come out.

a.xlsx with 3 bytes changed   ->   exit 3's SourceError, or rows
a.xlsx with 3 bytes changed   ->   PanicException, a signal, no end: a crash, told with the seed that makes it again

Readers run in forks, so that a crash in compiled code is a finding and not the end. Nothing here is guided by
coverage: a mutation changes bytes, or puts in words that readers stumble over.
"""

import gzip
import json
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from small_workbook import workbook
from table import Line
from trial import recipe
from trial import run as run_tuneloop

from annotation.export import read_export
from pipeline import refs
from pipeline.annotations import read_annotations
from pipeline.benchmarks import read_items
from pipeline.ingest import Ingest
from pipeline.recipe import load_recipe
from pipeline.snapshot import Snapshot
from pipeline.stage import Place, Slice
from pipeline.template import check_template, load_templates
from pipeline.template_file import read_template
from schemas import DataError

SECONDS = 600
_HANG_SECONDS = 20
_MOST_MB = 4096
_BATCH = 100
_WORDS = (
    b'"', b"'", b"[", b"]", b"{", b"}", b",", b":", b"\\", b"\n", b"\r", b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80",
    b"\\ud800", b"null", b"true", b"[]", b"{}", b'""', b"-1", b"0", b"1e999", b"NaN", b"18446744073709551616",
    b"99999999999999999999999", b"\xef\xbb\xbf", b"../", b"{{ x }}", b"{% for %}", b"&a;", b"ZZZ9999999", b"=1+1",
)  # fmt: skip
ROWS = [{"instruction": f"Which river is number {n}?", "output": f"River é {n}."} for n in range(5)]
_ROOT = Path(__file__).resolve().parents[2]
Read = Callable[[Path], object]


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for each kind of file; all together take ten minutes, or that share of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = list(_kinds(folder))
        for ending, sound, read in kinds:
            yield _line(ending, sound, read, folder, seed, SECONDS * share / len(kinds))


def _kinds(folder: Path) -> Iterator[tuple[str, bytes, Read]]:
    """Yield the name of a file, its sound bytes, and what reads it."""
    templates = load_templates([])
    table = "instruction,output\n" + "".join(f'"{row["instruction"]}",{row["output"]}\n' for row in ROWS)
    jsonl = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "sound.parquet")
    parquet = (folder / "sound.parquet").read_bytes()

    def source(path: Path) -> None:
        place = Place("fuzz", folder, folder / "data", templates, (), (), folder, {})
        fields = {"fields": {"instruction": "text"}} if path.suffix == ".txt" else {}
        stage = Ingest.model_validate(
            {"sources": [{"name": "s", "path": path.name, "template": "instruct", **fields}], "max_bad_share": 1.0}
        )
        inputs = stage.inputs(place)
        for part in stage.parts({}, inputs):
            for batch in stage.read(part, inputs):
                made = stage.map(batch, Slice(None, {}, inputs))
                assert batch.num_rows == made.kept.num_rows + made.dropped.num_rows, "rows were lost"

    def items(path: Path) -> None:
        read_items({path.name: path})

    yield "a.jsonl", jsonl, source
    yield "a.json", json.dumps({"version": 1, "data": ROWS}).encode(), source
    yield "a.csv", table.encode(), source
    yield "a.tsv", table.replace(",", "\t").encode(), source
    yield "a.parquet", parquet, source
    yield "a.xlsx", workbook(rows=[(row["instruction"], row["output"]) for row in ROWS], merges=["C2:D3"]), source
    yield "a.jsonl.gz", gzip.compress(jsonl, mtime=0), source
    yield "a.jsonl.zst", zstandard.compress(jsonl), source
    yield "a.txt", "Ein Text über Flüsse.\n".encode() * 9, source
    yield "items.jsonl", jsonl, items
    yield "items.parquet", parquet, items
    yield "r.toml", (_ROOT / "pipeline" / "recipes" / "sample.toml").read_bytes(), load_recipe

    def template(path: Path) -> None:
        check_template(read_template(path), path)

    yield "summarize.yaml", (_ROOT / "pipeline" / "templates" / "summarize.yaml").read_bytes(), template
    export = next((_ROOT / "data" / "sample").glob("*export*.json"), None)
    yield "export.json", export.read_bytes() if export else _export(), read_export
    yield from _store(folder, jsonl)


def _export() -> bytes:
    answer = {"id": 7, "completed_by": {"id": 1, "email": "a@example.org"}, "created_at": "2026-03-01T09:00:00Z",
              "updated_at": "2026-03-01T09:00:00Z", "lead_time": 3.5, "was_cancelled": False, "ground_truth": False,
              "result": [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["accept"]}},
                         {"from_name": "comment", "to_name": "messages", "type": "textarea", "value": {"text": ["fine"]}}]}  # fmt: skip
    data = {"example": "0" * 32, "messages": [{"role": "user", "content": "q"}], "response": "a", "prompt": "q"}
    return json.dumps([{"id": 3, "data": data, "annotations": [answer], "predictions": []}]).encode()


def _store(folder: Path, jsonl: bytes) -> Iterator[tuple[str, bytes, Read]]:
    """Yield the files of a small store: a record, a manifest, a part of a version, and answers of people."""
    home = folder / "store"
    home.mkdir()
    (home / "rows.jsonl").write_bytes(jsonl)
    (home / "r.toml").write_text(recipe('path = "rows.jsonl"\ntemplate = "instruct"'))
    done = run_tuneloop(["data", "--recipe", "r.toml", "--to", "ingest"], home)
    assert done.code == 0, done.says
    stage = home / "data" / "ingest"
    (version,) = (path for path in stage.iterdir() if len(path.name) == 32)
    record = next((stage / "refs" / "r").glob("*.json")).read_bytes()

    def manifest(path: Path) -> None:
        (version / "manifest.json").write_bytes(path.read_bytes())
        Snapshot.open(stage, version.name).table()

    def part(path: Path) -> None:
        list(Snapshot.read_part(path))

    yield "000001.json", record, refs.read_record
    yield "part-00000.parquet", (version / "part-00000.parquet").read_bytes(), part
    yield "manifest.json", (version / "manifest.json").read_bytes(), manifest
    seen = {"prompt": [{"role": "user", "content": "q"}], "response": "a"}
    at = "2026-03-01T09:00:00Z"
    answer = {"key": "ls:1", "example": "0" * 32, "annotator": "a1", "verdict": "accept", "created_at": at,
              "updated_at": at, "seen": seen}  # fmt: skip
    yield "answers.jsonl", json.dumps(answer).encode() + b"\n", lambda path: read_annotations([path])


def mutate(data: bytes, seed: int, name: str) -> bytes:
    """Return the bytes with one change or a few; in a workbook half of them are made inside one of its parts."""
    chance = random.Random(seed)
    if name.endswith(".xlsx") and chance.random() < 0.7:
        return _inside(data, chance)
    if name.endswith((".gz", ".zst")) and chance.random() < 0.3:
        return data[: chance.randrange(len(data))]
    return _changed(data, chance)


def _changed(data: bytes, chance: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(made) + 1)
        end = min(len(made), at + chance.choice((1, 1, 2, 4, 16, 100)))
        match chance.randrange(7):
            case 0 if at < len(made):
                made[at] = chance.randrange(256)
            case 1:
                made[at:at] = chance.choice(_WORDS)
            case 2:
                made[at:end] = chance.choice(_WORDS)
            case 3:
                del made[at:end]
            case 4:
                made[at:at] = made[at:end] * chance.choice((1, 2, 50))
            case 5:
                made[at:end] = chance.randbytes(end - at)
            case 6 if chance.random() < 0.2:
                del made[at:]
    return bytes(made)


def _inside(data: bytes, chance: random.Random) -> bytes:
    with tempfile.TemporaryFile() as before, tempfile.TemporaryFile() as after:
        before.write(data)
        with zipfile.ZipFile(before) as old, zipfile.ZipFile(after, "w") as new:
            names = old.namelist()
            chosen = chance.choice([names[-1], *names])
            for name in names:
                new.writestr(name, _changed(old.read(name), chance) if name == chosen else old.read(name))
        after.seek(0)
        return after.read()


def _line(name: str, sound: bytes, read: Read, folder: Path, seed: int, seconds: float) -> Line:
    outcomes: Counter[str] = Counter()
    problems: dict[str, int] = {}
    until, next_seed = time.monotonic() + seconds, seed * 1_000_000
    while time.monotonic() < until:
        last, found, died = _batch(name, sound, read, folder, next_seed)
        outcomes.update(outcome for outcome, _, _ in found)
        for outcome, what, at in found:
            if outcome == "crashed":
                problems.setdefault(what, at)
        if died:
            outcomes["crashed"] += 1
            problems.setdefault(died, last)
        next_seed = last + 1
    for what, at in problems.items():
        sys.stderr.write(f"F2 {name} seed {at}: {what}\n")
    note = "; ".join(f"seed {at}: {what.splitlines()[-1][:120]}" for what, at in list(problems.items())[:3])
    return Line("F2", f"changed {name}", sum(outcomes.values()), dict(sorted(outcomes.items())),
                bad=outcomes["crashed"], note=note)  # fmt: skip


def _batch(name: str, sound: bytes, read: Read, folder: Path, first: int) -> tuple[int, list[Any], str]:
    """Read so many mutations in a fork; return the last seed it came to, what it found, and how it died if it did."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        with os.fdopen(send, "wb") as pipe:
            _read_all(name, sound, read, folder, first, pipe)
        os._exit(0)
    os.close(send)
    found, last = [], first
    with os.fdopen(receive, "rb") as pipe:
        for line in pipe:
            entry = json.loads(line)
            last = entry[2]
            if entry[0] != "begun":
                found.append(entry)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return last, found, f"ended with {code}" if code else ""


def _read_all(name: str, sound: bytes, read: Read, folder: Path, first: int, pipe: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MB << 20, _MOST_MB << 20))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)

    def tell(outcome: str, what: str, at: int) -> None:
        pipe.write(json.dumps((outcome, what, at)).encode() + b"\n")
        pipe.flush()

    path = folder / name
    for at in range(first, first + _BATCH):
        path.write_bytes(mutate(sound, at, name))
        tell("begun", "", at)
        signal.alarm(_HANG_SECONDS)
        try:
            read(path)
            tell("read", "", at)
        except DataError as error:
            told = all((error.what, error.where, error.fix)) and pickle.loads(pickle.dumps(error)).what == error.what
            tell("refused" if told else "crashed", str(error), at)
        except BaseException as error:  # noqa: BLE001 - whatever else comes out is the finding
            frames = traceback.extract_tb(error.__traceback__)
            place = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames[-4:]))
            tell("crashed", f"{type(error).__name__}: {str(error)[:100]} at {place}", at)
        signal.alarm(0)
