"""What went to people after each training run: `data/label-studio/feedback/<recipe>/<run>.jsonl`, a row a line.

    {"example": "9f3c...", "seen": "51aa...", "queue": "ranked", "template": "maths", "reasons": ["wrong_sum"], ...}

A row that went stays there; sent anew, it only gets its new task. No text of the data is in these files: an example is
named by its id, and what was shown by its digest, so that what came back can be told from the answers alone.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from annotation.connection import Connection
from annotation.feedback import Feedback, QueueName
from annotation.private_file import write_private
from annotation.projects import Project
from annotation.rule_checks import RULES
from pipeline.lock import locked
from pipeline.screen import screen, seen_digest
from pipeline.snapshot import make_folder
from schemas import AnnotationError, Strict
from schemas.annotation import Moment

MODEL = "model"
OTHER = "other"
FOLDER = Path("label-studio") / "feedback"
# Words that only sentences about a model's view have: see suspicion.reason.
_OF_MODELS = ("model ", "Training ")


class Sent(Strict):
    """One row that went to people."""

    example: str = Field(title="id of the example")
    seen: str = Field(title="digest of what was shown: prompt and response")
    queue: QueueName
    template: str
    reasons: list[str] = Field(title="names of the rules it breaks; `model` where a model's view is a reason")
    at: Moment = Field(title="when it went, ISO 8601, UTC")
    project: int | None = Field(default=None, title="number of the project in Label Studio; empty for a file")
    task: int | None = Field(default=None, title="number of the task there")


def feedback_round(run: str) -> str:
    """Return the name of the round that follows a training run; of tasks in a file each queue has its own."""
    return run[:8]


def reasons_of(why: str) -> list[str]:
    """Return the names of the reasons that a row's sentences give, in the order of the rules; never empty."""
    found = [rule.name for rule in RULES if rule.sentence in why]
    if any(word in why for word in _OF_MODELS):
        found.append(MODEL)
    return found or [OTHER]


def sentence_of(reason: str) -> str:
    """Return a reason in words for people."""
    said = {rule.name: rule.sentence for rule in RULES}
    return said.get(reason, "A model finds this answer unlikely." if reason == MODEL else "Another reason.")


def tasks_of(connection: Connection, projects: Iterable[Project], round_: str) -> dict[str, tuple[int, int]]:
    """Return example to (project, task) for all that lies in a feedback round's projects on the server.

    Raises:
        ServiceError: The server does not answer, or refuses.
    """
    return {
        str(task["data"]["example_id"]): (project.id, int(task["id"]))
        for project in projects
        if project.slot.purpose == "feedback" and project.slot.round == round_
        for task in connection.tasks(project.id, ["data"], page_size=5000)
        if "example_id" in task["data"]
    }


def note_sent(
    data_root: Path,
    recipe: str,
    run: str,
    found: Feedback,
    at: str,
    there: Mapping[str, tuple[int, int]] | None = None,
) -> int:
    """Add what went to people to the run's record; return how many rows are new in it.

    Args:
        data_root: Folder of the store.
        recipe: Name of the recipe.
        run: Key of the run.
        found: What was to be sent.
        at: The present, ISO 8601.
        there: As `tasks_of` gives it: rows that are not in it did not go. None where all went to a file.

    Raises:
        AnnotationError: The record is damaged.
        SnapshotError: Somebody else is writing it at this moment.
    """
    folder = make_folder(data_root / FOLDER / recipe)
    with locked(folder, "the record of what was sent"):
        known = {(one.example, one.seen): one for one in read_sent(data_root, recipe).get(run, [])}
        n_before = len(known)
        for row, pick in found.rows:
            if there is not None and pick.id not in there:
                continue
            project, task = (there or {}).get(pick.id, (None, None))
            place = {"project": project, "task": task}
            key = pick.id, seen_digest(screen(row["prompt"], row["completion"]))
            if key in known:
                known[key] = known[key].model_copy(update=place if there else {})
                continue
            reasons = reasons_of(pick.why) if pick.queue == "ranked" else []
            known[key] = Sent(
                example=pick.id,
                seen=key[1],
                queue=pick.queue,
                template=row["template"],
                reasons=reasons,
                at=at,
                **place,
            )
        lines = (one.model_dump_json() + "\n" for one in known.values())
        write_private(folder / f"{run}.jsonl", "".join(lines))
    return len(known) - n_before


def read_sent(data_root: Path, recipe: str) -> dict[str, list[Sent]]:
    """Return key of a run to what went to people after it, in order; runs in the order in which they first sent.

    Raises:
        AnnotationError: Files that cannot be read, all at once.
    """
    problems: list[AnnotationError] = []
    found: dict[str, list[Sent]] = {}
    for path in sorted((data_root / FOLDER / recipe).glob("*.jsonl")):
        try:
            lines = path.read_text("utf-8").split("\n")
            found[path.stem] = [Sent.model_validate(json.loads(line)) for line in lines if line]
        except (OSError, ValueError, ValidationError) as error:
            what = f"not a record of what was sent: {str(error).splitlines()[0]}"
            fix = "restore the file from a backup, or remove it: then this round is not told of"
            problems.append(AnnotationError(what, where=str(path), fix=fix))
    if problem := AnnotationError.of(problems):
        raise problem
    return dict(sorted(found.items(), key=lambda one: one[1][0].at if one[1] else ""))
