"""What a run needs before it trains: the base and the split in its tokens, loaded and checked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from schemas.method import Family
from schemas.training import Encode, Train
from train.classes import Classes, Labels, labels_of
from train.encode import Encoder, RowEncoder
from train.encoding import Encoding, encode_split
from train.exam import Side, read_side
from train.families import family_of, is_packed
from train.isolation import proved
from train.loop import Reading
from train.model import Base, load_base
from train.plan import Plan
from train.pretrained import named_source, read_config
from train.text_pairs import TextPairs
from train.tiny import build_tiny


@dataclass(frozen=True)
class Tell:
    """Whom to tell what.

    Attributes:
        line: A sentence.
        reading: Of the loop; the first argument says what is trained.
        asked: What is asked, how many prompts are done, and of how many.
    """

    line: Callable[[str], None]
    reading: Callable[[str, Reading], None]
    asked: Callable[[str, int, int], None]


@dataclass(frozen=True)
class Prepared:
    """The base and the split in its tokens: what is learnt in `encoding`, what is asked in `sides`.

    Attributes:
        source: Where the base comes from: a folder or a hub id.
        base: Loaded.
        encoder: What made the tokens.
        sides: One example a row, its completion alone.
        encoding: The snapshot of both.
        labels: Of a classifier.
    """

    source: Path | str
    base: Base
    encoder: RowEncoder
    sides: dict[str, Side]
    encoding: Encoding
    labels: Labels | None = None


def prepare_run(plan: Plan, tell: Tell) -> Prepared:
    """Return base and split, loaded and checked; the base is made first if it is tiny and not there.

    Raises:
        DataError: The base or a row cannot be used.
    """
    settings = plan.settings
    source = source_of(plan, tell)
    labels = labels_of(plan.split) if family_of(settings, read_config(settings, source)) == "classify" else None
    base = load_base(settings, source, plan.encode, labels.known if labels else None)
    encoder = row_encoder(base, plan.encode, labels)
    encoding = encode_split(plan.split, encoder, plan.encode, plan.data_root, plan.recipe, tell.line)
    if is_packed(base.family, settings.method):
        base = proved(base, encoding.lessons())
    sides = {
        name: read_side(plan.split, name, encoder, encoding.completions(name))
        for name in ("train", "validation", "test")
    }
    if labels:
        tell.line(
            f"labels    {len(labels.known):,} answers of train are the classes; {labels.n_unseen:,} rows of validation "
            "and test have one that train never gives, and count as wrong"
        )
    return Prepared(source, base, encoder, sides, encoding, labels)


def source_of(plan: Plan, tell: Tell) -> Path | str:
    """Return where the base comes from; tiny is made first if it is not there."""
    settings: Train = plan.settings
    if settings.base == "tiny":
        return build_tiny(settings, plan.tiny, plan.data_root, tell.line, lambda at: tell.reading("base", at))
    return named_source(settings)


def row_encoder(base: Base, encode: Encode, labels: Labels | None) -> RowEncoder:
    """Return what turns rows into examples for a base."""
    return encoder_for(base.tokenizer, base.context, base.family, base.name, encode, labels)


def encoder_for(
    tokenizer: PreTrainedTokenizerBase,
    context: int,
    family: Family,
    name: str,
    encode: Encode,
    labels: Labels | None,
) -> RowEncoder:
    """Return what turns rows into examples for a base of which no more than this is known."""
    where, most = f"[train] base = {name!r}", min(encode.max_length, context)
    if labels:
        return Classes(tokenizer, labels, most)
    if family == "seq2seq":
        return TextPairs(tokenizer, most, where)
    return Encoder(tokenizer, most, where, encode.chat_template_kwargs, encode.shots)
