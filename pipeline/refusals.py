"""Answers that refuse to answer: ``Sorry, but I cannot help with that.`` does, ``I can't believe it!`` does not."""

import pyarrow as pa
import pyarrow.compute as pc

# Said at the start, and of answering: "I can't believe it" begins a story.
_REFUSAL = (
    r"(?i)^((i'm |i am )?sorry|i apologi[sz]e|unfortunately)?[,.]? *(but )?"
    r"(as an ai\b|i('m| am)? ?(cannot|can't|can not|unable to|not able to) "
    r"(help|assist|answer|provide|fulfil|complete|comply|do|create|generate|write|process|translate|summari[sz]e)\b)"
)


def refuses(answers: pa.StringArray) -> pa.BooleanArray:
    """Return which answers, without white space at their start, begin by refusing."""
    return pc.match_substring_regex(pc.replace_substring(answers, "’", "'"), _REFUSAL)
