"""A polite question's words in the order of the imperative it stands for.

    kannst du mir den Text zusammenfassen | fasse den Text zusammen   -> zusammenfassen den Text
    peux-tu m'expliquer                   | explique                  -> expliquer

German and Dutch put the verb last after such an opening; French and Italian write pronouns and articles onto a word.
"""

from collections.abc import Sequence

from pipeline.vocabulary import Words

_ENDINGS = ("", "n", "en")
_ELIDED = {"fr": ("l", "m", "n"), "it": ("l", "gl")}
_VOWELS = frozenset("aeiouhéèêàâîôûœy")
_FIRST = {"en": ("me", "us"), "de": ("mir", "uns"), "nl": ("me", "mij", "ons"), "fr": ("moi", "nous")}
_TO = {"en": "to"}

Taken = tuple[Sequence[str], Sequence[bool], set[int]]


def without_elision(tokens: Sequence[str], literal: Sequence[bool], words: Words) -> Sequence[str]:
    """Return the tokens without the article or pronoun that is written onto them: "lhistoire", "mexpliquer"."""
    heads = _ELIDED.get(words.language, ())
    if not heads:
        return tokens
    return [token if shut else _plain(token, heads, words) for token, shut in zip(tokens, literal, strict=True)]


def _plain(token: str, heads: Sequence[str], words: Words) -> str:
    for head in heads:
        rest = token[len(head) :]
        if token.startswith(head) and len(rest) > 2 and rest[0] in _VOWELS and token not in words.known:
            return rest if rest in words.known and rest not in words.fixed else token
    return token


def written_out(tokens: Sequence[str], literal: Sequence[bool], stops: set[int], words: Words) -> Taken:
    """Return the tokens with contractions written out: "whats" becomes "what is"; quoted ones stay."""
    if words.contractions.keys().isdisjoint(tokens):
        return tokens, literal, stops
    row: list[str] = []
    shut: list[bool] = []
    place: list[int] = []
    for token, is_shut in zip(tokens, literal, strict=True):
        place.append(len(row))
        parts = () if is_shut else words.contractions.get(token, ())
        row += parts or [token]
        shut += [is_shut] * max(len(parts), 1)
    return row, shut, {place[at] if at < len(place) else len(row) for at in stops}


def as_imperative(tokens: Sequence[str], literal: Sequence[bool], stops: set[int], start: int, words: Words) -> Taken:
    """Return the tokens from `start` on with the verb of the first clause in front, and its prefix on it.

    Args:
        tokens: Words and signs.
        literal: Which of them are quoted.
        stops: Places that follow a stop.
        start: Where the polite opening ends.
        words: Of the language.
    """
    if not words.verb_last:
        return tokens, literal, stops
    end = min((place for place in stops if place > start), default=len(tokens))
    if end - start < 2 or any(literal[start:end]):
        return tokens, literal, stops
    row = list(tokens)
    if not words.verb_last.isdisjoint(row[:start]):
        row[start:end] = [row[end - 1], *row[start : end - 1]]
        if row[start + 1 : end] and row[end - 1] == "zu":
            # "Deine Aufgabe ist es, X zu schreiben".
            row[end - 1 : end] = []
            shorter = {place if place < end else place - 1 for place in stops}
            return row, [*literal[: end - 1], *literal[end:]], shorter
        return row, list(literal), stops
    prefix = row[end - 1]
    if prefix in words.verb_prefixes:
        for ending in _ENDINGS:
            joined = prefix + words.forms.get(row[start], row[start]) + ending
            if joined in words.known or joined in words.forms or joined in words.same:
                row[start] = joined
                del row[end - 1]
                shorter = {place if place < end else place - 1 for place in stops}
                return row, [*literal[: end - 1], *literal[end:]], shorter
    return row, list(literal), stops


def addressee(tokens: Sequence[str], place: int, stop: int, words: Words) -> int:
    """Return how many words from `place` on only say for whom: "give me a list", "explain to me how".

    Asked where one word, an imperative, stands before. "Compare me to others" keeps its "me".
    """
    first = _FIRST.get(words.language, ())
    size = 1
    if tokens[place] == _TO.get(words.language) and place + 1 < stop:
        size, place = 2, place + 1
    if tokens[place] not in first or place + 1 >= stop:
        return 0
    after = tokens[place + 1]
    return 0 if size == 1 and (after in words.phrase_starts or after in words.conjunctions) else size
