r"""B2 and B3: naughty strings through the whole chain, letter by letter; and bytes that are no text.

"\u202etest\u202e"        ->   the same in ingest, split, `show --json` and the tasks for Label Studio
b'{"q": "caf\xe9"}\n'     ->   undecodable, with line and offset; or read as the encoding the recipe names

That a real Label Studio gives every string back is the matter of tests/annotation/test_naughty_strings.py.
"""

import csv
import gzip
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from shared import ROOT, shared
from table import Line
from trial import ingest, recipe, rows_of
from trial import run as run_tuneloop

MORE = (
    "\0", "nul \0 inside", "\u202eright to left\u202c", "\u2066isolated\u2069", "\u200b", "zero\u200bwidth\u200d\u2060",
    "\u05e9\u05dc\u05d5\u05dd עולם", "مرحبا", "👨\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "e\u0301 and é", "\ufeffmark", "\u2028line\u2029paragraph",
    "\x1b[31mred", "a\rb", "a\r\nb", "\x85next", "\ufffe\uffff", "\U0010ffff", "\x7f", "  blank ends  ", "\ttab\t", "𝕿𝖊𝖝𝖙", "Z̡͖a̷l̡g̷o",
)  # fmt: skip
_BLANK = ("empty_prompt", "empty_response")
_OUTER = ("split", "annotate", "format", "dedupe", "ingest")


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield the lines of naughty strings, then those of bytes that are no text."""
    strings = [*json.loads((shared("blns") / "blns.json").read_text("utf-8")), *MORE]
    if share < 1:
        strings = random.Random(seed).sample(strings, max(40, round(share * len(strings))))
    with tempfile.TemporaryDirectory() as folder:
        yield from _whole_chain(strings, Path(folder))
    yield _formats(strings)
    yield _lines_of("bytes, each alone in a line", _utf8_cases())
    yield _real_files(share, seed)
    yield _encodings()


def _whole_chain(strings: list[str], folder: Path) -> Iterator[Line]:
    """Every string as a prompt and response of its own, and inside longer ones."""
    rows = [{"instruction": text, "output": text} for text in strings]
    rows += [{"instruction": f"Say back number {n * 7919}: {text}", "output": text} for n, text in enumerate(strings)]
    given = {f"a.jsonl:{n}": row for n, row in enumerate(rows, start=1)}
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    settings = f'[format]\ntokenizer = "{ROOT}/data/sample/tokenizer"\n'
    (folder / "r.toml").write_text(recipe('path = "a.jsonl"\ntemplate = "instruct"', settings), "utf-8")
    trial = run_tuneloop(["data", "--recipe", "r.toml", "--workers", "1"], folder, seconds=600)
    if trial.code:
        yield Line(
            "B2", "naughty strings, ingest to split", len(rows), {"crashed": len(rows)}, len(rows), note=trial.sentence
        )
        return
    outcomes: Counter[str] = Counter()
    problems = []
    kept: dict[str, dict[str, Any]] = {}
    told = {}
    for stage in _OUTER:
        some, gone = rows_of(folder / "data", stage)
        kept |= {row["origin"]: row for row in some if stage == "split"}
        told |= {row["origin"]: f"{stage}: {row['reason']}" for row in gone}
        for row in some:
            row_given = given[row["origin"]]
            fields = {field["name"]: field["value"] for field in row["fields"]}
            if fields != {"instruction": row_given["instruction"], "response": row_given["output"]}:
                problems.append(f"{stage} {row['origin']}: {fields!r} was {row_given!r}")
    for origin, row_given in given.items():
        if origin in kept:
            outcomes["in the split"] += 1
            row = kept[origin]
            if (
                row["completion"][0]["content"] != row_given["output"]
                or row_given["instruction"] not in row["prompt"][-1]["content"]
            ):
                problems.append(f"split {origin}: {row['prompt']!r} {row['completion']!r}")
        elif origin in told:
            outcomes[told[origin]] += 1
            if told[origin].partition(": ")[2] in _BLANK and row_given["output"].strip():
                problems.append(f"{origin}: {row_given!r} was dropped as empty")
        else:
            problems.append(f"{origin}: {row_given!r} is lost")
    yield _told("B2", "naughty strings, ingest to split", outcomes, problems)
    yield _shown(folder, given, kept)


def _shown(folder: Path, given: dict[str, dict[str, str]], kept: dict[str, dict[str, Any]]) -> Line:
    """The same rows as commands show them: JSON and tasks must be equal, pages must hold no element of the data's."""
    outcomes: Counter[str] = Counter()
    problems = []
    shown = run_tuneloop(["show", "split", "--json", "-n", "100000", "--recipe", "r"], folder)
    rows = [json.loads(line) for line in shown.out.split("\n") if line]
    for row in rows:
        outcomes["equal in show --json"] += 1
        if row["completion"][0]["content"] != given[row["origin"]]["output"]:
            problems.append(f"show --json {row['origin']}: {row['completion']}")
    if len(rows) != len(kept):
        problems.append(f"show --json shows {len(rows)} of {len(kept)} rows")
    made = run_tuneloop(["annotate", "tasks", "--to", "tasks.json", "--recipe", "r.toml"], folder)
    if made.code:
        problems.append(f"annotate tasks: {made.sentence}")
    else:
        by_id = {row["id"]: row for row in kept.values()}
        for task in json.loads((folder / "tasks.json").read_text("utf-8")):
            row = by_id.get(task["data"]["example_id"])
            if row is None:
                continue
            outcomes["equal in tasks"] += 1
            if row["completion"][0]["content"] not in _texts(task["data"]):
                problems.append(f"task of {row['origin']}: {task['data']}")
    _look_at_pages(folder, outcomes, problems)
    return _told("B2", "the same as commands show them", outcomes, problems)


