import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from pipeline.stopping import Terminated
from schemas import SnapshotError
from train import checkpoint
from train.checkpoint import BEST, STATE, WEIGHTS, Progress
from train.loop import Plan, fit
from train.objective import Sft
from train.pack import Packed

STEPS = 40
PLAN = Plan(
    steps=STEPS, batch_size=3, learning_rate=0.005, warmup=3, weight_decay=0.01, clip=1.0, token_budget=256,
    evaluate_every=4, seed=5,
)  # fmt: skip
PROGRESS = Progress(
    step=3, token_budget=256, threads=1, processes=1, best_step=2, best_nll=1.5, since_best=0, seconds=2.0,
    tokens=90, curve=[],
)  # fmt: skip


@pytest.fixture
def start(make_model, examples, make_examples):
    """Return a function that trains in a folder, from the start or from what is there."""

    def run(folder, method, tell=lambda _: None, plan=PLAN, **options):
        model = make_model()
        if method == "lora":
            torch.manual_seed(1)
            model = get_peft_model(
                model, LoraConfig(r=4, lora_dropout=0.3, target_modules="all-linear", task_type="CAUSAL_LM")
            )
        torch.manual_seed(random.randrange(2**32))  # what a new process finds
        objective = Sft(examples, make_examples([(5, 5), (20, 2)], seed=4), Packed())
        return fit(model, objective, plan, folder, tell, **options)

    return run


@pytest.fixture
def model(make_model):
    return make_model()


def optimizer_of(model, steps=2):
    """Return an optimizer with moments."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(steps):
        model(input_ids=torch.tensor([[1, 2, 3]])).logits.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return optimizer


def told(folder):
    """Return the lines of metrics.jsonl without what depends on the clock."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in line.items() if key not in ("tokens_per_second", "seconds")} for line in found
    ]


def validations(folder):
    path = folder / "metrics.jsonl"
    return path.read_text().count('"validation_nll": ') - path.read_text().count("null") if path.exists() else 0


