"""Reasons and marks in words.

    near_duplicate  ->  "says the same as another row, in nearly the same words"

A reason that stands here in no list still has its own sentence in every dropped row.
"""

REASON_WORDS = {
    "malformed": "the row cannot be read: no JSON, or not as many cells as the header",
    "undecodable": "bytes that are no text in the source's encoding",
    "wrong_type": "a list or an object where text is expected, or a row that is no object",
    "missing_field": "a column that the template needs is not there",
    "empty_prompt": "nothing is asked: a field of the prompt is empty",
    "empty_response": "nothing is answered: a field of the response is empty",
    "bad_choice": "a value that is none of the template's choices",
    "bad_turns": "a conversation out of order, such as one that does not begin with the user",
    "where": "not asked for by the source's `where`",
    "removed": "on the list of rows that must not come back",
    "exact_duplicate": "another row has the same prompt and the same response, but for case and blanks",
    "near_duplicate": "another row says the same in nearly the same words",
    "benchmark": "repeats an item of a benchmark: training on it would spoil the score",
    "protected": "repeats a prompt of a protected source",
    "too_long": "more tokens than max_tokens; rows are never cut",
    "empty_render": "the template makes an empty prompt or response of it",
    "render_error": "the template cannot be filled with these values",
    "rejected": "people said the response is wrong and cannot be mended",
    "disputed": "people disagree, and nobody has settled it",
    "unsure": "the people who looked could not tell",
    "unreviewed": "nobody has looked at it, and the recipe keeps only what people have checked",
    "unconfirmed": "one person has looked at it, and the recipe asks for two who agree",
    "to_write": "it has no response yet: it waits for people to write one",
    "leak": "resembles a row on another side of the split",
    "held_out": "belongs to the hold-out, but stood on a lesser side already",
    "parent_held_out": "was made from a row that is held out",
    "parent_apart": "was made from a row that is not in train",
    "mixed_out": "left out by the mixing weights",
    "capped": "beyond the cap of its source or template",
}
MARK_WORDS = {
    "mojibake": "letters that were decoded wrongly once",
    "conflict": "the same prompt has another response elsewhere",
    "boilerplate": "the same long response stands under other prompts",
    "stale": "the text has changed since a person answered",
    "reopened": "given to people again, for the reason that stands behind it",
    "pii": "personal data was found",
}
STATUS_WORDS = {
    "accepted": "people said it is right",
    "edited": "people wrote a better response",
    "rejected": "people said it is wrong",
    "disputed": "people disagree",
    "unsure": "people could not tell",
    "unreviewed": "nobody has looked yet",
    "to_write": "waits for somebody to write the response",
}


def mark_words(mark: str) -> str:
    """Return what a mark means, by what stands before its colon where the whole is not known."""
    return MARK_WORDS.get(mark) or MARK_WORDS.get(mark.partition(":")[0], "")


def mark_family(mark: str) -> str:
    """Return the mark without the free text that may follow it: "reopened: why" is "reopened"."""
    return mark.partition(": ")[0]
