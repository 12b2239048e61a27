"""Answers of a model, greedy, in batches.

A causal model goes on after the prompt, an encoder-decoder answers it, a classifier names the likeliest class.

Under prompt methods transformers' own `generate` is not used: measured with peft 0.21 and transformers 5.24 it leaves
the learnt places out, and an encoder-decoder's prefix too, so that the answers are those of the base. The loop here
asks the model for its next token again and again, exactly as training asked it.

Nor is it used where a causal model has the usual cache of keys and values: there rows that have ended leave the batch,
while `generate` goes on with all of them until the last has ended.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import GenerationConfig, GenerationMixin, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from schemas.method import Family
from train.encoded import Encoded
from train.padded import PaddedClasses

BATCH = 64
# A token in the cache of keys and values takes a tenth of what training keeps of one, or, checkpointed, as much.
CACHED = 2


class Said(NamedTuple):
    """What a model answered, and whether each answer ended by its stop token rather than by its length."""

    texts: list[str]
    stopped: list[bool]


@torch.no_grad()
def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    *,
    stop: int,
    context: int,
    max_new_tokens: int,
    token_budget: int,
    tell: Callable[[int, int], None],
    family: Family = "causal",
) -> Said:
    """Return what the model answers to each prompt: the likeliest token each time, until the stop token.

    Prompts of like length go together; padding is masked and changes nothing.

    Args:
        model: A causal model or an encoder-decoder.
        tokenizer: To read the answers with; control tokens are left out of the text.
        encoded: Its prompts are asked.
        stop: The token that ends an answer.
        context: Longest sequence the model takes; an answer ends there at the latest.
        max_new_tokens: Longest answer.
        token_budget: At most CACHED times so many tokens are in memory at once, or one prompt and its answer.
        tell: Called with how many are done, and of how many.
        family: Of the model.
    """
    said, stopped = [""] * len(encoded), [False] * len(encoded)
    was_training = model.training
    model.eval()
    done = 0
    # An encoder-decoder's answer stands in a place of its own.
    taken = encoded.n_prompt if family == "causal" else np.zeros_like(encoded.n_prompt)
    rooms = np.minimum(max_new_tokens, context - taken)
    for batch, n_new in _batches(encoded, rooms, CACHED * token_budget):
        with _no_habits(model):
            new_BN = _continue(model, [encoded.prompt(place) for place in batch], stop, n_new, family)
        for place, tokens in zip(batch, new_BN, strict=True):
            ended = tokens[: tokens.index(stop)] if stop in tokens else tokens
            text = tokenizer.decode(ended, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            said[place], stopped[place] = str(text), stop in tokens
        done += len(batch)
        tell(done, len(encoded))
    model.train(was_training)
    return Said(said, stopped)


@torch.no_grad()
def choices(
    model: PreTrainedModel,
    encoded: Encoded,
    layout: PaddedClasses,
    *,
    token_budget: int,
    tell: Callable[[int, int], None],
) -> list[int]:
    """Return the class that a classifier finds likeliest for each prompt.

    Args:
        model: A classifier.
        encoded: Its prompts are read.
        layout: How they are laid out.
        token_budget: Most tokens read at once.
        tell: Called with how many are done, and of how many.
    """
    said = [0] * len(encoded)
    was_training = model.training
    model.eval()
    order = np.argsort(encoded.lengths, kind="stable").tolist()
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        for micro in layout.micro_batches(encoded, batch, token_budget):
            best_B = micro.to(model.device).logits(model).argmax(1)
            for owner, number in zip(micro.owner_B.tolist(), best_B.tolist(), strict=True):
                said[batch[owner]] = number
        tell(start + len(batch), len(encoded))
    model.train(was_training)
    return said


def _batches(encoded: Encoded, rooms: np.ndarray, most: int) -> Iterator[tuple[list[int], int]]:
    """Yield places that are asked together, shortest prompts first, and how many tokens each has room to answer.

    Those together have the same room, so that no answer is cut for a neighbour's long prompt, and are at most `most`
    tokens with their answers and padding, unless one alone is more.
    """
    room, widths = rooms.tolist(), (encoded.n_prompt + np.maximum(rooms, 0)).tolist()
    order = np.argsort(encoded.n_prompt, kind="stable").tolist()
    for n_new, group in groupby(order, key=lambda place: room[place]):
        batch: list[int] = []
        for place in group:  # the widest so far
            if batch and (len(batch) == BATCH or (len(batch) + 1) * widths[place] > most):
                yield batch, n_new
                batch = []
            batch.append(place)
        yield batch, n_new


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


def _continue(
    model: PreTrainedModel, prompts: list[np.ndarray], stop: int, n_new: int, family: Family
) -> list[list[int]]:
    """Return the tokens after each prompt; what follows a stop token means nothing."""
    if n_new < 1:
        return [[] for _ in prompts]
    config = getattr(model, "peft_config", {}).get("default")
    if config is not None and config.is_prompt_learning:
        return _step_by_step(model, prompts, stop, n_new, family)
    width = max(map(len, prompts))
    ids_BT = torch.full((len(prompts), width), stop, dtype=torch.int64)
    mask_BT = torch.zeros((len(prompts), width), dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        # A causal model goes on at the right end, so its padding is on the left; an encoder pads on the right.
        at = slice(width - len(prompt), None) if family == "causal" else slice(0, len(prompt))
        ids_BT[row, at] = torch.from_numpy(prompt.astype(np.int64))
        mask_BT[row, at] = 1
    if family == "causal" and (found := _until_stop(model, ids_BT, mask_BT, stop, n_new)) is not None:
        return found
    start = {} if family == "causal" else {"decoder_start_token_id": model.config.decoder_start_token_id}
    out_BT = model.generate(  # type: ignore[operator]
        input_ids=ids_BT.to(model.device),
        attention_mask=mask_BT.to(model.device),
        generation_config=GenerationConfig(
            do_sample=False, max_new_tokens=n_new, eos_token_id=stop, pad_token_id=stop, use_cache=True, **start
        ),
    )
    new: list[list[int]] = out_BT[:, width if family == "causal" else 1 :].tolist()
    return new


def _until_stop(
    model: PreTrainedModel, ids_BT: torch.Tensor, mask_BT: torch.Tensor, stop: int, n_new: int
) -> list[list[int]] | None:
    """Return the tokens after each left-padded prompt, the stop token last; None for a model that needs `generate`."""
    call: Any = model
    inner = call.get_base_model() if hasattr(model, "get_base_model") else call
    takes = inspect.signature(inner.forward).parameters
    usual = type(inner).prepare_inputs_for_generation is GenerationMixin.prepare_inputs_for_generation
    # transformers called it past_key_values until 5.24.
    name = next((one for one in ("cache", "past_key_values") if one in takes), None)
    if not usual or "position_ids" not in takes or name is None:
        return None
    keep: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
    ids_BT, mask_BT = ids_BT.to(model.device), mask_BT.to(model.device)
    place_B = mask_BT.sum(1)
    # A place that is padding has no position of its own; any will do, since nothing looks at it.
    out = call(
        input_ids=ids_BT,
        attention_mask=mask_BT,
        position_ids=(mask_BT.cumsum(1) - 1).clamp(min=0),
        use_cache=True,
        **keep,
    )
    cache = out.cache if hasattr(out, "cache") else out.past_key_values
    if not all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in getattr(cache, "layers", [None])):
        return None
    new: list[list[int]] = [[] for _ in range(len(ids_BT))]
    rows = list(range(len(ids_BT)))
    for step in range(n_new):
        next_B = out.logits[:, -1].argmax(-1)
        for row, token in zip(rows, next_B.tolist(), strict=True):
            new[row].append(token)
        going = [at for at, row in enumerate(rows) if stop not in new[row][-1:]]
        if not going or step == n_new - 1:
            break
        if len(going) < len(rows):
            kept = torch.tensor(going, device=model.device)
            rows = [rows[at] for at in going]
            next_B, mask_BT, place_B = next_B[kept], mask_BT[kept], place_B[kept]
            cache.batch_select_indices(kept)
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(rows), 1)], 1)
        out = call(
            input_ids=next_B[:, None], attention_mask=mask_BT, position_ids=place_B[:, None], use_cache=True,
            **{name: cache}, **keep,
        )  # fmt: skip
        place_B = place_B + 1
    return new


def _step_by_step(
    model: PreTrainedModel, prompts: list[np.ndarray], stop: int, n_new: int, family: Family
) -> list[list[int]]:
    """Return the same for a model with learnt places before the prompt: each token by a forward pass of its own."""
    new: list[list[int]] = [[] for _ in prompts]
    for _ in range(n_new):
        open_rows = [row for row, tokens in enumerate(new) if stop not in tokens]
        if not open_rows:
            break
        if family == "causal":
            said = [[*prompts[row].tolist(), *new[row]] for row in open_rows]
            ids_BT, mask_BT = _right_padded(said)
            logits_BTV = model(input_ids=ids_BT.to(model.device), attention_mask=mask_BT.to(model.device)).logits
            logits_BTV = logits_BTV[:, -ids_BT.shape[1] :]  # without the learnt places
            last_B = mask_BT.sum(1) - 1
        else:
            ids_BT, mask_BT = _right_padded([prompts[row].tolist() for row in open_rows])
            # All open rows have said equally much.
            start = int(model.config.decoder_start_token_id)
            decoder_BU = torch.tensor([[start, *new[row]] for row in open_rows])
            logits_BTV = model(
                input_ids=ids_BT.to(model.device),
                attention_mask=mask_BT.to(model.device),
                decoder_input_ids=decoder_BU.to(model.device),
            ).logits
            last_B = torch.full((len(open_rows),), decoder_BU.shape[1] - 1)
        best_B = logits_BTV[torch.arange(len(open_rows)), last_B.to(logits_BTV.device)].argmax(-1)
        for row, token in zip(open_rows, best_B.tolist(), strict=True):
            new[row].append(token)
    return new


def _right_padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids_BT = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask_BT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids_BT, mask_BT
