"""How fast this machine works and how much it remembers, measured in a second."""

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from train.estimate import Speeds

_SECONDS = 0.25
# Bytes of libraries that load the rest of themselves when training begins.
_LATER = 80e6
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def measured(tokens: int, hidden: int, intermediate: int, *, bf16: bool) -> Speeds:
    """Return the speeds of the device that training would use, in under a second.

    Args:
        tokens: Rows of the matrix products: places of a forward pass.
        hidden: Their inner width.
        intermediate: Their outer width.
        bf16: Whether products are of bf16; else of float32.
    """
    on = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = torch.bfloat16 if bf16 else torch.float32
    rows = max(16, min(tokens, 4096))
    left, right = (
        torch.randn(rows, hidden, device=on, dtype=kind),
        torch.randn(hidden, intermediate, device=on, dtype=kind),
    )
    product = _seconds(lambda: left @ right, on)
    wide = torch.randn(1 << 22, device=on)
    out = torch.empty_like(wide)
    move = _seconds(lambda: torch.mul(wide, 1.5, out=out), on)
    small = torch.ones(16, device=on, requires_grad=True)
    operation = _seconds(lambda: small * small, on)
    name = (
        torch.cuda.get_device_name(0)
        if on.type == "cuda"
        else f"{platform.machine()}, {torch.get_num_threads()} threads"
    )
    return Speeds(2.0 * rows * hidden * intermediate / product, 2.0 * 4 * wide.numel() / move, operation, name)


def memory_here() -> tuple[float, str]:
    """Return the bytes that training may use here, and whose they are."""
    if torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory), torch.cuda.get_device_name(0)
    whole = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # no limit of its own
        whole = min(whole, float(_CGROUP.read_text()))
    return whole, "this machine"


def process_bytes() -> float:
    """Return what the process holds before a model is there; on a GPU, what its driver takes there."""
    if torch.cuda.is_available():
        return 0.6e9
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.5e9  # not Linux
    return float(pages * os.sysconf("SC_PAGE_SIZE")) + _LATER


def _seconds(work: Callable[[], object], on: torch.device) -> float:
    """Return the shortest time the work took, of as many tries as a quarter of a second holds, and of one at least."""
    best = float("inf")
    # A GPU is told many at once; on a CPU the undisturbed try counts.
    times = 8 if on.type == "cuda" else 1
    work()
    until = time.perf_counter() + _SECONDS
    while best == float("inf") or time.perf_counter() < until:
        _wait(on)
        began = time.perf_counter()
        for _ in range(times):
            work()
        _wait(on)
        best = min(best, (time.perf_counter() - began) / times)
    return best


def _wait(on: torch.device) -> None:
    if on.type == "cuda":
        torch.cuda.synchronize()
