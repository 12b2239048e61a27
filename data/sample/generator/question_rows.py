"""Rows of questions.jsonl.gz: a short context, a question about it, and the answer, a part of the context.

A raw row (the next rows ask other things about the same context)::

    {"context": "Halden Pumps was founded in Ashford by Ada Kern in 1981. ...", "question": "Who ...?",
     "answer": "Ada Kern"}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from name_pools import Pool
from row_shape import SampleRow


class Story(NamedTuple):
    """A sort of document: ways to tell it, and its questions with the slots of right and wrong answer."""

    told: tuple[str, ...]
    asked: tuple[tuple[tuple[str, ...], str, str], ...]


STORIES = (
    Story(
        (
            "{c1} was founded in {t1} by {p1} in {y1}. Since {y2}, {p2} has led it from {t2}.",
            "In {y1} {p1} set up {c1} in {t1}. {p2} took over in {y2} and moved it to {t2}.",
            "{p1} began {c1} in {y1} in a garage in {t1}; {p2}, head since {y2}, works in {t2}.",
        ),
        (
            (("Who started the firm in the early days?", "Name the founder of {c1}."), "p1", "p2"),
            (("Who is in charge of {c1} these days?", "Which person runs the business now?"), "p2", "p1"),
            (("In which town did {c1} begin?", "Where was the company first at home?"), "t1", "t2"),
            (("From which place is it led today?", "Where does the head of {c1} sit now?"), "t2", "t1"),
            (("When did the history of {c1} start?", "In what year was the firm created?"), "y1", "y2"),
        ),
    ),
    Story(
        (
            "{p1} drove {n1} crates of {g1} from {t1} to {t2}. On the way back, {p2} loaded {n2} crates of {g2}.",
            "From {t1}, {n1} boxes of {g1} went to {t2} with {p1}. {p2} came back with {n2} boxes of {g2}.",
            "The lorry of {p1} left {t1} for {t2} with {n1} sacks of {g1}; {p2} returned it with {n2} of {g2}.",
        ),
        (
            (("Who was at the wheel on the way out?", "Name the driver of the first load."), "p1", "p2"),
            (("What did the lorry carry to {t2}?", "Which goods were in the first load?"), "g1", "g2"),
            (("Where did the trip end before turning round?", "To which town did the {g1} go?"), "t2", "t1"),
            (("Who took care of the load on the return?", "Name the person with the {g2}."), "p2", "p1"),
            (("What came back on the return trip?", "Which goods did {p2} bring?"), "g2", "g1"),
        ),
    ),
    Story(
        (
            "The course in {t1} is taught by {p1} and costs {n1} euros. In {t2}, {p2} teaches it for {n2} euros.",
            "{p1} offers the evening class in {t1} for {n1} euros, {p2} the one in {t2} for {n2} euros.",
            "There are two classes: {t1} with {p1} at {n1} euros, and {t2} with {p2} at {n2} euros.",
        ),
        (
            (("Who gives the lessons in {t1}?", "Whom would a learner meet in {t1}?"), "p1", "p2"),
            (("How many euros must one pay in {t2}?", "What is the fee of {p2}?"), "n2", "n1"),
            (("In which town does {p2} work?", "Where can one hear {p2}?"), "t2", "t1"),
            (("What does the class of {p1} cost, in euros?", "How much is it in {t1}?"), "n1", "n2"),
        ),
    ),
    Story(
        (
            "{c1} from {t1} bought the mill in {y1} for {p1}'s plan. In {y2} it went to {c2} from {t2}.",
            "The old mill belonged to {c1}, {t1}, from {y1} on. {c2}, {t2}, has owned it since {y2}.",
            "After {c1} of {t1} got the mill in {y1}, {c2} of {t2} paid more for it in {y2}.",
        ),
        (
            (("Which firm owned the mill first?", "Name the earlier of the two owners."), "c1", "c2"),
            (("Who has the mill at present?", "To which company did it go in the end?"), "c2", "c1"),
            (("Where is the present owner from?", "What is the home town of {c2}?"), "t2", "t1"),
            (("In what year did {c2} take the building?", "When did the mill change hands again?"), "y2", "y1"),
        ),
    ),
    Story(
        (
            "{p1} brought the {a1} back to the shop in {t1} on {d1}. {p2} will fetch the {a2} on {d2}.",
            "On {d1} the {t1} shop took in the {a1} of {p1}; on {d2} it hands the {a2} to {p2}.",
            "Two jobs in {t1}: the {a1} for {p1} came in on {d1}, the {a2} for {p2} goes out on {d2}.",
        ),
        (
            (("Which thing did {p1} hand in?", "What was taken in on {d1}?"), "a1", "a2"),
            (("Who is going to collect something?", "To whom does the {a2} belong?"), "p2", "p1"),
            (("On which day is the {a2} picked up?", "When does {p2} come?"), "d2", "d1"),
            (("Which day did {p1} visit the shop?", "When was the {a1} handed over?"), "d1", "d2"),
        ),
    ),
    Story(
        (
            "{p1} keeps {n1} hens near {t1} and sells the eggs to {c1}. {p2} in {t2} has {n2} and sells to {c2}.",
            "The {n1} goats of {p1} graze in {t1}, their milk goes to {c1}; {c2} takes that of {p2}'s {n2} in {t2}.",
        ),
        (
            (("Who has animals near {t1}?", "Name the farmer who supplies {c1}."), "p1", "p2"),
            (("How many animals does {p2} own?", "Give the number of animals in {t2}."), "n2", "n1"),
            (("Which company does {p1} sell to?", "Who takes the goods from {t1}?"), "c1", "c2"),
            (("Where does the supplier of {c2} live?", "In which place is {p2} found?"), "t2", "t1"),
        ),
    ),
)
GOODS = ("apples", "bricks", "cement", "cherries", "coal", "flour", "glass", "honey", "lemons", "milk", "nails",
         "onions", "pears", "potatoes", "rice", "salt", "sand", "soap", "sugar", "tea", "tiles", "wool")  # fmt: skip

_FRAMINGS = (
    "{question}",
    "A reader from {town} would like to know this: {question}",
    "{question} Copy only the words that answer it.",
    "Read the lines above once more and say: {question}",
    "For our {month} report we need one detail. {question}",
    "{question} (This is asked for the index of names and numbers.)",
    "Short answer, please, no sentence. {question}",
    "Somebody on the phone asks us: {question} What do we say?",
)


def question_rows(pool: Pool) -> Iterator[SampleRow]:
    """Rows are yielded without end; three or four in a row share one context."""
    while True:
        yield from one_context(pool)


def one_context(pool: Pool, framed: bool = True) -> list[SampleRow]:
    """All the rows of one new context are returned; a wrong answer is another part of the context."""
    story = pool.pick(STORIES)
    slots = _slots(pool)
    context = pool.pick(story.told).format_map(slots)
    asked = pool.some(lambda: pool.pick(story.asked), pool.number(3, 4))
    # Each question is framed in another way: the rows of one context should not look alike.
    framings = pool.some(lambda: pool.pick(_FRAMINGS), len(asked)) if framed else ["{question}"] * len(asked)
    rows = []
    for framing, (ways, right, wrong) in zip(framings, asked, strict=True):
        question = framing.format(question=pool.pick(ways).format_map(slots), town=pool.town(), month=pool.month())
        rows.append(SampleRow(
            fields={"context": context, "question": question, "answer": slots[right]},
            prompt_at=("question",),
            answer_at=("answer",),
            wrong=slots[wrong],
            prose_at=("context",),
            kind=right[0],
        ))  # fmt: skip
    return rows


def _slots(pool: Pool) -> dict[str, str]:
    drawn = {
        "p": pool.some(pool.person, 2),
        "t": pool.some(pool.town, 2),
        "c": pool.some(pool.company, 2),
        "y": sorted(pool.some(pool.year, 2)),
        "n": [str(number) for number in pool.some(lambda: pool.number(12, 96), 2)],
        "g": pool.some(lambda: pool.pick(GOODS), 2),
        "d": pool.some(pool.day, 2),
        "a": pool.some(pool.product, 2),
    }
    return {f"{letter}{place}": values[place - 1] for letter, values in drawn.items() for place in (1, 2)}
