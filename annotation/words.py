"""The words that we put on people's screens, in each language: `screens/words/en.yaml`, `de.yaml`, ...

``words("de").accept`` is ``annehmen``; what is stored is ``accept`` in every language. A file for a further
language needs every word of the English one, and nothing else in the program.
"""

from functools import cache
from pathlib import Path

import yaml
from pydantic import Field

from schemas import ConfigError, Role, Strict, nearest

FOLDER = Path(__file__).parent / "screens" / "words"
DEFAULT_LANGUAGE = "en"


class Says(Strict):
    """What somebody did, as said to who settles a dispute."""

    accept: str
    edit: str
    empty_edit: str
    write: str
    reject: str
    unsure: str


class People(Strict):
    """How many gave an answer."""

    one: str
    more: str = Field(title="with {n} for the number")


class Words(Strict):
    """Every word of ours on a screen; the English file shows where each stands."""

    name: str = Field(title="the language, in itself")
    speakers: dict[Role, str]

    guideline: str
    conversation: str
    model_answer: str
    shown_response: str
    last_turn: str
    data_label: str
    no_response: str

    accept: str
    edit: str
    reject: str
    unsure: str
    accept_hint: str
    edit_hint: str
    reject_hint: str
    unsure_hint: str
    verdict_missing: str

    what_is_wrong: str
    comment: str
    rating: str

    your_response: str
    write: str
    write_hint: str
    no_answer: str
    no_answer_hint: str
    written_missing: str

    which_label: str
    or_else: str
    no_label: str

    answer_a: str
    answer_b: str
    which_is_better: str
    better_a: str
    better_b: str
    tie: str
    both_bad: str
    preferred_missing: str

    which_is_right: str
    take_a: str
    take_b: str
    take_other: str
    take_none: str
    take_a_hint: str
    take_b_hint: str
    take_other_hint: str
    take_none_hint: str
    settled_missing: str
    reason: str
    your_text: str

    says: Says
    people: People
    wrong_with_it: str = Field(title="with {errors}")
    remark: str = Field(title="with {comment}")
    same_texts: str
    marked_texts: str
    further: str


def languages() -> list[str]:
    """Return the languages that the screens speak, such as ``["de", "en"]``."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def words(language: str) -> Words:
    """Return the words of a language.

    Raises:
        ConfigError: The screens do not speak it.
    """
    known = languages()
    if language not in known:
        raise ConfigError(
            f"the screens do not speak {language!r}",
            where="language",
            fix=f"{nearest(language, known)}; or add {language}.yaml beside {FOLDER / 'en.yaml'}",
        )
    return Words.model_validate(yaml.safe_load((FOLDER / f"{language}.yaml").read_text("utf-8")))
