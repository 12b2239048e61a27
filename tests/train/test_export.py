import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline import cli
from pipeline.recipe import load_recipe
from schemas import ConfigError, GateError
from train import export as exporting
from train.export import Exported, export
from train.past_run import past_run
from train.prepared import prepare_run
from train.talk import Talk
from train.trl_script import TRL

SETTINGS = """
[encode]
chat_template = "chat.jinja"
[train]
base = "{base}"
base_text = "{text}"
method = "{method}"
rank = 4
learning_rate = 0.01
epochs = 3
batch_size = 4
max_new_tokens = 8
"""


def command(place, *words):
    """Run one command as `main` does; return exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(list(words))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, split_project, base_folder, base_text, template):
    """Return a function that trains the tiny project by a method, once, and returns its folder."""
    done = {}

    def train(method):
        if method not in done:
            place = tmp_path_factory.mktemp(method) / "project"
            shutil.copytree(split_project.root, place, symlinks=True)
            (place / "chat.jinja").write_text(template, encoding="utf-8")
            recipe = place / "recipe.toml"
            text = SETTINGS.format(base=base_folder, text=base_text, method=method)
            recipe.write_text(recipe.read_text("utf-8") + text, encoding="utf-8")
            code, _, err = command(place, "train", "--recipe", "recipe.toml")
            assert code == 0, err
            done[method] = place
        return done[method]

    return train


@pytest.fixture(scope="module")
def exported(trained):
    """Return the folder of an exported LoRA run."""
    place = trained("lora")
    code, out, err = command(place, "export", "--recipe", "recipe.toml", "--to", "out")
    assert code == 0, err
    assert out == "out\n"
    return place / "out"


def plan_of(place):
    with contextlib.chdir(place):
        return past_run(load_recipe(Path("recipe.toml")), Path("data"))[0]


def said(model, ids):
    out = model.generate(input_ids=torch.tensor([ids]), max_new_tokens=8, do_sample=False)
    return out[0].tolist()[len(ids) :]


def test_the_merged_model_alone_answers_as_base_and_adapter_do(exported, base_folder):
    base = AutoModelForCausalLM.from_pretrained(base_folder, dtype=torch.float32)
    tuned = PeftModel.from_pretrained(base, str(exported / "adapter"))
    merged = AutoModelForCausalLM.from_pretrained(exported / "merged", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(exported / "merged")
    golden = [json.loads(line) for line in (exported / "golden.jsonl").read_text("utf-8").splitlines()]
    assert len(golden) == 3
    for one in golden:
        assert tokenizer(one["prompt"], add_special_tokens=False).input_ids == one["prompt_ids"]
        assert said(merged, one["prompt_ids"])[:8] == one["answer_ids"][:8]
        ids = torch.tensor([one["prompt_ids"]])
        with torch.no_grad():
            assert (tuned(input_ids=ids).logits - merged(input_ids=ids).logits).abs().max() < 1e-4
    weights = load_file(exported / "merged" / "model.safetensors")
    first = load_file(base_folder / "model.safetensors")["model.layers.0.mlp.up_proj.weight"]
    assert not torch.equal(weights["model.layers.0.mlp.up_proj.weight"], first)


def test_what_stops_an_answer_is_said_by_tokenizer_model_and_generation_alike(exported):
    folder = exported / "merged"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config, generation = (json.loads((folder / f"{name}.json").read_text()) for name in ("config", "generation_config"))
    assert tokenizer.eos_token == "<|eos|>"
    assert config["eos_token_id"] == generation["eos_token_id"] == tokenizer.eos_token_id
    assert config["pad_token_id"] == generation["pad_token_id"] == tokenizer.pad_token_id
    # Others take it that a first token is added unless told.
    assert json.loads((folder / "tokenizer_config.json").read_text())["add_bos_token"] is False
    assert tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False) == "<|bos|><|user|>a"


def test_the_tables_hold_our_tokens_and_our_mask(exported, trained):
    plan = plan_of(trained("lora"))
    with contextlib.chdir(trained("lora")), Talk() as talk:
        sides = prepare_run(plan, talk.tell()).sides
    for name, side in sides.items():
        rows = pq.read_table(exported / "tokens" / f"{name}.parquet").to_pylist()
        assert [row["origin"] for row in rows] == [row["origin"] for row in side.rows]
        for i, row in enumerate(rows):
            prompt, target = side.encoded.prompt(i).tolist(), side.encoded.target(i).tolist()
            assert row["input_ids"] == prompt + target
            assert row["labels"] == [-100] * len(prompt) + target


def test_an_export_says_what_it_holds(exported, trained):
    found = Exported.model_validate_json((exported / "export.json").read_bytes())
    assert (found.method, found.family, found.precision, found.left_out) == ("lora", "causal", "fp32", [])
    assert found.largest_logit_difference < 1e-4 < found.tolerance
    assert 0 <= found.n_stopped <= found.n_asked
    assert found.n_asked > 0
    assert sorted([*found.files, "export.json"]) == sorted(
        str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()
    )
    assert "Modelfile" in found.files


def test_only_an_earlier_export_is_replaced_and_only_when_told(exported, trained):
    place = trained("lora")
    words = ("export", "--recipe", "recipe.toml", "--to")
    code, out, err = command(place, *words, "out")
    assert (code, out) == (2, "")
    assert "holds an earlier export" in err
    assert "--force" in err
    code, _, err = command(place, *words, "out", "--force", "--precision", "bf16")
    assert code == 0, err
    assert json.loads((exported / "merged" / "config.json").read_text())["dtype"] == "bfloat16"
    code, _, err = command(place, *words, "data", "--force")
    assert code == 2
    assert "holds something else" in err
    assert (place / "data" / "split").is_dir()


def test_a_merged_model_that_is_another_one_leaves_nothing(trained, monkeypatch, tmp_path):
    """A folder whose weights were changed between writing and loading, as quantising or a bug would."""
    plan = plan_of(trained("lora"))
    write = exporting.write_whole.__globals__["write_folder"]

    def write_otherwise(model, tokenizer, folder):
        write(model, tokenizer, folder)
        path = folder / "model.safetensors"
        weights = load_file(path)
        weights["model.layers.0.mlp.up_proj.weight"] *= 1.5
        save_file(weights, path, metadata={"format": "pt"})

    monkeypatch.setitem(exporting.write_whole.__globals__, "write_folder", write_otherwise)
    with contextlib.chdir(trained("lora")), Talk() as talk, pytest.raises(GateError, match="is another one"):
        export(plan, tmp_path / "bad", "fp32", talk.tell())
    assert not list(tmp_path.iterdir())


def test_a_full_model_is_written_without_adapter(trained):
    place = trained("full")
    code, _, err = command(place, "export", "--recipe", "recipe.toml", "--to", "out")
    assert code == 0, err
    assert not (place / "out" / "adapter").exists()
    assert not (place / "out" / "merged").exists()
    run = place / "data" / "runs" / "latest-tiny" / "model" / "model.safetensors"
    ours, theirs = load_file(place / "out" / "model" / "model.safetensors"), load_file(run)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert "peft" not in (place / "out" / "train_trl.py").read_text().replace("trl==1.16.0 peft", "")


def test_a_run_is_found_by_the_beginning_of_its_key(trained):
    place = trained("full")
    (key,) = [path.name for path in (place / "data" / "runs").iterdir() if not path.is_symlink()]
    with contextlib.chdir(place):
        recipe = load_recipe(Path("recipe.toml"))
        assert past_run(recipe, Path("data"), key[:6])[1].key == key
        with pytest.raises(ConfigError, match="0 runs begin with 'zzz'"):
            past_run(recipe, Path("data"), "zzz")


def test_a_run_whose_base_is_another_one_today_is_refused(trained, base_folder, tmp_path):
    place = tmp_path / "project"
    shutil.copytree(trained("full"), place, symlinks=True)
    moved = tmp_path / "base"
    shutil.copytree(base_folder, moved)
    record = next(path for path in (place / "data" / "runs").glob("*/manifest.json"))
    text = record.read_text("utf-8").replace(str(base_folder), str(moved))
    record.write_text(text, encoding="utf-8")
    config = moved / "config.json"
    config.write_text(config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05'))
    with pytest.raises(ConfigError, match="the base has changed since the run"):
        plan_of(place)


def test_a_recipe_without_a_run_is_told_to_train(split_project):
    with pytest.raises(ConfigError, match="no finished training run"):
        past_run(split_project.recipe, split_project.data)


@pytest.fixture(scope="session")
def trl_python():
    """Return a Python that has TRL beside all that this one has; made once a machine, in seconds."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tuneloop" / f"trl-{TRL}"
    python, ready = folder / "bin" / "python", folder / f"ready-for-{sys.version_info.major}.{sys.version_info.minor}"
    packages = sysconfig.get_paths()["purelib"]
    if not (ready.is_file() and ready.read_text() == packages):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--python", str(python)]
        found = subprocess.run(
            [*pip, "install", "--no-deps", f"trl=={TRL}"], check=False, capture_output=True, text=True
        )
        if found.returncode:
            pytest.skip(f"TRL cannot be installed: {found.stderr[-200:]}")
        inside = next((folder / "lib").glob("python*")) / "site-packages"
        (inside / "beside.pth").write_text(packages + "\n")
        ready.write_text(packages)
    return python


