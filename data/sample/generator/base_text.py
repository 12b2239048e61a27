"""The running text of base.txt, on which the tokenizer and the small base model are trained.

A document (documents are parted by a blank line)::

    In Ashford, Halden Pumps hired 40 drivers on Friday. Ada Kern called it a great day.
    In short: Halden Pumps hired 40 drivers in Ashford.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import short_mails
from alpaca_rows import alpaca_row
from assistant_rows import assistant_row
from draft_rows import draft_row
from name_pools import Pool
from name_words import ARTICLES
from news_rows import news_row
from phrase_rows import three_languages
from product_rows import product_row
from question_rows import one_context
from support_rows import support_row
from ticket_rows import ticket_row

_LABELS = {
    "order_number": "Open order", "upper": "Customer in capitals", "lower": "In charge, small letters",
    "initials": "Customer, short", "colleague": "In charge", "product": "Article", "turn_name": "Card index",
    "first_sentence": "Begins with", "turn_list": "From the end", "third_item": "Third", "iso_date": "Date",
}  # fmt: skip


def documents(seed: int) -> Iterator[str]:
    """Documents are yielded without end; no name in them is a name of a sample row."""
    pool = Pool(seed, "base.txt", "base")
    while True:
        yield pool.pick(_DOCUMENTS)(pool)


def base_text(seed: int, size: int) -> str:
    """A text of at least `size` bytes is returned, with one blank line between documents."""
    found: list[str] = []
    left = size
    for document in documents(seed):
        # A blank line inside a document would part it.
        found.append(document.replace("\n\n", "\n"))
        left -= len(found[-1].encode("utf-8")) + 2
        if left <= 0:
            break
    return "\n\n".join(found) + "\n"


def _news(pool: Pool) -> str:
    row = news_row(pool)
    return f"{row.fields['article']}\nIn short: {row.answer}"


def _story(pool: Pool) -> str:
    return " ".join(str(news_row(pool).fields["article"]) for _ in range(2)).replace("\n", " ")


def _mail(pool: Pool) -> str:
    mail = short_mails.short_mail(pool)
    return (
        f"{mail.text}\nCustomer: {mail.person}\nArticle: {mail.product}\nOrder: {mail.order}\n"
        f"In charge: {mail.colleague}"
    )


def _small_task(pool: Pool) -> str:
    row = alpaca_row(pool)
    while row.kind == "sort_words":
        row = alpaca_row(pool)
    if row.kind in _LABELS:
        return f"{row.fields['input']}\n{_LABELS[row.kind]}: {row.answer}"
    return f"Task: {row.fields['instruction']}\nDone: {row.answer}"


def _word_list(pool: Pool) -> str:
    # Three words, while the sample sorts five: no list of the sample can stand here.
    words = pool.some(lambda: pool.pick(ARTICLES).split()[-1], 3)
    return f"Words: {', '.join(words)}\nFrom A to Z: {', '.join(sorted(words))}"


def _name_card(pool: Pool) -> str:
    person = pool.person()
    first, last = person.split()
    return (
        f"Name: {person}\nCapitals: {person.upper()}\nSmall: {person.lower()}\nInitials: {first[0]}.{last[0]}.\n"
        f"Index: {last}, {first}\nTown: {pool.town()}\nFirm: {pool.company()}"
    )


def _translation(pool: Pool) -> str:
    said = three_languages(pool)
    lines = [f"English: {said['en']}", f"German: {said['de']}", f"French: {said['fr']}"]
    pool.rng.shuffle(lines)
    return "\n".join(lines)


def _ticket(pool: Pool) -> str:
    row = ticket_row(pool)
    return f"Subject: {row.fields['subject']}\n{row.fields['text']}\nFiled under: {row.answer}"


def _product(pool: Pool) -> str:
    row = product_row(pool)
    return f"{row.fields['note']}\nRecord: {row.answer}"


def _questions(pool: Pool) -> str:
    rows = one_context(pool, framed=False)
    # In small letters at the start: a short question without names is no question of the sample then.
    asked = [f"Q: {_small_start(row.text(('question',)))} A: {row.answer}" for row in rows]
    return "\n".join([str(rows[0].fields["context"]), *asked])


def _small_start(text: str) -> str:
    return text[:1].lower() + text[1:]


def _talk(pool: Pool) -> str:
    row = support_row(pool) if pool.chance(0.6) else assistant_row(pool)
    return f"Caller: {row.text(row.prompt_at)}\nDesk: {row.answer}"


def _to_do(pool: Pool) -> str:
    return f"To do on {pool.day()}: {draft_row(pool).text(('prompt',))}"


_DOCUMENTS: tuple[Callable[[Pool], str], ...] = (
    _news, _news, _story, _mail, _small_task, _small_task, _word_list, _name_card, _translation, _translation,
    _ticket, _ticket, _product, _product, _questions, _questions, _talk, _to_do,
)  # fmt: skip
