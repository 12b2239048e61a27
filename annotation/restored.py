"""Answers that came back from a backup keep their author and their time.

Label Studio dates an answer that is brought in anew, and numbers it anew. A restored task therefore carries, beside
what it shows, who had given which answer and when; an answer that still says the same is that answer:

    meta {"tuneloop_answers": [{"project": 3, "id": 12, "annotator": "ann@example.org", "said": "9f3c...",
                                "created_at": "2026-11-20T10:00:00Z", "updated_at": "2026-11-20T10:02:00Z"}]}
"""

from collections.abc import Mapping
from typing import Any

from pipeline.digest import value_digest

ANSWERS = "tuneloop_answers"


def said_by(result: object) -> str:
    """Return a digest of what an answer says, whatever ids Label Studio has given its parts."""
    items = result if isinstance(result, list) else []
    kept = ("from_name", "to_name", "type", "value")
    return value_digest([{key: item.get(key) for key in kept} for item in items if isinstance(item, dict)])


def as_given(task: dict[str, Any], people: Mapping[int, str]) -> None:
    """Give the restored answers of a task their numbers and times of old; an answer edited since keeps its new time."""
    olds = (task.get("meta") or {}).get(ANSWERS) or []
    if not olds:
        return
    task_project = task.pop("project", None)
    left = [*olds]
    for one in sorted(task["annotations"], key=lambda one: int(one["id"])):
        author = people.get(one["completed_by"], str(one["completed_by"]))
        old = next((old for old in left if old["annotator"] == author), None)
        one.setdefault("project", task_project)
        if old is None:
            continue
        left.remove(old)
        if said_by(one["result"]) == old["said"]:
            one["updated_at"] = old["updated_at"]
        one.update({key: old[key] for key in ("project", "id", "created_at", "lead_time")})
