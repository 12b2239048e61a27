"""Tasks for tests: sums, one each number."""

from annotation.projects import Purpose, Slot
from annotation.push import Wanted, task_key
from annotation.screens import label_config
from annotation.task import task_of
from schemas import Message, Review, Seen

REVIEW = Review(question="Is the sum right?", error_types=["wrong sum"], guideline="Add again.")


def sum_task(number: int, response: str | None = None, n: int = 100, purpose: Purpose = "main") -> Wanted:
    """Return the task "N + 1?"; the higher the number, the more urgent."""
    response = str(number + 1) if response is None else response
    example = f"{number:032x}"
    row = {
        "id": example,
        "source": "sums",
        "template": "maths",
        "prompt": [{"role": "user", "content": f"{number} + 1?"}],
        "completion": [{"role": "assistant", "content": response}],
    }
    seen = Seen(prompt=[Message(role="user", content=f"{number} + 1?")], response=response)
    data = task_of(row, REVIEW, why="a sum")["data"]
    return Wanted(
        Slot("1", purpose, "review", "en"),
        data | {"task_key": task_key(f"1/{purpose}", example, seen), "purpose": purpose},
        1 - number / n,
    )


def config_of(slot: Slot) -> str:
    """Return the screen of a slot."""
    assert slot.screen == "review"
    return label_config("review", "en")


def accept(connection: object, task: int) -> int:
    """Answer a task as the lead would by a press of accept, and return the answer's number."""
    return answer(connection, task, "accept")


def answer(connection: object, task: int, verdict: str, text: str | None = None) -> int:
    """Answer a task and return the answer's number."""
    result = [{"from_name": "verdict", "to_name": "messages", "type": "choices", "value": {"choices": [verdict]}}]
    if text is not None:
        result.append({"from_name": "response", "to_name": "messages", "type": "textarea", "value": {"text": [text]}})
    body = {"result": result, "lead_time": 2.5}
    return int(connection.send("POST", f"/api/tasks/{task}/annotations/", body)["id"])  # type: ignore[attr-defined]
