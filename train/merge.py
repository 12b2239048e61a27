"""The tuned model written as one folder that needs no adapter, and asked again from that folder.

    W + scale B A, worked out in float32  ->  merged/, whose logits and answers must be those of base and adapter

Merging fails silently where it fails: in weights that were quantised, in tied embeddings, in rounding. So nothing
is taken on trust: what was written is loaded as anybody would load it and compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from schemas import GateError
from train.golden import Asking, Golden, ask_golden, largest_difference
from train.model import release, write_folder
from train.reload import load_whole

Precision = Literal["fp32", "bf16"]
# Largest difference of a logit, as a share of the largest logit: float32 sums in another order, or weights that were
# rounded to eight bits of mantissa.
TOLERANCE: dict[Precision, float] = {"fp32": 1e-3, "bf16": 5e-2}


@dataclass(frozen=True)
class Written:
    """What was found when the written model was asked.

    Attributes:
        model: The model as it lies on disk.
        difference: Largest difference of a logit on the golden answers.
        tolerance: Most that was allowed.
    """

    model: PreTrainedModel
    difference: float
    tolerance: float


def write_whole(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    golden: Sequence[Golden],
    how: Asking,
    folder: Path,
    precision: Precision,
) -> Written:
    """Write the tuned model without adapter, load it again, and return it with how far it is from the tuned one.

    Args:
        model: Tuned, in float32; an adapter in it is merged, so it is another model afterwards.
        tokenizer: Written beside it.
        golden: What the tuned model says.
        how: They were asked so; the stop token is written as eos in the generation config.
        folder: New; what was written stays there if the comparison fails.
        precision: Of the weights on disk.

    Raises:
        GateError: The written model thinks or answers otherwise.
        SnapshotError: There is no room.
    """
    whole, stop = merged(model), how.stop
    whole.to(torch.bfloat16 if precision == "bf16" else torch.float32)  # type: ignore[arg-type]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stop
    whole.config.pad_token_id = pad
    if how.family != "classify":
        whole.config.eos_token_id = stop
        start = getattr(whole.config, "decoder_start_token_id", None)
        # Greedy, as evaluated: what the base brought along, such as a temperature, was for other answers.
        whole.generation_config = GenerationConfig(
            bos_token_id=tokenizer.bos_token_id, eos_token_id=stop, pad_token_id=pad, decoder_start_token_id=start
        )
    write_folder(whole, tokenizer, folder)
    release(whole)  # the tuned model and the one from disk would not fit beside each other
    again = load_whole(how.family, folder)
    difference, largest = largest_difference(again, golden, how.family)
    tolerance = TOLERANCE[precision] * max(1.0, largest)
    fix = "export with `--precision fp32`" if precision == "bf16" else "use adapter/ with its base; please report this"
    if not difference <= tolerance:
        raise GateError(
            f"the merged model is another one: a logit differs by {difference:.3g}, more than {tolerance:.3g}",
            where=f"{len(golden)} golden prompts, {precision}",
            fix=fix,
        )
    answers = ask_golden(again, [(one.example, one.prompt) for one in golden], how)
    for one, other in zip(golden, answers, strict=True):
        if not same_answer(one, other.answer, 2 * difference):
            said, now = (tokenizer.decode(answer)[:60] for answer in (one.answer, other.answer))
            raise GateError(
                f"the merged model answers {now!r} where the tuned one answers {said!r}",
                where=f"prompt of row {one.example}, {precision}",
                fix=fix,
            )
    return Written(again, difference, tolerance)


def merged(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model with its adapter worked into its weights; one without adapter comes back as it is."""
    if not isinstance(model, PeftModel):
        return model
    return cast("PreTrainedModel", model.merge_and_unload(safe_merge=True))


def same_answer(golden: Golden, answer: Sequence[int], tie: float) -> bool:
    """Return whether an answer is the golden one up to the first place where two tokens were as good as tied.

    Args:
        golden: The answer, and what was thought at each place of it.
        answer: Another.
        tie: Logits nearer than this are tied: twice what rounding moves one of them.
    """
    apart = next((k for k, (one, other) in enumerate(zip(golden.answer, answer, strict=False)) if one != other), None)
    if apart is None:
        return len(golden.answer) == len(answer)
    logits = golden.logits[apart]
    return float(logits[golden.answer[apart]] - logits[answer[apart]]) <= tie
