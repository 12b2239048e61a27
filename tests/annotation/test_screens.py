import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from label_studio_sdk.label_interface.interface import LabelInterface

from annotation.screen_task import screen_task_of
from annotation.screens import SCREENS, label_config, labels_of, languages, screen_of
from annotation.words import words
from schemas import Annotation, ConfigError, Message, Review, Seen, Verdict

ROOT = Path(__file__).parents[2]
VERDICTS: list[tuple[str, Verdict]] = [("ann", "accept"), ("ben", "reject")]
REVIEW = Review(question="Is it right?", error_types=["wrong"], guideline="Right is right.")


def row(response: str = "5", fields: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    completion = [{"role": "assistant", "content": response}] if response else []
    return {
        "id": "e1",
        "source": "sums",
        "template": "maths",
        "fields": [{"name": name, "value": value} for name, value in (fields or {}).items()],
        "prompt": [{"role": "user", "content": "2 + 2?"}],
        "completion": completion,
        **more,
    }


def asks(screen: str, **more: Any) -> Review:
    return REVIEW.model_copy(update={"screen": screen, **more})


def task(kind: Any, language: str) -> dict[str, Any]:
    seen = Seen(prompt=[Message(role="user", content="2 + 2?")], response="5")
    at = "2026-03-01T09:00:00Z"
    answers = [
        Annotation(key=who, example="e1", seen=seen, annotator=who, verdict=verdict, created_at=at, updated_at=at)
        for who, verdict in VERDICTS
    ]
    given = row("" if kind == "write" else "5", {"labels": "4, 5"})
    return screen_task_of(given, REVIEW, kind=kind, language=language, second="4", answers=answers)


both = pytest.mark.parametrize(("kind", "language"), [(kind, name) for kind in SCREENS for name in languages()])


@both
def test_label_studio_s_own_reader_takes_every_config_and_its_task(kind: Any, language: Any) -> None:
    config: Any = LabelInterface(label_config(kind, language))
    config.validate()
    config.validate_task(task(kind, language))


@both
def test_every_variable_of_a_config_is_in_its_task_and_never_null(kind: Any, language: Any) -> None:
    used = set(re.findall(r'"\$(\w+)"', label_config(kind, language)))
    data = task(kind, language)["data"]
    assert {"messages", "question", "why"} <= used <= set(data)
    assert all(data[name] is not None for name in used)


@pytest.mark.parametrize("kind", SCREENS)
def test_stored_values_keys_and_controls_are_the_same_in_every_language(kind: Any) -> None:
    def stored(language: str) -> list[tuple[str, str | None, str | None, str | None]]:
        tree = ElementTree.fromstring(label_config(kind, language))
        names = [
            (tag.tag, tag.get("name"), tag.get("toName"), tag.get("value")) for tag in tree.iter() if tag.get("name")
        ]
        return names + [(tag.tag, tag.get("alias"), tag.get("hotkey"), None) for tag in tree.iter("Choice")]

    german = stored("de")
    assert german == stored("en")
    aliases = [alias for tag, alias, _, _ in german if tag == "Choice"]
    assert (
        aliases
        == {
            "review": ["accept", "edit", "reject", "unsure"],
            "chat": ["accept", "edit", "reject", "unsure"],
            "write": ["write", "reject", "unsure"],
            "classify": ["reject", "unsure"],
            "preference": ["a", "b", "tie", "both_bad"],
            "dispute": ["a", "b", "write", "reject"],
        }[kind]
    )


@pytest.mark.parametrize("kind", SCREENS)
def test_a_box_starts_from_the_data_s_response_and_from_nothing_else(kind: Any) -> None:
    tree = ElementTree.fromstring(label_config(kind))
    starts = {tag.get("name"): tag.get("value") for tag in tree.iter("TextArea")}
    assert starts == {"comment": None} | ({} if kind in ("classify", "preference") else {"response": "$response"})


def test_the_committed_review_screen_is_the_made_one() -> None:
    # If not: python -c "from annotation.screens import label_config; print(label_config('review'), end='')"
    assert (ROOT / "annotation" / "review.xml").read_text("utf-8") == label_config("review", "en")


def test_no_word_of_another_language_is_left_on_a_german_screen() -> None:
    english = {value for value in words("en").model_dump().values() if isinstance(value, str)}
    for kind in SCREENS:
        tree = ElementTree.fromstring(label_config(kind, "de"))
        shown = {tag.get(key) for tag in tree.iter() for key in ("value", "hint", "placeholder", "requiredMessage")}
        assert not shown & english


def test_a_language_that_the_screens_do_not_speak_is_refused_with_those_they_do() -> None:
    with pytest.raises(ConfigError, match="the screens do not speak 'fr'") as caught:
        label_config("review", "fr")
    assert "known names: de, en" in caught.value.fix
    with pytest.raises(ConfigError, match="there is no screen 'reviews'"):
        label_config("reviews")


@pytest.mark.parametrize(
    ("given", "review", "kind"),
    [
        (row(), REVIEW, "review"),
        (row(), asks("chat"), "chat"),
        (row(""), REVIEW, "write"),
        (row(""), asks("chat"), "write"),
        (row(fields={"labels": "4, 5"}), asks("classify"), "classify"),
        (row(""), asks("classify", labels=["4", "5"]), "classify"),  # chosen, not written
        (row(), asks("classify"), "review"),  # no labels to choose from
        (row(""), asks("classify"), "write"),
        (row(fields={"rejected": "6"}), asks("preference"), "preference"),
        (row(), asks("preference"), "review"),  # nothing to compare with
    ],
)
def test_the_row_and_its_template_say_which_screen(given: Any, review: Any, kind: Any) -> None:
    assert screen_of(given, review) == kind


def test_labels_come_from_the_review_block_else_from_the_row_and_the_data_s_own_joins_them() -> None:
    assert labels_of(row("5", {"labels": "4, 5 ,4,"}), REVIEW) == ["4", "5"]
    assert labels_of(row("six", {"labels": "4,5"}), REVIEW) == ["4", "5", "six"]
    assert labels_of(row("5", {"labels": "1,2"}), asks("classify", labels=["4", "5"])) == ["4", "5"]
    assert labels_of(row("5"), REVIEW) == ["5"]
