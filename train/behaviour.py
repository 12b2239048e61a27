"""How an answer is given, right or wrong: empty, repetitive, too long, copied, in another language, of no valid format.

    prompt "Label this: I was charged twice.", reference "billing", answer "billing billing billing billing billing"
        ->  repetition 0.5, length_ratio 5.0, copied 0.0, valid_format False

Words are those of `train.metrics`: of scripts without blanks, characters; of a text without any, its other characters.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from pipeline.language import same_language
from pipeline.strict_json import MalformedError, parse
from schemas.report import ARMS, Arm, Behaviour
from train.metrics import fold, words

# Runs of 4, as the repetition of Welleck et al. 2020 (Neural Text Generation with Unlikelihood Training, seq-rep-4).
RUN = 4
JSON_METRICS, LABEL_METRICS = ("json_match", "json_field_f1"), ("accuracy", "macro_f1")
_LABELS_FIELD = "labels"


class Yardstick:
    """The prompts and references of a side, read once, for the answers of every arm.

    Args:
        prompts: As people read them.
        references: In the same order.
        metrics: Each template's first metric, which says what format is asked.
        labels: What each prompt offers; where nothing is offered, any reference of the side's labels will do.
    """

    def __init__(
        self, prompts: Sequence[str], references: Sequence[str], metrics: Sequence[str], labels: Sequence[Sequence[str]]
    ) -> None:
        self._references = references
        self._in_prompt = [_units(prompt) for prompt in prompts]
        self._n_words = [len(_units(reference)) for reference in references]
        seen: dict[str, set[str]] = {name: set() for name in LABEL_METRICS}
        for name, reference in zip(metrics, references, strict=True):
            if name in seen:
                seen[name].add(fold(reference))
        self._labels: list[set[str] | None] = [
            None if name not in seen else {fold(label) for label in offered} or seen[name]
            for name, offered in zip(metrics, labels or [()] * len(metrics), strict=True)
        ]
        self._is_json = [name in JSON_METRICS and is_json(text) for name, text in zip(metrics, references, strict=True)]

    def columns(self, answers: Sequence[str | None], stopped: Sequence[bool] | None) -> dict[str, list[Any]]:
        """Return the columns of `Score` that say how each answer is given; all empty where there is no answer."""
        found: dict[str, list[Any]] = {
            name: []
            for name in ("stopped", "is_empty", "repetition", "length_ratio", "copied", "same_language", "valid_format")
        }
        texts, references = pa.array(answers, pa.string()), pa.array(self._references, pa.string())
        same = same_language(texts, references).to_pylist()
        for place, answer in enumerate(answers):
            units = _units(answer or "")
            is_said, n_words = answer is not None, self._n_words[place]
            found["stopped"].append(stopped[place] if is_said and stopped is not None else None)
            found["is_empty"].append(not answer.strip() if answer is not None else None)
            found["repetition"].append(repetition(units) if is_said else None)
            found["length_ratio"].append(len(units) / n_words if is_said and n_words else None)
            found["copied"].append(copied(units, self._in_prompt[place]) if units else None)
            found["same_language"].append(same[place])
            found["valid_format"].append(None if answer is None else self._is_valid(place, answer))
        return found

    def _is_valid(self, place: int, answer: str) -> bool | None:
        labels = self._labels[place]
        if labels is not None:
            return fold(answer) in labels
        return is_json(answer) if self._is_json[place] else None


def repetition(units: Sequence[str]) -> float:
    """Return 1 - distinct / all runs of 4 words; 0 for a text too short to hold two."""
    runs = _runs(units, RUN)
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def copied(units: Sequence[str], prompt: Sequence[str]) -> float:
    """Return the share of the runs of 4 words that stand in the prompt; a shorter answer is one run."""
    length = min(RUN, len(units))
    runs, there = _runs(units, length), set(_runs(prompt, length))
    return sum(run in there for run in runs) / len(runs)


def is_json(text: str) -> bool:
    """Return whether the text is strict JSON, and nothing around it."""
    try:
        parse(text)
    except MalformedError:
        return False
    return True


def offered_labels(fields: Sequence[Mapping[str, str]] | None) -> list[str]:
    """Return the labels in an example's field `labels`, which holds them with commas between."""
    given = next((field["value"] for field in fields or [] if field["name"] == _LABELS_FIELD), "")
    return [label.strip() for label in given.split(",") if label.strip()]


def behaviour_of(scores: pd.DataFrame, yardstick: Yardstick, references: Sequence[str]) -> list[Behaviour]:
    """Return a row for each arm that answered, and first one of the references themselves.

    Args:
        scores: Rows of `Score` of one side.
        yardstick: Of that side.
        references: Of that side.
    """
    own = pd.DataFrame(yardstick.columns(references, None))
    found = [_mean("reference", own)] if len(own) else []
    for arm in ARMS:
        part = scores[(scores["arm"] == arm) & scores["answer"].notna()]
        if len(part):
            found.append(_mean(arm, part))
    return found


def _mean(arm: Arm | Literal["reference"], part: pd.DataFrame) -> Behaviour:
    def mean(name: str) -> float | None:
        values = part[name].dropna()
        return float(values.astype(float).mean()) if len(values) else None

    return Behaviour(
        arm=arm,
        n=len(part),
        stopped=mean("stopped"),
        empty=mean("is_empty") or 0.0,
        repetition=mean("repetition") or 0.0,
        length_ratio=mean("length_ratio"),
        copied=mean("copied"),
        same_language=mean("same_language"),
        n_language=int(part["same_language"].notna().sum()),
        valid_format=mean("valid_format"),
        n_format=int(part["valid_format"].notna().sum()),
    )


def _units(text: str) -> list[str]:
    return words(text) or list("".join(text.split()))


def _runs(units: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return list(zip(*(units[start:] for start in range(length)), strict=False)) if length else []