def _look_at_pages(folder: Path, outcomes: Counter[str], problems: list[str]) -> None:
    for words in (
        ["report", "--recipe", "r", "--to", "pages/report.html"],
        ["browse", "--recipe", "r", "--to", "pages/rows", "-n", "0"],
    ):
        (folder / "pages").mkdir(exist_ok=True)
        done = run_tuneloop(words, folder)
        if done.code:
            problems.append(f"{words[0]}: {done.sentence}")
    for page in sorted((folder / "pages").rglob("*.html")):
        outcomes["pages without a foreign element"] += 1
        reader = _Elements()
        reader.feed(page.read_text("utf-8"))
        problems += [f"{page.name}: {what}" for what in reader.foreign]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


class _Elements(HTMLParser):
    """Looks for what no page of ours holds: scripts, frames, handlers, and addresses outside the page."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        bad = tag in ("script", "iframe", "object", "embed", "img", "form", "audio", "video", "marquee", "blink")
        bad = bad or any(name.startswith("on") or (name in ("src", "srcdoc", "formaction") or
                         (name == "href" and (value or "").lower().lstrip().startswith(("javascript", "data", "http"))))
                         for name, value in attrs)  # fmt: skip
        if bad:
            self.foreign.append(f"<{tag} {attrs}>"[:200])


def _formats(strings: list[str]) -> Line:
    """The same texts out of every format: what a format can hold must come out of it unchanged."""
    outcomes: Counter[str] = Counter()
    problems = []
    rows = [{"instruction": f"Say {n}", "output": text} for n, text in enumerate(strings) if text.strip()]
    for ending in ("jsonl", "json", "csv", "tsv", "parquet", "jsonl.gz"):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            _write_as(folder / f"a.{ending}", ending, rows)
            trial, kept, dropped = ingest(folder, f'path = "a.{ending}"\ntemplate = "instruct"')
        expected = {row["instruction"]: row["output"] for row in rows}
        found = {row["fields"][0]["value"]: row["fields"][1]["value"] for row in kept}
        same = sum(expected.get(name) == text for name, text in found.items())
        outcomes[f"{ending} equal"] += same
        outcomes["dropped with a reason"] += len(dropped)
        if trial.code or same != len(found) or len(found) + len(dropped) != len(rows):
            wrong = [(name, text, expected.get(name)) for name, text in found.items() if expected.get(name) != text]
            problems.append(f"{ending}: {trial.sentence}, {len(found)} + {len(dropped)} of {len(rows)}, {wrong[:2]}")
    return _told("B2", "naughty strings out of every format", outcomes, problems)


def _write_as(path: Path, ending: str, rows: list[dict[str, str]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if ending == "json":
        path.write_text(json.dumps(rows), "utf-8")
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, delimiter="\t" if ending == "tsv" else ",")
            writer.writerows([("instruction", "output"), *(tuple(row.values()) for row in rows)])
    else:
        data = text.encode("utf-8")
        path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)


def _utf8_cases() -> dict[str, bytes]:
    """Name to what stands in the text of a row; what Python's own decoder says decides."""
    cases = {
        "overlong slash": b"\xc0\xaf", "overlong NUL": b"\xc0\x80", "overlong in three bytes": b"\xe0\x80\xaf",
        "a high surrogate": b"\xed\xa0\x80", "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
        "beyond the last character": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80", "a lone tail": b"\x80",
        "a cut character": b"\xe2\x82", "0xFE": b"\xfe", "0xFF": b"\xff", "latin-1": b"caf\xe9", "sound": "é€😀".encode(),
        "a mark inside": b"\xef\xbb\xbf", "U+2028": "\u2028".encode(), "U+0085": "\x85".encode(), "noncharacter": b"\xef\xbf\xbe",
    }  # fmt: skip
    escapes = {"escaped lone surrogate": rb"\ud800", "escaped low surrogate": rb"\udc00", "escaped pair": rb"\ud83d\ude00",
               "escaped NUL": rb"\u0000", "surrogates turned round": rb"\ude00\ud83d"}  # fmt: skip
    for n, line in enumerate((shared("utf8tests") / "utf8tests.txt").read_bytes().split(b"\n")):
        # number:what it is:bytes
        if (pieces := line.split(b":", 2)) and len(pieces) == 3 and not line.startswith(b"#"):
            cases[f"utf8tests {n}"] = pieces[2].replace(b'"', b"").replace(b"\\", b"")
    return cases | escapes


