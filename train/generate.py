"""Answers of a model, greedy, in batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from train.encoded import Encoded

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
    tell: Callable[[int, int], None],
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
    """
    said = [""] * len(encoded)
    was_training = model.training
    model.eval()
    done = 0
    for batch, n_new in _batches(encoded, context, max_new_tokens):
        with _no_habits(model):
            new_BN = _continue(model, [encoded.prompt(place) for place in batch], stop, n_new)
        for place, tokens in zip(batch, new_BN, strict=True):
            ended = tokens[: tokens.index(stop)] if stop in tokens else tokens
            text = tokenizer.decode(ended, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            said[place] = str(text)
        done += len(batch)
        tell(done, len(encoded))
    model.train(was_training)
    return said


def _batches(encoded: Encoded, context: int, max_new_tokens: int) -> Iterator[tuple[list[int], int]]:
    """Yield places that are asked together, shortest prompts first, and how many tokens each has room to answer.

    Those together have the same room, so that no answer is cut for a neighbour's long prompt.
    """
    room = np.minimum(max_new_tokens, context - encoded.n_prompt).tolist()
    order = np.argsort(encoded.n_prompt, kind="stable").tolist()
    for n_new, group in groupby(order, key=lambda place: room[place]):
        alike = list(group)
        for start in range(0, len(alike), BATCH):
            yield alike[start : start + BATCH], n_new


@contextmanager
def _no_habits(model: PreTrainedModel) -> Iterator[None]:
    """Take away what a base brings along for generation, such as a repetition penalty.

    `generate` would fill in from it what its own configuration leaves open.
    """
    parts: list[Any] = [part for part in model.modules() if "generation_config" in vars(part)]
    brought = [part.generation_config for part in parts]
    for part in parts:
        part.generation_config = GenerationConfig()
    try:
        yield
    finally:
        for part, own in zip(parts, brought, strict=True):
            part.generation_config = own


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
    out_BT = model.generate(  # type: ignore[operator]
        input_ids=ids_BT.to(model.device),
        attention_mask=mask_BT.to(model.device),
        generation_config=GenerationConfig(
            do_sample=False, max_new_tokens=n_new, eos_token_id=stop, pad_token_id=stop, use_cache=True
        ),
    )
    new: list[list[int]] = out_BT[:, width:].tolist()
    return new
