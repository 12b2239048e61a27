"""Real processes that meet over gloo; each case is one run of two."""

import json
import multiprocessing
import os
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from schemas import ConfigError, SourceError
from train import checkpoint
from train.encoded import Encoded
from train.loop import Plan, fit
from train.objective import Sft
from train.pack import Packed
from train.processes import ALONE, Processes, join, leave
from train.segment_attention import SEGMENTS, register

PLAN = Plan(
    steps=6, batch_size=8, learning_rate=0.005, warmup=1, weight_decay=0.01, clip=1.0, token_budget=60,
    evaluate_every=3, seed=5,
)  # fmt: skip


@pytest.fixture
def together():
    """Return a function that runs work in two processes that have met, and returns their exit codes."""

    def run(work, sharded=False, n=2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def one(rank):
            os.environ.update(
                RANK=str(rank), WORLD_SIZE=str(n), LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1",
                MASTER_PORT=str(port), ACCELERATE_USE_FSDP=str(sharded).lower(), FSDP_VERSION="2",
            )  # fmt: skip
            processes = join()
            work(processes)
            leave(processes)

        started = [multiprocessing.get_context("fork").Process(target=one, args=(rank,)) for rank in range(n)]
        for process in started:
            process.start()
        for process in started:
            process.join(120)
        for process in started:
            if process.is_alive():
                process.kill()
                process.join()
        return [process.exitcode for process in started]

    return run


@pytest.fixture
def weighted(make_examples):
    """Return sixteen examples whose tokens weigh from 0.5 to 2, of lengths that do not come out even in two."""
    plain = make_examples([(3 + 2 * n, 1 + (7 * n) % 12) for n in range(16)], seed=2)
    weights = [[0.5, 1.0, 2.0][(i + n) % 3] for i in range(16) for n in range(len(plain.target(i)))]
    ends = [sum(len(plain.target(j)) for j in range(i)) for i in range(17)]
    pairs = [(plain.prompt(i).tolist(), plain.target(i).tolist()) for i in range(16)]
    return Encoded.of(pairs, plain.names, [weights[a:b] for a, b in pairwise(ends)])


@pytest.fixture
def start(make_model, weighted, make_examples):
    """Return a function that trains a model in a folder, with the processes there are."""
    validation = make_examples([(5, 5), (20, 2), (7, 9)], seed=4)

    def run(folder, processes=ALONE, method="full", plan=PLAN, flat=False, **options):
        model = make_model()
        if flat:
            register()
            model.set_attn_implementation(SEGMENTS)
        if method == "lora":
            torch.manual_seed(1 + processes.rank)  # every process begins with other adapters, but for `spread`
            model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
        processes.spread(model)
        objective = Sft(weighted, validation, Packed(flat=flat), processes)
        return fit(model, objective, plan, folder, lambda _: None, processes=processes, **options)

    return run


def curve(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["train_loss"], line["validation_nll"] or 0, line["gradient_norm"]) for line in lines]


def assert_alike(folder, other, rel=1e-4):
    """The same readings and the same weights, up to rounding."""
    for line, expected in zip(curve(folder), curve(other), strict=True):
        assert line == pytest.approx(expected, rel=rel)
    ours, theirs = (load_file(place / "checkpoint" / checkpoint.WEIGHTS) for place in (folder, other))
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        if name.startswith("weight."):
            assert (ours[name] - weight).norm() <= rel * weight.norm(), name


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_two_processes_end_as_one_does(start, together, tmp_path, sharded, method, flat):
    assert together(lambda processes: start(tmp_path / "two", processes, method, flat=flat), sharded) == [0, 0]
    start(tmp_path / "one", ALONE, method, flat=flat)
    assert_alike(tmp_path / "two", tmp_path / "one")


def test_three_processes_of_which_two_have_nothing_of_their_own_end_as_one_does(start, together, tmp_path):
    plan = replace(PLAN, batch_size=1)
    assert together(lambda processes: start(tmp_path / "three", processes, plan=plan), n=3) == [0, 0, 0]
    start(tmp_path / "one", plan=plan)
    assert_alike(tmp_path / "three", tmp_path / "one")


