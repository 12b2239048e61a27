"""What can be trained of a model: every method in words, with its learning rate and why that, and where it works.

Knows no torch: `tuneloop methods` prints this table fast, and a wrong combination is refused before anything loads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from schemas import ConfigError
from schemas.method import Family, Method
from schemas.training import Train

FAMILIES: tuple[Family, ...] = get_args(Family)
Kind = Literal["weights", "lora", "ia3", "prompt", "adapters"]

# Zephyr (2023) took a fortieth of its supervised rate, and twice that at smaller batches is common.
DPO_SHARE = 20

# Kinds of model that peft's adaption prompts know how to enter.
ADAPTERS_FIT = ("gpt2", "llama", "mistral")


@dataclass(frozen=True)
class MethodFacts:
    """One method.

    Attributes:
        name: As recipes write it.
        kind: How it is done: weights of the model itself, or which sort of adapter.
        meaning: What trains, in a sentence.
        rate: Peak learning rate for AdamW on a pretrained base, at batches of 8 to 32.
        tiny_rate: The same on the tiny base.
        why: Where `rate` comes from.
        families: Families it serves.
        packs: Whether examples may lie side by side in a causal model; measured, see docs/methods.md.
        needs_gpu: Whether it works on a GPU alone.
    """

    name: Method
    kind: Kind
    meaning: str
    rate: float
    tiny_rate: float
    why: str
    families: tuple[Family, ...] = FAMILIES
    packs: bool = True
    needs_gpu: bool = False

    @property
    def is_adapter(self) -> bool:
        """Whether what trains is saved beside the base, not in its place."""
        return self.kind != "weights"

    @property
    def has_rank(self) -> bool:
        """Whether `[train] rank` and `alpha` mean something."""
        return self.kind == "lora"


_TEXT: tuple[Family, ...] = ("causal", "seq2seq")
METHODS: dict[Method, MethodFacts] = {
    facts.name: facts
    for facts in (
        MethodFacts(
            "full", "weights", "every weight", 2e-5, 2e-3,
            "best of PEFT's MetaMathQA runs was 1e-5 at batches of 4; batches are larger here",
        ),
        MethodFacts(
            "last-k", "weights", "the last blocks, the norm after them and the output layer", 5e-5, 2e-3,
            "as full, somewhat more, since most of what the base knows stands still",
        ),
        MethodFacts(
            "head", "weights", "the output layer alone, on a frozen backbone", 5e-4, 4e-3,
            "one linear map on fixed features has one optimum, so a high rate is safe",
        ),
        MethodFacts(
            "lora", "lora", "two thin matrices beside every linear layer but the output", 2e-4, 4e-3,
            "ten times that of full, whatever the rank (LoRA Without Regret, 2025)",
        ),
        MethodFacts(
            "rslora", "lora", "lora, its scale divided by the root of the rank instead of the rank", 5e-5, 1e-3,
            "lora's by the root of the rank: at alpha = rank = 32 the scale is 5.7 times as large",
        ),
        MethodFacts(
            "dora", "lora", "lora for the direction of each weight column, and a number for its length", 2e-4, 4e-3,
            "as lora: PEFT's runs used the same rate for both",
        ),
        MethodFacts(
            "loftq", "lora", "lora on a base rounded to 4 bits (NF4), begun at what makes up best for the rounding",
            2e-4, 4e-3, "as lora; the LoftQ paper used 1e-4 to 4e-4",
        ),
        MethodFacts(
            "qlora-8bit", "lora", "lora on a base held in 8 bits", 2e-4, 4e-3, "as lora (QLoRA, 2023)", needs_gpu=True,
        ),
        MethodFacts(
            "qlora-4bit", "lora", "lora on a base held in 4 bits (NF4)", 2e-4, 4e-3,
            "the QLoRA paper's rate up to 13B", needs_gpu=True,
        ),
        MethodFacts(
            "ia3", "ia3", "a factor for each key, value and feed-forward channel", 5e-3, 2e-2,
            "PEFT's MetaMathQA runs: accuracy 0.31 at 1e-4, 0.46 at 5e-3",
        ),
        MethodFacts(
            "prefix", "prompt", "learnt keys and values before the prompt, in every layer", 5e-3, 2e-2,
            "PEFT's MetaMathQA runs: accuracy 0.19 at 1e-3, 0.42 at 5e-3", _TEXT, packs=False,
        ),
        MethodFacts(
            "prompt", "prompt", "learnt embeddings before the prompt, begun at tokens of the base",
            1e-3, 2e-2, "PEFT's MetaMathQA runs: accuracy 0.06 at 1e-4, 0.34 at 1e-3", packs=False,
        ),
        MethodFacts(
            "p-tuning", "prompt", "embeddings before the prompt, made by a small network that trains",
            1e-3, 4e-3, "as prompt; PEFT's runs reached 0.35 so", packs=False,
        ),
        MethodFacts(
            "adapters", "adapters", "LLaMA-Adapter: learnt tokens beside each attention, let in through a gate", 5e-3,
            2e-2, "the paper used 9e-3 at batches of 64; batches are smaller here", ("causal",),
        ),
    )
}  # fmt: skip


def peak_rate(settings: Train) -> tuple[float, str]:
    """Return the learning rate and where it comes from, in words."""
    if settings.learning_rate is not None:
        return settings.learning_rate, "from the recipe"
    facts = METHODS[settings.method]
    if settings.base == "tiny":
        return facts.tiny_rate, f"the default for {settings.method} on the tiny base: small models bear more"
    if settings.objective == "dpo":
        return (
            facts.rate / DPO_SHARE,
            f"a {DPO_SHARE}th of the default for {settings.method}: pairs push harder than answers",
        )
    return facts.rate, f"the default for {settings.method} on a pretrained base: {facts.why}"


def check_method(settings: Train, family: Family, model_type: str, *, has_gpu: bool, has_bitsandbytes: bool) -> None:
    """Return if the method can train this kind of model here.

    Args:
        settings: Of the recipe.
        family: Of the base.
        model_type: Of the base's config, such as llama.
        has_gpu: Whether there is a GPU.
        has_bitsandbytes: Whether the package is installed.

    Raises:
        ConfigError: It cannot; names the nearest that can.
    """
    facts, where = METHODS[settings.method], f"[train] method = {settings.method!r}"
    nearest = _nearest(settings.method, family)
    if facts.needs_gpu and not has_gpu:
        raise ConfigError(
            f"{settings.method} needs a GPU, and there is none",
            where=where,
            fix='train where there is one, or set method = "lora": the same adapter on the base as it is',
        )
    if facts.needs_gpu and not has_bitsandbytes:
        raise ConfigError(
            f"{settings.method} needs the package bitsandbytes, which is not installed",
            where=where,
            fix='install it (`uv pip install bitsandbytes`), or set method = "lora"',
        )
    if family not in facts.families:
        raise ConfigError(f"{settings.method} {_WHY_NOT[settings.method, family]}", where=where, fix=nearest)
    if facts.kind == "adapters" and model_type not in ADAPTERS_FIT:
        raise ConfigError(
            f"peft has adapters for {', '.join(ADAPTERS_FIT)}, not for a base of type {model_type}",
            where=where,
            fix=nearest,
        )
    if settings.method == "prefix" and settings.activation_checkpointing:
        raise ConfigError(
            "prefix and activation_checkpointing exclude each other: a checkpointed layer forgets its prefix",
            where=where,
            fix='set activation_checkpointing = false and a smaller token_budget, or method = "prompt"',
        )


def how_packed(method: Method, family: Family) -> str:
    """Return whether examples lie side by side under a method, and why or why not."""
    if family != "causal":
        return f"one padded example a row: packing is exact for causal models alone, and this one is {family}"
    if not METHODS[method].packs:
        return f"one padded example a row: under {method} peft ignores where a packed example begins"
    return "packed without padding; examples cannot see each other"


def table(families: Sequence[Family] = FAMILIES) -> list[list[str]]:
    """Return a row a method: name, meaning, families, packed, rates, why; the first row is the header."""
    head = ["method", "what trains", *families, "packed", "rate", "on tiny", "why"]
    rows = [
        [
            facts.name,
            facts.meaning + (" (GPU)" if facts.needs_gpu else ""),
            *("yes" if family in facts.families else "no" for family in families),
            "yes" if facts.packs else "no",
            f"{facts.rate:g}",
            f"{facts.tiny_rate:g}",
            facts.why,
        ]
        for facts in METHODS.values()
    ]
    return [head, *rows]


_WHY_NOT: dict[tuple[Method, Family], str] = {
    ("prefix", "classify"): "does not reach a classification head: such models take no keys and values from outside",
    ("adapters", "classify"): "would leave the new classification head untrained: peft's adapters know none",
    ("adapters", "seq2seq"): "is not made for encoder-decoders in peft",
}


def _nearest(method: Method, family: Family) -> str:
    """Return the cure: the method most like this one that works for the family."""
    like: Method = "prompt" if method in ("prefix", "p-tuning") else "lora"
    return f'set method = "{like}", the nearest that works for {family}; `tuneloop methods` lists them'
