import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from schemas import ConfigError
from schemas.training import Encode
from train.plan import plan_run
from train.prepared import Tell, prepare_run
from train.tune import tune


@pytest.fixture
def start(split_project, train_settings, tmp_path):
    """Return a function that trains on the tiny project in a folder of its own, and returns what it said."""

    def run(place="run", stop=None, **changes):
        told, readings = [], []
        settings = train_settings(**{"batch_size": 2, "epochs": 6, "learning_rate": 0.01} | changes)
        recipe = split_project.recipe.model_copy(update={"train": settings, "encode": Encode(max_length=120)})
        plan = replace(plan_run(recipe, split_project.data), key=place, data_root=tmp_path)

        def read(_, at):
            readings.append(at)
            if at.step == stop:
                raise KeyboardInterrupt

        tell = Tell(told.append, read, lambda *_: None)
        tuned = None
        try:
            tuned = tune(plan, prepare_run(plan, tell), tell)
        except KeyboardInterrupt:
            assert stop
        return tuned, told, readings, plan.folder

    return run


def scalars(folder, name="train/loss"):
    found = EventAccumulator(str(folder / "events"))
    found.Reload()
    return [(event.step, event.value) for event in found.Scalars(name)]


def test_what_was_chosen_is_said_with_its_reason(start):
    tuned, told, _, _ = start(replay_share=0.25, dropout=0.1)
    assert any("attention" in line or "segments: no work between packed examples" in line for line in told)
    assert "train     numbers: fp32, since there is no GPU" in told
    assert "train     25% of each batch is general text, 57 documents" in told
    assert (
        "train     dropout draws other numbers when examples are packed in another way: equal on average, not to the bit"
        in told
    )
    assert told[-1].startswith(
        f"train     keeps step {tuned.model.best_step} of {tuned.model.steps}, the best by validation NLL "
    )


def test_the_schedule_is_laid_over_max_steps(start):
    tuned, _, readings, _ = start(max_steps=5, schedule="linear", final_share=0.2, warmup_share=0.2)
    assert tuned.model.steps == readings[-1].steps == 5
    # One step of warming up, then from the peak to a fifth in four.
    assert [at.learning_rate for at in readings] == pytest.approx([0.01, 0.01, 0.008, 0.006, 0.004])


def test_patience_of_the_recipe_stops_the_run(start):
    tuned, told, _, _ = start(epochs=60, evaluate_every=1, patience=2, learning_rate=0.3, method="full")
    assert any("2 validations without a new best" in line for line in told)
    assert tuned.model.steps == tuned.model.best_step + 2


def test_a_task_that_weighs_twice_makes_a_pass_twice_as_long(start):
    # All rows of the train side are of this task.
    _, _, twice, _ = start("twice", task_weights={"instruct": 2})
    _, _, once, _ = start("once")
    assert twice[-1].steps == 2 * once[-1].steps


@pytest.mark.parametrize("attention", ["sdpa", "eager", "segments"])
def test_every_attention_leads_to_the_same_model(start, attention):
    *_, folder = start("other", attention=attention, activation_checkpointing=attention == "eager", max_steps=4)
    *_, expected = start("auto", max_steps=4)
    ours, theirs = (load_file(place / "model" / "adapter_model.safetensors") for place in (folder, expected))
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in theirs)


def test_in_bf16_what_is_saved_is_fp32(start):
    _, told, _, folder = start(precision="bf16", max_steps=2)
    assert any("bf16, as the recipe says" in line for line in told)
    assert {weight.dtype for weight in load_file(folder / "model" / "adapter_model.safetensors").values()} == {
        torch.float32
    }


def test_events_for_tensorboard_are_those_of_the_metrics(start):
    _, _, readings, folder = start(tensorboard=True, max_steps=6, evaluate_every=3)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert scalars(folder) == [(line["step"], pytest.approx(line["train_loss"])) for line in lines]
    assert scalars(folder, "validation/nll") == [
        (at.step, pytest.approx(at.validation_nll)) for at in readings if at.validation_nll
    ]


def test_a_resumed_run_has_no_event_twice(start):
    *_, folder = start(tensorboard=True, max_steps=8, evaluate_every=3, stop=5)
    assert [step for step, _ in scalars(folder)] == [1, 2, 3, 4, 5]  # the checkpoint is of step 3
    _, told, readings, _ = start(tensorboard=True, max_steps=8, evaluate_every=3)
    assert "train     goes on from step 3, where it was stopped" in told
    assert [at.step for at in readings] == [4, 5, 6, 7, 8]
    assert [step for step, _ in scalars(folder)] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_without_the_wish_there_are_no_events(start):
    *_, folder = start(max_steps=1)
    assert not (folder / "events").exists()


@pytest.mark.parametrize(
    ("changes", "what", "fix"),
    [
        ({"task_weights": {"instrct": 2}}, "the train side has no task 'instrct'", "did you mean 'instruct'?"),
        ({"sequence": [["instruct"], ["summarise"]]}, "no task 'summarise'", "known names: instruct"),
        ({"attention": "flash"}, "flash attention cannot be had: it runs on a GPU", "leave `attention` out"),
        ({"replay_text": "x.txt"}, "general text is named, and no share of it is wanted", "set replay_share"),
        ({"replay_text": "none.txt", "replay_share": 0.1}, "cannot be read: ", "name a text file in UTF-8"),
        ({"replay_share": 0.1, "family": "classify"}, "general text has no pairs and no class", "leave replay_share out"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_obeyed_stops_the_run_before_it_begins(start, changes, what, fix):
    with pytest.raises(ConfigError) as caught:
        start(**changes)
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_general_text_may_be_a_file_of_its_own_and_an_empty_one_is_refused(start, tmp_path):
    (tmp_path / "sea.txt").write_text("The sea is wide.\n\nThe sea is deep.\n")
    _, told, _, _ = start(replay_share=0.5, replay_text=str(tmp_path / "sea.txt"), max_steps=2)
    assert "train     50% of each batch is general text, 2 documents" in told
    (tmp_path / "void.txt").write_text("\n\n")
    with pytest.raises(ConfigError) as caught:
        start("void", replay_share=0.5, replay_text=str(tmp_path / "void.txt"))
    assert caught.value.what == "the file holds no text"
