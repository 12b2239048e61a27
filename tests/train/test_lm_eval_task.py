import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.refs import newest
from pipeline.snapshot import Snapshot
from pipeline.template import load_templates
from train.exam import read_side
from train.lm_eval_task import write_lm_eval


@pytest.fixture(scope="module")
def side(split_project, encoder):
    split = Snapshot.open(split_project.data / "split", newest(split_project.data, "split", "tiny").version)
    return read_side(split, "train", encoder)


@pytest.fixture
def written(tmp_path, side, tokenizer):
    """Return a function that writes the tasks and gives their folder and what was said."""
    templates = {name: template for name, (template, _) in load_templates([]).items()}

    def write(context=512, model="../model"):
        said = write_lm_eval(
            side, templates, tokenizer, tmp_path / "lm-eval", recipe="my-recipe", stop=tokenizer.eos_token_id,
            context=context, max_new_tokens=16, model=model,
        )  # fmt: skip
        return tmp_path / "lm-eval", said

    return write


def test_each_template_is_a_task_with_its_rows_rendered_once(written, side, tokenizer):
    folder, said = written()
    assert said == []
    names = sorted({row["template"] for row in side.rows})
    group = yaml.safe_load((folder / "tuneloop_my_recipe.yaml").read_text("utf-8"))
    assert group["task"] == [f"tuneloop_my_recipe_{name.replace('-', '_')}" for name in names]
    n = 0
    for name, task in zip(names, group["task"], strict=True):
        settings = yaml.safe_load((folder / f"{task}.yaml").read_text("utf-8"))
        assert settings["task"] == task
        assert settings["generation_kwargs"] == {"until": ["<|eos|>"], "do_sample": False, "max_gen_toks": 16}
        assert settings["num_fewshot"] == 0
        rows = pq.read_table(folder / settings["dataset_kwargs"]["data_files"]["test"]).to_pylist()
        places = [place for place, row in enumerate(side.rows) if row["template"] == name]
        for place, row in zip(places, rows, strict=True):
            assert (row["id"], row["answer"]) == (side.rows[place]["id"], side.references[place].strip())
            assert row["prompt"].startswith("<|bos|>")
            assert row["prompt"].count("<|bos|>") == row["prompt"].count("<|assistant|>") == 1
            assert (
                tokenizer(row["prompt"], add_special_tokens=False)["input_ids"] == side.encoded.prompt(place).tolist()
            )
        n += len(rows)
    assert n == len(side.rows)


def test_metrics_are_those_lm_eval_has_for_the_template(written, side):
    folder, _ = written()
    for name in {row["template"] for row in side.rows}:
        path = folder / f"tuneloop_my_recipe_{name.replace('-', '_')}.yaml"
        named = [one["metric"] for one in yaml.safe_load(path.read_text("utf-8"))["metric_list"]]
        assert named == (["exact_match"] if name == "classify" else ["exact_match", "bleu", "chrf", "chrf++"])


def test_the_command_names_model_and_tasks(written):
    folder, _ = written()
    text = (folder / "README.md").read_text("utf-8")
    assert "pretrained=../model,add_bos_token=False" in text
    assert "--tasks tuneloop_my_recipe --include_path ." in text
    assert "do not add `--apply_chat_template`" in text


def test_what_lm_eval_would_ask_otherwise_is_said(written, side):
    shortest = int(side.encoded.n_prompt.min())
    _, said = written(context=shortest + 16, model=None)
    n = int((side.encoded.n_prompt > shortest).sum())
    assert said == [
        f"lm-eval/: {n} prompts leave no room for 16 tokens; lm-eval cuts their beginning, where we make the answer shorter",
        "lm-eval/: there is no merged model here to name; load base and adapter (peft=...)",
    ]
