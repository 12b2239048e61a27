"""A Label Studio export (JSON) as annotations: every answer of every annotator.

The task

    {"id": 7, "project": 3, "data": {"example_id": "9f3c...", "messages": [...], "response": "5"},
     "annotations": [{"id": 12, "completed_by": {"email": "ann@example.org"}, "result": [
         {"from_name": "verdict", "type": "choices", "value": {"choices": ["edit"]}},
         {"from_name": "response", "type": "textarea", "value": {"text": ["4"]}}]}]}

becomes ``Annotation(key="ls:3:12", example="9f3c...", annotator="ann@example.org", verdict="edit",
response="4")`` with what was seen. Drafts and predictions are not answers and are left out. Answers
marked as ground truth in Label Studio are answers like any other: the mark is also set by its import.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from annotation.foreign import foreign_seen
from annotation.results import Names, Results, read_results
from annotation.settled import answered
from annotation.task import seen_of
from pipeline.digest import value_digest
from schemas import Annotation, AnnotationError, Seen

HOW = "in Label Studio choose Export, then JSON"
_LONG_AGO = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Unreadable:
    """A task or an answer that gave no annotation."""

    place: str
    reason: str
    detail: str


@dataclass
class Imported:
    """What an export held.

    Attributes:
        tasks: Tasks in the file.
        unanswered: Tasks that nobody has answered yet.
        skipped: Answers that are a press of Skip.
        answers: The annotations.
        unreadable: What could not be used, and why.
    """

    tasks: int = 0
    unanswered: int = 0
    skipped: int = 0
    answers: list[Annotation] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def contradictions(self) -> Counter[str]:
        """Rule to how often it settled a verdict against its text."""
        return Counter(answer.contradiction for answer in self.answers if answer.contradiction)


def read_export(path: Path, names: Names | None = None, adjudicators: Sequence[str] = ()) -> Imported:
    """Return the annotations in a file that Label Studio exported as JSON.

    Args:
        path: The file.
        names: Names of the controls on the labelling screen, if not ours.
        adjudicators: Annotators whose word settles disputes: ``ann@example.org``, ``user 7`` or ``7``.

    Raises:
        AnnotationError: The file cannot be read or is no such export.
    """
    return read_tasks(_tasks(path), names, adjudicators)


def read_tasks(tasks: Sequence[object], names: Names | None = None, adjudicators: Sequence[str] = ()) -> Imported:
    """Return the annotations in tasks as Label Studio writes them; a bad one is listed and left out."""
    found, names = Imported(tasks=len(tasks)), names or Names()
    leads = {called(name) for name in adjudicators}
    for index, task in enumerate(tasks):
        place = _place(task, index)
        if not isinstance(task, dict) or not isinstance(task.get("annotations", []), list):
            found.unreadable.append(Unreadable(place, "not a task", "it has no list of annotations"))
            continue
        given = [one for one in task.get("annotations", []) if _is_answer(one, found, place)]
        if not task.get("annotations"):
            found.unanswered += 1
        if not given:
            continue
        seen = _seen(task, names)
        if isinstance(seen, str):
            found.unreadable.append(Unreadable(place, "no prompt", seen))
            continue
        for one in given:
            answer = _answer(task, seen, one, names, leads)
            if isinstance(answer, Annotation):
                found.answers.append(answer)
            else:
                found.unreadable.append(Unreadable(f"{place}, annotation {one.get('id', '?')}", *answer))
    return found


def _tasks(path: Path) -> list[object]:
    """Return the list of tasks in a file."""

    def refuse(what: str, fix: str = HOW) -> AnnotationError:
        return AnnotationError(what, where=str(path), fix=fix)

    try:
        whole = json.loads(path.read_bytes())
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror}", "name the file that Label Studio gave you") from error
    except (ValueError, RecursionError) as error:
        raise refuse(f"not JSON: {error}") from error
    tasks = [whole] if isinstance(whole, dict) and "annotations" in whole else whole
    if not isinstance(tasks, list):
        raise refuse(f"not a list of tasks but {_kind(whole)}")
    keys = {key for task in tasks if isinstance(task, dict) for key in task}
    if tasks and not keys:
        raise refuse("a list without a single task")
    if "annotations" in keys or not tasks:
        return tasks
    if "completions" in keys:
        fix = "import it into a Label Studio of version 1 or later and export it there as JSON"
        raise refuse("the old export format, with completions, of Label Studio before 1.0", fix)
    if {"annotation_id", "annotator"} & keys:
        raise refuse("the short format JSON_MIN, which does not keep what people saw", f"{HOW}, not JSON-MIN")
    raise refuse(f"tasks without answers; their keys: {', '.join(sorted(keys)[:10])}")


def _kind(whole: object) -> str:
    if isinstance(whole, dict):
        return f"an object with the keys {', '.join(sorted(whole)[:5]) or 'none'}"
    return f"a {type(whole).__name__}"


def _place(task: object, index: int) -> str:
    id_ = task.get("id") if isinstance(task, dict) else None
    return f"task {index}" if id_ is None else f"task {index} (id {id_})"


def _is_answer(one: object, found: Imported, place: str) -> bool:
    if not isinstance(one, dict):
        found.unreadable.append(Unreadable(place, "not an annotation", f"a {type(one).__name__}"))
        return False
    if one.get("was_cancelled"):
        found.skipped += 1
        return False
    return True


def _seen(task: Mapping[str, Any], names: Names) -> Seen | str:
    data = task.get("data")
    if not isinstance(data, dict):
        return "the task has no data"
    return seen_of(data) or foreign_seen(data, names.prompt_keys, names.shown_keys)


def _answer(
    task: Mapping[str, Any], seen: Seen, one: Mapping[str, Any], names: Names, leads: set[str]
) -> Annotation | tuple[str, str]:
    """Return the annotation, or why there is none: a short reason and a sentence."""
    results = read_results(one.get("result"), names)
    if not isinstance(results, Results):
        return results
    settled = answered(task["data"], seen, results)
    if settled is None:
        return "no verdict", f"controls answered: {', '.join(results.controls) or 'none'}"
    annotator, data = _annotator(one), task["data"]
    is_ours = seen_of(data) is not None
    created = one.get("created_at") or one.get("updated_at") or _LONG_AGO
    fields = {
        "key": _key(task, one, annotator),
        **{name: _named(data, key) if is_ours else None for name, key in _CARRIED.items()},
        "seen": settled.seen,
        "annotator": annotator,
        "verdict": settled.verdict,
        "response": settled.response,
        "preferred": settled.preferred,
        "error_types": results.error_types,
        "rating": results.rating,
        "comment": results.comment,
        "adjudicated": settled.settles or annotator in leads,
        "created_at": created,
        "updated_at": one.get("updated_at") or created,
        "lead_time_seconds": one.get("lead_time"),
        "contradiction": settled.rule,
    }
    try:
        answer = Annotation.model_validate(fields)
        # Half of a surrogate pair passes every check but cannot be written down.
        answer.model_dump_json()
    except ValidationError as error:
        first = error.errors()[0]
        return "bad value", f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except PydanticSerializationError as error:
        return "bad value", f"a text that is no Unicode: {error}"
    return answer


# Field of the annotation to key of our task's data. A foreign `source` column can mean anything.
_CARRIED = {
    "example": "example_id",
    "source": "source",
    "guideline": "guideline",
    "round": "round",
    "purpose": "purpose",
    "queue": "queue",
}


def _named(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    return value if isinstance(value, str) and value else None


def _annotator(one: Mapping[str, Any]) -> str:
    """Return who answered: the e-mail address in small letters, else ``user 7``, else ``unknown``."""
    who = one.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("username") or who.get("id")
    return called(who)


def called(who: object) -> str:
    """Return the name under which an annotator is known here, for any way of writing it."""
    name = str(who if who is not None else "").strip().lower()
    if not name:
        return "unknown"
    # Exports by file name people by number alone; a bare number would say nothing in a list of people.
    return f"user {name}" if name.isdecimal() else name


def _key(task: Mapping[str, Any], one: Mapping[str, Any], annotator: str) -> str:
    project = task.get("project") or one.get("project") or "-"
    if one.get("id") is not None:
        return f"ls:{project}:{one['id']}"
    # An answer that was never in a database is named by what it says.
    return f"ls:{project}:{value_digest([task.get('data'), annotator, one.get('result')])[:16]}"


def people(answers: Sequence[Annotation]) -> list[str]:
    """Return who answered, sorted."""
    return sorted({answer.annotator for answer in answers})


def reasons(unreadable: Sequence[Unreadable]) -> Iterator[tuple[str, int, Unreadable]]:
    """Yield each reason with its count and its first case, the most frequent first."""
    for reason, n in Counter(one.reason for one in unreadable).most_common():
        yield reason, n, next(one for one in unreadable if one.reason == reason)
