"""How fast dedupe decides, and how much memory it takes: `python tests/bench/dedupe_speed.py [rows ...]`.

Every case runs in a process of its own, so that peaks do not add up. "free" rows are made of random words, one in
ten repeats an earlier row with a small edit; rows of "one template" differ in two words; "equal" rows are all
the same. The time is that of `Dedupe.prepare` alone: reading the snapshot, deciding, writing the decisions.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from pipeline.dedupe import Dedupe
from pipeline.snapshot import BATCH_ROWS, PartWriter, Snapshot
from pipeline.stage import Inputs
from schemas import Ingested, Manifest, arrow_schema

SIZES = (5_000, 20_000, 50_000)
SHAPES = ("free", "one template", "equal")
SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "we", "zi"]


def texts(shape: str, n: int) -> list[tuple[str, str]]:
    """Return prompts of some 60 to 400 characters with responses of some 300."""
    draw = random.Random(7)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(20_000)]
    weights = [1 / (place + 10) for place in range(len(words))]
    if shape == "equal":
        return [("Explain how a bicycle stays upright.", "Because " + " ".join(words[:50]))] * n
    stream = iter(draw.choices(words, weights, k=n * 125))
    made: list[tuple[str, str]] = []
    for _ in range(n):
        if shape == "one template":
            one, other = draw.choices(words, k=2)
            made.append((f"Write one short sentence with the words {one} and {other} for a child.", f"{one} {other}"))
        elif made and draw.random() < 0.1:
            prompt, response = draw.choice(made)
            made.append((prompt.upper() if draw.random() < 0.5 else prompt + " !", response))
        else:
            size = draw.randint(10, 65)
            made.append((" ".join(next(stream) for _ in range(size)), " ".join(next(stream) for _ in range(50))))
    return made


def snapshot(folder: Path, rows: list[tuple[str, str]]) -> Snapshot:
    """Write the rows as ingest would."""
    schema = arrow_schema(Ingested)
    writer = PartWriter(folder / "part-00000.parquet", schema)
    for start in range(0, len(rows), BATCH_ROWS):
        batch = [
            {
                "id": f"{start + n:032x}",
                "source": "bench",
                "origin": f"bench.jsonl:{start + n}",
                "task": "instruct",
                "template": "instruct",
                "fields": [{"name": "prompt", "value": prompt}, {"name": "response", "value": response}],
                "turns": [],
                "license": None,
                "meta": "{}",
                "marks": [],
            }
            for n, (prompt, response) in enumerate(rows[start : start + BATCH_ROWS])
        ]
        writer.write(pa.RecordBatch.from_pylist(batch, schema))
    columns = {field.name: str(field.type) for field in schema}
    file = writer.close()
    return Snapshot(folder, Manifest(stage="ingest", version="0", rows=len(rows), columns=columns, files=[file]))


def measure(shape: str, n: int) -> dict[str, float]:
    """Return seconds, peak memory before and after, bytes of text, and rows dropped."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = texts(shape, n)
        size = sum(len(prompt) + len(response) for prompt, response in rows)
        parent = snapshot(folder, rows)
        del rows
        sides = {"instruct": [["prompt", "prompt"], ["response", "response"]]}
        inputs = Inputs(values={"annotated": [], "sources": ["bench"], "sides": sides, "documents": {}})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        state = Dedupe().prepare({"ingest": parent}, inputs, folder)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert state.rows is not None
        with pa.memory_map(str(state.rows)) as file:
            dropped = n - pa.ipc.open_file(file).read_all().column("reason").null_count
    return {"seconds": seconds, "before": before * 1024, "peak": after * 1024, "text": size, "dropped": dropped}


def main(arguments: list[str]) -> None:
    """Print one line a case."""
    if arguments[:1] == ["--one"]:
        print(json.dumps(measure(arguments[1], int(arguments[2]))))
        return
    print(
        f"{'rows':>8} {'shape':14} {'seconds':>8} {'rows/s':>8} {'peak MB':>8} {'before MB':>9} {'text MB':>8} {'dropped':>8}"
    )
    for n in [int(size) for size in arguments] or SIZES:
        for shape in SHAPES:
            command = [sys.executable, __file__, "--one", shape, str(n)]
            done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{n:8} {shape:14} {done['seconds']:8.2f} {n / done['seconds']:8.0f} {done['peak'] / 1e6:8.0f}"
                f" {done['before'] / 1e6:9.0f} {done['text'] / 1e6:8.1f} {done['dropped']:8}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
