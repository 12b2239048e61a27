"""Rows of drafts.jsonl: prompts without a response, which wait for people to write one.

A raw row::

    {"prompt": "Write two friendly sentences to Ada Kern, whose Alpine kettle will come a week late."}
"""

from __future__ import annotations

from name_pools import Pool, with_article
from row_shape import SampleRow

_SHAPES = (
    "Write two friendly sentences to {person}, whose {product} will come a week late.",
    "{person} from {town} asks whether the {product} can be repaired at home. What should we reply?",
    "Draft a short note for the door of our shop in {town}, which is closed on {day}.",
    "Explain to {company} in three sentences why order {order} was split in two.",
    "How would you describe {a_product} to somebody who has never used one?",
    "{person} has praised the staff of {town}. Write a thank-you note that mentions {person2}.",
    "Invite the staff of {company} to a breakfast in {town} on {day}.",
    "Give {person2} three tips for the first day at the desk of {company}.",
    "Write a polite no: {company} would like to pay order {order} only next year.",
    "Summarise for {person} what a warranty on {a_product} usually covers.",
    "Suggest a title and a first line for an article on {company} moving to {town}.",
    "Write a reply to {person}, who has found {a_product2} instead of {a_product} in the box.",
    "What should {person2} ask before sending a technician to {town} for {a_product}?",
)


def draft_row(pool: Pool) -> SampleRow:
    """One open prompt is returned."""
    product, product2 = pool.some(pool.product, 2)
    person, person2 = pool.some(pool.person, 2)
    prompt = pool.pick(_SHAPES).format_map({
        "person": person,
        "person2": person2,
        "product": product,
        "a_product": with_article(product),
        "a_product2": with_article(product2),
        "town": pool.town(),
        "company": pool.company(),
        "order": pool.order(),
        "day": pool.day(),
    })  # fmt: skip
    return SampleRow(fields={"prompt": prompt}, prompt_at=("prompt",), answer_at=None, kind="draft")
