"""The whole turn on 300 rows: data, train, report, feedback, a person's edit, the next version."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline import cli
from schemas import arrow_schema
from schemas.report import ARMS, Report, Score
from schemas.training import Encode

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
TRAIN = f"""
[train]
method = "full"
epochs = 1
batch_size = 8
base_text = "base.txt"
base_tokenizer = "{SAMPLE / "tokenizer"}"
base_steps = 40
max_new_tokens = 16
"""


@dataclass
class Done:
    """What a command did."""

    code: int
    stdout: str
    stderr: str


def tuneloop(place: Path, *words: str, fails: bool = False) -> Done:
    """Run one command as `main` does, in this process: loading torch takes longer than most of them."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(list(words))
    assert bool(code) == fails, err.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


def unmake(folder: Path) -> None:
    """Let a run be done again, in its own folder."""
    for name in ("manifest.json", "tuned.json", "metrics.jsonl"):
        (folder / name).unlink()


def train(place: Path, *words: str, **options) -> Done:
    return tuneloop(place, "train", "--recipe", "recipe.toml", *words, **options)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with 300 rows of the sample's kind, a recipe, and its data made."""
    folder = tmp_path_factory.mktemp("turn")
    subprocess.run(
        [sys.executable, SAMPLE / "generator", "--rows", "300", "--seed", "3", "--rows-only", "--to", "data/sample"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    documents = (SAMPLE / "base.txt").read_text("utf-8").split("\n\n")[:400]
    (folder / "base.txt").write_text("\n\n".join(documents), encoding="utf-8")
    text = (ROOT / "pipeline" / "recipes" / "sample.toml").read_text("utf-8").partition("[train]")[0]
    text = text.replace('"data/sample/tokenizer"', f'"{SAMPLE / "tokenizer"}"')
    (folder / "recipe.toml").write_text(text + TRAIN, encoding="utf-8")
    tuneloop(folder, "data", "--recipe", "recipe.toml")
    return folder


@pytest.fixture(scope="module")
def trained(place) -> Done:
    return train(place)


@pytest.fixture
def run(place, trained) -> Path:
    return place / "data" / "runs" / "latest-sample"


def test_a_run_ends_by_naming_its_report(place, trained, run):
    page = Path(trained.stdout.strip())
    assert (place / page).is_file()
    assert trained.stderr.rstrip().endswith(f"report: {page}")
    assert "tokens/s" in trained.stderr
    report = Report.model_validate_json((run / "report.json").read_bytes())
    assert report.verdict in trained.stderr
    assert report.verdict in (run / "report.html").read_text("utf-8")
    assert [mean.arm for mean in report.means] == [arm for arm in ARMS if arm != "engineered"]
    assert report.advice.words in trained.stderr


def test_every_example_is_scored_and_only_held_out_ones_are_answered(place, run):
    scores = pq.read_table(run / "scores.parquet")
    assert scores.schema == arrow_schema(Score)
    rows = scores.to_pylist()
    split = {
        row["id"]: row["split"]
        for path in (place / "data" / "split" / "latest-sample").glob("*.parquet")
        for row in pq.read_table(path, columns=["id", "split"]).to_pylist()
    }
    assert {row["example"]: row["split"] for row in rows} == split
    assert {row["arm"] for row in rows if row["split"] == "train"} == {"base", "tuned", "held"}
    assert all((row["answer"] is None) == (row["split"] == "train") for row in rows if row["arm"] != "held")
    held = [row for row in rows if row["arm"] == "held"]
    assert {row["example"] for row in held} == {name for name, side in split.items() if side == "train"}


def test_the_page_shows_no_test_row(place, run):
    report = Report.model_validate_json((run / "report.json").read_bytes())
    rows = pq.read_table(run / "scores.parquet", columns=["example", "split"]).to_pylist()
    test = {row["example"] for row in rows if row["split"] == "test"}
    assert report.samples
    assert not test & {sample.example for sample in report.samples}


def test_the_same_run_is_not_made_twice(place, trained, run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    again = train(place)
    assert again.stdout == trained.stdout
    assert "skipped: nothing changed" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before


def test_the_saved_model_is_a_normal_model_folder(run):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(run / "model"), AutoTokenizer.from_pretrained(run / "model")
    assert tokenizer.chat_template
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert not list(run.rglob("*.bin")) + list(run.rglob("*.pt")) + list(run.rglob("*.pkl"))


def test_what_the_model_found_goes_to_people_and_their_edit_changes_the_next_version(place, run):
    told = tuneloop(place, "feedback", "--to", "queue.jsonl", "--limit", "30", "--recipe", "recipe.toml")
    tasks = [json.loads(line) for line in (place / "queue.jsonl").read_text("utf-8").splitlines()]
    assert len(tasks) == 30
    assert "queue.jsonl" in told.stdout
    rows = pq.read_table(run / "scores.parquet", columns=["example", "split"]).to_pylist()
    side = {row["example"]: row["split"] for row in rows}
    assert {side[task["data"]["example_id"]] for task in tasks} == {"train", "validation"}
    assert all(task["data"]["why"] for task in tasks)
    task = next(task for task in tasks if side[task["data"]["example_id"]] == "train")
    person = {
        "id": 1,
        "completed_by": {"id": 1, "email": "ada@example.org"},
        "was_cancelled": False,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
        "result": [
            {"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": ["edit"]}},
            {"from_name": "response", "to_name": "messages", "type": "textarea", "value": {"text": ["Seen by Ada."]}},
        ],
    }
    (place / "export.json").write_text(json.dumps([{"id": 1, "data": task["data"], "annotations": [person]}]))
    tuneloop(place, "annotate", "import", "export.json")
    before = os.readlink(place / "data" / "split" / "latest-sample")
    tuneloop(place, "data", "--recipe", "recipe.toml")
    assert os.readlink(place / "data" / "split" / "latest-sample") != before
    story = tuneloop(place, "explain", task["data"]["example_id"], "--recipe", "sample").stdout
    assert "Seen by Ada." in story


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_bits(place, trained, tmp_path):
    """A fresh process each time; the whole command is killed, not a function."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    recipe = (place / "recipe.toml").read_text("utf-8") + "evaluate_every = 5\n"
    (place / "killed.toml").write_text(recipe, encoding="utf-8")
    words = [sys.executable, "-m", "pipeline", "train", "--recipe", "killed.toml"]
    runs = place / "data" / "runs"
    known = {path.name for path in runs.iterdir()}
    process = subprocess.Popen(words, cwd=place, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline, hit = time.monotonic() + 120, None
    while time.monotonic() < deadline and hit is None:
        hit = next((path for path in runs.glob("*/checkpoint/state.json") if path.parts[-3] not in known), None)
        time.sleep(0.02)
    assert hit is not None
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    folder = hit.parent.parent
    assert not (folder / "tuned.json").exists()  # it was still training
    train_again = tuneloop(place, "train", "--recipe", "killed.toml")
    assert "goes on from step" in train_again.stderr
    resumed = (folder / "model" / "model.safetensors").read_bytes()
    unmake(folder)
    tuneloop(place, "train", "--recipe", "killed.toml")
    assert (folder / "model" / "model.safetensors").read_bytes() == resumed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "held"),
    [
        (["--multi_gpu"], "each with the whole model"),
        (["--use_fsdp", "--fsdp_version", "2"], "each with a part of every weight (FSDP2)"),
    ],
)
def test_accelerate_launches_two_processes_that_make_the_run_of_one(place, trained, how, held):
    recipe = (place / "recipe.toml").read_text("utf-8") + "max_steps = 6\nevaluate_every = 3\nmax_new_tokens = 1\n"
    recipe = recipe.replace("max_new_tokens = 16\n", "")
    (place / "two.toml").write_text(recipe, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launch = [sys.executable, "-m", "accelerate.commands.launch", *how, "--num_processes", "2"]
    done = subprocess.run(
        [*launch, "--main_process_port", port, "-m", "pipeline", "train", "--recipe", "two.toml"],
        cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"train     2 processes, {held}" in done.stderr
    assert done.stderr.count("\nreport: ") == 1
    (page,) = done.stdout.split()
    folder = (place / page).parent.resolve()
    two = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    unmake(folder)
    tuneloop(place, "train", "--recipe", "two.toml")
    one = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    unmake(folder)
    assert len(one) == len(two) == 6
    for ours, theirs in zip(two, one, strict=True):
        for name in ("step", "train_loss", "gradient_norm", "learning_rate"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-4)
    assert two[-1]["validation_nll"] == pytest.approx(one[-1]["validation_nll"], rel=1e-4)


def test_without_a_split_the_error_says_what_to_run(tmp_path):
    done = tuneloop(tmp_path, "train", fails=True)
    assert done.code == 2
    assert done.stdout == ""
    assert re.fullmatch(
        r"recipe 'sample' has no split yet\n  where: data\n  fix:   run `make data` .* first\n", done.stderr
    )


@pytest.mark.parametrize(
    ("setting", "what", "fix"),
    [
        ('base = "./models/none"', "there is no folder ", "name a folder with config.json"),
        ('base = "no-such/model"', "the base cannot be loaded: ", "without network, copy the model to a folder"),
        ('base_text = "none.txt"', "cannot be read: ", "name a text file in UTF-8"),
        ("max_length = 12", "tokens (", "are more than max_length = 12"),
        ("learning_rate = 1e30", " is nan at step ", "lower [train] learning_rate"),
        ('metod = "full"', "unknown key 'metod'", "did you mean 'method'?"),
    ],
)
def test_a_bad_setting_stops_the_run_with_its_cure(place, trained, setting, what, fix):
    text = (place / "recipe.toml").read_text("utf-8")
    key = setting.split(" ")[0]
    kept = "\n".join(line for line in text.splitlines() if not line.startswith(f"{key} ="))
    section = "[encode]\n" if key in Encode.model_fields else ""
    (place / "bad.toml").write_text(f"{kept}\n{section}{setting}\n", encoding="utf-8")
    done = tuneloop(place, "train", "--recipe", "bad.toml", fails=True)
    assert done.code in (2, 3)
    assert what in done.stderr
    assert fix in done.stderr
    assert "Traceback" not in done.stderr
