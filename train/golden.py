"""A few prompts with what the tuned model makes of them: by these a merged or converted model is known again."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from schemas.method import Family

ANSWER_TOKENS = 64


@dataclass(frozen=True)
class Golden:
    """One prompt and the tuned model's answer to it.

    Attributes:
        example: Id of the train row it comes from.
        prompt: Its ids.
        answer: Greedy ids after it, the stop token included if it came; for a classifier the class alone.
        logits: float32, (places, vocabulary or classes): what the model thought at the answer's places.
    """

    example: str
    prompt: list[int]
    answer: list[int]
    logits: np.ndarray


@dataclass(frozen=True)
class Asking:
    """How golden prompts are asked.

    Attributes:
        family: Shape of the model.
        stop: Token that ends an answer.
        context: Longest sequence the model takes.
        most: Longest answer, in tokens.
    """

    family: Family
    stop: int
    context: int
    most: int = ANSWER_TOKENS


@torch.no_grad()
def ask_golden(model: PreTrainedModel, prompts: Sequence[tuple[str, Sequence[int]]], how: Asking) -> list[Golden]:
    """Return what a model says to prompts, each alone, the likeliest token each time.

    Args:
        model: On its device.
        prompts: (example id, token ids).
        how: Until when.
    """
    was_training = model.training
    model.eval()
    found = []
    for example, ids in prompts:
        prompt = [int(token) for token in ids]
        answer, logits = _one(model, prompt, how)
        found.append(Golden(example, prompt, answer, logits))
    model.train(was_training)
    return found


@torch.no_grad()
def logits_of(model: PreTrainedModel, golden: Golden, family: Family) -> np.ndarray:
    """Return what another model thinks at the places of a golden answer, given that answer."""
    prompt_1T = torch.tensor([golden.prompt], device=model.device)
    if family == "classify":
        logits = model(input_ids=prompt_1T).logits[0][None]
    elif family == "seq2seq":
        start = int(model.config.decoder_start_token_id or 0)
        said_1T = torch.tensor([[start, *golden.answer[:-1]]], device=model.device)
        logits = model(input_ids=prompt_1T, decoder_input_ids=said_1T, use_cache=False).logits[0]
    else:
        whole_1T = torch.tensor([[*golden.prompt, *golden.answer[:-1]]], device=model.device)
        # Prompt-learning methods put places of their own before; the last ones are those of the answer.
        logits = model(input_ids=whole_1T, use_cache=False).logits[0][-len(golden.answer) :]
    return np.asarray(logits.float().cpu().numpy())


def largest_difference(model: PreTrainedModel, golden: Sequence[Golden], family: Family) -> tuple[float, float]:
    """Return the largest difference of a logit, and the largest logit, over all golden answers."""
    pairs = [(one.logits, logits_of(model, one, family)) for one in golden]
    difference = max((float(np.abs(before - after).max()) for before, after in pairs), default=0.0)
    return difference, max((float(np.abs(before).max()) for before, _ in pairs), default=0.0)


def write_golden(
    golden: Sequence[Golden], tokenizer: PreTrainedTokenizerBase, read_back: Callable[[Sequence[int]], str], path: Path
) -> None:
    """Write a line of JSON for each: the prompt as text and ids, the answer as text and ids.

    Args:
        golden: What was asked and said.
        tokenizer: Reads the prompts.
        read_back: Reads the answers: a class by its name.
        path: Of the file.
    """
    lines = [
        json.dumps(
            {
                "id": one.example,
                "prompt": tokenizer.decode(one.prompt, skip_special_tokens=False, clean_up_tokenization_spaces=False),
                "prompt_ids": one.prompt,
                "answer": read_back(one.answer),
                "answer_ids": one.answer,
            },
            ensure_ascii=False,
        )
        for one in golden
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _one(model: PreTrainedModel, prompt: list[int], how: Asking) -> tuple[list[int], np.ndarray]:
    family, stop = how.family, how.stop
    if family == "classify":
        logits = logits_of(model, Golden("", prompt, [], np.empty(0)), family)
        return [int(logits[0].argmax())], logits
    ids_1T = torch.tensor([prompt], device=model.device)
    room = how.most if family == "seq2seq" else max(1, min(how.most, how.context - len(prompt)))
    own: Any = model.generation_config
    # `generate` would fill in from the model's own habits, such as a repetition penalty, what is left open.
    model.generation_config = GenerationConfig(decoder_start_token_id=getattr(own, "decoder_start_token_id", None))
    try:
        out_1T = model.generate(  # type: ignore[operator]
            input_ids=ids_1T,
            attention_mask=torch.ones_like(ids_1T),
            generation_config=GenerationConfig(
                do_sample=False, max_new_tokens=room, eos_token_id=stop, pad_token_id=stop,
                decoder_start_token_id=getattr(own, "decoder_start_token_id", None),
            ),
        )  # fmt: skip
    finally:
        model.generation_config = own
    new = out_1T[0].tolist()[1 if family == "seq2seq" else len(prompt) :]
    answer = [int(token) for token in new]
    return answer, logits_of(model, Golden("", prompt, answer, np.empty(0)), family)
