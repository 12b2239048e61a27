import json
from dataclasses import replace
from math import isnan, log

import pytest
import torch
from peft import LoraConfig, get_peft_model

from schemas import SourceError
from train.encoded import Encoded
from train.likelihood import example_nll, per_token
from train.loop import Plan, fit
from train.objective import Sft
from train.order import Wishes, arrange, plain
from train.pack import Packed
from train.schedule import Schedule

PLAN = Plan(
    steps=30, batch_size=2, learning_rate=0.01, warmup=3, weight_decay=0.01, clip=1.0, token_budget=256,
    evaluate_every=5, seed=1,
)  # fmt: skip
EMPTY = Encoded.of([], [])
# A thing to learn: after 10 + n comes 20 + n, then the stop token.
PAIRS = [([1, 10 + n], [20 + n, 2]) for n in range(4)]
TOY = Encoded.of(PAIRS, [f"toy {n}" for n in range(4)])
# The same questions with answers the toy never gives.
CONTRARY = Encoded.of([([1, 10 + n], [40 + n, 3]) for n in range(4)], [f"contrary {n}" for n in range(4)])


def trained(model, tmp_path, data=TOY, validation=TOY, options=None, **changes):
    """Return how a run went and its readings."""
    readings = []
    plan = replace(PLAN, **changes)
    return fit(model, Sft(data, validation, Packed()), plan, tmp_path, readings.append, **(options or {})), readings


def nll(model, data):
    return per_token(example_nll(model, data, Packed(), token_budget=256), data)


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]


def test_what_can_be_learnt_is_learnt(make_model, tmp_path):
    model = make_model()
    before = nll(model, TOY)
    done, readings = trained(model, tmp_path, steps=60, evaluate_every=20)
    assert before > log(4)
    assert nll(model, TOY) < 0.05
    assert done.best_nll == pytest.approx(nll(model, TOY), rel=1e-6)
    assert done.steps == 60
    assert done.tokens == 60 * 2 * 4
    assert [at.step for at in readings if at.validation_nll is not None] == [20, 40, 60]
    assert readings[-1].loss < readings[0].loss


def test_the_readings_are_in_the_curve_and_in_the_file(make_model, tmp_path):
    done, readings = trained(make_model(), tmp_path, steps=7, evaluate_every=5)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5, 6, 7]
    for line, point, reading in zip(lines(tmp_path), done.curve, readings, strict=True):
        assert line["train_loss"] == point.train_loss == reading.loss
        assert line["validation_nll"] == point.validation_nll == reading.validation_nll
        assert line["gradient_norm"] == reading.gradient_norm > 0
        assert line["seconds"] == pytest.approx(reading.seconds, abs=1e-3)
        assert line["learning_rate"] == Schedule(0.01, 7, 3).rate(point.step - 1)


def test_the_loss_of_a_reading_is_the_mean_over_the_steps_since_the_last(make_model, tmp_path, monkeypatch):
    often, _ = trained(make_model(), tmp_path / "often", steps=8, evaluate_every=8)
    monkeypatch.setattr("train.loop.READINGS", 4)
    seldom, _ = trained(make_model(), tmp_path / "seldom", steps=8, evaluate_every=8)
    assert [point.step for point in seldom.curve] == [2, 4, 6, 8]
    losses = [point.train_loss for point in often.curve]
    pairs = [(one + other) / 2 for one, other in zip(losses[::2], losses[1::2], strict=True)]
    assert [point.train_loss for point in seldom.curve] == pytest.approx(pairs, rel=1e-6)


def test_the_best_weights_are_kept_not_the_last(make_model, tmp_path):
    model = make_model()
    done, _ = trained(model, tmp_path, validation=CONTRARY, steps=20, evaluate_every=1)
    seen = {point.step: point.validation_nll for point in done.curve}
    assert done.best_step == min(seen, key=seen.get) < 20
    assert done.best_nll == seen[done.best_step] < seen[20]
    assert nll(model, CONTRARY) == pytest.approx(done.best_nll, rel=1e-6)