def kill_when(ready, work):
    """Run `work` in a process of its own and kill it once `ready()`; return whether the kill came before its end."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    while process.is_alive() and not ready():
        time.sleep(0.0005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == -signal.SIGKILL


def after(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_that_was_killed_and_goes_on_ends_with_the_same_bits(start, tmp_path, method):
    began = time.monotonic()
    start(tmp_path / "whole", method)
    seconds = time.monotonic() - began
    folder = tmp_path / "killed"
    moments = [
        after(seconds * 0.03),  # before the first checkpoint, most likely
        lambda: validations(folder) >= 2,  # the line is there, its checkpoint perhaps not
        (folder / "checkpoint.draft" / WEIGHTS).exists,
        (folder / f"{BEST[: -len('.safetensors')]}.draft").exists,
        (folder / "checkpoint.old").exists,
        *(after(seconds * random.uniform(0.02, 0.3)) for _ in range(4)),
    ]
    steps = []
    for ready in moments:
        if not kill_when(ready, lambda: start(folder, method)):
            break
        state = folder / "checkpoint" / STATE
        steps.append(json.loads(state.read_text())["step"] if state.exists() else 0)
    assert len(steps) >= 3, "the kills came too late"
    assert max(steps) > 0
    assert steps[-1] < STEPS

    start(folder, method)

    assert (folder / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()
    assert told(folder) == told(tmp_path / "whole")
    last, expected = (load_file(place / "checkpoint" / WEIGHTS) for place in (folder, tmp_path / "whole"))
    assert last.keys() == expected.keys()
    assert all(torch.equal(last[name], expected[name]) for name in last)


def test_a_finished_run_that_is_started_again_takes_no_step(start, tmp_path):
    done = start(tmp_path, "full")
    before = (tmp_path / "metrics.jsonl").read_bytes()
    readings = []
    again = start(tmp_path, "full", readings.append)
    assert readings == []
    assert again == done
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def stop_at(step):
    """Return a listener that ends the run at a step the hard way."""

    def tell(at):
        if at.step == step:
            raise KeyboardInterrupt

    return tell


def test_a_resumed_run_keeps_the_token_budget_it_began_with(start, tmp_path):
    start(tmp_path / "whole", "full")
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "other", "full", stop_at(8))
    start(tmp_path / "other", "full", plan=replace(PLAN, token_budget=50))
    assert (tmp_path / "other" / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()


def test_a_kill_between_the_two_renames_costs_nothing(start, tmp_path):
    start(tmp_path / "whole", "full")
    folder = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        start(folder, "full", stop_at(8))
    (folder / "checkpoint").rename(folder / "checkpoint.old")
    (folder / "checkpoint.draft").mkdir()
    steps = []
    start(folder, "full", lambda at: steps.append(at.step))
    assert steps[0] == 9
    assert (folder / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "checkpoint", "metrics.jsonl"]


def test_what_is_saved_is_what_is_loaded(model, tmp_path):
    optimizer = optimizer_of(model)
    checkpoint.save(tmp_path / "checkpoint", PROGRESS, checkpoint.state_of(model, optimizer))
    weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    moments = optimizer.state_dict()["state"]
    other = optimizer_of(model, steps=5)

    found = checkpoint.load(tmp_path / "checkpoint")
    checkpoint.restore(found, model, other)

    assert found.progress == PROGRESS
    assert all(torch.equal(weight, weights[name]) for name, weight in model.named_parameters())
    for index, state in other.state_dict()["state"].items():
        assert state.keys() == moments[index].keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(state[name], moments[index][name]) for name in state)


def test_where_there_is_no_checkpoint_there_is_none(tmp_path):
    assert checkpoint.load(tmp_path / "checkpoint") is None


def test_weights_of_another_model_are_not_put_in(model):
    with pytest.raises(ValueError, match=r"another model: \['lm_head.weight'\]"):
        checkpoint.put_back(model, {n: w for n, w in model.named_parameters() if n != "lm_head.weight"})


def cut_short(folder):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "what", "where"),
    [
        (cut_short, "weights cannot be read", WEIGHTS),
        (lambda folder: (folder / WEIGHTS).unlink(), "weights cannot be read", WEIGHTS),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), "weights cannot be read", WEIGHTS),
        (lambda folder: (folder / STATE).write_text('{"step": 3'), "checkpoint cannot be read", ""),
        (lambda folder: (folder / STATE).unlink(), "checkpoint cannot be read", ""),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_the_cure(model, tmp_path, damage, what, where):
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, PROGRESS, checkpoint.state_of(model, optimizer_of(model)))
    damage(folder)
    with pytest.raises(SnapshotError) as caught:
        checkpoint.load(folder)
    assert caught.value.what.startswith(what)
    assert caught.value.where == str(folder / where)
    assert caught.value.fix == f"remove {folder} and run `tuneloop train` again; it starts from the first step"


@pytest.mark.parametrize("damage", [cut_short, lambda folder: (folder / STATE).unlink()])
def test_of_a_damaged_checkpoint_and_a_whole_one_before_it_the_whole_one_is_taken(start, tmp_path, damage):
    start(tmp_path / "whole", "full")
    folder = tmp_path / "damaged"
    with pytest.raises(KeyboardInterrupt):
        start(folder, "full", stop_at(4))
    shutil.copytree(folder / "checkpoint", tmp_path / "before")
    with pytest.raises(KeyboardInterrupt):
        start(folder, "full", stop_at(8))
    damage(folder / "checkpoint")
    (tmp_path / "before").rename(folder / "checkpoint.old")
    steps = []
    start(folder, "full", lambda at: steps.append(at.step))
    assert steps[0] == 5
    assert (folder / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()


def test_that_an_older_checkpoint_is_taken_is_said(model, tmp_path):
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, PROGRESS, checkpoint.state_of(model, optimizer_of(model)))
    assert checkpoint.load(folder).said == f"goes on from step {PROGRESS.step}, where it was stopped"
    shutil.copytree(folder, tmp_path / "checkpoint.old")
    cut_short(folder)
    assert "the checkpoint after it is damaged: weights cannot be read" in checkpoint.load(folder).said
    assert not (tmp_path / "checkpoint.old").exists()


def test_of_two_damaged_checkpoints_the_newer_is_named(model, tmp_path):
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, PROGRESS, checkpoint.state_of(model, optimizer_of(model)))
    shutil.copytree(folder, tmp_path / "checkpoint.old")
    cut_short(folder)
    cut_short(tmp_path / "checkpoint.old")
    with pytest.raises(SnapshotError) as caught:
        checkpoint.load(folder)
    assert caught.value.where == str(folder / WEIGHTS)


def test_after_the_cure_the_run_starts_anew(start, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, "full", stop_at(8))
    cut_short(tmp_path / "checkpoint")
    with pytest.raises(SnapshotError):
        start(tmp_path, "full")
    shutil.rmtree(tmp_path / "checkpoint")
    start(tmp_path, "full")
    assert [line["step"] for line in told(tmp_path)] == list(range(1, STEPS + 1))


def test_a_checkpoint_that_finds_no_room_leaves_the_old_one_and_nothing_else(model, tmp_path, no_file_over):
    folder = tmp_path / "checkpoint"
    optimizer = optimizer_of(model)
    checkpoint.save(folder, PROGRESS, checkpoint.state_of(model, optimizer))
    before = (folder / WEIGHTS).read_bytes()
    with no_file_over(20_000), pytest.raises(SnapshotError) as caught:
        checkpoint.save(folder, PROGRESS.model_copy(update={"step": 4}), checkpoint.state_of(model, optimizer))
    assert caught.value.what.startswith("cannot be written: ")
    assert "MB are free there" in caught.value.what
    assert caught.value.where == str(folder)
    assert "make room, then run the same command" in caught.value.fix
    assert checkpoint.load(folder).progress.step == 3
    assert (folder / WEIGHTS).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_the_best_weights_that_find_no_room_leave_the_old_ones(model, tmp_path, no_file_over):
    checkpoint.save_best(tmp_path / BEST, checkpoint.weights_of(model))
    before = (tmp_path / BEST).read_bytes()
    with no_file_over(20_000), pytest.raises(SnapshotError) as caught:
        checkpoint.save_best(tmp_path / BEST, checkpoint.weights_of(model))
    assert caught.value.where == str(tmp_path / BEST)
    assert "make room" in caught.value.fix
    assert (tmp_path / BEST).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [BEST]


# The readings do not fit; those to be dropped cannot be; all do, but no weights.
@pytest.mark.parametrize(("limit", "last"), [(300, 8), (300, 10), (20_000, 8)])
def test_a_run_on_a_full_disk_goes_on_once_there_is_room(start, tmp_path, limit, last, no_file_over):
    start(tmp_path / "whole", "full")
    folder = tmp_path / "full-disk"
    with pytest.raises(KeyboardInterrupt):
        start(folder, "full", stop_at(last))
    with no_file_over(limit), pytest.raises(SnapshotError) as caught:
        start(folder, "full")
    assert "cannot be written" in caught.value.what
    assert str(folder) in caught.value.where
    start(folder, "full")
    assert (folder / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()
    assert told(folder) == told(tmp_path / "whole")


def test_lines_after_the_checkpoint_and_a_torn_line_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    checkpoint.cut_metrics(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
    checkpoint.cut_metrics(path, 0)
    assert path.read_text() == ""
    checkpoint.cut_metrics(tmp_path / "nothing", 2)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("step", [2, 5, STEPS])
def test_a_run_that_sigterm_stops_ends_its_step_writes_a_checkpoint_and_goes_on_to_the_same_bits(
    start, tmp_path, monkeypatch, step
):
    # A reading every fifth step and a validation every fourth: 2 is neither, 5 the one, the last step both.
    monkeypatch.setattr("train.loop.READINGS", STEPS // 5)
    start(tmp_path / "whole", "full")
    folder, said = tmp_path / "stopped", []

    def signalled(_model, taken):
        if taken == step - 1:  # it is noticed by the step after it
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # as where launcher and scheduler both send one

    with pytest.raises(Terminated):
        start(folder, "full", check=signalled, say=said.append)
    assert said == [f"stopped by SIGTERM after step {step}, with a checkpoint"]
    assert checkpoint.step_of(folder / "checkpoint") == step
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    start(folder, "full")
    assert told(folder) == told(tmp_path / "whole")
    assert (folder / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()
    ends = [(place / "checkpoint" / WEIGHTS).read_bytes() for place in (folder, tmp_path / "whole")]
    assert ends[0] == ends[1]
