"""A text taken apart into what carries meaning, and what of it is left when nothing that may differ is counted.

    "could you please open the the door?"  ->  tokens could you please open the the door  ->  bare  open door

Words inside quotation marks and code are literal: they stay as they are. In a script without blanks every
character is a token.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from rapidfuzz.distance import Postfix, Prefix

from pipeline.imperative import addressee, as_imperative, without_elision, written_out
from pipeline.slips import misspelt
from pipeline.text_tokens import WORD, is_word, literal_ones, tokens_of
from pipeline.vocabulary import Phrases, Words, languages

_HEAD_CHARS = 1000  # enough to tell the language by

_HYPHEN = re.compile(r"(?<=[^\W\d_])[-‐‑](?=[^\W\d_])")
_WILD = re.compile(r"[^\w\s,.?!:;]|_|\w\.\w|[:;]\S")
_SPARE_WORDS = 3  # neighbours that are looked at: the word before, the phrase a word stands in


class Word(NamedTuple):
    """A token that is left.

    Attributes:
        key: What it stands for: words of one meaning have one key.
        text: As it was written.
        open: Whether its forms count as the same; not in quotation marks, in code and where words are spoken of.
        slips: Whether typing errors may be overlooked.
        article: The article that was left out before it.
        after_stop: Whether it follows a comma, a full stop or the like.
    """

    key: str
    text: str
    open: bool
    slips: bool
    article: str
    after_stop: bool


class Reading:
    """A text taken apart into tokens: words, numbers and signs that carry meaning.

    Attributes:
        tokens: In order, without free punctuation.
        signs: Those that are no words, sorted.
        shut: Whether some words are joined by hyphens.
        common: How many common words of each language its beginning holds.
    """

    def __init__(self, plain: str, part: slice | None = None) -> None:
        """Take a text apart, or a part of it that begins and ends between words, and is read as that part."""
        self._plain = plain if part is None else plain[part]
        self._edges = part is None or part.start == 0, part is None or part.stop == len(plain)
        self.tokens, self._at, self._stops = tokens_of(self._plain)
        self.signs = sorted(token for token in self.tokens if not is_word(token))
        self.shut = _HYPHEN.search(self._plain) is not None
        self.common = common_words(plain)
        self.n_chars, self.n_words = len(plain), len(plain.split())
        self._bare: dict[tuple[int, bool, bool], list[Word]] = {}

    def bare(self, language: int, *, shut: bool = False, by_word: bool = False) -> list[Word]:
        """Return what is left without articles, polite phrases, fillers and words said twice.

        Args:
            language: Place of the language in `languages()`.
            shut: Take words joined by a hyphen as one.
            by_word: Leave synonyms of several words apart: a slip may stand in one of the words.
        """
        key = (language, shut, by_word)
        if key not in self._bare:
            if shut and self.shut:
                plain = _HYPHEN.sub("", self._plain)
                tokens, at, stops = tokens_of(plain)
            else:
                plain, tokens, at, stops = self._plain, self.tokens, self._at, self._stops
            literal = literal_ones(plain, at)
            self._bare[key] = _bare(tokens, literal, stops, languages()[language], by_word, self._edges)
        return self._bare[key]


def common_words(plain: str) -> list[int]:
    """Return how many common words of each language the beginning of a plain text holds."""
    seen = set(WORD.findall(plain[:_HEAD_CHARS]))
    return [len(seen & words.common) for words in languages()]


@cache
def speak_of_words() -> frozenset[str]:
    """Return the words of all languages after which words are spoken of."""
    return frozenset[str]().union(*(words.mentions | words.spelled for words in languages()))


def differing_parts(left: str, right: str) -> tuple[slice, slice] | None:
    """Return the parts of two plain texts in which they differ, with three words to spare on both sides.

    None where the rest may bear on the meaning of the parts: quotation marks, code, signs and hyphens anywhere, or a
    word before them after which words are spoken of.
    """
    if _WILD.search(left) or _WILD.search(right):
        return None
    start = int(Prefix.similarity(left, right))
    same = min(int(Postfix.similarity(left, right)), min(len(left), len(right)) - start)
    ends = len(left) - same
    for _ in range(_SPARE_WORDS):
        start = max(left.rfind(" ", 0, start), 0)
        ends = left.find(" ", ends + 1)
        if ends < 0:
            ends = len(left)
    if not speak_of_words().isdisjoint(left[:start].split()):
        return None
    start += left[start : start + 1] == " "
    return slice(start, ends), slice(start, ends + len(right) - len(left))


def _match(phrases: Phrases, tokens: Sequence[str], place: int, stop: int) -> tuple[int, str]:
    """Return the length of the longest phrase that begins here, and its meaning."""
    found = phrases.get(tokens[place])
    if found is None:
        return 0, ""
    sizes, meanings = found
    for size in sizes:
        if place + size <= stop:
            meaning = meanings.get(tuple(tokens[place : place + size]))
            if meaning is not None:
                return size, meaning
    return 0, ""


def _ends(tokens: Sequence[str], literal: Sequence[bool], words: Words, edges: tuple[bool, bool]) -> tuple[int, int]:
    """Return where the text begins and ends if polite openings and closings are left out."""
    start, stop = 0, len(tokens)
    while edges[0] and start < stop and not literal[start]:
        size, _ = _match(words.polite_start, tokens, start, stop)
        if not size:
            break
        start += size
    backwards = tokens[::-1]
    while edges[1] and start < stop and not literal[stop - 1]:
        size, _ = _match(words.polite_end, backwards, len(tokens) - stop, len(tokens) - start)
        if not size:
            break
        stop -= size
    if words.language == "zh" and start and start < stop and tokens[stop - 1] == "吗" and not literal[stop - 1]:
        # "你能…吗" is a request.
        stop -= 1
    # Of "thank you" nothing would be left.
    return (start, stop) if start < stop else (0, len(tokens))


def _bare(  # noqa: C901 - one pass over the tokens
    tokens: Sequence[str],
    literal: Sequence[bool],
    stops: set[int],
    words: Words,
    by_word: bool,
    edges: tuple[bool, bool],
) -> list[Word]:
    """Return the tokens without articles, politeness, fillers and repetition; one key for words of one meaning.

    `edges` says whether the tokens begin where the text does, and end where it does.
    """
    kept: list[Word] = []
    tokens, literal, stops = written_out(without_elision(tokens, literal, words), literal, stops, words)
    start, stop = _ends(tokens, literal, words, edges)
    if edges[0] and not by_word:
        size = len(tokens)
        tokens, literal, stops = as_imperative(tokens[:stop], literal[:stop], stops, start, words)
        stop = len(tokens)
        whole = (start, stop) == (0, size) and all(edges)
    else:
        whole = (start, stop) == (0, len(tokens)) and all(edges)
    misspelt_here = misspelt(words.articles)
    mentioned = spelled = opening = False
    polite_until = -1
    article = ""
    after_stop = False
    place = start
    while place < stop:
        token, here = tokens[place], place
        after_stop = after_stop or place in stops
        if token not in words.noted and not literal[place] and not opening and place not in stops:
            # Most words: nothing is known of them.
            place += 1
            if token in misspelt_here and token not in words.known and place < stop and is_word(tokens[place]):
                # "Desen Bericht": an article with a slip.
                continue
            if not (kept and kept[-1].text == token and _said_again(kept, token, words)):
                kept.append(Word(token, token, not mentioned, not spelled, article, after_stop))
                article, after_stop = "", False
            continue
        if literal[place]:
            kept.append(Word(token, token, False, False, article, after_stop))
            article, after_stop, place = "", False, place + 1
            continue
        opening = place in stops or (opening and polite_until == place)
        size, _ = _match(words.polite, tokens, place, stop)
        if not size and opening:
            # "If it rains, tell me": an opening opens a clause, but "now" and "so" do not.
            size, _ = _match(words.polite_start, tokens, place, stop)
            size = size if size > 1 else 0
        if not size and not mentioned:
            size, _ = _match(words.fillers, tokens, place, stop)
        if size and (size < stop - start or not whole):
            place += size
            polite_until = place
            continue
        if _is_free_article(tokens, place, stop, words):
            article, place = token, place + 1
            continue
        if token in words.addressed and (size := _addressed(tokens, place, stop, kept, words)):
            place += size
            continue
        size, meaning = 0, ""
        if not mentioned:
            end = place + 1 if by_word else stop
            size, meaning = _match(words.same, tokens, place, end)
            if opening or not kept:
                # An imperative begins its clause.
                wide, more = _match(words.commands, tokens, place, end)
                size, meaning = (wide, more) if wide >= size else (size, meaning)
        size = size or 1
        text = " ".join(tokens[place : place + size])
        key = meaning or (token if mentioned else words.forms.get(token, token))
        place += size
        if kept and _said_again(kept, text, words):
            continue
        kept.append(Word(key, text, not mentioned and size == 1, not spelled and size == 1, article, after_stop))
        article, after_stop = "", False
        mentioned = mentioned or not words.mentions.isdisjoint(tokens[here:place])
        spelled = spelled or not words.spelled.isdisjoint(tokens[here:place])
        mentioned = mentioned or spelled
    return kept


def _is_free_article(tokens: Sequence[str], place: int, stop: int, words: Words) -> bool:
    """Whether an article stands here that may come and go; "vitamin A", "a + b" and "a few" have none."""
    if tokens[place] not in words.articles or place + 1 >= stop:
        return False
    token, follower = tokens[place], tokens[place + 1]
    if len(token) == 1 and place and tokens[place - 1] in words.lettered:
        return False
    if follower == token:
        return place + 2 < stop and _is_free_article(tokens, place + 1, stop, words)
    return len(follower) > 1 and is_word(follower) and not (len(token) < 3 and follower in words.article_keepers)


def _said_again(kept: Sequence[Word], text: str, words: Words) -> bool:
    """Whether the word before is the same one; Han characters double in other words, so only particles count."""
    last = kept[-1]
    if last.text != text or not is_word(text) or text in words.fixed:
        return False
    return len(text) > 1 or text in words.particles or text in words.phrase_starts


def _addressed(tokens: Sequence[str], place: int, stop: int, kept: Sequence[Word], words: Words) -> int:
    """Return how many words after an imperative, the first of its clause, only say who is asked, or for whom."""
    if not kept or not (len(kept) == 1 or kept[-1].after_stop):
        return 0
    if tokens[place] == "sie":
        return int(kept[-1].text.endswith("n"))
    return addressee(tokens, place, stop, words)
