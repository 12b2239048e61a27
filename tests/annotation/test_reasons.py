"""Reasons in the language of the screen."""

import numpy as np
import pytest

from annotation import drafted
from annotation.open_rows import STATES
from annotation.queue import BY_CHANCE, NOTHING_KNOWN
from annotation.reasons import in_language
from annotation.rule_checks import RULES
from annotation.suspicion import Surprise, reason
from annotation.urgency import state_sentence
from annotation.words import languages

OTHERS = [language for language in languages() if language != "en"]


def surprised(unlikely: float, unlearned: float, gain: float, chance: float = 0.0) -> str:
    one = Surprise(np.array([unlikely]), np.array([unlearned]), np.array([gain]), np.array([chance]))
    return reason(one, np.zeros(1, np.uint32), 0, "summarize")


SENTENCES = [
    *(rule.sentence for rule in RULES),
    *filter(None, (state_sentence(state) for state in range(len(STATES)))),
    *drafted.SENTENCES.values(),
    BY_CHANCE,
    NOTHING_KNOWN,
    "Please answer this again: dates stay as written",
    surprised(0.97, 0.1, 0.0),
    surprised(0.1, 0.95, 0.5),
    surprised(0.1, 0.95, -0.5),
    surprised(0.3, 0.1, 0.0),
    surprised(0.3, 0.1, 0.0, chance=0.5),
]


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_reason_is_said_in_every_language_of_the_screens(sentence: str, language: str) -> None:
    said = in_language(sentence, language)
    assert said != sentence
    assert "{" not in said


def test_several_reasons_are_said_one_after_another() -> None:
    why = "People have answered this differently. " + surprised(0.97, 0.1, 0.0)
    assert in_language(why, "de") == (
        "Hierzu gibt es verschiedene Antworten. Das trainierte Modell hält diese Antwort für sehr unwahrscheinlich: "
        "mehr als 97 von 100 Antworten zu summarize."
    )


def test_a_language_without_a_file_keeps_the_words() -> None:
    assert in_language("The answer refuses to answer.", "fr") == "The answer refuses to answer."
