"""What a run learns from: the train side, general text beside it, and in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from schemas import ConfigError, Template
from schemas.method import Family
from schemas.training import Train
from train.base_text import documents, parted
from train.chain import Chain
from train.encoded import Encoded
from train.order import Order, Wishes, arrange
from train.tiny import encode_documents


@dataclass(frozen=True)
class Mix:
    """All that is learnt from, and when.

    Attributes:
        data: The train side, then the documents of general text.
        order: Which of these a step learns from.
        steps: In all.
        n_documents: Of general text.
    """

    data: Encoded
    order: Order
    steps: int
    n_documents: int


def mix(
    settings: Train,
    side: Encoded,
    templates: Sequence[str],
    known: Mapping[str, tuple[Template, Path]],
    tokenizer: PreTrainedTokenizerBase,
    longest: int,
    family: Family,
) -> Mix:
    """Return what a run learns from.

    Args:
        settings: Of the recipe.
        side: The train side.
        templates: Name of the template of each of its examples.
        known: The templates themselves, which say what kind of task they are.
        tokenizer: Of the base.
        longest: Documents are cut to so many tokens.
        family: Of the base.

    Raises:
        ConfigError: The general text cannot be read, or a wish of the order cannot be granted.
    """
    text = _general(settings, tokenizer, longest, family)
    order, steps = arrange(
        templates,
        {name: template.task for name, (template, _) in known.items()},
        Wishes(settings.task_weights, settings.sequence, settings.replay_share),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        max_steps=settings.max_steps,
        n_documents=len(text),
        seed=settings.seed,
    )
    return Mix(Chain.linked([side, text]) if len(text) else side, order, steps, len(text))


def _general(settings: Train, tokenizer: PreTrainedTokenizerBase, longest: int, family: Family) -> Encoded:
    """Return the documents of general text; none if none are wanted."""
    if not settings.replay_share:
        if settings.replay_text:
            raise ConfigError(
                "general text is named, and no share of it is wanted",
                where=f"[train] replay_text = {settings.replay_text!r}",
                fix="set replay_share, such as 0.1, or leave replay_text out",
            )
        return Encoded.of([], [])
    if settings.objective == "dpo" or family != "causal":
        raise ConfigError(
            "general text has no pairs and no class, nor a prompt for an encoder, so it cannot be replayed here",
            where=f"[train] replay_share = {settings.replay_share}",
            fix="leave replay_share out; beta (dpo) or a lower learning rate keep the model near its base",
        )
    if settings.replay_text:
        texts = parted(Path(settings.replay_text), f"[train] replay_text = {settings.replay_text!r}")
    else:
        # But what is held: that measures what training makes a model forget.
        texts, _ = documents(Path(settings.base_text))
    return encode_documents(tokenizer, texts, longest, settings.replay_text or settings.base_text)
