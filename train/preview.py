"""One row as the model will see it: its tokens, which of them carry loss, and the prompt that inference sends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.recipe import Recipe
from pipeline.snapshot import Snapshot
from schemas import SPLITS, ConfigError
from train.base_text import Tiny
from train.classes import labels_of
from train.encode import RowEncoder
from train.encode_parts import COLUMNS, files_of, weighed
from train.encoded import Encoded
from train.families import family_of
from train.plan import newest_split
from train.prepared import encoder_for
from train.pretrained import context_of, named_source, read_config, read_tokenizer
from train.shots import Shots


class Piece(NamedTuple):
    """Neighbouring tokens that make whole characters: mostly one.

    Attributes:
        ids: Their numbers.
        text: What they say.
        weight: How much they count in the loss.
    """

    ids: tuple[int, ...]
    text: str
    weight: float


@dataclass(frozen=True)
class Preview:
    """A row, ready to be looked at.

    Attributes:
        row: Its columns id, origin, template and status.
        side: Where it stands.
        prompt: The exact text that inference sends.
        examples: What is learnt of it, or asked on the other sides: each as pieces.
        engine: Which tokenizer made the ids, and why.
    """

    row: Mapping[str, str]
    side: str
    prompt: str
    examples: list[list[Piece]]
    engine: str


def preview(recipe: Recipe, data_root: Path, wanted: str | None) -> Preview:
    """Return a row of the recipe's newest split as a model sees it; no model is loaded, only its tokenizer.

    Args:
        recipe: Names base and settings.
        data_root: The store.
        wanted: Id or origin of a row; the first train row if left out.

    Raises:
        ConfigError: There is no split or no such row, or the tokenizer cannot be loaded.
        SourceError: The row breaks what must hold of every row.
    """
    split = newest_split(data_root, recipe.name)
    side, row = _find(split, wanted, recipe)
    encoder = _encoder(recipe, split)
    shots = Shots(split, recipe.encode) if recipe.encode.shots else None
    lessons = weighed([row], side, encoder, recipe.encode, shots)
    asked = row if shots is None else shots.before(row)
    return Preview(
        {name: str(row[name]) for name in ("id", "origin", "template", "status")},
        side,
        encoder.render_prompt(asked),
        [list(_pieces(lessons.encoded, i, encoder)) for i in range(len(lessons.encoded))],
        encoder.engine,
    )


def _find(split: Snapshot, wanted: str | None, recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """Return the side and the columns of a row."""
    columns = [*COLUMNS, *(["meta"] if recipe.encode.row_weight else [])]
    for side in SPLITS:
        for part in files_of(split, side):
            for batch in Snapshot.read_part(split.folder / part.name, columns):
                ids, origins = batch.column("id").to_pylist(), batch.column("origin").to_pylist()
                for place in range(batch.num_rows):
                    if wanted is None or _is(wanted, ids[place], origins[place]):
                        return side, batch.slice(place, 1).to_pylist()[0]
    raise ConfigError(
        f"no row has the id or origin {wanted!r}",
        where=str(split.folder),
        fix="`tuneloop show split` lists some; `tuneloop explain` says what became of a row that is gone",
    )


def _is(wanted: str, number: str, origin: str) -> bool:
    """Return whether a row is the wanted one; of its origin the tail will do: a person types the name of the file."""
    return wanted in (number, origin) or (":" in wanted and origin.endswith(f"/{wanted}"))


def _encoder(recipe: Recipe, split: Snapshot) -> RowEncoder:
    settings, encode = recipe.train, recipe.encode
    if settings.base == "tiny":
        tokenizer = read_tokenizer(settings, Path(settings.base_tokenizer), encode)
        return encoder_for(tokenizer, Tiny().context, "causal", settings.base, encode, None)
    source = named_source(settings)
    tokenizer, config = read_tokenizer(settings, source, encode), read_config(settings, source)
    family = family_of(settings, config)
    labels = labels_of(split) if family == "classify" else None
    return encoder_for(tokenizer, context_of(config, encode), family, settings.base, encode, labels)


def _pieces(encoded: Encoded, i: int, encoder: RowEncoder) -> Iterator[Piece]:
    """Yield an example piece by piece: a character may be made of several tokens, a class is a number of its own."""
    if encoder.stop_id is None:
        n = int(encoded.n_prompt[i])
        for token in encoded.prompt(i).tolist():
            yield Piece((token,), str(encoder.tokenizer.decode([token])), 0.0)
        said = encoded.target(i).tolist()
        yield Piece(tuple(said), f" -> {encoder.read_back(said)}", float(encoded.weights_of(i)[n]))
        return
    waiting: list[int] = []
    weights = encoded.weights_of(i).tolist()
    for token, weight in zip(encoded.example(i).tolist(), weights, strict=True):
        waiting.append(token)
        text = encoder.tokenizer.decode(waiting, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if "\ufffd" not in text or len(waiting) == 4:  # no character has more than four bytes
            yield Piece(tuple(waiting), str(text), weight)
            waiting = []
    if waiting:
        yield Piece(tuple(waiting), "\ufffd", weights[-1])