@pytest.mark.parametrize(
    ("before", "after"),
    [("two", "one"), ("sharded", "one"), ("one", "two"), ("one", "sharded"), ("sharded", "sharded")],
)
def test_a_run_goes_on_with_another_number_of_processes(start, together, tmp_path, before, after):
    def stop(_, step):
        if step == 4:
            raise KeyboardInterrupt

    def go_on(how, **options):
        if how == "one":
            return start(tmp_path / "two", **options)
        codes = together(lambda processes: start(tmp_path / "two", processes, **options), how == "sharded")
        assert codes == [0, 0] or "check" in options
        return None

    said = []
    start(tmp_path / "one")
    with suppress(KeyboardInterrupt):
        go_on(before, check=stop)
    assert checkpoint.step_of(tmp_path / "two" / "checkpoint") == 3
    go_on(after, say=said.append)
    assert_alike(tmp_path / "two", tmp_path / "one")
    if after == "one":
        assert said == [
            "goes on from step 3, where it was stopped",
            "2 processes before, 1 now: the same gradient up to rounding",
        ]


def test_a_loss_that_is_no_number_in_one_process_stops_all(start, together, tmp_path, weighted, make_model):
    def work(processes):
        broken = Sft(weighted, Encoded.of([], []), Packed(), processes)
        loss = broken.loss
        broken.loss = lambda model, micro: loss(model, micro) * (torch.nan if processes.rank else 1)
        with pytest.raises(SourceError, match="the loss is nan at step 1"):
            fit(make_model(), broken, PLAN, tmp_path, lambda _: None, processes=processes)

    assert together(work) == [0, 0]


def test_memory_that_runs_out_in_one_process_makes_all_halve_the_budget(
    start, together, tmp_path, weighted, make_model
):
    def work(processes):
        tight = Sft(weighted, Encoded.of([], []), Packed(), processes)
        lay_out, said = tight.micro_batches, []

        def micro_batches(batch, budget):
            if processes.rank and budget > 45:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return lay_out(batch, budget)

        tight.micro_batches = micro_batches
        fit(
            make_model(),
            tight,
            replace(PLAN, token_budget=180),
            tmp_path,
            lambda _: None,
            processes=processes,
            say=said.append,
        )
        assert len(said) == 2
        assert "goes on with 45" in said[-1]

    assert together(work) == [0, 0]
    assert checkpoint.load(tmp_path / "checkpoint").progress.token_budget == 45


def test_only_the_first_process_writes(start, together, tmp_path):
    def work(processes):
        if not processes.first:
            # What a second writer would do fails here.
            checkpoint.save = checkpoint.save_best = checkpoint.cut_metrics = None
        start(tmp_path, processes)

    assert together(work) == [0, 0]
    assert len(curve(tmp_path)) == 6


@given(st.integers(0, 30), st.integers(1, 5))
def test_every_process_is_dealt_equally_many_and_each_pass_counts_once(n, n_processes):
    dealt = [list(Processes(n_processes, rank).deal(range(n))) for rank in range(n_processes)]
    assert {len(one) for one in dealt} == {-(-n // n_processes)}
    counted = Counter(micro for one in dealt for micro, counts in one if counts)
    assert counted == Counter(range(n))


@given(st.integers(1, 8), st.integers(1, 20_000), st.integers(8, 4096))
def test_a_budget_is_never_over_what_a_process_may_hold_and_gives_all_of_them_work(n, n_tokens, token_budget):
    budget = Processes(n).budget(token_budget, n_tokens)
    assert 1 <= budget <= token_budget
    if n > 1:
        rounds = -(-n_tokens // (n * token_budget))
        assert budget * n * rounds >= min(n_tokens, token_budget * n * rounds)


def test_one_process_changes_nothing(make_model):
    model = make_model()
    ALONE.spread(model)
    assert join() == ALONE
    assert ALONE.budget(4096, 10) == 4096
    assert list(ALONE.deal("abc")) == [("a", True), ("b", True), ("c", True)]


def test_the_first_fsdp_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "1")
    with pytest.raises(ConfigError) as caught:
        join()
    assert caught.value.fix == "add `--fsdp_version 2`"
