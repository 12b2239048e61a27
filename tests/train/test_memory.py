import subprocess
import sys
from pathlib import Path

import pytest
import torch

from schemas import SourceError
from train import checkpoint
from train.encoded import Encoded
from train.loop import Plan, fit
from train.memory import within_memory
from train.objective import Sft
from train.pack import Packed

PLAN = Plan(
    steps=4, batch_size=12, learning_rate=0.005, warmup=1, weight_decay=0.01, clip=1.0, token_budget=400,
    evaluate_every=2, seed=5,
)  # fmt: skip
EMPTY = Encoded.of([], [])
ROOT = Path(__file__).resolve().parents[2]


class Small(Sft):
    """Learns as `Sft` does on a machine where no more than `room` tokens fit at once."""

    def __init__(self, data, room):
        super().__init__(data, EMPTY, Packed())
        self.room, self.asked = room, []

    def micro_batches(self, batch, token_budget):
        self.asked.append(token_budget)
        return super().micro_batches(batch, token_budget)

    def loss(self, model, micro):
        loss = super().loss(model, micro)
        if micro.input_ids_RT.numel() > self.room:
            loss.backward()  # memory runs out when part of the gradient is there
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss


def tried(work, budget=400, longest=50, **options):
    said = []
    return within_memory(work, budget, longest, said.append, **options), said


def too_large_over(room, error):
    def work(budget):
        if budget > room:
            raise error
        return f"done with {budget}"

    return work


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    ],
)  # fmt: skip
def test_the_budget_is_halved_until_memory_suffices_and_that_is_said(error):
    (done, budget), said = tried(too_large_over(120, error))
    assert (done, budget) == ("done with 100", 100)
    assert [line.partition(":")[0] for line in said] == [
        "out of memory with 400 tokens at once", "out of memory with 200 tokens at once",
    ]  # fmt: skip
    assert said[1].endswith(
        "goes on with 100; the same up to rounding, but no longer the same bits as a run that keeps its budget"
    )


def test_the_longest_example_is_tried_and_no_less():
    (_, budget), _ = tried(too_large_over(60, MemoryError()), longest=60)
    assert budget == 60
    with pytest.raises(SourceError) as caught:
        tried(too_large_over(40, torch.OutOfMemoryError("CUDA out of memory.\nmore")), longest=60)
    assert caught.value.what == "memory does not suffice for one example at a time: CUDA out of memory."
    assert caught.value.where == "60 tokens at once"
    assert "activation_checkpointing = true" in caught.value.fix


def test_where_it_may_not_be_tried_again_the_setting_is_named():
    with pytest.raises(SourceError) as caught:
        tried(too_large_over(40, MemoryError()), again=False)
    assert caught.value.where == "[train] token_budget, 400 tokens at once"


def test_another_error_is_no_lack_of_memory():
    with pytest.raises(RuntimeError, match="a bug"):
        tried(too_large_over(40, RuntimeError("a bug")))


def test_a_run_that_runs_out_of_memory_goes_on_and_learns_the_same(make_model, examples, tmp_path):
    said, small = [], Small(examples, room=120)
    done = fit(make_model(), small, PLAN, tmp_path / "small", lambda _: None, say=said.append)
    whole = fit(make_model(), Sft(examples, EMPTY, Packed()), PLAN, tmp_path / "whole", lambda _: None)
    assert len(said) == 2
    assert small.asked == [400, 200, 100, 100, 100, 100]  # found once, then kept
    assert [point.train_loss for point in done.curve] == pytest.approx(
        [point.train_loss for point in whole.curve], rel=1e-5
    )
    assert checkpoint.load(tmp_path / "small" / "checkpoint").progress.token_budget == 100


def test_a_resumed_run_keeps_the_budget_it_has_come_to(make_model, examples, tmp_path):
    def stop(at):
        if at.step == 2:
            raise KeyboardInterrupt

    small = Small(examples, room=120)
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(), small, PLAN, tmp_path / "one", stop)
    fit(make_model(), small, PLAN, tmp_path / "one", lambda _: None)
    assert small.asked == [400, 200, 100, 100, 100, 100]
    fit(make_model(), Small(examples, room=120), PLAN, tmp_path / "other", lambda _: None)
    one, other = ((tmp_path / place / checkpoint.BEST).read_bytes() for place in ("one", "other"))
    assert one == other


REFUSED = """
import resource, sys
import numpy as np, torch
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
from train.encoded import Encoded
from train.loop import Plan, fit
from train.objective import Sft
from train.pack import Packed

torch.set_num_threads(1)
pairs = [(np.random.default_rng(n).integers(3, 300, 200).tolist(), [7] * 56) for n in range(64)]
data = Encoded.of(pairs, [f"row {n}" for n in range(64)])
model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=256,
    )
)
plan = Plan(
    steps=1, batch_size=64, learning_rate=0.01, warmup=1, weight_decay=0.0, clip=1.0, token_budget=1 << 14,
    evaluate_every=1, seed=1,
)
here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
# Less than the logits of all supervised places, which are 64 * 56 * 300 numbers and their gradients.
resource.setrlimit(resource.RLIMIT_AS, (here + 60_000_000, resource.RLIM_INFINITY))
said = []

def hear(line):
    said.append(line)
    # The refusal is noticed; what else a run maps (the best weights, a thread's stack) may differ between machines.
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

done = fit(model, Sft(data, Encoded.of([], []), Packed()), plan, Path(sys.argv[1]), lambda _: None, say=hear)
print(done.steps, said)
"""


@pytest.mark.slow
def test_memory_that_the_system_refuses_is_noticed(tmp_path):
    """A real refusal: the process may not have more than a little over what it has.

    In a process of its own: one that has run other tests has memory in reserve.
    """
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("1 [")
    assert "out of memory with 16,384 tokens at once" in done.stdout
