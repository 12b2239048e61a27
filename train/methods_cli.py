"""`tuneloop methods`: what can be trained, in words."""

import sys

from train.methods import METHODS


def methods() -> None:
    """Print every training method: what trains, for which models, whether it packs, its learning rate and why.

    Example: tuneloop methods
    """
    for facts in METHODS.values():
        lines = [
            f"{facts.name:<11}{facts.meaning}",
            f"{'':<11}learning rate {facts.rate:g} ({facts.why}); {facts.tiny_rate:g} on tiny",
            f"{'':<11}{', '.join(facts.families)}; {'packed' if facts.packs else 'one padded example a row'}"
            + ("; needs a GPU" if facts.needs_gpu else ""),
        ]
        sys.stdout.write("\n".join(lines) + "\n")
