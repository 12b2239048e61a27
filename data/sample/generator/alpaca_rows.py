"""Rows of alpaca.json: small general tasks over a short business text.

A raw row::

    {"instruction": "Give the number of the order that the message is about.",
     "input": "Ada Kern from Ashford called on Friday. Order K-48213 ...", "output": "K-48213"}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import short_mails
from name_pools import Pool
from name_words import ARTICLES, DAYS, MONTHS
from row_shape import SampleRow
from short_mails import Mail


class Task(NamedTuple):
    """One small task: what is asked, over which text, with the right and a wrong answer."""

    kind: str
    asked: str
    given: str
    answer: str
    wrong: str
    prose: bool


def alpaca_row(pool: Pool) -> SampleRow:
    """One instruct row is returned; its kind is drawn first, then its wording."""
    task = pool.pick(KINDS)(pool)
    return SampleRow(
        fields={"instruction": task.asked, "input": task.given, "output": task.answer},
        prompt_at=("instruction",),
        answer_at=("output",),
        wrong=task.wrong,
        edit_at=("input",) if task.given else ("instruction",),
        prose_at=("input",) if task.prose else None,
        kind=task.kind,
    )


def _asked(pool: Pool, kind: str) -> str:
    return pool.pick(short_mails.ASKED[kind])


def _about_mail(pool: Pool, kind: str, answer: Callable[[Mail], tuple[str, str]]) -> Task:
    mail = short_mails.short_mail(pool)
    right, wrong = answer(mail)
    return Task(kind, _asked(pool, kind), mail.text, right, wrong, prose=True)


def _order_number(pool: Pool) -> Task:
    return _about_mail(pool, "order_number", lambda mail: (mail.order, mail.other_order))


def _upper(pool: Pool) -> Task:
    return _about_mail(pool, "upper", lambda mail: (mail.person.upper(), mail.colleague.upper()))


def _lower(pool: Pool) -> Task:
    return _about_mail(pool, "lower", lambda mail: (mail.colleague.lower(), mail.person.lower()))


def _initials(pool: Pool) -> Task:
    return _about_mail(pool, "initials", lambda mail: (_short(mail.person), _short(mail.colleague)))


def _colleague(pool: Pool) -> Task:
    return _about_mail(pool, "colleague", lambda mail: (mail.colleague, mail.person))


def _product(pool: Pool) -> Task:
    return _about_mail(pool, "product", lambda mail: (mail.product, mail.other_product))


def _first_sentence(pool: Pool) -> Task:
    return _about_mail(pool, "first_sentence", lambda mail: (mail.sentences[0], mail.sentences[1]))


def _short(name: str) -> str:
    return ".".join(part[0] for part in name.split()) + "."


def _turn_name(pool: Pool) -> Task:
    mail = short_mails.short_mail(pool)
    first, last = mail.person.split()
    other_first, other_last = mail.colleague.split()
    return Task(
        "turn_name", _asked(pool, "turn_name"), mail.text, f"{last}, {first}", f"{other_last}, {other_first}", True
    )


def _sort_words(pool: Pool) -> Task:
    nouns = pool.some(lambda: pool.pick(ARTICLES).split()[-1], 5)
    if nouns == sorted(nouns):
        nouns.reverse()
    right = sorted(nouns)
    wrong = list(right)
    place = pool.number(0, 3)
    wrong[place], wrong[place + 1] = wrong[place + 1], wrong[place]
    return Task("sort_words", _asked(pool, "sort_words"), ", ".join(nouns), ", ".join(right), ", ".join(wrong), False)


def _turn_list(pool: Pool) -> Task:
    names = pool.some(lambda: pool.person().split()[pool.number(0, 1)], 4)
    right = names[::-1]
    wrong = [right[0], right[2], right[1], right[3]]
    return Task("turn_list", _asked(pool, "turn_list"), "; ".join(names), "; ".join(right), "; ".join(wrong), False)


def _third_item(pool: Pool) -> Task:
    products = pool.some(pool.product, 4)
    return Task("third_item", _asked(pool, "third_item"), ", ".join(products), products[2], products[1], False)


def _iso_date(pool: Pool) -> Task:
    month, year = pool.number(1, 12), pool.number(2010, 2024)
    day, other = pool.some(lambda: pool.number(1, 28), 2)
    written = f"{day} {MONTHS[month - 1]} {year}"
    given = pool.pick((
        f"The contract with {pool.company()} was signed on {written}.",
        f"{pool.person()} joined {pool.company()} on {written}.",
        f"On {written} the office of {pool.company()} moved to {pool.town()}.",
        f"Order {pool.order()} left {pool.town()} on {written}.",
        f"{pool.person()} returned the {pool.product()} on {written}.",
    ))  # fmt: skip
    return Task(
        "iso_date",
        _asked(pool, "iso_date"),
        given,
        f"{year}-{month:02d}-{day:02d}",
        f"{year}-{month:02d}-{other:02d}",
        prose=True,
    )


def _greeting(pool: Pool) -> Task:
    person, colleague = pool.some(pool.person, 2)
    asked = pool.pick((
        f"Write the greeting line of a letter to {person} of {pool.company()}, signed by {colleague}.",
        f"{colleague} writes to {person} about order {pool.order()}. Give only the greeting line.",
        f"A letter from {colleague} in {pool.town()} goes to {person}. How does it begin?",
        f"Begin a mail to {person}. The sender is {colleague}, and it is about the {pool.product()}.",
    ))  # fmt: skip
    return Task("greeting", asked, "", f"Dear {person},", f"Dear {colleague},", prose=False)


def _reminder(pool: Pool) -> Task:
    person, number = pool.person(), pool.order()
    day, other = pool.some(lambda: pool.pick(DAYS), 2)
    asked = pool.pick((
        f"Remind {person} in one sentence that bill {number} is due on {day}.",
        f"Bill {number} must be paid by {day}. Write one polite sentence about it to {person}.",
        f"Write to {person}: payment day of bill {number} is {day}. One sentence.",
    ))  # fmt: skip
    return Task(
        "reminder",
        asked,
        "",
        f"Dear {person}, please pay bill {number} by {day}.",
        f"Dear {person}, please pay bill {number} by {other}.",
        prose=False,
    )


def _file_name(pool: Pool) -> Task:
    company, year, month = pool.company(), pool.number(2005, 2024), pool.number(1, 12)
    asked = pool.pick((
        f"Name the file for the contract that {company} signed in {MONTHS[month - 1]} {year}.",
        f"{pool.person()} scanned the contract with {company} from {MONTHS[month - 1]} {year}. Name the file.",
        f"Which file name should the {MONTHS[month - 1]} {year} contract of {company} have?",
    ))  # fmt: skip
    stem = company.lower().replace(" ", "-")
    return Task(
        "file_name",
        asked,
        "",
        f"{stem}_{year}-{month:02d}.pdf",
        f"{stem}_{year}-{month % 12 + 1:02d}.pdf",
        prose=False,
    )


KINDS: tuple[Callable[[Pool], Task], ...] = (
    _order_number, _order_number, _upper, _lower, _initials, _colleague, _product, _first_sentence, _turn_name,
    _sort_words, _turn_list, _third_item, _iso_date, _greeting, _reminder, _file_name,
)  # fmt: skip
