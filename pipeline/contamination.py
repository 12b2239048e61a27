"""Which rows repeat an item of a benchmark: as a whole, in part, in other words, or by its answer alone.

    item 7 of quiz.jsonl   "Tom has 3 cats and 14 mice. How many animals has he?"  answer "3 + 14 = 17 #### 17"

    "Solve: Tom has 3 cats and 14 mice. How many animals has he? Think first."     the prompt contains 100 % of item 7
    "Tom keeps 14 mice and 3 cats. What number of animals is that?"  "... so 17"   item 7 in other words
    "Tom has 5 cats and 12 mice. How many animals has he?"                         another question

Each row is judged by itself, so the batches that rows come in change nothing. The rules stand in
`pipeline.repetition`; `tests/bench/decontamination.py` prints what they find and miss.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.benchmarks import Item
from pipeline.difference import SAME, likeness_of
from pipeline.lexer import Hashes, Ints, Tokens, ends_with, tokens_of
from pipeline.ngram_index import index_of
from pipeline.ngrams import NO_WORDS, common_runs, whole_hashes
from pipeline.plain import normal
from pipeline.repetition import EQUAL, HOW, LEAST_ALIKE, NEAR, Decontaminate, Found, anywhere, in_prompt
from pipeline.runs import Bools, Index, Pairs
from pipeline.similarity import scores

__all__ = ["Contamination", "Decontaminate", "Hit"]

_BYTES_AT_ONCE = 8 << 20
_FINAL_TOKENS = 8  # a longer answer is looked for by its runs
_SPARE_TOKENS = 4  # "... so it is 18 dollars in all"
_COMMON_SHARE = 0.05  # of a file's items: an answer that so many share, such as "yes" or "B", says nothing
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")


@dataclass(frozen=True)
class Hit:
    """The item a row repeats.

    Attributes:
        score: 0 to 1: the share that is repeated.
        how: What is repeated, as a sentence about the row.
    """

    row: int
    item: Item
    score: float
    how: str


@dataclass(frozen=True)
class Compared:
    """What entries have in common with the items.

    Attributes:
        asked: Tokens of the prompts.
        questions: Prompts and questions.
        answers: Prompts and long answers.
        is_answered: For each pair of `questions` whether the response holds the answer.
        responses: Distinct responses, and questions and long answers.
        told: Number of each entry's response.
    """

    asked: Tokens
    questions: Pairs
    answers: Pairs
    is_answered: Bools
    responses: Pairs
    told: Ints


@dataclass(frozen=True)
class Contamination:
    """Items of benchmarks, ready to be looked for.

    Attributes:
        items: In order of file and number; those with one file and number are views of one item.
        first: For each view the first of its item.
        index: The questions of all views, then the long answers.
        view: For each indexed text its view.
        questions: Of all views, `normal`.
        words: A hash of all words of each question in order.
        finals: For each view the words that a right response ends with; none where they would tell nothing.
    """

    settings: Decontaminate
    near: float
    items: Sequence[Item]
    first: Ints
    index: Index
    view: Ints
    questions: pa.LargeStringArray
    words: Hashes
    finals: Tokens

    @staticmethod
    def of(items: Sequence[Item], near: float, settings: Decontaminate) -> "Contamination":
        """Return the items indexed.

        Args:
            items: From `read_items`; those without a question are left out.
            near: Least score of a whole prompt that means the same as an item.
            settings: When a row is a hit.
        """
        items = sorted((item for item in items if item.question.strip()), key=lambda item: (item.file, item.n))
        numbers: dict[tuple[str, int], int] = {}
        first = np.array([numbers.setdefault((item.file, item.n), at) for at, item in enumerate(items)], np.int64)
        questions = normal(pa.array([item.question for item in items], pa.large_string()))
        one = np.unique(first)
        answers = normal(pa.array([items[at].answer for at in one.tolist()], pa.large_string()))
        is_long = tokens_of(answers).counts() > _FINAL_TOKENS
        is_question = np.arange(len(items) + int(is_long.sum())) < len(items)
        return Contamination(
            settings=settings,
            near=near,
            items=items,
            first=first,
            index=index_of(pa.concat_arrays([questions, answers.filter(pa.array(is_long))]), is_question),
            view=np.concatenate([np.arange(len(items)), one[is_long]]),
            questions=questions,
            words=whole_hashes(tokens_of(questions)),
            finals=tokens_of(normal(pa.array(_finals(items, numbers), pa.large_string()))),
        )

    def matches(self, row: Ints, question: pa.LargeStringArray, answer: pa.LargeStringArray) -> list[Hit]:
        """Return the best hit of each row that repeats an item, in order of row.

        Of equally good hits the one with the smallest file and number is told.

        Args:
            row: The row of each entry; a row has as many entries as there are views of its prompt.
            question: A view of the row's prompt, `normal`.
            answer: The row's response, `normal`.
        """
        if not self.items or not len(row):
            return []
        found = [
            replace(one, entry=one.entry + start)
            for start, stop in _pieces(question, answer)
            for one in self._found(question[start:stop], answer[start:stop])
        ]
        return self._best(row, Found.joined(found))

    def compare(self, question: pa.LargeStringArray, answer: pa.LargeStringArray) -> "Compared":
        """Return what prompts and responses have in common with the items; the entries are one piece of a batch."""
        # The views of a row have one response.
        coded = pc.dictionary_encode(answer)
        told = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        asked, said = tokens_of(question), tokens_of(coded.dictionary)
        ngram, least = self.settings.ngram, self.settings.least
        prompts = common_runs(asked, self.index, ngram, least, by_words=True)
        responses = common_runs(said, self.index, ngram, least, by_words=False)
        is_question = prompts.text < len(self.items)
        questions = prompts.where(is_question)
        is_answered = self._answered(questions, said, told, responses)
        return Compared(asked, questions, prompts.where(~is_question), is_answered, responses, told)

    def _found(self, question: pa.LargeStringArray, answer: pa.LargeStringArray) -> Iterator[Found]:
        compared = self.compare(question, answer)
        questions, answers, responses = compared.questions, compared.answers, compared.responses
        yield self._equal(question)
        yield self._near(question, compared.asked, questions)
        words = np.diff(self.index.starts)[questions.text]
        yield in_prompt(questions, words, self._content(questions), compared.is_answered, self.settings)
        is_answer = np.ones(len(answers.row), bool)
        yield anywhere(answers, self._content(answers), is_answer, self.settings, in_response=False)
        is_answer = responses.text >= len(self.items)
        found = anywhere(responses, self._content(responses), is_answer, self.settings, in_response=True)
        for at in range(len(found.entry)):
            entry = np.flatnonzero(compared.told == found.entry[at])
            text, score, how = (np.repeat(column[at], len(entry)) for column in (found.text, found.score, found.how))
            yield Found(entry, text, score, how)

    def _content(self, pairs: Pairs) -> Ints:
        return self.index.n_content[pairs.text]

    def _equal(self, question: pa.LargeStringArray) -> Found:
        """Find the prompts that equal a question but for white space."""
        views = pc.fill_null(pc.index_in(question, self.questions), -1).to_numpy(zero_copy_only=False)
        entry = np.flatnonzero((views >= 0) & (pc.binary_length(question).to_numpy(zero_copy_only=False) > 0))
        return Found(entry, views[entry].astype(np.int64), np.ones(len(entry)), np.full(len(entry), EQUAL))

    def _near(self, question: pa.LargeStringArray, asked: Tokens, pairs: Pairs) -> Found:
        """Find the prompts that differ from a question in form alone: in punctuation, or near and of one meaning."""
        alike = pairs.where((pairs.missing == 0) & (pairs.extra == 0) & (pairs.alike >= LEAST_ALIKE))
        score = scores(question.take(pa.array(alike.row)), self.questions.take(pa.array(alike.text)), self.near)
        is_near = score > 0
        entry, view = _equal_words(whole_hashes(asked), self.words)
        entry = np.concatenate([alike.row[is_near], entry])
        view = np.concatenate([alike.text[is_near], view])
        score = np.concatenate([score[is_near].astype(np.float64), np.ones(len(entry) - int(is_near.sum()))])
        texts = zip(
            question.take(pa.array(entry)).to_pylist(), self.questions.take(pa.array(view)).to_pylist(), strict=True
        )
        same = np.array([likeness_of(one, other) == SAME for one, other in texts], bool)
        return Found(entry[same], view[same], score[same], np.full(int(same.sum()), NEAR))

    def _answered(self, prompts: Pairs, said: Tokens, told: Ints, responses: Pairs) -> Bools:
        """Return for each pair of a prompt and a question whether the response holds the item's answer.

        A short one stands at its end, of a long one half the words stand in it.
        """
        response = told[prompts.row]
        is_final = ends_with(said, response, self.finals, prompts.text, _SPARE_TOKENS)
        long = responses.where(responses.text >= len(self.items))
        long = long.where(2 * long.loose >= np.maximum(self._content(long), 1))
        known = long.row * len(self.items) + self.view[long.text]
        return is_final | np.isin(response * len(self.items) + self.first[prompts.text], known)

    def _best(self, row: Ints, found: Found) -> list[Hit]:
        rows, view = row[found.entry], self.view[found.text]
        order = np.lexsort((view, found.how, -found.score, rows))
        hits = []
        for at in order[np.unique(rows[order], return_index=True)[1]].tolist():
            item, score = self.items[int(view[at])], float(found.score[at])
            how = HOW[int(found.how[at])].format(f"item {item.n} of {item.file}", score)
            hits.append(Hit(int(rows[at]), item, score, how))
        return hits


def _equal_words(hashes: Hashes, known: Hashes) -> tuple[Ints, Ints]:
    """Return the pairs of equal hashes as places in the one and the other; those of texts without words are none."""
    order = np.argsort(known, kind="stable")
    start, stop = (np.searchsorted(known[order], hashes, side=side) for side in ("left", "right"))
    stop = np.where(hashes == NO_WORDS, start, stop)
    counts = stop - start
    entry = np.repeat(np.arange(len(hashes)), counts)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(counts) - counts, counts)
    return entry, order[start[entry] + within]


def _pieces(question: pa.LargeStringArray, answer: pa.LargeStringArray) -> Iterator[tuple[int, int]]:
    """Yield bounds of runs of entries with some megabytes of text each: a token takes as much room as eight bytes."""
    sizes = [pc.binary_length(texts).to_numpy(zero_copy_only=False) for texts in (question, answer)]
    piece = np.cumsum(sizes[0] + sizes[1]) // _BYTES_AT_ONCE
    starts = np.flatnonzero(np.append(True, piece[1:] != piece[:-1]))
    yield from zip(starts.tolist(), [*starts[1:].tolist(), len(piece)], strict=True)


def _finals(items: Sequence[Item], known: dict[tuple[str, int], int]) -> list[str]:
    """Return the short or last part of each item's answer, empty where it tells little.

    That is where many items of the file share it, and where it is one word but no number, as "Sunday".
    """
    finals = [_final(item.answer) for item in items]
    sizes = Counter(file for file, _ in known)
    shared = Counter((items[at].file, finals[at]) for at in known.values())
    told = tokens_of(normal(pa.array(finals, pa.large_string()))).counts()
    is_common = [
        shared[item.file, final] > max(1, _COMMON_SHARE * sizes[item.file])
        for item, final in zip(items, finals, strict=True)
    ]
    return [
        "" if common or n > _FINAL_TOKENS or (n == 1 and final.isalpha()) else final
        for final, n, common in zip(finals, told.tolist(), is_common, strict=True)
    ]


def _final(answer: str) -> str:
    r"""Return what stands after "####" or in the last "\boxed{}", else the whole answer."""
    boxed = _BOXED.findall(answer)
    return (boxed[-1] if boxed else answer.rsplit("####", 1)[-1]).strip()
