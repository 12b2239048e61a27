"""What the last push or pull wrote down of the Label Studio projects: `data/label-studio/projects.json`.

    {"url": "http://127.0.0.1:8080", "projects": [{"id": 3, "title": "Round 1, review", "round": "1",
     "purpose": "main", "screen": "review", "language": "en", "tasks": 200, "answered": 57, "skipped": 3, "left": 143}]}

Whoever reads it needs no server. Keys that are not known here are left alone.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas import AnnotationError

# In this order people are asked to work: what blocks others first.
URGENCY = ("practice", "dispute", "lead", "overlap", "main", "feedback", "test")


class Project(BaseModel):
    """One project, and how far it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    title: str
    round: str | None = None
    purpose: str = "main"
    screen: str = "review"
    language: str = "en"
    tasks: int = Field(default=0, ge=0)
    answered: int = Field(default=0, ge=0, title="tasks that need no further answer")
    skipped: int = Field(default=0, ge=0)
    left: int = Field(default=0, ge=0, title="tasks that still need an answer")
    skipped_by: dict[str, int] = Field(default={}, title="annotator to presses of Skip, where the server was asked")
    drafts_by: dict[str, list[int]] = Field(default={}, title="annotator to tasks with a draft of theirs")
    tasks_by_annotation: dict[str, int] = Field(default={}, title="annotation id to the id of its task")


class ProjectList(BaseModel):
    """All projects of one server; none before the first push."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str = ""
    projects: list[Project] = []

    @property
    def in_order(self) -> list[Project]:
        """The projects with work left, the most urgent first: by `URGENCY`, then in the order they were made."""
        rank = {purpose: n for n, purpose in enumerate(URGENCY)}
        open_ones = [project for project in self.projects if project.left]
        return sorted(open_ones, key=lambda project: (rank.get(project.purpose, len(rank)), project.id))

    @property
    def left(self) -> int:
        """Tasks that still need an answer, in all projects but practice, which is no work on the data."""
        return sum(project.left for project in self.projects if project.purpose != "practice")

    def skipped_of(self, annotator: str) -> int | None:
        """Return how often a person pressed Skip; None where no project says so."""
        known = [project.skipped_by for project in self.projects if project.skipped_by]
        return sum(one.get(annotator, 0) for one in known) if known else None

    def link(self, key: str, task: int | None = None) -> str:
        """Return the address of an answer's task, else of its project; empty where it is not on this server.

        Args:
            key: `Annotation.key`, such as ``ls:3:12``.
            task: `Annotation.task`, where the answer was pulled.
        """
        tool, _, rest = key.partition(":")
        number, _, annotation = rest.partition(":")
        project = next((one for one in self.projects if tool == "ls" and str(one.id) == number), None)
        if project is None or not self.url:
            return ""
        task = project.tasks_by_annotation.get(annotation, task)
        return self.address(project) + (f"?task={task}" if task is not None else "")

    def address(self, project: Project) -> str:
        """Return the address of a project's list of tasks."""
        return f"{self.url.rstrip('/')}/projects/{project.id}/data"


def read_projects(data_root: Path) -> ProjectList:
    """Return the projects as last written down; an empty list if nothing was pushed yet.

    Raises:
        AnnotationError: The file is damaged.
    """
    path = data_root / "label-studio" / "projects.json"
    if not path.exists():
        return ProjectList()
    try:
        read = ProjectList.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise AnnotationError(
            what, where=str(path), fix="run `tuneloop annotate pull`, which writes it anew"
        ) from error
    if read.url and not read.url.startswith(("http://", "https://")):
        # It becomes a link on people's pages; another scheme could run a script there.
        raise AnnotationError(
            f"url {read.url!r} is no web address",
            where=str(path),
            fix="run `tuneloop annotate pull`, which writes it anew",
        )
    return read
