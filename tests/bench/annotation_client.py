"""One push or pull in a process of its own, to be killed: `annotation_client.py push|pull RECIPE DATA_ROOT TASKS [URL]`.

It prints a line when imports are done and work begins. With a URL it goes there, not straight to the server.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from annotation.connection import Connection
from annotation.projects import Slot
from annotation.pull import pull
from annotation.push import Wanted, push, task_key
from annotation.screens import label_config
from annotation.server import running
from annotation.task import task_of
from schemas import Message, Review, Seen

_REVIEW = Review(question="Is the sum right?", error_types=["wrong sum"], guideline="Add again.")


def sum_tasks(n: int) -> list[Wanted]:
    """Return n tasks."""
    found = []
    for number in range(n):
        row = {
            "id": f"{number:032x}",
            "source": "sums",
            "template": "maths",
            "prompt": [{"role": "user", "content": f"{number} + 1? " + "Explain each step with care. " * 12}],
            "completion": [{"role": "assistant", "content": f"{number + 1}"}],
        }
        data = task_of(row, _REVIEW)["data"]
        seen = Seen(prompt=[Message(**row["prompt"][0])], response=data["response"])
        key = task_key("1/main", row["id"], seen)
        found.append(Wanted(Slot("1", "main", "review", "en"), data | {"task_key": key, "purpose": "main"}, number / n))
    return found


def main(work: str, recipe: str, root: Path, n: int, url: str = "") -> None:
    """Do the work."""
    wanted = sum_tasks(n)
    keys = {str(one.data["example_id"]): str(one.data["task_key"]) for one in wanted}

    def shown_now(_: Slot, examples: Sequence[str]) -> Mapping[str, str]:
        return {example: keys[example] for example in examples}

    server = running(root)
    assert server is not None
    connection = Connection(url or server.url, server.token)
    print("begins", flush=True)
    if work == "push":
        push(connection, recipe, wanted, lambda _: label_config("review", "en"), shown_now, 10**9)
    else:
        pull(connection, root / recipe, recipe)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
