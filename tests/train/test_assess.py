"""A run of a family that is not causal, from the split to its page."""

import gc
import json
import re
from random import Random

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from annotation.training_run import find_run
from schemas.report import Report
from tests.train.shapes import write_base
from train.card import card
from train.cli import summary
from train.page import page
from train.plan import plan_run
from train.prepared import Tell
from train.run import make

RECIPE = """
name = "colours"
[[ingest.sources]]
name = "things"
path = "things.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
[format]
tokenizer = "tokenizer"
[split]
shares = { train = 0.7, validation = 0.15, test = 0.15 }
[encode]
max_length = 128
[train]
base = "BASE"
base_text = "base.txt"
family = "FAMILY"
method = "METHOD"
epochs = 1
batch_size = 8
rank = 4
max_new_tokens = 4
"""


@pytest.fixture
def run(make_project, tmp_path, base_folder, base_text, monkeypatch):
    """Return a function that trains and judges a base of a shape on colours of things."""

    def made(shape, family, method, look=lambda _: None, training="epochs = 1", answer=lambda n: "ny"[n % 2]):
        folder = write_base(shape, tmp_path / shape, base_folder)
        text = RECIPE.replace("BASE", str(folder)).replace("base.txt", str(base_text))
        text = text.replace("FAMILY", family).replace("METHOD", method)
        project = make_project(text.replace("epochs = 1", training))
        lines = [
            json.dumps({"q": f"Say whether {'nine' if n % 2 else 'four'} times {n * 37} is odd.", "a": answer(n)})
            for n in range(60)
        ]
        # An answer that only one row has: whichever side it falls to, the run must cope.
        lines.append(json.dumps({"q": "And what of half a hundred thousand?", "a": "even so"}))
        (project.root / "things.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        project.run()
        said = []
        monkeypatch.chdir(project.root)
        plan = plan_run(project.recipe, project.data)

        def line(words):
            said.append(words)
            look(words)

        report = make(plan, Tell(line, lambda *_: None, lambda *_: None))
        return plan, report, said

    return made


@pytest.mark.parametrize(
    ("shape", "said"), [("bloom", "would see each other in bloom"), ("gemma2", "eager with a mask")]
)
def test_bases_with_an_attention_of_their_own_come_to_their_report(run, shape, said):
    _, report, lines = run(shape, "causal", "lora")
    assert any(said in line for line in lines)
    assert report.model.family == "causal"


def test_every_report_has_its_measures(run):
    plan, report, _ = run("llama", "causal", "lora")
    measures = report.measures
    assert [one.arm for one in measures.behaviour][:1] == ["reference"]
    tuned = measures.behaviour[-1]
    assert (tuned.arm, tuned.n) == ("tuned", report.n)
    assert 0 <= tuned.stopped <= 1
    means = {mean.arm: mean.score for mean in report.means}
    found = {one.arm: one.value for one in measures.corpus if one.metric == "rouge_l"}
    assert found == pytest.approx(means)  # one template, whose first metric it is
    assert {one.metric for one in measures.corpus} == {"rouge_l", "token_f1", "same_text"}
    scores = pq.read_table(plan.folder / "scores.parquet").to_pandas()
    seen = (scores["split"] == "train") & (scores["arm"] != "held")  # such rows are answered by nobody
    assert scores[seen]["repetition"].isna().all()
    assert scores[(scores["split"] == "test") & (scores["arm"] == "tuned")]["stopped"].notna().all()


def weights_held():
    gc.collect()
    return sum(part.numel() for part in gc.get_objects() if type(part) is torch.nn.Parameter)


def test_the_model_that_trained_is_gone_before_another_is_judged(run):
    before, held = weights_held(), []
    _, report, _ = run(
        "llama", "causal", "lora", lambda words: words.startswith("evaluate") and held.append(weights_held())
    )
    assert held[0] - before < 0.1 * report.model.n_parameters


@pytest.mark.parametrize(
    ("shape", "family", "method"), [("bert", "auto", "lora"), ("llama", "classify", "head"), ("t5", "auto", "prompt")]
)
def test_a_run_of_another_family_ends_with_its_report(run, shape, family, method):
    plan, report, said = run(shape, family, method)
    assert report.model.family == ("seq2seq" if shape == "t5" else "classify")
    assert report.forgetting is None
    assert [mean.arm for mean in report.means] == ["majority", "nearest", "copy", "base", "tuned"]
    assert set(report.left_out) == {"few-shot", "retrieved"}
    assert "are for causal bases" in report.left_out["few-shot"]
    assert any("one padded example a row" in line for line in said)
    assert Report.model_validate_json((plan.folder / "report.json").read_bytes()) == report
    assert "Forgetting was not measured" in page(report)
    assert "Forgetting was not measured" in card(report)
    assert not any(line.startswith("forgetting") for line in summary(report))
    tokenizer = AutoTokenizer.from_pretrained(plan.folder / "model")
    if shape == "t5":
        assert "AutoModelForSeq2SeqLM" in card(report)
        assert tokenizer.eos_token is not None
        return
    assert any("answers of train are the classes" in line for line in said)
    assert any("head is new and untrained" in line for line in said)
    # Two answers or three, by where the lone one fell; no answer is anything else.
    answers = {answer for sample in report.samples for arm, answer in sample.answers.items() if arm != "copy"}
    assert answers <= {"n", "y", "even so"}
    config = json.loads((plan.folder / "model" / "config.json").read_text())
    assert set(config["id2label"].values()) >= {"n", "y"}
    held = pd.read_parquet(plan.folder / "scores.parquet").query("arm == 'held'")
    asked = held["answer"].notna()
    assert held["nll"][asked].min() >= held["nll"][~asked].quantile(0.8)
    scores = find_run(plan.folder.parent.parent, plan.recipe, plan.key).scores()
    assert scores.held["doubt"].to_pylist() == held["nll"].tolist()


def test_a_saved_classifier_is_loaded_as_the_card_says(run):
    plan, report, _ = run("llama", "classify", "head")
    assert "AutoModelForSequenceClassification.from_pretrained(folder)" in card(report)
    model = AutoModelForSequenceClassification.from_pretrained(plan.folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(plan.folder / "model")
    label = model.config.id2label[int(model(**tokenizer("Say", return_tensors="pt")).logits.argmax())]
    assert label in ("n", "y", "even so")


def test_models_that_have_not_seen_them_judge_all_train_rows_and_answer_the_most_doubtful(run):
    learnt = []
    plan, _, said = run("llama", "causal", "full", lambda line: learnt.append(line) if "folds" in line else None)
    n = sum(file.rows for file in plan.split.manifest.files if file.name.startswith("train-"))
    assert len(learnt) == 2
    counts = [[*map(int, re.findall(r"\d+", line))] for line in learnt]
    assert [learns + judges for _, _, learns, judges in counts] == [n, n]
    assert sum(judges for *_, judges in counts) == n
    scores = pd.read_parquet(plan.folder / "scores.parquet")
    held = scores[scores["arm"] == "held"].set_index("example")
    assert set(held["split"]) == {"train"}
    assert len(held) == n
    assert held["doubt"].notna().all()
    assert held["nll"].notna().all()
    # One in ten of each fold is asked, the most doubtful ones.
    asked = held["answer"].notna()
    assert asked.sum() == sum(max(1, round(judges / 10)) for *_, judges in counts)
    assert held["doubt"][asked].min() >= held["doubt"][~asked].quantile(0.8)
    tuned = scores[(scores["arm"] == "tuned") & (scores["split"] == "train")].set_index("example")
    assert not np.allclose(tuned["nll"], held["nll"][tuned.index])
    assert not [*plan.folder.glob("fold-*")]
    assert not [line for line in said if "error" in line]


def test_what_only_a_row_itself_could_teach_is_unknown_to_the_model_that_judges_it(run):
    draw = Random(1)
    answers = ["".join(draw.choices("abcdefgh", k=6)) for _ in range(60)]
    by_heart = "epochs = 30\nlearning_rate = 0.01\nwarmup_share = 0.0"
    plan, report, _ = run("llama", "causal", "full", training=by_heart, answer=answers.__getitem__)
    assert report.curve[-1].train_loss < 0.5
    scores = pd.read_parquet(plan.folder / "scores.parquet")
    assert scores[scores["arm"] == "held"]["nll"].mean() > 1.5
