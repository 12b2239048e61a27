"""What the server's answers must hold for us to go on; anything else is told as such, and never ends in a traceback.

    TASKS.validate_python({"detail": "busy"})  ->  ValidationError: total: Field required

Only what is read here is named; all that Label Studio tells besides is let through. A task has of these keys the ones
that it was asked for.
"""

from collections.abc import Sequence
from typing import (
    Any,
    NotRequired,  # pydantic reads Python's own from 3.12 on
)

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict


class _Answer(TypedDict):
    id: int
    completed_by: Any
    result: list[Any]
    was_cancelled: bool
    created_at: str
    updated_at: str


class _Task(TypedDict):
    id: int
    data: NotRequired[dict[str, Any]]
    drafts: NotRequired[list[Any]]
    annotations: NotRequired[list[_Answer]]
    total_annotations: NotRequired[int]
    cancelled_annotations: NotRequired[int]
    updated_at: NotRequired[str]


class _Page(TypedDict):
    total: int
    tasks: list[_Task]


class _Project(TypedDict):
    id: int
    title: str
    created_at: str


class _Projects(TypedDict):
    results: list[_Project]


class _Person(TypedDict):
    id: int
    email: str


class _Self(TypedDict):
    email: str


class _Made(TypedDict):
    id: int


class _Invitation(TypedDict):
    invite_url: str


Shape = TypeAdapter[Any]
TASKS: Shape = TypeAdapter(_Page)
PROJECTS: Shape = TypeAdapter(_Projects)
PEOPLE: Shape = TypeAdapter(list[_Person])
PERSON: Shape = TypeAdapter(_Self)
MADE: Shape = TypeAdapter(_Made)
INVITATION: Shape = TypeAdapter(_Invitation)
OBJECT: Shape = TypeAdapter(dict[str, Any])
LIST: Shape = TypeAdapter(list[Any])
_ASKED_FOR = _Task.__optional_keys__


def misfit(answer: object, shape: Shape, keys: Sequence[str] = ()) -> str:
    """Return where an answer does not have its shape, or an empty text.

    Args:
        answer: JSON from the server.
        shape: One of those above.
        keys: What the tasks in it were asked to have.
    """
    try:
        whole = shape.validate_python(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}"
    wanted = _ASKED_FOR.intersection(keys)
    for task in whole["tasks"] if wanted else []:
        if missing := sorted(wanted - task.keys()):
            return f"task {task['id']} has no {missing[0]}"
    return ""
