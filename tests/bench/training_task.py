"""One task for several trainers: a Llama-shaped base, real rows, a plain judge. Runs in our environment and in a peer's.

A row is {"prompt": [message], "completion": [message]}. The judge reads one example at a time, works every logit out,
and knows neither packing nor masks, so it favours nobody.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
BATCH, RATE, WARMUP, SEED, MAX_LENGTH = 16, 1e-3, 5, 1, 1024


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def ids_of(tokenizer: Any, row: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Return prompt and target of a row as ids."""
    prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
    target = row["completion"][0]["content"] + tokenizer.eos_token
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, target))


@torch.no_grad()
def plain_nll(model: Any, pairs: Sequence[tuple[list[int], list[int]]]) -> float:
    """Return nats a target token, in float32, one example at a time."""
    total, n = 0.0, 0
    was_training = model.training
    model.eval()
    for prompt, target in pairs:
        ids = torch.tensor([prompt + target], device=model.device)
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float()
        total += torch.nn.functional.cross_entropy(logits, ids[0, len(prompt) :], reduction="sum").item()
        n += len(target)
    model.train(was_training)
    return total / n


def rate_at(step: int, steps: int) -> float:
    """Return the share of the peak rate at a step from 0: a line up, then a cosine to a tenth."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - WARMUP) / max(1, steps - WARMUP)))
