"""Every method on every family: trained on the sample to lower validation NLL, saved, loaded again.

    python tests/bench/method_table.py [--data-root data] [--write]

Bases are very small and made here, but they are no noise: each is taught the sample's base text first, so that an
adapter has something to adapt. Each run has a process of its own, so that its peak memory is its own. `--write` puts
the table into docs/methods.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForMaskedLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from figures import tell  # noqa: E402 - a script finds the checkout first

from pipeline import refs  # noqa: E402
from pipeline.recipe import load_recipe  # noqa: E402
from pipeline.run import run_data  # noqa: E402
from pipeline.snapshot import Snapshot  # noqa: E402
from schemas import ConfigError  # noqa: E402
from schemas.method import Family, Method  # noqa: E402
from schemas.training import Train  # noqa: E402
from tests.conftest import Quiet  # noqa: E402
from tests.train.shapes import write_base  # noqa: E402
from tests.train.trial import run_trial  # noqa: E402
from train.base_text import documents  # noqa: E402
from train.classes import Labels  # noqa: E402
from train.encoded import Encoded  # noqa: E402
from train.families import layout_of  # noqa: E402
from train.loop import Plan, fit  # noqa: E402
from train.methods import METHODS  # noqa: E402
from train.model import load_base  # noqa: E402
from train.objective import Sft  # noqa: E402
from train.text_pairs import answer_text, prompt_text, token_ids  # noqa: E402
from train.tiny import encode_documents  # noqa: E402

COLUMNS: tuple[tuple[str, Family, str], ...] = (
    ("causal, Llama-shaped", "causal", "llama"),
    ("encoder-decoder, T5-shaped", "seq2seq", "t5"),
    ("classifier on an encoder, BERT-shaped", "classify", "bert"),
    ("classifier on a decoder, Llama-shaped", "classify", "llama"),
)
TEXT, SAMPLE = Path("data/sample/base.txt"), Path("data/sample/tokenizer")
WIDTH, BASE_STEPS, STEPS, BATCH = 64, 250, 60, 16
PAGE, BEGIN, END = Path("docs/methods.md"), "<!-- table: begin -->", "<!-- table: end -->"


def main() -> None:
    """Print the table, or be one of its runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--one", nargs=4, metavar=("METHOD", "FAMILY", "SHAPE", "FOLDER"))
    words = parser.parse_args()
    torch.set_num_threads(1)
    if words.one:
        method, family, shape, folder = words.one
        sys.stdout.write(json.dumps(one(method, family, shape, Path(folder))))
        return
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_rows(words.data_root, root)
        for shape in ("llama", "t5", "bert"):
            say(f"teaching {shape} the base text: NLL {teach(shape, root):.2f} after {BASE_STEPS} steps")
        lines = [header(), *(line(method, root) for method in METHODS)]
    table = "\n".join(lines)
    tell(
        "combinations that learn, move what they should and come back the same",
        table.count("→") - table.count("**") // 2,
    )
    tell("combinations with a fault", table.count("**") // 2 + table.count("FAILED"))
    tell("combinations refused", table.count("refused"))
    sys.stdout.write(table + "\n")
    if words.write:
        page = PAGE.read_text("utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def write_rows(data_root: Path | None, root: Path) -> None:
    """Write the rows to learn from: questions for models that write, tickets for classifiers."""
    recipe = load_recipe(None)
    store = data_root or root / "data"
    if refs.newest(store, "split", recipe.name) is None:
        run_data(recipe, store, Quiet())
    record = refs.newest(store, "split", recipe.name)
    assert record is not None
    split = Snapshot.open(store / "split", record.version)
    tokenizer = AutoTokenizer.from_pretrained(SAMPLE)
    found: dict[str, dict[str, list[Any]]] = {"question-answer": {}, "classify": {}}
    for file in split.manifest.files:
        side = file.name.partition("-")[0]
        for batch in Snapshot.read_part(
            split.folder / file.name, ["origin", "template", "prompt", "completion", "tools"]
        ):
            for row in batch.to_pylist():
                if row["template"] in found and len(token_ids(tokenizer, [prompt_text(row)])[0]) < 90:
                    found[row["template"]].setdefault(side, []).append(row)
    for name, sides in found.items():
        (root / f"{name}.json").write_text(json.dumps(sides), encoding="utf-8")


def teach(shape: str, root: Path) -> float:
    """Make a base of a shape that knows the base text; return the NLL it came to, nats a token."""
    folder = write_base(shape, root / shape, SAMPLE, width=WIDTH)
    learn, _ = documents(TEXT)
    learn = learn[:6000]
    if shape == "bert":
        return teach_bert(folder, learn)
    settings = Train(base=str(folder), method="full")
    base = load_base(settings, folder)
    if shape == "llama":
        data = encode_documents(base.tokenizer, learn, 120, str(TEXT))
    else:
        halves = [(text[: len(text) // 2], text[len(text) // 2 :]) for text in learn]
        ids = [token_ids(base.tokenizer, [half[side] for half in halves]) for side in (0, 1)]
        data = Encoded.of(list(zip(*ids, strict=True)), [f"document {n}" for n in range(len(halves))])
    model = base.model.requires_grad_(requires_grad=True)
    layout = layout_of(base.family, "full", model, len(data))
    plan = Plan(
        steps=BASE_STEPS, batch_size=BATCH, learning_rate=4e-3, warmup=15, weight_decay=0.0, clip=1.0,
        token_budget=2048, evaluate_every=BASE_STEPS, seed=1,
    )  # fmt: skip
    done = fit(model, Sft(data, Encoded.of([], []), layout), plan, root / f"{shape}-run", lambda _: None)
    model.save_pretrained(str(folder))
    return done.curve[-1].train_loss


def teach_bert(folder: Path, learn: list[str]) -> float:
    """Teach an encoder to fill gaps: a seventh of the tokens is written over by the padding token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    ids = [one[:40] for one in token_ids(tokenizer, learn)]
    draws = torch.Generator().manual_seed(1)
    loss = torch.tensor(0.0)
    for _ in range(2 * BASE_STEPS):
        rows = [ids[int(i)] for i in torch.randint(len(ids), (BATCH,), generator=draws)]
        width = max(map(len, rows))
        ids_table = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        gap = (torch.rand(ids_table.shape, generator=draws) < 1 / 7) & mask.bool()
        gapped = ids_table.where(~gap, torch.tensor(tokenizer.pad_token_id))
        logits = model(input_ids=gapped, attention_mask=mask).logits
        loss = functional.cross_entropy(logits[gap], ids_table[gap])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return float(loss)


def one(method: Method, family: Family, shape: str, root: Path) -> dict[str, Any]:
    """Return what one run came to, or why it was refused."""
    rows = json.loads(
        (root / ("classify" if family == "classify" else "question-answer")).with_suffix(".json").read_text()
    )
    labels = Labels(tuple(sorted({answer_text(row) for row in rows["train"]}))) if family == "classify" else None
    settings = Train(
        base=str(root / shape), family=family, method=method, rank=8, virtual_tokens=8, last_layers=1,
        learning_rate=METHODS[method].tiny_rate,
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = run_trial(
                settings, rows, Path(folder), steps=2 * STEPS if labels else STEPS, labels=labels, batch_size=BATCH
            )
    except ConfigError as error:
        return {"refused": error.what}
    return asdict(found) | {"bytes": peak_bytes()}


def peak_bytes() -> int:
    """Return the largest resident size of this process since it began its own program; rusage counts its parent's."""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def header() -> str:
    """Return the head of the table."""
    names = ["method", *(name for name, _, _ in COLUMNS)]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def line(method: Method, root: Path) -> str:
    """Return a row of the table."""
    cells = [cell(method, family, shape, root) for _, family, shape in COLUMNS]
    say(f"{method}: {' | '.join(cells)}")
    return f"| {method} | {' | '.join(cells)} |"


def cell(method: Method, family: Family, shape: str, root: Path) -> str:
    """Return what a combination came to, in a few words."""
    if METHODS[method].needs_gpu:
        return "untested here (GPU)"
    command = [sys.executable, __file__, "--one", method, family, shape, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stderr[-2000:])
        return "FAILED"
    found = json.loads(done.stdout)
    if why := found.get("refused"):
        say(why)
        return "refused"
    faults = [
        *(["NLL not lower"] if found["after"] >= found["before"] else []),
        *([f"{len(found['still'])} did not move"] if found["still"] else []),
        *([f"{len(found['moved'])} frozen moved"] if found["moved"] else []),
        *(["answers differ once loaded"] if found["said"] != found["said_again"] else []),
        *([f"NLL {found['again']:.4f} once loaded"] if abs(found["again"] - found["after"]) > 1e-5 else []),
    ]
    figures = (
        f"{found['before']:.2f} → {found['after']:.2f}; {found['n_trainable']:,} of {found['n_parameters']:,}; "
        f"{found['seconds']:.0f} s, {found['bytes'] / 2**20:.0f} MB"
    )
    return figures + (f"; **{', '.join(faults)}**" if faults else "")


def say(text: str) -> None:
    """Tell what goes on."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