def test_without_validation_the_last_weights_are_kept(make_model, tmp_path):
    model = make_model()
    done, readings = trained(model, tmp_path, validation=EMPTY, steps=12)
    assert done.best_step == 12
    assert isnan(done.best_nll)
    assert all(at.validation_nll is None for at in readings)
    assert nll(model, TOY) < readings[-1].loss + 1


def test_weights_that_do_not_train_do_not_move_and_all_others_do(make_model, tmp_path):
    torch.manual_seed(0)
    config = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(make_model(), config)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trained(model, tmp_path)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) == ("lora_" not in name), name
    assert any("lora_" in name for name in before)


def test_every_weight_of_a_model_that_trains_whole_moves(make_model, tmp_path):
    model = make_model()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trained(model, tmp_path)
    assert [name for name, weight in model.named_parameters() if torch.equal(weight, before[name])] == []


def test_no_gradient_is_left_behind(make_model, tmp_path):
    model = make_model()
    trained(model, tmp_path)
    assert [name for name, weight in model.named_parameters() if weight.grad is not None] == []


def test_gains_are_not_decayed(make_model, tmp_path):
    still = Encoded.of([([1, 2], [3]), ([1, 2], [3])], ["a", "b"])
    gains = {}
    for decay in (0.0, 0.5):
        model = make_model()
        torch.nn.init.zeros_(model.get_output_embeddings().weight)
        model.get_output_embeddings().weight.requires_grad_(requires_grad=False)  # so no gradient reaches the rest
        trained(model, tmp_path / str(decay), still, EMPTY, steps=3, weight_decay=decay)
        gains[decay] = (model.model.norm.weight.detach(), model.model.layers[0].mlp.up_proj.weight.detach())
    assert torch.equal(gains[0.0][0], gains[0.5][0])
    assert gains[0.5][1].norm() < gains[0.0][1].norm()


def test_the_step_is_as_large_as_clip_allows(make_model, tmp_path, monkeypatch):
    norms = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step",
        lambda self: (norms.append(total(self.param_groups)), step(self)),
    )  # fmt: skip

    def total(groups):
        return torch.cat([w.grad.flatten() for group in groups for w in group["params"]]).norm().item()

    trained(make_model(), tmp_path, steps=3, clip=0.01)
    assert norms == pytest.approx([0.01] * 3, rel=1e-3)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_rows_of_its_batch(make_model, tmp_path):
    model = make_model()
    with torch.no_grad():
        model.get_input_embeddings().weight[12] = torch.nan  # stands in toy 2 alone
    hit = next(step for step in range(30) if 2 in plain(4, 2, PLAN.seed).batch(step))
    with pytest.raises(SourceError) as caught:
        trained(model, tmp_path)
    error = caught.value
    assert error.what == f"the loss is nan at step {hit + 1}"
    assert error.where == "batch of " + ", ".join(f"toy {i}" for i in plain(4, 2, PLAN.seed).batch(hit))
    assert "learning_rate" in error.fix


def test_of_a_large_batch_the_first_rows_are_named(make_model, tmp_path):
    many = Encoded.of(PAIRS * 3, [f"toy {n}" for n in range(12)])
    with pytest.raises(SourceError) as caught:
        trained(make_model(), tmp_path, many, batch_size=12, learning_rate=1e30, clip=1e30)
    assert caught.value.where.count("toy") == 8
    assert caught.value.where.endswith(" ...")


def test_a_model_that_broke_in_its_last_step_is_not_handed_on(make_model, tmp_path):
    with pytest.raises(SourceError) as caught:
        trained(make_model(), tmp_path, steps=1, warmup=1, learning_rate=1e38)
    assert "validation NLL is nan" in caught.value.what
    assert "learning_rate" in caught.value.fix
    assert not (tmp_path / "best.safetensors").exists()


def test_the_same_run_ends_with_the_same_bits(make_model, tmp_path):
    for place in ("one", "other"):
        trained(make_model(), tmp_path / place, steps=8)
    one, other = ((tmp_path / place / "best.safetensors").read_bytes() for place in ("one", "other"))
    assert one == other


