"""Whether two texts hold the same phrases in another order.

in 18 words, describe athens | describe athens in 18 words    -> yes: a phrase moved as a whole
dog bites man                | man bites dog                  -> no: two words changed places
"""

import re
from collections.abc import Callable, Sequence

from pipeline.text_tokens import is_word
from pipeline.tokens_of_meaning import Word
from pipeline.vocabulary import Words

_MOST_WORDS = 400  # of what lies between the common ends; no phrase is longer
_MOST_COMPARED = 3  # words of a thing that is compared
_LISTED = frozenset({"and", "or", "und", "oder", "et", "ou", "y", "o", "e", "en", "of"})  # between equals
_ADVERB = {
    "en": re.compile(r"\w{3,}ly"),
    "fr": re.compile(r"\w{3,}ment"),
    "es": re.compile(r"\w{3,}mente"),
    "it": re.compile(r"\w{3,}mente"),
    "pt": re.compile(r"\w{3,}mente"),
}
_Block = tuple[Sequence[Word], int, int]  # a part of a text
_Pair = tuple[_Block, _Block]  # a part as it stands in both texts


def is_moved(one: Sequence[Word], other: Sequence[Word], words: Words, alike: Callable[[Word, Word], bool]) -> bool:
    """Whether one phrase, or two that changed places, is all that stands elsewhere."""
    if len(one) != len(other):
        return False
    there = _paired(one, other, alike)
    if there is None:
        return False
    return _moves(one, other, there, words)


def _paired(
    one: Sequence[Word], other: Sequence[Word], alike: Callable[[Word, Word], bool]
) -> tuple[list[int], list[int]] | None:
    """Return numbers for the words of both texts, equal for words that are one; None if some have no partner."""
    numbers: dict[str, int] = {}
    ours = [numbers.setdefault(word.key, len(numbers)) for word in one]
    theirs = [numbers.get(word.key, -1) for word in other]
    spare = list(range(len(one)))
    left: dict[int, list[int]] = {}
    for at in spare:
        left.setdefault(ours[at], []).append(at)
    lone = []
    for at, number in enumerate(theirs):
        if number >= 0 and left.get(number):
            left[number].pop()
        else:
            lone.append(at)
    rest = [at for some in left.values() for at in some]
    if len(rest) > 8:
        return None
    for at in lone:
        partner = next((here for here in rest if alike(one[here], other[at])), None)
        if partner is None:
            return None
        rest.remove(partner)
        # A form gets a number of its own in both texts.
        ours[partner] = theirs[at] = len(numbers) + at
    return ours, theirs


def _moves(one: Sequence[Word], other: Sequence[Word], numbers: tuple[list[int], list[int]], words: Words) -> bool:
    ours, theirs = numbers
    n = len(ours)
    start = 0
    while start < n and ours[start] == theirs[start]:
        start += 1
    stop = n
    while stop > start and ours[stop - 1] == theirs[stop - 1]:
        stop -= 1
    if not 2 <= stop - start <= _MOST_WORDS:
        return False
    return _rotates(one, other, ours, theirs, (start, stop), words) or _exchanges(
        one, other, ours, theirs, (start, stop), words
    )


def _rotates(
    one: Sequence[Word], other: Sequence[Word], ours: list[int], theirs: list[int], span: tuple[int, int], words: Words
) -> bool:
    """Whether X Y became Y X, where X or Y is a phrase.

    Common ends can hide the phrase's edge: "in a, for b" and "for b in a" share no end, "to a to b" does. So the cut
    may lie up to two words further out.
    """
    n = len(ours)
    for start in range(span[0], max(span[0] - 3, -1), -1):
        for stop in range(span[1], min(span[1] + 3, n + 1)):
            size = stop - start
            for cut in range(1, size):
                if ours[start] != theirs[stop - cut] or ours[start + cut] != theirs[start]:
                    continue
                if ours[start : start + cut] != theirs[stop - cut : stop]:
                    continue
                if ours[start + cut : stop] != theirs[start : stop - cut]:
                    continue
                first = (one, start, start + cut), (other, stop - cut, stop)
                second = (one, start + cut, stop), (other, start, stop - cut)
                if _is_free(first, second, words):
                    return True
    return False


def _is_free(first: _Pair, second: _Pair, words: Words) -> bool:
    """Whether X and Y, each as it stands in both texts, may change places."""
    return (
        any(_is_phrase(a, words) and _is_phrase(b, words) for a, b in (first, second))
        or _are_neighbours(first[0], second[0], words)
        or _is_opening(*first, words)
        or _is_opening(*second[::-1], words)
        or _is_adverb(*first, second[0], words)
        or _is_adverb(*second, first[0], words)
    )


