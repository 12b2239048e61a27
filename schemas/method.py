"""Names of what can be trained: parts of a model, and shapes of models."""

from typing import Literal

Method = Literal[
    "full",
    "last-k",
    "head",
    "lora",
    "rslora",
    "dora",
    "loftq",
    "qlora-8bit",
    "qlora-4bit",
    "ia3",
    "prefix",
    "prompt",
    "p-tuning",
    "adapters",
]
Family = Literal["causal", "seq2seq", "classify"]
