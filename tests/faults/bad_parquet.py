"""B6: parquet that is broken, hostile or only strange; every file in a process of its own, since readers have crashed.

ARROW-GH-41317.parquet   ->   exit 3: not readable as parquet: Parquet data page not compressed, but ...
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from shared import shared
from table import Line
from trial import ingest

MOST_MB = 2048
Writer = Callable[[Path], object]


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for the corrupt files that others met, and one for our own."""
    others = {
        path.name: (lambda to, path=path: to.write_bytes(path.read_bytes()))
        for path in sorted(shared("parquet-testing").joinpath("bad_data").glob("*.parquet"))
    }
    yield _line("corrupt files of parquet-testing", others)
    sound = {
        path.name: (lambda to, path=path: to.write_bytes(path.read_bytes()))
        for path in sorted(shared("parquet-testing").joinpath("data").glob("*.parquet"))
    }
    yield _line("odd but sound files of parquet-testing", _some(sound, share, seed))
    yield _line("files made broken here", _some(_ours(), share, seed))


def _some(cases: dict[str, Writer], share: float, seed: int) -> dict[str, Writer]:
    names = random.Random(seed).sample(sorted(cases), max(4, round(share * len(cases))))
    return {name: cases[name] for name in names}


def _ours() -> dict[str, Writer]:
    table = pa.table({"instruction": ["Which?"] * 100, "output": [f"answer {n}" for n in range(100)]})

    def whole(to: Path, **options: object) -> bytes:
        pq.write_table(table, to, **options)
        return to.read_bytes()

    def changed(change: Callable[[bytes], bytes], **options: object) -> Writer:
        return lambda to: to.write_bytes(change(whole(to, **options)))

    def with_byte(data: bytes, at: int, value: int) -> bytes:
        return data[:at] + bytes([value]) + data[at + 1 :]

    def of(column: pa.Array) -> Writer:
        return lambda to: pq.write_table(pa.table({"instruction": column, "output": ["a"] * len(column)}), to)

    def in_many_groups(to: Path) -> None:
        pq.write_table(table, to, row_group_size=1)

    def repeated(to: Path) -> None:
        # A dictionary of one text of 1 kB, told three million times: 3 GB once it is read.
        texts = pa.DictionaryArray.from_arrays(pa.array([0] * 3_000_000, pa.int32()), ["x" * 1000])
        pq.write_table(pa.table({"instruction": texts, "output": pa.array(["y"] * 3_000_000)}), to)

    def with_wild_indices(to: Path) -> None:
        # A hundred texts take seven bits a row, which can name 128.
        pq.write_table(table, to, compression="none", row_group_size=100)
        chunk = pq.read_metadata(to).row_group(0).column(1)
        end = chunk.dictionary_page_offset + chunk.total_compressed_size
        data = to.read_bytes()
        to.write_bytes(data[: end - 40] + b"\xff" * 40 + data[end:])

    deep = pa.array([{"a": [{"b": {"c": [[1]]}}]}])
    plain = {"compression": "none", "use_dictionary": False}
    return {
        "no bytes": lambda to: to.write_bytes(b""),
        "magic alone": lambda to: to.write_bytes(b"PAR1"),
        "magic twice": lambda to: to.write_bytes(b"PAR1PAR1"),
        "magic of encrypted files": changed(lambda data: b"PARE" + data[4:-4] + b"PARE"),
        "text": lambda to: to.write_bytes(b'{"instruction": "Which?"}\n' * 100),
        "cut in half": changed(lambda data: data[: len(data) // 2]),
        "first half lost": changed(lambda data: data[len(data) // 2 :]),
        "the last byte lost": changed(lambda data: data[:-1]),
        "footer said to be 4 GB": changed(lambda data: data[:-8] + b"\xff\xff\xff\xff" + data[-4:]),
        "footer said to be nothing": changed(lambda data: data[:-8] + b"\0\0\0\0" + data[-4:]),
        "zeros in the middle": changed(lambda data: data[:40] + bytes(200) + data[240:]),
        "dictionary index out of range": with_wild_indices,
        "a length of 2 GB in a page": changed(
            lambda data: data.replace(b"\x08\0\0\0answer 7", b"\xff\xff\xff\x7fanswer 7"), **plain
        ),
        "a negative length in a page": changed(
            lambda data: data.replace(b"\x08\0\0\0answer 7", b"\xff\xff\xff\xffanswer 7"), **plain
        ),
        "bytes that are no text": changed(lambda data: data.replace(b"answer 7", b"answer \xff"), **plain),
        "size of a page header changed": changed(lambda data: with_byte(data, 7, 255)),
        "no rows": lambda to: pq.write_table(table.slice(0, 0), to),
        "no columns": lambda to: pq.write_table(pa.table({}), to),
        "no row groups": lambda to: pq.ParquetWriter(to, table.schema).close(),
        "a row group a row": in_many_groups,
        "nested values": of(deep),
        "a map": of(pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64()))),
        "all nulls": of(pa.nulls(3)),
        "decimals": of(pa.array([10**37], pa.decimal128(38, 0))),
        "floats that are no numbers": of(pa.array([float("nan"), float("inf")])),
        "days before the calendar": of(pa.array([-(10**9)], pa.date32())),
        "a column twice": lambda to: pq.write_table(pa.table([["a"], ["b"]], names=["instruction", "instruction"]), to),
        "a name of 10 MB": lambda to: pq.write_table(pa.table({"x" * 10_000_000: ["a"]}), to),
        "100,000 columns": lambda to: pq.write_table(pa.table({f"c{n}": ["a"] for n in range(100_000)}), to),
        "3 GB in a small file": repeated,
        "a cell of 200 MB": of(pa.array(["x" * 200_000_000])),
    }


def _line(what: str, cases: dict[str, Writer]) -> Line:
    outcomes: Counter[str] = Counter()
    problems, peak = [], 0
    for name, write in cases.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            _write(write, folder / "a.parquet")
            source = 'path = "a.parquet"\ntemplate = "instruct"\nlimit = 50000'
            trial, kept, dropped = ingest(folder, source, seconds=300)
        peak = max(peak, trial.peak_mb)
        kind = {0: "read" if kept else "all dropped", 2: "columns refused", 3: "file refused"}
        outcomes[kind.get(trial.code or 0, "other") if trial.is_sound else "crashed"] += 1
        if not trial.is_sound:
            problems.append(f"{name}: {trial.sentence}")
        elif trial.peak_mb > MOST_MB:
            problems.append(f"{name}: peak {trial.peak_mb} MB")
        else:
            told = trial.sentence if trial.code else f"{len(kept)} kept, {len(dropped)} dropped"
            sys.stderr.write(f"B6 {name}: exit {trial.code}: {told[:150]}\n")
    for problem in problems:
        sys.stderr.write(f"B6 BAD {problem}\n")
    note = f"peak {peak:,} MB; {'; '.join(problems[:3])}".rstrip("; ")
    return Line("B6", what, len(cases), dict(sorted(outcomes.items())), bad=len(problems), note=note)


def _write(write: Writer, path: Path) -> None:
    write(path)
