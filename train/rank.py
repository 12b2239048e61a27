"""Which of the processes of a run this is, as `accelerate launch` and torchrun say it. Knows no torch."""

import os


def rank() -> int:
    """Return the number of this process; 0 writes, locks and talks."""
    return int(os.environ.get("RANK", "0"))


def n_processes() -> int:
    """Return how many processes the run has."""
    return int(os.environ.get("WORLD_SIZE", "1"))
