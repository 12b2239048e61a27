"""Files of Label Studio tasks: a JSON list for its upload, or JSON lines for its storages and for other tools.

``tasks.json`` holds ``[``, one task a line with commas between, and ``]``. ``queue.jsonl`` holds one task a line. Label
Studio 1.23 uploads the first and refuses the second (".jsonl extension is not supported"); a source storage reads both.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from annotation.whole_file import whole_file

LINES = ".jsonl"


def write_tasks_file(path: Path, tasks: Iterable[dict[str, Any]]) -> int:
    """Write tasks whole or not at all, as lines if the name ends in .jsonl, else as a list; return how many.

    Raises:
        ConfigError: The file cannot be written.
    """
    first, between, last, none = ("", "\n", "\n", "") if path.suffix == LINES else ("[\n", ",\n", "\n]\n", "[]\n")
    n = 0
    with whole_file(path) as file:
        for n, task in enumerate(tasks, start=1):
            file.write((first if n == 1 else between) + json.dumps(task, ensure_ascii=False))
        file.write(last if n else none)
    return n
