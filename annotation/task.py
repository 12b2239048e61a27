"""An example as a Label Studio task: the contract between what we send and what comes back.

A row ``id 9f3c..., prompt [user "2 + 2?"], completion [assistant "5"]`` becomes the task

    {"data": {"example_id": "9f3c...", "source": "sums", "template": "maths", "screen": "review",
              "messages": [{"role": "user", "content": "2 + 2?", "speaker": "user"}], "response": "5", ...}}

`messages` and `response` are all that a reviewer sees of the example, so what was seen can be read back
from a finished task letter by letter, whatever has become of the example since. The box always starts
from the data's response: a model's text in it would be accepted by tired people.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from annotation.drafted import sentence_of
from annotation.reasons import in_language
from annotation.words import DEFAULT_LANGUAGE, words
from pipeline.digest import value_digest
from pipeline.screen import screen
from schemas import ConfigError, Message, Review, Screen, Seen, Template, nearest

FIRST_ROUND = "1"
# What Markdown would take for the start of a tag or of an address.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def guideline_digest(review: Review) -> str:
    """Return the digest by which an answer names the guideline it followed."""
    return value_digest(review.guideline)


def task_of(
    row: Mapping[str, Any],
    review: Review,
    *,
    why: str = "",
    round_: str = FIRST_ROUND,
    model_answer: str = "",
    kind: Screen = "review",
    language: str = DEFAULT_LANGUAGE,
) -> dict[str, Any]:
    """Return the task for a row of format or annotate; other screens than review add to it in `screen_task`.

    Args:
        row: The row as Python values.
        review: What the row's template asks of people.
        why: What the reviewer is told about why this example is in the queue; may be empty. That a model wrote the
            example is said in any case.
        round_: Name of the review round.
        model_answer: What a trained model answered; shown folded away and read-only, never in the box.
        kind: The labelling screen it is for, by which its answers are read.
        language: Of the people who will see it.

    Raises:
        ConfigError: The screens do not speak the language.
    """
    seen = screen(row["prompt"], row["completion"])
    by_model = in_language(sentence_of(row), language)
    speakers = words(language).speakers
    messages = [
        {"role": message.role, "content": message.content, "speaker": speakers[message.role]} for message in seen.prompt
    ]
    return {
        "data": {
            "example_id": row["id"],
            "source": row["source"],
            "template": row["template"],
            "screen": kind,
            "language": language,
            "messages": messages,
            "prompt": plain_prompt(messages),
            "response": seen.response,
            "question": review.question,
            "guideline": guideline_digest(review),
            "guideline_text": harmless_markdown(review.guideline),
            "error_types": [{"value": label} for label in review.error_types],
            "why": why if by_model in why else f"{by_model} {why}".strip(),
            "round": round_,
            "model_answer": model_answer,
        }
    }


def harmless_markdown(text: str) -> str:
    r"""Return a text whose tags are shown and not obeyed, and whose pictures are named and not fetched.

    ``3 < 4`` stays; ``<b>`` becomes ``&lt;b>``; ``![map](map.png)`` becomes ``!\[map](map.png)``.
    """
    return _TAG.sub("&lt;", text).replace("![", "!\\[")


def review_of(row: Mapping[str, Any], templates: Mapping[str, tuple[Template, Path]]) -> Review:
    """Return what the row's template asks of people; its labels are the response field's choices if not given.

    Raises:
        ConfigError: The template is gone.
    """
    name = row["template"]
    if name not in templates:
        raise ConfigError(
            f"template {name!r} is gone",
            where=f"example {row['id']}",
            fix=f"bring it back or run `tuneloop data` again; {nearest(name, templates)}",
        )
    template = templates[name][0]
    if template.review.labels:
        return template.review
    labels = [label for field in template.fields.values() if field.side == "response" for label in field.choices]
    return template.review.model_copy(update={"labels": labels})


def plain_prompt(messages: list[dict[str, str]]) -> str:
    """Return the context as one text, for tools that know no conversations."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def seen_of(data: Mapping[str, JsonValue]) -> Seen | None:
    """Return what a task of ours showed, or None if the data are not of the form `task_of` gives."""
    messages, response = data.get("messages"), data.get("response")
    if not isinstance(messages, list) or not isinstance(response, str) or "example_id" not in data:
        return None
    try:
        return Seen(
            prompt=[Message.model_validate(_without_speaker(message)) for message in messages], response=response
        )
    except ValidationError:
        return None


def _without_speaker(message: JsonValue) -> JsonValue:
    # The role in the language of the screen is no part of the example.
    return {key: value for key, value in message.items() if key != "speaker"} if isinstance(message, dict) else message
