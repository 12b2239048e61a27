import contextlib
import io
import json
import re
import shutil
import time
from pathlib import Path

import pytest
import torch

from pipeline import cli
from pipeline.recipe import load_recipe
from train import dry_run as dry
from train.dry_run import dry_run, gigabytes
from train.estimate import Memory
from train.machine import _seconds, measured, memory_here, process_bytes
from train.plan import plan_run


@pytest.fixture
def place(tmp_path, split_project, base_folder, base_text, template):
    """Return the tiny project with a base of its own, whose weights are gone: only what describes them is there."""
    folder = tmp_path / "project"
    shutil.copytree(split_project.root, folder, symlinks=True)
    shutil.copytree(base_folder, folder / "base", ignore=lambda *_: ["model.safetensors"])
    (folder / "chat.jinja").write_text(template, encoding="utf-8")
    recipe = folder / "recipe.toml"
    train = (
        f'[train]\nbase = "./base"\nbase_text = "{base_text}"\nmethod = "lora"\nrank = 4\nepochs = 3\nbatch_size = 2\n'
    )
    recipe.write_text(recipe.read_text() + f'[encode]\nchat_template = "chat.jinja"\n{train}', encoding="utf-8")
    return folder


def command(place, *words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(["train", "--recipe", "recipe.toml", "--dry-run", *words])
    return code, out.getvalue(), err.getvalue()


def files_of(place):
    """Return all that lies there but the encoding, which the run itself will use."""
    return sorted(path for path in place.rglob("*") if place / "data" / "encode" not in [path, *path.parents])


def test_a_dry_run_says_all_without_weights_and_writes_the_encoding_alone(place):
    before = files_of(place)
    code, out, _ = command(place)
    assert code == 0
    told = dict(re.findall(r"^(\w+) +(.*)$", out, re.MULTILINE))
    # Rank 4 beside 2 layers of 4 matrices 32 x 32 and 3 of 32 x 64: 4 x (8 x 64 + 6 x 96).
    assert told["parameters"].startswith(f"{4 * (8 * 64 + 6 * 96):,} of ")
    assert "forward" not in out
    assert told["steps"] == "8 of 2 examples: 3.2 passes over 5"
    assert re.match(r"[\d,]+ in all, \d+% of them with loss", told["tokens"])
    assert re.match(r"[\d,]+ tokens: \w+", told["longest"])
    assert "passes a step" in told["packing"]
    assert "on this machine" in told["memory"] or "GiB of" in told["memory"]
    assert "FLOPs" in told["time"]
    assert re.search(r"^ +activations +", out, re.MULTILINE)
    assert files_of(place) == before


def test_a_run_that_would_not_fit_is_warned_of_and_still_told(place, monkeypatch):
    monkeypatch.setattr(dry, "memory_here", lambda: (2.0**20, "a machine of one MiB"))
    code, out, err = command(place)
    assert (code, "memory" in out) == (0, True)
    assert "warning: " in err
    assert "more than the 1 MiB of a machine of one MiB: lower token_budget" in err


def test_an_earlier_run_of_the_same_kind_says_how_fast_it_goes(place):
    with contextlib.chdir(place):
        plan = plan_run(load_recipe(Path("recipe.toml")), Path("data"))
        record = {
            "key": "k" * 8, "key_parts": {}, "evaluation": "e", "recipe": "tiny", "parents": {}, "base": plan.base,
            "settings": plan.settings.model_dump(mode="json"), "code": "c", "distributions": {}, "git_commit": None,
            "started_at": "2026", "seconds": 1.0, "peak_memory_bytes": 1,
            "model": {"run": "k", "base": "b", "method": "lora", "n_parameters": 1, "n_trainable": 1, "steps": 1,
                      "best_step": 1, "train_seconds": 1.0, "tokens_per_second": 100.0},
        }  # fmt: skip
        folder = Path("data/runs/latest-tiny")
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(record))
        found = dry_run(plan)
        assert found.seconds == pytest.approx(found.work.tokens / 100)
        assert found.speeds is None
        assert "100 tokens/s of run kkkkkkkk" in found.how
        # Of another rank, it says nothing.
        record["settings"]["rank"] = 8
        (folder / "manifest.json").write_text(json.dumps(record))
        assert dry_run(plan).speeds is not None


def test_a_base_that_is_not_there_is_named(place):
    (place / "base" / "config.json").unlink()
    code, out, err = command(place)
    assert (code, out) == (2, "")
    assert "the base cannot be loaded" in err
    assert "the folder needs config.json, tokenizer.json and *.safetensors" in err


def test_what_takes_longer_than_a_measurement_should_is_measured_once():
    assert 0.3 <= _seconds(lambda: time.sleep(0.3), torch.device("cpu")) < 3


def test_this_machine_is_measured():
    speeds = measured(64, 64, 128, bf16=False)
    assert speeds.flops > 1e6
    assert speeds.bytes > 1e6
    assert 0 < speeds.operation < 1
    room, whose = memory_here()
    assert 2**28 < process_bytes() < room
    assert whose


def test_memory_is_told_in_the_unit_people_buy():
    assert gigabytes(3 * 2.0**30) == "3.00 GiB"
    assert gigabytes(5 * 2.0**20) == "5 MiB"
    assert Memory(1, 2, 3, 4, 5, 6).total == 21


def test_a_dry_run_refuses_a_tokenizer_of_another_model_as_the_run_would(place):
    config = place / "base" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"vocab_size": 7}))
    code, out, err = command(place)
    assert (code, out) == (2, "")
    assert re.search(r"the tokenizer knows [\d,]+ tokens, the model 7", err)


def test_a_dry_run_refuses_a_method_that_cannot_train_the_base_as_the_run_would(place):
    recipe = place / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('method = "lora"', 'method = "prefix"\nfamily = "classify"'))
    code, out, err = command(place)
    assert (code, out) == (2, "")
    assert "prefix" in err
    assert "where: [train] method = 'prefix'" in err
