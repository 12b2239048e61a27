"""What is asked, and what each arm made of it: the rows of a split with their ids, scored into one table.

one test row and the arm `tuned` ->
{"example": "9f3c...", "arm": "tuned", "metric": "accuracy", "score": 1.0, "answer": "refund", "nll": 0.02, ...}
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipeline.snapshot import Snapshot
from schemas import ConfigError, Template, arrow_schema, nearest
from schemas.method import Family
from schemas.report import Score, ScoreArm
from train.behaviour import Yardstick, offered_labels
from train.doubt import example_doubt
from train.encode import RowEncoder
from train.encoded import Encoded
from train.floors import Floor, Floors, Row
from train.forward import Layout
from train.generate import Said, answers, choices
from train.metrics import METRICS, primary
from train.padded import PaddedClasses

COLUMNS = ("id", "origin", "source", "template", "group", "status", "prompt", "completion", "tools", "fields")
_NOT_KEPT = frozenset(("prompt", "completion", "tools", "fields"))
REVIEWED = ("accepted", "edited")


@dataclass(frozen=True)
class Side:
    """One side of the split, ready for a model.

    Attributes:
        rows: Columns of the split as Python values, without the messages.
        prompts: Text of each prompt, as people read it.
        references: Text each target reads back as.
        encoded: Their ids.
        labels: What each prompt offers to choose from; none where it offers nothing.
    """

    name: str
    rows: list[dict[str, Any]]
    prompts: list[str]
    references: list[str]
    encoded: Encoded
    labels: list[list[str]] = field(default_factory=list)

    @property
    def n_reviewed(self) -> int:
        """Examples that people have checked."""
        return sum(row["status"] in REVIEWED for row in self.rows)

    def floor_rows(self) -> list[Row]:
        """The same as the floors see it."""
        return [
            Row(row["template"], prompt, reference, self.encoded.target(i))
            for i, (row, prompt, reference) in enumerate(zip(self.rows, self.prompts, self.references, strict=True))
        ]


@dataclass(frozen=True)
class Result:
    """What one arm made of one side: NLL in nats a token, if it gives any, and answers where it was asked.

    `stopped`: whether each answer ended by its stop token, for arms that write tokens. `doubt`: of models alone.
    """

    nll: np.ndarray | None
    answers: Sequence[str | None] | None
    stopped: Sequence[bool] | None = None
    doubt: np.ndarray | None = None


def read_side(snapshot: Snapshot, name: str, encoder: RowEncoder, made: Encoded | None = None) -> Side:
    """Return one side of a split, encoded: one example a row, its completion alone.

    Args:
        snapshot: The split.
        name: Of the side.
        encoder: Of the base.
        made: The examples, where `train.encoding` has made them; else they are made here, without worked examples.

    Raises:
        SourceError: A row breaks what must hold of every row.
    """
    rows: list[dict[str, Any]] = []
    prompts: list[str] = []
    labels: list[list[str]] = []
    encoded: list[Encoded] = []
    for file in snapshot.manifest.files:
        if not file.name.startswith(f"{name}-"):
            continue
        for batch in Snapshot.read_part(snapshot.folder / file.name, list(COLUMNS)):
            read = batch.to_pylist()
            if made is None:
                encoded.append(encoder.encode(read))
            prompts += ["\n\n".join(message["content"] or "" for message in row["prompt"]) for row in read]
            rows += [{key: row[key] for key in COLUMNS if key not in _NOT_KEPT} for row in read]
            labels += [offered_labels(row["fields"]) for row in read]
    whole = Encoded.joined(encoded) if made is None else made
    references = [encoder.read_back(whole.target(i).tolist()) for i in range(len(whole))]
    return Side(name, rows, prompts, references, whole, labels)


def ask(
    model: PreTrainedModel,
    encoder: RowEncoder,
    side: Side,
    *,
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    family: Family,
    token_budget: int,
    context: int,
    max_new_tokens: int | None,
    tell: Callable[[int, int], None],
    known: Callable[[Encoded, Callable[[Encoded], Said]], Said] | None = None,
) -> Result:
    """Return what a model makes of a side; without `max_new_tokens` it is not asked to answer.

    `known` is given the prompts and what asks the model, and may spare it prompts that it has answered before.
    """
    summed, doubt = example_doubt(model, side.encoded, layout, token_budget=token_budget)
    said: Sequence[str] | None = None
    stopped: Sequence[bool] | None = None
    if max_new_tokens is not None and len(side.encoded):
        said, stopped = told(
            model, encoder, side.encoded, tokenizer=tokenizer, layout=layout, family=family, token_budget=token_budget,
            context=context, max_new_tokens=max_new_tokens, tell=tell, known=known,
        )  # fmt: skip
    return Result(summed / side.encoded.n_supervised, said, stopped, doubt)


def told(
    model: PreTrainedModel,
    encoder: RowEncoder,
    asked: Encoded,
    *,
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    family: Family,
    token_budget: int,
    context: int,
    max_new_tokens: int,
    tell: Callable[[int, int], None],
    known: Callable[[Encoded, Callable[[Encoded], Said]], Said] | None = None,
) -> tuple[Sequence[str] | None, Sequence[bool] | None]:
    """Return the answer to each prompt, and whether it ended by its stop token.

    A class has no end, so that there are no stops; a model without a stop token is not asked to write: None.
    """
    if isinstance(layout, PaddedClasses):
        numbers = choices(model, asked, layout, token_budget=token_budget, tell=tell)
        return [encoder.read_back([number]) for number in numbers], None
    if encoder.stop_id is None:
        return None, None
    say = partial(
        answers,
        model,
        tokenizer,
        stop=encoder.stop_id,
        context=context,
        max_new_tokens=max_new_tokens,
        token_budget=token_budget,
        tell=tell,
        family=family,
    )
    return known(asked, say) if known else say(asked)


def ask_floors(floors: Floors, side: Side) -> dict[ScoreArm, Result]:
    """Return what the two arms without a model make of a side."""
    rows = side.floor_rows()
    arms: tuple[Floor, ...] = ("majority", "nearest")
    return {arm: Result(floors.nll(arm, rows), floors.answer(arm, rows)) for arm in arms}


def metric_names(sides: Sequence[Side], templates: Mapping[str, tuple[Template, Path]]) -> dict[str, str]:
    """Return each template's first metric.

    Raises:
        ConfigError: A template is gone, or names a metric that is not known; all at once.
    """
    found: dict[str, str] = {}
    problems: list[ConfigError] = []
    for name in sorted({row["template"] for side in sides for row in side.rows}):
        if name not in templates:
            problems.append(
                ConfigError(
                    f"template {name!r} is gone, so nobody knows how its answers are scored",
                    where="the recipe's templates",
                    fix=f"bring it back or run `tuneloop data` again; {nearest(name, templates)}",
                )
            )
            continue
        template, path = templates[name]
        try:
            found[name] = primary(template.metrics, f"{path}, metrics")
        except ConfigError as error:
            problems.append(error)
    if problem := ConfigError.of(problems):
        raise problem
    return found


def score_table(side: Side, results: Mapping[ScoreArm, Result], metrics: Mapping[str, str]) -> pa.Table:
    """Return a row of `schemas.report.Score` for each example and arm."""
    tables = []
    n = len(side.rows)
    names = [metrics[row["template"]] for row in side.rows]
    yardstick = Yardstick(side.prompts, side.references, names, side.labels)
    for arm, result in results.items():
        said: Sequence[str | None] = result.answers if result.answers is not None else [None] * n
        scores = [
            None if answer is None else METRICS[name](answer, reference)
            for name, answer, reference in zip(names, said, side.references, strict=True)
        ]
        columns = {
            "example": [row["id"] for row in side.rows],
            "group": [row["group"] for row in side.rows],
            "split": [side.name] * n,
            "template": [row["template"] for row in side.rows],
            "source": [row["source"] for row in side.rows],
            "arm": [arm] * n,
            "metric": names,
            "score": scores,
            "answer": said,
            "nll": [None] * n if result.nll is None else result.nll.tolist(),
            "n_tokens": side.encoded.n_supervised.tolist(),
            "doubt": [None] * n if result.doubt is None else result.doubt.tolist(),
            **yardstick.columns(said, result.stopped),
        }
        tables.append(pa.table(columns, schema=arrow_schema(Score)))
    return pa.concat_tables(tables)