def _exchanges(
    one: Sequence[Word], other: Sequence[Word], ours: list[int], theirs: list[int], span: tuple[int, int], words: Words
) -> bool:
    """Whether X M Y became Y M X, where X and Y are phrases."""
    start, stop = span
    for first in range(1, stop - start - 1):
        if ours[start : start + first] != theirs[stop - first : stop]:
            continue
        for last in range(1, stop - start - first):
            if ours[stop - last : stop] != theirs[start : start + last]:
                continue
            if ours[start + first : stop - last] != theirs[start + last : stop - first]:
                continue
            if _is_symmetric(one, start, stop, first, last, words):
                return True
            if first == last == 1 and stop - start == 3 and _is_pair(one, start, words):
                return True
            blocks = (one, start, start + first), (one, stop - last, stop), (other, start, start + last)
            if all(_is_phrase(block, words) for block in (*blocks, (other, stop - first, stop))):
                return True
    return False


def _is_symmetric(text: Sequence[Word], start: int, stop: int, first: int, last: int, words: Words) -> bool:
    """Whether X and Y of "compare X and Y" changed places, which asks for the same."""
    if max(first, last) > _MOST_COMPARED or stop - start - first - last != 1 or not start:
        return False
    if text[start + first].text not in words.conjunctions or text[start - 1].text not in words.symmetric:
        return False
    compared = (*text[start : start + first], *text[stop - last : stop])
    return all(is_word(word.text) and word.text not in words.fixed for word in compared)


def _is_phrase(block: _Block, words: Words) -> bool:
    """Whether the block begins as phrases do and turns nothing round.

    "Without a compass" may move from one end of the text to the other; a negation inside a phrase may not move.
    """
    text, start, stop = block
    if stop - start < 2 or not _starts_phrase(text, start, stop, words):
        return False
    edge = start == 0 or stop == len(text)
    if any(word.text in words.negations for word in text[start + 1 : stop]):
        return False
    if text[start].text in words.negations and not edge:
        return False
    # Han characters are no words: a phrase is told by what stands around it.
    if len(text[start].text) == 1 and text[start].text >= "\u3040":
        return edge or text[start].after_stop or text[stop].after_stop
    return True


def _starts_phrase(text: Sequence[Word], start: int, stop: int, words: Words) -> bool:
    written = text[start].text
    _, listed = words.phrase_starts.get(written) or words.phrase_starts.get(written[:1], ((), {}))
    for parts in listed:
        joined = " ".join(parts)
        if written == joined or " ".join(word.text for word in text[start : min(stop, start + len(parts))]) == joined:
            return True
    return False


def _are_neighbours(front: _Block, back: _Block, words: Words) -> bool:
    """Whether two phrases that follow each other changed places; where the one begins the other ends."""
    text, start, stop = front[0], front[1], back[2]
    if any(word.text in words.negations for word in text[start:stop]):
        return False
    return all(_starts_phrase(*block, words) and block[2] - block[1] > 1 for block in (front, back))


def _is_opening(front: _Block, back: _Block, words: Words) -> bool:
    """Whether a phrase at a text's beginning, closed by a comma, became its end."""
    text, start, stop = front
    if any(word.text in words.negations for word in text[start:stop]):
        return False
    return start == 0 and stop < len(text) and text[stop].after_stop and back[2] == len(back[0]) and stop - start > 1


def _is_adverb(
    here: _Block,
    there: _Block,
    passed: _Block,
    words: Words,
) -> bool:
    """Whether a single adverb moved, to or from a text's end, over words that are one clause.

    "Briefly describe athens" is "describe athens briefly".
    """
    text, start, stop = here
    word = text[start]
    if stop - start != 1 or not word.open or word.text in words.fixed or word.text in words.no_adverbs:
        return False
    pattern = _ADVERB.get(words.language)
    if word.text not in words.anywhere and not (pattern and pattern.fullmatch(word.text)):
        return False
    if start and stop < len(text) and there[1] and there[2] < len(there[0]):
        return False
    crossed = passed[0][passed[1] : passed[2]]
    return not any(
        other.text in words.negations
        or (other.text in _LISTED and other.text in words.conjunctions)
        or (other.after_stop and at)
        for at, other in enumerate(crossed)
    )


def _is_pair(text: Sequence[Word], start: int, words: Words) -> bool:
    """Whether "X and Y" that became "Y and X" are two things named side by side.

    What stands before the first must not belong to it alone ("red cars and bikes"), nor what follows the second
    ("cats and dogs that bark"), and the text must put nothing in an order.
    """
    first, between, second = text[start : start + 3]
    if between.text not in _LISTED or between.text not in words.conjunctions or not start:
        return False
    if not all(is_word(word.text) and word.open and len(word.text) > 1 for word in (first, second)):
        return False
    if any(word.text in words.fixed or word.text in words.units for word in (first, second)):
        return False
    if any(word.text in words.ordered or word.text in words.negations for word in text):
        return False
    before, after = text[start - 1], text[start + 3] if start + 3 < len(text) else None
    if before.text in words.conjunctions or not _leads(before, words):
        return False
    return after is None or after.after_stop or _leads(after, words, strictly=True)


def _leads(word: Word, words: Words, *, strictly: bool = False) -> bool:
    """Whether a word begins a phrase, or, unless `strictly`, is one of those that say what follows."""
    return word.text in words.phrase_starts or (not strictly and (word.text in words.common or bool(word.article)))
