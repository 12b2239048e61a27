"""Whether training moves what it should: every weight that trains, and no other.

What peers found the hard way: a magnitude vector frozen in bfloat16, checkpointed layers without gradients, an adapter
that nothing reads. All of these train on, with a loss that falls a little.
"""

import torch
from transformers import PreTrainedModel

from schemas import SourceError

# In a product of two matrices of which one begins at zero the other has no gradient at first; it has at the second.
STEPS = 3


def fingerprints(model: torch.nn.Module) -> dict[str, tuple[float, float]]:
    """Return two sums of each weight that wants no gradient: other numbers have others, but for a rare chance."""
    return {
        name: (float(weight.detach().double().sum()), float(weight.detach().double().square().sum()))
        for name, weight in model.named_parameters()
        if not weight.requires_grad and weight.is_floating_point()
    }


class Moved:
    """Watches the first steps of a run: made before the first, called in each with the model and the step's number.

    Gradients alone would not do: AdamW moves a matrix without gradient too, by weight decay. So every tensor must have
    had a gradient that is not zero within `STEPS` steps, and at the end of these no frozen tensor may be another.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        """Note what is frozen, as it is before the first step."""
        self._frozen = fingerprints(model)
        # Of a mixture of experts some may be chosen by no token of the first batches.
        mixed = any("experts" in key for key in model.config.get_text_config().to_dict())
        names = {name for name, weight in model.named_parameters() if weight.requires_grad}
        self._quiet = {name for name in names if not (mixed and "expert" in name)}
        self._looks = 0

    def __call__(self, model: PreTrainedModel, step: int) -> None:
        """Look at the gradients of a step, while they are there.

        Raises:
            SourceError: After the first steps a tensor that trains never had a gradient, or a frozen one has moved.
        """
        if self._looks >= STEPS:
            return
        self._looks += 1
        for name, weight in model.named_parameters():
            if name in self._quiet and weight.grad is not None and bool(weight.grad.any()):
                self._quiet.discard(name)
        if self._looks < STEPS:
            return
        if self._quiet:
            raise SourceError(
                f"{len(self._quiet)} tensors should train and have no gradient by step {step}",
                where=", ".join(sorted(self._quiet)[:4]),
                fix="this base does not use them: try another [train] method, `tuneloop methods` lists them",
            )
        after = fingerprints(model)
        if moved := [name for name, sums in self._frozen.items() if after.get(name, sums) != sums]:
            raise SourceError(
                f"{len(moved)} frozen tensors have moved",
                where=", ".join(moved[:4]),
                fix="this is a fault of the method on this base: try another [train] method and report it",
            )
