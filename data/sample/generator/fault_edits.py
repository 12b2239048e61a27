"""How a clean row is changed for each fault kind.

For example a near-duplicate of ``Order K-48213 came without the Alpine kettle.`` is
``order K-48213 came  without the Alpine kettle``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from name_pools import Pool
from row_shape import Path, SampleRow, texts_of

_ARTICLES = {
    "en": re.compile(r" (?:the|a|an) (?=\w)"),
    "de": re.compile(r" (?:die|der|das|den|eine|einen) (?=\w)"),
    "fr": re.compile(r" (?:la|le|une|un) (?=\w)"),
}
_PLAIN_WORD = re.compile(r"\b[a-z]{7,}\b")
_END = re.compile(r"[.!?]$")


class Edited(NamedTuple):
    """A changed row with the words that say what was done to it."""

    row: SampleRow
    detail: str


def nearly_same(pool: Pool, row: SampleRow) -> Edited:
    """A row with the same meaning and a trivially different prompt is returned."""
    text = row.text(row.edit_path)
    edits = [
        ("case", text.lower() if pool.chance(0.5) else text.upper()),
        ("spacing", text.replace(" ", "  ", 1) + " "),
        ("punctuation", _END.sub("", text) if _END.search(text) else text + " ."),
        ("punctuation", _END.sub("!!", text) if text.endswith(".") else text + " ..."),
        ("article", _ARTICLES[row.language].sub(" ", text, count=1)),
        ("typo", _typo(pool, row, text)),
    ]
    # The answer to a task on letters must stay right, so its prompt keeps its case.
    changed = [
        (detail, new)
        for detail, new in edits
        if new != text and not (detail == "case" and (row.kind == "lower" or row.language != "en"))
    ]
    detail, new = pool.pick(changed)
    return Edited(row.with_text(row.edit_path, new), f"differs in {detail}")


def _typo(pool: Pool, row: SampleRow, text: str) -> str:
    """Two letters in the middle of a long plain word are swapped, outside the answer."""
    words = [m for m in _PLAIN_WORD.finditer(text) if m.group() not in row.answer.lower()]
    if not words:
        return text
    word = pool.pick(words)
    at = word.start() + pool.number(2, len(word.group()) - 3)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def misread(row: SampleRow) -> SampleRow | None:
    """The row is returned as if its UTF-8 had been read as cp1252; None if that changes nothing."""
    changed = row
    for path, text in texts_of(row.fields):
        if path in (row.prompt_at, row.edit_path, row.answer_at) and not text.isascii():
            try:
                changed = changed.with_text(path, text.encode("utf-8").decode("cp1252"))
            except UnicodeDecodeError:
                return None
    return None if changed is row else changed


def emptied(pool: Pool, row: SampleRow) -> Edited:
    """A row is returned whose prompt or response is empty or only white space."""
    path: Path = row.prompt_at
    side = "prompt"
    if row.answer_at is not None and pool.chance(0.5):
        path, side = row.answer_at, "response"
    return Edited(row.with_text(path, pool.pick(("", " ", "   "))), f"{side} is empty")


_CONTACT = {
    "email": {"en": "Reach me at {}.", "de": "Meine Adresse ist {}.", "fr": "Mon adresse est {}."},
    "phone": {"en": "Call me on {}.", "de": "Meine Nummer ist {}.", "fr": "Mon numéro est le {}."},
    "credit card": {
        "en": "I paid with card {}.",
        "de": "Bezahlt mit der Karte {}.",
        "fr": "Payé avec la carte {}.",
    },
    "ip address": {"en": "My connection was {}.", "de": "Meine Verbindung war {}.", "fr": "Ma connexion : {}."},
}


def with_private_data(pool: Pool, row: SampleRow, nth: int) -> Edited | None:
    """A row is returned that tells an address or number of the nth kind; None where no sentence fits in."""
    if row.prose_at is None:
        return None
    kind = tuple(_CONTACT)[nth % len(_CONTACT)]
    sentence = _CONTACT[kind][row.language].format(_private(pool, kind))
    before = row.text(row.prose_at)
    text = f"{before}{'' if before.endswith(('.', '!', '?')) else '.'} {sentence}"
    return Edited(row.with_text(row.prose_at, text), kind)


def _private(pool: Pool, kind: str) -> str:
    """An invented value is returned, from the ranges that are kept free for examples where there are any."""
    if kind == "email":
        first, last = pool.person().lower().split()
        ascii_name = f"{first}.{last}".encode("ascii", "ignore").decode()
        return f"{ascii_name}@{pool.pick(('mail', 'post', 'office'))}.example.{pool.pick(('com', 'org', 'net'))}"
    if kind == "phone":
        return pool.pick((
            f"+44 20 7946 0{pool.number(100, 999)}",
            f"+1 202-555-01{pool.number(10, 99)}",
            f"+49 30 23125 {pool.number(100, 999)}",
            f"+33 1 99 00 {pool.number(10, 99)} {pool.number(10, 99)}",
        ))  # fmt: skip
    if kind == "credit card":
        digits = [4, *(pool.number(0, 9) for _ in range(14))]
        digits.append(_luhn_digit(digits))
        number = "".join(map(str, digits))
        return " ".join(number[at : at + 4] for at in range(0, 16, 4))
    return f"{pool.pick(('203.0.113', '198.51.100', '192.0.2'))}.{pool.number(2, 250)}"


def _luhn_digit(digits: list[int]) -> int:
    """The last digit that makes the number pass the Luhn check is returned."""
    doubled = [2 * digit if place % 2 == 0 else digit for place, digit in enumerate(digits)]
    return -sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10