@pytest.mark.parametrize("token_budget", [4, 8, 1000])
def test_the_token_budget_changes_no_more_than_rounding(make_model, tmp_path, token_budget):
    curves = [trained(make_model(), tmp_path / str(b), steps=5, token_budget=b)[0].curve for b in (256, token_budget)]
    losses = [[point.train_loss for point in curve] for curve in curves]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_schedule_is_the_one_of_the_plan(make_model, tmp_path):
    _, readings = trained(make_model(), tmp_path, steps=6, warmup=1, schedule="linear", final_share=0.5)
    assert [at.learning_rate for at in readings] == pytest.approx([0.01 * (1 - 0.1 * n) for n in (0, 0, 1, 2, 3, 4)])


def test_training_stops_when_patience_has_run_out(make_model, tmp_path):
    said, model = [], make_model()
    options = {"say": said.append}
    done, readings = trained(model, tmp_path, validation=CONTRARY, options=options, evaluate_every=1, patience=3)
    assert done.steps == done.best_step + 3 < 30
    assert readings[-1].step == done.steps
    assert said == [f"stops at step {done.steps} of 30: 3 validations without a new best"]
    assert nll(model, CONTRARY) == pytest.approx(done.best_nll, rel=1e-6)


def test_a_new_best_gives_new_patience(make_model, tmp_path):
    done, _ = trained(make_model(), tmp_path, evaluate_every=1, patience=2)
    better = [point.step for point in done.curve if point.step <= done.best_step]
    assert len(better) > 4  # far more validations than patience
    assert done.best_step > 4


def test_a_run_that_stopped_early_and_is_started_again_takes_no_step(make_model, tmp_path):
    done, _ = trained(make_model(), tmp_path, validation=CONTRARY, evaluate_every=1, patience=2)
    again, readings = trained(make_model(), tmp_path, validation=CONTRARY, evaluate_every=1, patience=2)
    assert (again, readings) == (done, [])


def test_patience_is_kept_over_a_pause(make_model, tmp_path):
    whole, _ = trained(make_model(), tmp_path / "whole", validation=CONTRARY, evaluate_every=1, patience=4)

    def stop(_, step):
        if step == whole.best_step + 3:  # two validations in vain are in the checkpoint
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(
            make_model(), tmp_path / "cut", validation=CONTRARY, options={"check": stop}, evaluate_every=1, patience=4
        )
    rest, readings = trained(make_model(), tmp_path / "cut", validation=CONTRARY, evaluate_every=1, patience=4)
    assert len(readings) == 2
    assert (rest.steps, rest.best_step) == (whole.steps, whole.best_step)


def test_a_step_learns_from_the_units_its_order_names(make_model, tmp_path):
    order, batches = arrange(
        ["a", "b"] * 2, {}, Wishes(sequence=[["b"], ["a"]]), batch_size=2, epochs=5, max_steps=None, n_documents=0, seed=1
    )[0], []  # fmt: skip
    objective = Sft(TOY, EMPTY, Packed())
    total = objective.total
    objective.total = lambda batch: (batches.append(batch), total(batch))[1]
    fit(make_model(), objective, replace(PLAN, steps=10), tmp_path, lambda _: None, order=order)
    assert [set(batch) for batch in batches] == [{1, 3}] * 5 + [{0, 2}] * 5


def test_every_step_is_checked_while_its_gradient_is_there(make_model, tmp_path):
    seen = []

    def check(model, step):
        seen.append((step, all(weight.grad is not None for weight in model.parameters())))

    trained(make_model(), tmp_path, steps=3, options={"check": check})
    assert seen == [(1, True), (2, True), (3, True)]


def test_dropout_draws_anew_at_every_step_and_the_same_again(make_model, tmp_path):
    def adapted():
        torch.manual_seed(0)
        return get_peft_model(make_model(), LoraConfig(r=2, lora_dropout=0.5, target_modules="all-linear"))

    losses = {}
    for seed in (1, 2):
        for again in (0, 1):
            torch.manual_seed(again)  # a state that must not matter
            same = Encoded.of(PAIRS[:1], ["toy"])
            model = adapted()
            done, _ = trained(
                model, tmp_path / f"{seed}{again}", same, same, steps=4, batch_size=1, learning_rate=1e-9, seed=seed
            )
            with torch.no_grad():
                losses[seed, again] = [point.train_loss for point in done.curve]
    assert losses[1, 0] == losses[1, 1]
    assert losses[1, 0] != losses[2, 0]
