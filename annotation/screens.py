"""The labelling screens: which one a row gets, and its config for Label Studio in a language.

A row without a response gets `write`, one whose template says ``review: {screen: chat}`` gets `chat`, and
``label_config("review", "de")`` is the XML to give to a project. Label Studio stores the same values in every
language: ``accept``, not ``annehmen``. The texts of the screens stand in `screens/*.xml.jinja` and the words in
`screens/words/`.

| screen | what people do | controls |
|---|---|---|
| review, chat | check a response, mend it in the box | response, verdict, error_types, comment, rating |
| write | write the response | response, verdict, comment |
| classify | choose the label | response (choices), verdict, error_types, comment |
| preference | say which of two answers is better | preferred, comment |
| dispute | settle what others answered differently | settled, response, comment |
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from annotation.words import DEFAULT_LANGUAGE, languages, words
from pipeline.preference import REJECTED
from pipeline.screen import asks_for_text, screen
from schemas import ConfigError, Review, Screen, nearest

__all__ = ["SCREENS", "label_config", "labels_of", "languages", "rejected_of", "screen_of"]

SCREENS: tuple[Screen, ...] = ("review", "chat", "write", "classify", "preference", "dispute")
FOLDER = Path(__file__).parent / "screens"
_LABELS_FIELD = "labels"
_ABOUT: dict[Screen, str] = {
    "review": "The review screen: the conversation on the left, the response and what is thought of it on the right.",
    "chat": "The chat screen: the conversation on the left, the assistant's last turn on the right.",
    "write": "The writing screen: the conversation on the left, an empty box on the right.",
    "classify": "The classification screen: the text on the left, the labels on the right.",
    "preference": "The preference screen: the conversation, answer A and answer B side by side.",
    "dispute": "The dispute screen: what was asked and two unnamed answers, with their differences marked.",
}


def screen_of(row: Mapping[str, Any], review: Review) -> Screen:
    """Return the kind of screen for a row of format or annotate.

    A row that has no response yet is to be written, unless there are labels to choose from. A template may
    ask for `classify` or `preference` and a row have no labels or no second response (field `rejected`);
    such a row gets `review`.
    """
    if review.screen == "classify" and len(labels_of(row, review)) > 1:
        return "classify"
    if asks_for_text(screen(row["prompt"], row["completion"])):
        return "write"
    if review.screen == "preference" and rejected_of(row):
        return "preference"
    return "chat" if review.screen == "chat" else "review"


def rejected_of(row: Mapping[str, Any]) -> str:
    """Return the worse answer that a preference source gave for a row, empty if there is none."""
    return next((field["value"] for field in row.get("fields") or [] if field["name"] == REJECTED), "")


def labels_of(row: Mapping[str, Any], review: Review) -> list[str]:
    """Return the labels to choose from: the review block's, else those in the row's field `labels`, each once.

    The field holds them with commas between. The data's own label joins them at the end if it is another,
    so that it can be accepted.
    """
    given = list(review.labels)
    if not given:
        field = next((field["value"] for field in row.get("fields") or [] if field["name"] == _LABELS_FIELD), "")
        given = [label.strip() for label in field.split(",")]
    own = screen(row["prompt"], row["completion"]).response.strip()
    return list(dict.fromkeys(label for label in (*given, own) if label))


@cache
def label_config(screen: Screen, language: str = DEFAULT_LANGUAGE) -> str:
    """Return the labelling config for a kind of screen, as XML that ends with a line feed.

    Raises:
        ConfigError: There is no such screen, or the screens do not speak the language.
    """
    if screen not in SCREENS:
        raise ConfigError(f"there is no screen {screen!r}", where="screen", fix=nearest(screen, SCREENS))
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template(f"{screen}.xml.jinja")
    return template.render(words=words(language), screen=screen, language=language, about=_ABOUT[screen])
