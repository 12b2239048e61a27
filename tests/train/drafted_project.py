"""A project with questions that nobody has answered, for a model to draft."""

import json

from pipeline.annotations import add_annotations
from pipeline.screen import screen
from schemas import Annotation
from tests.conftest import RECIPE, Project

OPEN = (
    "Name a fruit that is red.",
    "Name a stone that is green.",
    "Name the third planet.",
    "Say which bird is black.",
)
SOURCE = """
[[ingest.sources]]
name = "open"
path = "open.jsonl"
template = "instruct"
to_write = true
fields = { instruction = "q" }
keep = ["author"]
[ingest]"""


def drafted(project: Project, **settings: object) -> Project:
    """Give a project the open questions and a section `[draft]`."""
    lines = [json.dumps({"q": question, "author": f"a{n}"}) for n, question in enumerate(OPEN)]
    (project.root / "open.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    section = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    text = RECIPE.replace("[ingest]", SOURCE.lstrip("\n"), 1) + (f"[draft]\n{section}" if section else "")
    (project.root / "recipe.toml").write_text(text, encoding="utf-8")
    return project


def question_in(asked: dict[str, object]) -> str:
    """Return which open question stands in what a server was asked, or an empty text."""
    return next((one for one in OPEN if one in asked["messages"][-1]["content"]), "")  # type: ignore[index]


def answered(project: Project, verdict: str, response: str | None = None) -> None:
    """Let somebody say the same of every draft that waits after annotate."""
    waiting = [row for row in project.dropped("annotate") if row["reason"] == "draft_unreviewed"]
    answer_rows(project, waiting, verdict, response)


def answer_rows(project: Project, rows: list[dict[str, object]], verdict: str, response: str | None = None) -> None:
    """Let somebody say the same of some rows."""
    now = "2026-11-28T10:00:00Z"
    answers = []
    for row in rows:
        names = {"key": f"ann-{row['id']}", "example": row["id"], "source": row["source"], "annotator": "ann"}
        said = {"seen": screen(row["prompt"], row["completion"]), "verdict": verdict, "response": response}  # type: ignore[arg-type]
        answers.append(Annotation.model_validate({**names, **said, "created_at": now, "updated_at": now}))
    add_annotations(project.data, answers)
