"""Answers of a model, greedy, in batches."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from train.encode import Encoded

BATCH = 64


@torch.no_grad()
def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    *,
    stop: int,
    context: int,
    max_new_tokens: int,
    tell: Callable[[int, int], None] = lambda done, of: None,
    places: Sequence[int] | None = None,
) -> list[str]:
    """Return what the model answers to each prompt: the likeliest token each time, until the stop token.

    Prompts of like length go together, padded on the left, so that every answer begins at the last place; the
    padding is masked and changes nothing.

    Args:
        model: Any causal model.
        tokenizer: To read the answers with; control tokens are left out of the text.
        encoded: Its prompts are asked.
        stop: The token that ends an answer.
        context: Longest sequence the model takes; an answer ends there at the latest.
        max_new_tokens: Longest answer.
        tell: Called with how many are done, and of how many.
        places: Which examples; all if left out. The result is in their order.
    """
    wanted = list(range(len(encoded)) if places is None else places)
    said = [""] * len(wanted)
    was_training = model.training
    model.eval()
    order = np.argsort([encoded.n_prompt[i] for i in wanted], kind="stable").tolist()
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        prompts = [encoded.prompt(wanted[place]) for place in batch]
        new_BN = _continue(model, prompts, stop, min(max_new_tokens, context - max(map(len, prompts))))
        for place, tokens in zip(batch, new_BN, strict=True):
            ended = tokens[: tokens.index(stop)] if stop in tokens else tokens
            said[place] = tokenizer.decode(ended, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        tell(min(start + BATCH, len(order)), len(order))
    model.train(was_training)
    return said


def _continue(model: PreTrainedModel, prompts: list[np.ndarray], stop: int, n_new: int) -> list[list[int]]:
    """Return the tokens after each prompt; what follows a stop token means nothing."""
    if n_new < 1:
        return [[] for _ in prompts]
    width = max(map(len, prompts))
    ids_BT = torch.full((len(prompts), width), stop, dtype=torch.int64)
    mask_BT = torch.zeros((len(prompts), width), dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        ids_BT[row, width - len(prompt) :] = torch.from_numpy(prompt.astype(np.int64))
        mask_BT[row, width - len(prompt) :] = 1
    out_BT = model.generate(
        input_ids=ids_BT.to(model.device),
        attention_mask=mask_BT.to(model.device),
        generation_config=GenerationConfig(
            do_sample=False, max_new_tokens=n_new, eos_token_id=stop, pad_token_id=stop, use_cache=True
        ),
    )
    new: list[list[int]] = out_BT[:, width:].tolist()
    return new
