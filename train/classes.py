"""Rows for a classifier: a prompt to read, and the number of its answer among the answers that train gives.

    train        "Where is my parcel?" -> shipping, "I want my money" -> refund
    labels       refund 0, shipping 1                 sorted, so that they do not depend on the order of rows
    test         "Broken!" -> complaint               2: no train row has it, so the head cannot say it

Such a row is counted, said, and kept: the model answers it wrongly, and its NLL is what add-one smoothing gives to an
answer seen never among the train rows (`train.families.unseen_nll`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.digest import value_digest
from pipeline.snapshot import Snapshot
from schemas import ConfigError, SourceError
from train.encoded import Encoded
from train.text_pairs import answer_text, prompt_text, token_ids, too_long

MOST_CLASSES = 1000


@dataclass(frozen=True)
class Labels:
    """The answers of a split.

    Attributes:
        known: Distinct answers of the train side, sorted; the place of each is its class.
        unseen: Distinct answers that only other sides give, sorted; their numbers go on.
        n_unseen: Rows that have one of these.
    """

    known: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    n_unseen: int = 0

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each answer."""
        return {text: number for number, text in enumerate((*self.known, *self.unseen))}

    def text(self, number: int) -> str:
        """Return the answer of a number."""
        return (*self.known, *self.unseen)[number]


def labels_of(split: Snapshot) -> Labels:
    """Return the answers of a split, train side first.

    Raises:
        ConfigError: There are too many to be classes, or only one.
    """
    known, others = _answers(split, ("train",)), _answers(split, ("validation", "test"))
    if not 2 <= len(known) <= MOST_CLASSES:
        fix = (
            f'a classifier takes 2 to {MOST_CLASSES:,}: set family = "causal" or "seq2seq" for free text, '
            "or leave only rows with labels in [ingest]"
        )
        raise ConfigError(f"train gives {len(known):,} different answers", where="[train] family = 'classify'", fix=fix)
    unseen = {text: n for text, n in others.items() if text not in known}
    return Labels(tuple(sorted(known)), tuple(sorted(unseen)), sum(unseen.values()))


class Classes:
    """Turns rows of a split into token ids and a class."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, labels: Labels, max_length: int) -> None:
        """Read prompts of at most `max_length` tokens, and answers that are labels."""
        self.tokenizer, self.labels, self.max_length = tokenizer, labels, max_length

    @property
    def stop_id(self) -> None:
        """None: an answer is one number."""
        return

    @property
    def engine(self) -> str:
        """Which tokenizer makes the ids."""
        return "tokenizers: the base's own special tokens stand around each prompt"

    @property
    def depends_on(self) -> Mapping[str, str]:
        """What else than a row decides its ids."""
        named = value_digest([list(self.labels.known), list(self.labels.unseen)])
        return {"encoder": "classes", "max_length": str(self.max_length), "labels": named}

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return rows as ids.

        Raises:
            SourceError: A prompt is too long or empty, or an answer is no label; all at once.
        """
        names = [str(row["origin"]) for row in rows]
        prompts = token_ids(self.tokenizer, [self.render_prompt(row) for row in rows])
        classes = [self.labels.numbers.get(answer_text(row)) for row in rows]
        problems: list[SourceError] = []
        for name, prompt, number in zip(names, prompts, classes, strict=True):
            problems += too_long(name, "prompt", len(prompt), self.max_length)
            if not prompt:
                problems.append(SourceError("the prompt has no token", where=name, fix="mend or drop the row"))
            if number is None:
                fix = "run `tuneloop train` again: the labels are read from the split when it begins"
                problems.append(SourceError("the answer is no label of this split", where=name, fix=fix))
        if problem := SourceError.of(problems):
            raise problem
        targets = [[number] for number in classes if number is not None]
        return Encoded.of(list(zip(prompts, targets, strict=True)), names)

    def render_prompt(self, row: Mapping[str, Any]) -> str:
        """Return the text that the model reads."""
        return prompt_text(row)

    def read_back(self, ids: Sequence[int]) -> str:
        """Return the label of a class."""
        return self.labels.text(int(ids[0]))


def _answers(split: Snapshot, sides: Sequence[str]) -> dict[str, int]:
    """Return the distinct answers of some sides and how many rows have each."""
    found: dict[str, int] = {}
    for file in split.manifest.files:
        if not file.name.startswith(tuple(f"{side}-" for side in sides)):
            continue
        for batch in Snapshot.read_part(split.folder / file.name, ["completion"]):
            for row in batch.to_pylist():
                text = answer_text(row)
                found[text] = found.get(text, 0) + 1
    return found
