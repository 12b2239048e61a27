"""One run in several processes, each with a part of every batch; or in one, which is the same thing.

    accelerate launch --multi_gpu --num_processes 2 .venv/bin/tuneloop train          the model in each (data parallel)
    accelerate launch --use_fsdp --fsdp_version 2 --num_processes 2 .venv/bin/tuneloop train     a part in each

A batch is laid out once, alike everywhere, and its forward passes are dealt in turn. Every process makes equally many:
where they do not come out even, one runs again what another has, and it counts nothing. So the processes always meet,
and the sum of their gradients is the gradient of the whole batch.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import numpy as np
import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from schemas import ConfigError
from train.rank import n_processes, rank

# Numbers that are summed over processes in one go: enough to fill a network, little beside a model.
BUCKET = 1 << 25
# The first process may make the base or encode the data while the others wait for it.
PATIENCE = timedelta(hours=6)

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them.

    Attributes:
        n: How many.
        rank: Which this is.
        sharded: Each holds a part of every weight (FSDP2) instead of all.
    """

    n: int = 1
    rank: int = 0
    sharded: bool = False

    @property
    def first(self) -> bool:
        """Whether this one writes and talks."""
        return self.rank == 0

    @property
    def why(self) -> str:
        """A sentence for the log."""
        if self.n == 1:
            return "one process"
        held = "each with a part of every weight (FSDP2)" if self.sharded else "each with the whole model"
        return f"{self.n} processes, {held}; the sum of their gradients is that of one process, up to rounding"

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Run the block in the first process, and in the others once it is through: they find what it made."""
        if self.n > 1 and not self.first:
            distributed.barrier()
        yield
        if self.n > 1 and self.first:
            distributed.barrier()

    def budget(self, token_budget: int, n_tokens: int) -> int:
        """Return the tokens of a forward pass with which a batch gives every process work, and none more than it may.

        Args:
            token_budget: Most that one process holds in memory.
            n_tokens: Of the whole batch.
        """
        if self.n == 1:
            return token_budget
        rounds = -(-n_tokens // (self.n * token_budget))
        # A fifth over an even share: rows do not fill up exactly, and what is left over costs a whole round.
        return min(token_budget, -(-n_tokens * 6 // (5 * self.n * rounds)))

    def deal(self, micros: Iterable[T]) -> Iterator[tuple[T, bool]]:
        """Yield this process's share, and whether it counts; every process gets equally many."""
        group: list[T] = []
        for micro in micros:
            group.append(micro)
            if len(group) == self.n:
                yield group[self.rank], True
                group = []
        if group:
            mine = self.rank < len(group)
            yield (group[self.rank] if mine else group[-1]), mine  # layouts yield the smallest last

    def add(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of an array over the processes."""
        if self.n == 1:
            return values
        total = torch.from_numpy(values.copy())
        distributed.all_reduce(total)
        summed: np.ndarray = total.numpy()
        return summed

    def any(self, flag: bool) -> bool:
        """Return whether it is so in any process."""
        return bool(self.add(np.asarray([int(flag)]))[0])

    def spread(self, model: torch.nn.Module) -> None:
        """Give every process the first one's weights that train, and cut the weights up if they are to be sharded.

        Raises:
            ConfigError: Weights of less than 8 bits are to be sharded.
        """
        if self.n == 1:
            return
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    distributed.broadcast(weight, 0)
        if self.sharded:
            _shard(model, self.n)

    def last_pass(self, model: torch.nn.Module, *, last: bool) -> None:
        """Say before a forward pass whether it is the step's last, after which shards sum their gradients."""
        if self.sharded:
            cast("FSDPModule", model).set_requires_gradient_sync(last)

    def sum_gradients(self, weights: Sequence[torch.Tensor]) -> None:
        """Make every gradient the sum over processes; shards have done so in their last backward pass."""
        if self.n == 1 or self.sharded:
            return
        # Where one process has a gradient and another has none, as for an expert that no token of it chose.
        has = self.add(np.asarray([weight.grad is not None for weight in weights], np.int64))
        bucket: list[torch.Tensor] = []
        for weight, some in zip(weights, has, strict=True):
            if not some:
                continue
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            bucket.append(weight.grad)
            if sum(one.numel() for one in bucket) >= BUCKET:
                _sum_in_place(bucket)
                bucket = []
        if bucket:
            _sum_in_place(bucket)


ALONE = Processes()


def join() -> Processes:
    """Return the processes of this run, met if there are several.

    Raises:
        ConfigError: The launcher asks for what is not served.
    """
    if n_processes() == 1:
        return ALONE
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    if sharded and os.environ.get("FSDP_VERSION", "1") != "2":
        raise ConfigError(
            "the first version of FSDP was asked for",
            where="accelerate launch --use_fsdp",
            fix="add `--fsdp_version 2`",
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not distributed.is_initialized():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    return Processes(n_processes(), rank(), sharded)


def leave(processes: Processes) -> None:
    """Part from the others; what follows is this process's own."""
    if processes.n > 1:
        distributed.destroy_process_group()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as one process would have it; all processes must ask at once."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def part_like(tensor: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return of a whole value what this process holds of `tensor`."""
    if not isinstance(tensor, DTensor):
        return value
    # Every process has read the whole value, so nothing needs to be sent.
    return distribute_tensor(value.to(tensor.device), tensor.device_mesh, tensor.placements, src_data_rank=None)


def _shard(model: torch.nn.Module, n: int) -> None:
    if any(weight.dtype not in (torch.float32, torch.bfloat16, torch.float16) for weight in model.parameters()):
        raise ConfigError(
            "weights of 4 or 8 bits cannot be cut up among processes",
            where="accelerate launch --use_fsdp with [train] method = qlora",
            fix="leave out `--use_fsdp`: each process then holds the whole model; or take method = 'lora'",
        )
    mesh = init_device_mesh(next(model.parameters()).device.type, (n,))
    blocks = {name for module in model.modules() for name in getattr(module, "_no_split_modules", None) or ()}
    for module in [one for one in model.modules() if type(one).__name__ in blocks]:
        fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # The loss is divided by the whole batch already, so gradients are summed and not averaged.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(enable=True)


def _sum_in_place(tensors: Sequence[torch.Tensor]) -> None:
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))
