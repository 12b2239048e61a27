"""Which project each waiting row goes to, and the task it becomes there.

    unreviewed, most rows              ->  main
    unreviewed, a stated share of ids  ->  overlap: a project of its own, two people each
    disputed                           ->  dispute: both answers side by side, for the lead
    unsure                             ->  lead
    on the test side                   ->  test: only when asked for, blind, in an order of chance, two people each

Rows that two people answer have a project of their own: where a project asks for two, the stream serves half-done tasks
first, and the ranked order is lost.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from annotation.feedback import Feedback
from annotation.feedback_record import feedback_round
from annotation.gold import practice_tasks, read_gold
from annotation.projects import Purpose, Slot, people_for
from annotation.push import Wanted, task_key
from annotation.queue import Queue, queue_of
from annotation.reasons import in_language
from annotation.screen_task import screen_task_of
from annotation.screens import label_config, screen_of
from annotation.task import FIRST_ROUND, review_of, seen_of
from annotation.words import DEFAULT_LANGUAGE, languages
from pipeline import refs
from pipeline.annotations import annotation_files, read_annotations
from pipeline.digest import value_digest
from pipeline.recipe import Recipe
from pipeline.screen import screen, stands
from pipeline.snapshot import Snapshot
from schemas import Annotation, ConfigError, Formatted, Screen, Template, arrow_schema

_BY_STATUS: dict[str, Purpose] = {"disputed": "dispute", "unsure": "lead"}
_ROW = [item.name for item in arrow_schema(Formatted)]
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_BUCKETS = 1 << 32


@dataclass
class Assignment:
    """The rows of a recipe that people are to see, as tasks.

    Attributes:
        recipe: The recipe.
        templates: Name to template and its file.
        waits: The queue.
        n_since: Rows of the queue met so far whose answers have changed since the data were made; none is asked
            again before the data are made anew.
    """

    data_root: Path
    recipe: Recipe
    templates: Mapping[str, tuple[Template, Path]]
    waits: Queue
    n_since: int = 0
    _since: frozenset[str] = frozenset()
    _answers: dict[str, list[Annotation]] = field(default_factory=dict)
    _feedback: str = ""

    @staticmethod
    def of(data_root: Path, recipe: Recipe, templates: Mapping[str, tuple[Template, Path]]) -> "Assignment":
        """Return the assignment for the newest data of a recipe.

        Raises:
            ConfigError: The recipe has no data yet.
        """
        waits = queue_of(data_root, recipe, templates, random_share=recipe.review.random_share)
        answers: dict[str, list[Annotation]] = defaultdict(list)
        files = annotation_files(data_root)
        for answer in read_annotations(files.values()):
            if answer.example:
                answers[answer.example].append(answer)
        record = refs.newest(data_root, "annotate", recipe.name)
        counted = {one.name.removeprefix("annotations/") for one in record.inputs} if record else set()
        in_data = read_annotations(path for name, path in files.items() if name in counted)
        now = {_record(answer) for given in answers.values() for answer in given}
        # Answers that came, and answers that were withdrawn.
        since = frozenset(example for _, _, example in now ^ {_record(answer) for answer in in_data} if example)
        return Assignment(data_root, recipe, templates, waits, _since=since, _answers=answers)

    def queue(self, round_: str = FIRST_ROUND) -> Iterator[Wanted]:
        """Yield the tasks of what waits: what is the lead's first, then the others, the most urgent of each first."""
        others = (queued for queued in self.waits.rows(None) if queued.state not in _BY_STATUS)
        for queued in chain(self.waits.rows_in(_BY_STATUS), others):
            if queued.row["id"] in self._since:
                self.n_since += 1
                continue
            purpose = self._purpose(queued.row["id"], queued.state)
            yield self._wanted(queued.row, purpose, queued.why, queued.urgency, queued.kind, round_)

    def test_side(self) -> Iterator[Wanted]:
        """Yield the tasks of the test side that fewer than two people have answered, in an order of chance.

        Raises:
            ConfigError: There is no split yet.
        """
        rows = self._test_rows(None)
        lot = sorted(rows, key=lambda row: value_digest(["test", row["id"]]))
        for place, row in enumerate(lot):
            yield self._wanted(row, "test", "", 1 - place / max(1, len(lot)), "")

    def practice(self, gold: Path) -> Iterator[Wanted]:
        """Yield the tasks of a file of gold items, in its order.

        Raises:
            AnnotationError: The items are not good ones.
        """
        items = read_gold(gold, self.templates)
        for place, task in enumerate(practice_tasks(items, self.templates)):
            data = task["data"] | {"language": self.recipe.review.language}
            seen = seen_of(data)
            assert seen is not None
            data["task_key"] = task_key("practice", data["example_id"], seen)
            slot = Slot(FIRST_ROUND, "practice", data["screen"], data["language"])
            yield Wanted(slot, data, round(place / len(items), 6))

    def feedback(self, found: Feedback, run: str) -> Iterator[Wanted]:
        """Return the tasks of what a training run found, in its order, as a round of its own.

        What somebody has answered since the data were made, or in this very round, is not asked again: the next version
        of the data knows of it. From now on nothing waits in the rounds of other runs: a model of older data said what
        they hold, and what is still odd is in this round too.
        """
        self._feedback = feedback_round(run)
        return self._feedback_tasks(found, self._feedback)

    def _feedback_tasks(self, found: Feedback, round_: str) -> Iterator[Wanted]:
        for place, (row, pick) in enumerate(found.rows):
            if row["id"] in self._since:
                self.n_since += 1
                continue
            if any(answer.round == round_ for answer in self._standing(row)):
                continue
            why, urgency = pick.why, 1 - place / max(1, len(found.rows))
            yield self._wanted(row, "feedback", why, urgency, pick.queue, round_, pick.model_answer)

    def shown_now(self, slot: Slot, examples: Sequence[str]) -> dict[str, str]:
        """Return, of the examples that wait still for what a slot is for, the key their task would have there today."""
        if slot.purpose == "test":
            return {row["id"]: self._key(row, "test", slot.round) for row in self._test_rows(examples)}
        found: dict[str, str] = {}
        if slot.purpose == "feedback" and self._feedback not in ("", slot.round):
            return found
        for queued in self.waits.rows_of(examples):
            if queued.row["id"] in self._since:
                continue
            now = self._purpose(queued.row["id"], queued.state)
            if now == slot.purpose or {now, slot.purpose} <= {"main", "overlap"}:
                found[queued.row["id"]] = self._key(queued.row, now, slot.round)
            elif slot.purpose == "feedback":
                found[queued.row["id"]] = self._key(queued.row, "feedback", slot.round)
        return found

    def config_of(self, slot: Slot) -> str:
        """Return the screen of a slot, in its language where the screens speak it, else in English."""
        return label_config(cast(Screen, slot.screen), _spoken(slot.language))

    def _purpose(self, example: str, status: str) -> Purpose:
        if status in _BY_STATUS:
            return _BY_STATUS[status]
        share = int(value_digest(["overlap", example])[:8], 16) / _BUCKETS
        return "overlap" if share < self.recipe.review.overlap else "main"

    def _wanted(
        self,
        row: Mapping[str, Any],
        purpose: Purpose,
        why: str,
        urgency: float,
        kind_of_queue: str,
        round_: str = FIRST_ROUND,
        model_answer: str = "",
    ) -> Wanted:
        review, language = review_of(row, self.templates), self._language(row)
        kind = "dispute" if purpose == "dispute" else screen_of(row, review)
        task = screen_task_of(
            row,
            review,
            kind=kind,
            language=_spoken(language),
            why=in_language(why, _spoken(language)),
            round_=round_,
            model_answer=model_answer,
            answers=self._standing(row) if purpose == "dispute" else (),
        )
        data = task["data"] | {"task_key": self._key(row, purpose, round_), "purpose": purpose, "language": language}
        if kind_of_queue:
            data["queue"] = kind_of_queue
        return Wanted(Slot(round_, purpose, kind, language), data, round(1 - urgency, 6))

    def _key(self, row: Mapping[str, Any], purpose: Purpose, round_: str) -> str:
        """Return the key of the task: a row that waits for another reason, or has new answers, gives another one."""
        shown = screen(row["prompt"], row["completion"])
        stands_for = "" if purpose in {"main", "overlap"} else purpose
        given = self._standing(row)
        # A task that two people are to answer is the same for the second.
        for_second = purpose == "overlap" and len({answer.annotator for answer in given}) < people_for(purpose)
        said = [answer.key + answer.updated_at for answer in given]
        again = value_digest(said) if said and purpose != "test" and not for_second else ""
        return task_key(f"{round_}/{stands_for}/{again}", row["id"], shown)

    def _standing(self, row: Mapping[str, Any]) -> list[Annotation]:
        shown, n = screen(row["prompt"], row["completion"]), len(row["completion"])
        return [answer for answer in self._answers.get(row["id"], []) if stands(answer, shown, n)]

    def _language(self, row: Mapping[str, Any]) -> str:
        """Return the language of the data: the row's own where its source says so, else the recipe's."""
        said = json.loads(row["meta"] or "{}").get("language")
        return said if isinstance(said, str) and _LANGUAGE.fullmatch(said) else self.recipe.review.language

    def _test_rows(self, examples: Sequence[str] | None) -> list[dict[str, Any]]:
        record = refs.newest(self.data_root, "split", self.recipe.name)
        if record is None:
            raise ConfigError(
                f"recipe {self.recipe.name!r} has no split yet", where=str(self.data_root), fix="run `tuneloop data`"
            )
        snapshot = Snapshot.open(self.data_root / "split", record.version)
        rows: list[dict[str, Any]] = []
        for batch in snapshot.batches([*_ROW, "split"]):
            chosen = pc.equal(batch.column("split"), "test")
            if examples is not None:
                chosen = pc.and_(chosen, pc.is_in(batch.column("id"), value_set=pa.array(examples, pa.string())))
            rows += batch.filter(chosen).to_pylist()
        return [row for row in rows if len({answer.annotator for answer in self._standing(row)}) < people_for("test")]


def _record(answer: Annotation) -> tuple[str, str, str | None]:
    return answer.key, answer.updated_at, answer.example


def _spoken(language: str) -> str:
    return language if language in languages() else DEFAULT_LANGUAGE