def _lines_of(what: str, cases: dict[str, bytes]) -> Line:
    """Each case in a .jsonl file of its own: read as Python's own decoder and JSON read it, or dropped with its place."""
    outcomes: Counter[str] = Counter()
    problems = []
    head = '{"instruction": "Über uns", "output": "Ja."}\n'.encode()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "raw").mkdir()
        for n, data in enumerate(cases.values()):
            row = b'{"instruction": "Say ' + data + b'", "output": "This."}\n'
            (folder / "raw" / f"{n:04}.jsonl").write_bytes(head + row)
        trial, kept, dropped = ingest(folder, 'path = "raw"\ntemplate = "instruct"', seconds=300)
    if trial.code:
        problems.append(trial.sentence)
    read, gone = ({row["origin"]: row for row in rows} for rows in (kept, dropped))
    for n, (name, data) in enumerate(cases.items() if not trial.code else ()):
        origin = f"raw/{n:04}.jsonl:2"
        try:
            expected = json.loads((b'"Say ' + data + b'"').decode("utf-8"))
            expected.encode("utf-8")
        except ValueError:
            expected = None
        if expected is not None:
            outcomes["read alike"] += 1
            if origin not in read or read[origin]["fields"][0]["value"] != expected:
                problems.append(f"{name}: {read.get(origin, gone.get(origin))}")
        else:
            outcomes["quarantined with line and offset"] += 1
            if origin not in gone or gone[origin]["offset"] != len(head):
                problems.append(f"{name}: {data!r} was taken: {read.get(origin, gone.get(origin))}")
    return _told("B3", what, outcomes, problems)


def _real_files(share: float, seed: int) -> Line:
    """Really malformed files: each row that is kept must be what another reading of its line or record gives."""
    outcomes: Counter[str] = Counter()
    problems = []
    named = {
        **{path: 'template = "instruct"\nfields = { instruction = "instruction" }\nto_write = true'
           for path in shared("instruction-wild").rglob("*.jsonl")},
        **{path: 'template = "chat"\nfields = { turns = "text" }' for path in shared("doccano-fixtures").rglob("*.jsonl")},
        **{path: 'template = "instruct"\nfields = { instruction = "text" }' for path in shared("doccano-fixtures").rglob("*.jsonl")},
    }  # fmt: skip
    tables = [
        path
        for name in ("csv-spectrum", "csv-test-data", "csvlint-fixtures", "doccano-fixtures")
        for path in sorted(shared(name).rglob("*.csv"))
    ]
    if share < 1:
        tables = random.Random(seed).sample(tables, 6)
    for path, settings in named.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "a.jsonl").write_bytes(path.read_bytes())
            trial, kept, dropped = ingest(folder, f'path = "a.jsonl"\n{settings}\nlimit = 20000', seconds=300)
        if not trial.is_sound:
            problems.append(f"{path.name}: {trial.sentence}")
        outcomes["file refused" if trial.code else "file read"] += 1
        lines = path.read_bytes().split(b"\n")
        for row in kept:
            text = json.loads(lines[int(row["origin"].rpartition(":")[2]) - 1].decode("utf-8-sig"))
            value = row["fields"][0]["value"] if row["fields"] else None
            if value is not None and value not in (text.get("instruction"), text.get("text")):
                problems.append(f"{path.name} {row['origin']}: {value!r}")
            outcomes["row alike"] += 1
        outcomes["row dropped"] += len(dropped)
    for path in tables:
        outcomes.update(_table(path, problems))
    return _told("B3", "malformed files of others", outcomes, problems)


