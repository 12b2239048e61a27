"""Two arms without a model: what the data alone give away. A model that does not beat them has learnt nothing.

    train       "Capital of France?" Paris, "Capital of Italy?" Rome, "Twin of Rome?" Paris
    test        "The capital of Italy?" Rome
    majority -> "Paris"
    nearest  -> "Rome"

Both are fitted on the train side; the validation side only sets how far they trust it. Both are distributions
over token sequences, so that their NLL stands beside a model's:

    majority(r) = (1 - u) * count(r) / n + u * product of q(token)
    nearest(r)  = w * [r is the nearest answer] + (1 - w) * majority(r)

q is the unigram of the template's train tokens, one added to each token of the vocabulary; u = (unseen + 1) / (v + 2)
where `unseen` of the template's v validation answers are no train answer; w = (right + 1) / (v + 2) where `right` of
them are the nearest answer. The first term is a distribution over answers. The second is one over token strings
that end in the stop token, which stands nowhere else: the chance to stop is fixed, so all strings together have at
most 1. A mixture of both has at most 1 too, so no floor gets more credit than there is; that a train answer is
counted in both terms is what a mixture means, and makes the floor better, never worse.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from schemas import DataError

Floor = Literal["majority", "nearest"]
_CELLS = 1 << 22  # similarities in memory at once, 8 bytes each
# Longer prompts count by their two ends, where the question stands as a rule; all of a book would take weeks.
_END_CHARS = 1000


@dataclass(frozen=True)
class Row:
    """An example as the floors see it."""

    template: str
    prompt: str
    answer: str
    ids: NDArray[np.integer] | Sequence[int]
    """Tokens of the answer, the stop token last."""


@dataclass(frozen=True)
class _Side:
    """The train rows of one template, or of all."""

    n: int
    counts: dict[str, int]
    commonest: str
    tokens: NDArray[np.int64]
    log_q: NDArray[np.float64]
    log_q_unseen: float
    u: float

    @classmethod
    def of(cls, train: Sequence[Row], validation: Sequence[Row], n_vocabulary: int) -> Self:
        counts = Counter(row.answer for row in train)
        ids = [np.asarray(row.ids, np.int64) for row in train]
        tokens, n_times = np.unique(np.concatenate([*ids, np.empty(0, np.int64)]), return_counts=True)
        total = np.log(n_times.sum() + n_vocabulary)
        unseen = sum(row.answer not in counts for row in validation)
        return cls(
            n=len(train),
            counts=dict(counts),
            commonest=min(counts, key=lambda answer: (-counts[answer], answer), default=""),
            tokens=tokens,
            log_q=np.log(n_times + 1) - total,
            log_q_unseen=float(-total),
            u=(unseen + 1) / (len(validation) + 2) if train else 1.0,
        )

    def log_p(self, row: Row) -> float:
        """Return the log of `majority(r)`."""
        ids = np.asarray(row.ids, np.int64)
        place = np.searchsorted(self.tokens, ids)
        known = np.zeros(len(ids), bool)
        inside = place < len(self.tokens)
        known[inside] = self.tokens[place[inside]] == ids[inside]
        spelled = np.log(self.u) + self.log_q[place[known]].sum() + self.log_q_unseen * np.count_nonzero(~known)
        times = self.counts.get(row.answer, 0)
        return float(np.logaddexp(np.log((1 - self.u) * times / self.n), spelled) if times else spelled)


@dataclass(frozen=True)
class Floors:
    """The floors, fitted. To a template that train has not they answer nothing, and their NLL is that of all templates.

    Attributes:
        n_vocabulary: How many tokens a model can write.
    """

    n_vocabulary: int
    _all: _Side
    _sides: dict[str, _Side]
    _known: dict[str, dict[str, str]]  # template to prompt to the answer of its first row
    _w: dict[str, float]
    _found: dict[tuple[str, str], str] = field(default_factory=dict)  # searched once, for answers and NLL alike

    @classmethod
    def fit(cls, train: Sequence[Row], validation: Sequence[Row], n_vocabulary: int) -> Self:
        """Return the floors of a train side.

        Raises:
            DataError: A row has no ids, or one outside the vocabulary.
        """
        _check([*train, *validation], n_vocabulary)
        asked = _by_template(validation)
        sides, known = {}, {}
        for name, rows in _by_template(train).items():
            sides[name] = _Side.of(rows, asked.get(name, []), n_vocabulary)
            # Written last to first, so that of equal prompts the first one stays; then back in train order.
            first = {_ends(row.prompt): row.answer for row in reversed(rows)}
            known[name] = {prompt: first[prompt] for prompt in dict.fromkeys(_ends(row.prompt) for row in rows)}
        floors = cls(n_vocabulary, _Side.of(train, validation, n_vocabulary), sides, known, {})
        right = {
            name: sum(given == row.answer for given, row in zip(floors.answer("nearest", rows), rows, strict=True))
            for name, rows in asked.items()
        }
        return replace(floors, _w={name: (right.get(name, 0) + 1) / (len(asked.get(name, [])) + 2) for name in sides})

    def answer(self, arm: Floor, rows: Sequence[Row]) -> list[str]:
        """Return what the floor answers to each row; of equally near prompts the first in train order counts.

        Nearness is the ratio of rapidfuzz, about a microsecond a pair of prompts of 200 characters: 100,000 train
        prompts against 2,000 others take two minutes on two cores, in 32 MiB at once.
        """
        if arm == "majority":
            return [self._sides[row.template].commonest if row.template in self._sides else "" for row in rows]
        for template, asked in _by_template(rows).items():
            self._search(template, [_ends(row.prompt) for row in asked])
        return [self._found[row.template, _ends(row.prompt)] for row in rows]

    def nll(self, arm: Floor, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Return the negative log-likelihood of each row's reference, in nats a token.

        Raises:
            DataError: A row has no ids, or one outside the vocabulary.
        """
        _check(rows, self.n_vocabulary)
        log_p = np.array([self._sides.get(row.template, self._all).log_p(row) for row in rows], np.float64)
        if arm == "nearest":
            # Without train prompts there is no nearest one, and w is 0.
            w = np.array([self._w.get(row.template, 0.0) for row in rows], np.float64)
            given = self.answer(arm, rows)
            hit = np.array([one == row.answer for one, row in zip(given, rows, strict=True)], bool)
            with np.errstate(divide="ignore"):  # log 0 is meant
                log_p = np.logaddexp(np.log(w * hit), np.log1p(-w) + log_p)
        # Rounding may leave a certain answer a hair above 1.
        return np.maximum(-log_p, 0.0) / np.array([len(row.ids) for row in rows], np.float64)

    def _search(self, template: str, prompts: Iterable[str]) -> None:
        """Note the nearest answer to each prompt that was not asked before."""
        known = self._known.get(template, {})
        places, answers = list(known), list(known.values())
        new = [prompt for prompt in dict.fromkeys(prompts) if (template, prompt) not in self._found]
        for prompt in new:
            self._found[template, prompt] = known.get(prompt, "")
        new = [prompt for prompt in new if known and prompt not in known]
        step = max(1, _CELLS // max(1, len(known)))
        for start in range(0, len(new), step):
            some = new[start : start + step]
            # Doubles, because rounding would make ties.
            alike = process.cdist(some, places, scorer=fuzz.ratio, dtype=np.float64, workers=-1)
            for prompt, place in zip(some, alike.argmax(axis=1), strict=True):
                self._found[template, prompt] = answers[place]


def _by_template(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.template, []).append(row)
    return found


def _ends(prompt: str) -> str:
    return prompt if len(prompt) <= 2 * _END_CHARS else prompt[:_END_CHARS] + prompt[-_END_CHARS:]


def _check(rows: Sequence[Row], n_vocabulary: int) -> None:
    problems = []
    for row in rows:
        ids = np.asarray(row.ids)
        where = f"answer {row.answer[:40]!r} to {row.prompt[:40]!r} of template {row.template!r}"
        if not len(ids):
            fix = "end every answer with the stop token: then even an empty one has a token"
            problems.append(DataError("an answer has no tokens", where=where, fix=fix))
        elif not 0 <= ids.min() <= ids.max() < n_vocabulary:
            fix = "give the size of the model's output layer, and ids of its own tokenizer"
            worst = ids.max() if ids.max() >= n_vocabulary else ids.min()
            what = f"token {worst} is outside a vocabulary of {n_vocabulary}"
            problems.append(DataError(what, where=where, fix=fix))
    if error := DataError.of(problems):
        raise error