LABELS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import train_trl
trainer = train_trl.make_trainer()
# As it feeds them: through its own preparation and its own collator, in batches.
batches = [trainer.train_dataset.select(range(start, min(start + 4, len(trainer.train_dataset))))
           for start in range(0, len(trainer.train_dataset), 4)]
made = [trainer.data_collator(list(batch)) for batch in batches]
rows = [{"input_ids": ids[mask == 1].tolist(), "labels": labels[mask == 1].tolist(), "behind": labels[mask == 0].tolist()}
        for one in made for ids, labels, mask in zip(one["input_ids"], one["labels"], one["attention_mask"])]
trains = sum(weight.numel() for weight in trainer.model.parameters() if weight.requires_grad)
print("FOUND" + json.dumps({"rows": rows, "trains": trains}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_trl_sees_the_labels_we_see_token_for_token_and_trains_as_many_weights(trained, trl_python, method, tmp_path):
    place = trained(method)
    plan = plan_of(place)
    command(place, "export", "--recipe", "recipe.toml", "--to", "for-trl")
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    folder = place / "for-trl"
    done = subprocess.run(
        [str(trl_python), "-c", LABELS, str(folder)], env=env, check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout.partition("FOUND")[2])
    with contextlib.chdir(place), Talk() as talk:
        prepared = prepare_run(plan, talk.tell())
    ours = prepared.sides["train"].encoded
    assert len(found["rows"]) == len(ours)
    for i, row in enumerate(found["rows"]):
        assert row["input_ids"] == ours.example(i).tolist()
        learnt = [
            int(token) if weight else -100 for token, weight in zip(ours.example(i), ours.weights_of(i), strict=True)
        ]
        assert row["labels"] == learnt
        assert set(row["behind"]) <= {-100}
    assert found["trains"] == json.loads((plan_record(place)).read_text())["model"]["n_trainable"]


def plan_record(place):
    return place / "data" / "runs" / "latest-tiny" / "manifest.json"


@pytest.mark.slow
def test_the_script_for_trl_runs_and_saves_a_model(trained, trl_python, tmp_path):
    place = trained("lora")
    command(place, "export", "--recipe", "recipe.toml", "--to", "to-run")
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": "ignore"}
    words = [str(trl_python), str(place / "to-run" / "train_trl.py"), "--to", str(tmp_path / "out"), "--max-steps", "2"]
    done = subprocess.run(words, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "out" / "model" / "adapter_model.safetensors").is_file()
    assert "HF_HUB_DISABLE_TELEMETRY" in (place / "to-run" / "train_trl.py").read_text().partition("import torch")[0]


def test_a_folder_that_cannot_be_written_is_told_as_such_and_nothing_is_left(trained, tmp_path):
    place = trained("lora")
    (tmp_path / "file").write_text("")
    code, _, err = command(place, "export", "--recipe", "recipe.toml", "--to", str(tmp_path / "file" / "out"))
    assert code == 6
    assert f"where: --to {tmp_path / 'file' / 'out'}" in err
    assert "or name a folder that you may write to, and export again" in err


def test_a_chat_template_that_has_changed_since_the_run_is_refused(trained, tmp_path):
    place = tmp_path / "project"
    shutil.copytree(trained("lora"), place, symlinks=True)
    (place / "chat.jinja").write_text((place / "chat.jinja").read_text() + "{# another #}")
    code, _, err = command(place, "export", "--recipe", "recipe.toml", "--to", "out2")
    assert code == 2
    assert "the chat template has changed since the run" in err
    assert not (place / "out2").exists()