def _table(path: Path, problems: list[str]) -> Counter[str]:
    """Read a .csv; what is kept must be the cells that Python's csv module finds in the whole text."""
    outcomes: Counter[str] = Counter()
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    header = next(csv.reader(data.decode(encoding, "replace").splitlines(keepends=True)), [""]) or [""]
    keep = json.dumps([column for column in header if column.strip()], ensure_ascii=False)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "a.csv").write_bytes(data)
        first = json.dumps(header[0], ensure_ascii=False)
        source = f'path = "a.csv"\ntemplate = "instruct"\nfields = {{ instruction = {first} }}\nto_write = true\nkeep = {keep}'
        if encoding == "utf-16":
            source += '\nencoding = "utf-16"'
        trial, kept, dropped = ingest(folder, source)
    outcomes["table refused" if trial.code else "table read"] += 1
    if not trial.is_sound:
        problems.append(f"{path.name}: {trial.sentence}")
    if trial.code == 0:
        text = data.decode(encoding)
        try:
            whole = list(csv.reader(Lines(text), strict=True))
        except csv.Error:
            whole = list(csv.reader(Lines(text)))
        cells = [{name: cell for name, cell in zip(header, one, strict=False) if name.strip()} for one in whole[1:]]
        for row in kept:
            outcomes["table row alike"] += 1
            if json.loads(row["meta"]) not in cells:
                problems.append(f"{path.name} {row['origin']}: {row['meta']}")
        outcomes["table row dropped"] += len(dropped)
    return outcomes


class Lines(list[str]):
    """The lines of a text with their ends, split at line feeds and carriage returns alone."""

    def __init__(self, text: str) -> None:
        super().__init__(
            text.replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True) if "\u2028" not in text else [text]
        )


def _encodings() -> Line:
    """One row in every encoding with and without its mark: read right where it is named, else refused with its name."""
    outcomes: Counter[str] = Counter()
    problems = []
    row = '{"instruction": "Was heißt über?", "output": "Über heißt over, größer: bigger."}\n' * 3
    table = "instruction,output\n" + "Was heißt über?,Über heißt over.\n" * 3
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252"):
        for name, text in (
            ("a.jsonl", row),
            ("a.json", f"[{','.join(row.splitlines())}]"),
            ("a.csv", table),
            ("a.txt", row),
        ):
            for is_named in (True, False):
                with tempfile.TemporaryDirectory() as place:
                    folder = Path(place)
                    (folder / name).write_bytes(text.encode(encoding))
                    fields = 'fields = { instruction = "text" }' if name == "a.txt" else ""
                    named = f'encoding = "{encoding}"' if is_named else ""
                    trial, kept, dropped = ingest(folder, f'path = "{name}"\ntemplate = "instruct"\n{fields}\n{named}')
                del dropped
                wanted = row if name == "a.txt" else "Was heißt über?"
                is_read = trial.code == 0 and bool(kept) and all(one["fields"][0]["value"] == wanted for one in kept)
                outcomes["read right" if is_read else "refused" if trial.code == 3 else "read wrong"] += 1
                if not is_read and (
                    is_named or encoding == "utf-8-sig" or trial.code != 3 or "encoding" not in trial.says
                ):
                    problems.append(f"{encoding} {name} named {is_named}: {trial.sentence}")
    return _told("B3", "encodings, named or not", outcomes, problems)


def _told(anchor: str, what: str, outcomes: Counter[str], problems: list[str]) -> Line:
    for problem in problems[:20]:
        sys.stderr.write(f"{anchor} {what}: {problem[:500]}\n")
    found = {name: n for name, n in sorted(outcomes.items()) if n}
    return Line(anchor, what, sum(found.values()), found, bad=len(problems), note="; ".join(problems)[:200])
