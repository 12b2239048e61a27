"""Going on when memory runs out: the same step in smaller forward passes."""

from collections.abc import Callable
from typing import TypeVar

import torch

from schemas import SourceError

# What torch says on a CPU: the system refused, or could not be asked for so much.
_CPU = ("can't allocate memory", "not enough memory", "Cannot allocate memory")

T = TypeVar("T")


def within_memory(
    work: Callable[[int], T],
    token_budget: int,
    longest: int,
    say: Callable[[str], None],
    *,
    agree: Callable[[bool], bool] = bool,
    again: bool = True,
) -> tuple[T, int]:
    """Return what the work gives, and the token budget it was done with: halved until memory suffices.

    Args:
        work: Is given the budget, and can be done again.
        token_budget: To begin with.
        longest: Tokens of the longest example of the work; smaller passes than one example there are none.
        say: Told that the budget was halved.
        agree: Whether memory ran out in any process, given whether it did in this one.
        again: Whether it may be tried again.

    Raises:
        SourceError: Memory does not even suffice for one example, or it may not be tried again.
    """
    while True:
        done, trouble = _tried(work, token_budget)
        if not agree(trouble is not None):
            assert done is not None
            return done[0], token_budget
        # The error is gone by now, and with it the frames that held on to tensors.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if not again:
            raise SourceError(
                f"out of memory: {trouble}",
                where=f"[train] token_budget, {token_budget:,} tokens at once",
                fix="lower it; that is another run, which begins anew",
            )
        if token_budget <= longest:
            raise SourceError(
                f"memory does not suffice for one example at a time: {trouble or 'so another process says'}",
                where=f"{token_budget:,} tokens at once",
                fix="lower [encode] max_length, set [train] activation_checkpointing = true, "
                "or take a smaller base or a method that trains less, such as lora",
            )
        smaller = max(token_budget // 2, longest)
        say(
            f"out of memory with {token_budget:,} tokens at once: goes on with {smaller:,}; "
            "the same up to rounding, but no longer the same bits as a run that keeps its budget"
        )
        token_budget = smaller


def _tried(work: Callable[[int], T], token_budget: int) -> tuple[tuple[T] | None, str | None]:
    """Return what the work gives, or what was said when memory ran out."""
    try:
        return (work(token_budget),), None
    except (torch.OutOfMemoryError, MemoryError) as error:
        return None, _first_line(error)
    except RuntimeError as error:
        if not any(words in str(error) for words in _CPU):
            raise
        return None, _first_line(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
