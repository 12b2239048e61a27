"""All answers in a file for other tools: JSON, whole, or CSV for spreadsheets.

[{"key": "ls:3:12", "example": "9f3c...", "annotator": "a1", "verdict": "edit", "response": "4", ...}, ...]

JSON holds every field of `Annotation`. CSV holds one line an answer, with the prompt as one text, error types joined
by "; ", and texts that a spreadsheet could run made harmless (`annotation.safe_csv`). Remarks stand as people wrote
them: who names a colleague there is not hidden by the pseudonyms.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from annotation.safe_csv import Cell, write_csv
from annotation.task import plain_prompt
from annotation.whole_file import whole_file
from schemas import Annotation, ConfigError

FORMATS = (".json", ".csv")
_TEXTS = ("key", "example", "source", "round", "purpose", "verdict")
_TIMES = ("created_at", "updated_at", "lead_time_seconds", "contradiction", "guideline")
COLUMNS = (
    *_TEXTS, "annotator", "prompt", "shown", "response", "turn", "error_types", "rating", "comment", "adjudicated",
    *_TIMES,
)  # fmt: skip


def write_answers(path: Path, answers: Sequence[Annotation], names: Mapping[str, str]) -> int:
    """Write the answers whole or not at all, as the file's ending says; return how many.

    Args:
        path: A name in .json or .csv.
        answers: In the order to write.
        names: Annotator to the name to show.

    Raises:
        ConfigError: Another ending, or the file cannot be written.
    """
    if path.suffix == ".csv":
        return write_csv(path, COLUMNS, _rows(answers, names))
    if path.suffix != ".json":
        raise ConfigError(f"no format goes by {path.suffix!r}", where=str(path), fix="end the name in .json or .csv")
    whole = [{**answer.model_dump(), "annotator": names[answer.annotator]} for answer in answers]
    with whole_file(path) as file:
        file.write(json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
    return len(answers)


def _rows(answers: Sequence[Annotation], names: Mapping[str, str]) -> Iterator[list[Cell]]:
    for answer in answers:
        prompt = [{"role": message.role, "content": message.content} for message in answer.seen.prompt]
        values: dict[str, Cell] = {
            **{name: getattr(answer, name) for name in (*_TEXTS, *_TIMES, "response", "turn", "rating", "comment")},
            "annotator": names[answer.annotator],
            "prompt": plain_prompt(prompt),
            "shown": answer.seen.response,
            "error_types": "; ".join(answer.error_types),
            "adjudicated": "yes" if answer.adjudicated else "no",
        }
        yield [values[name] for name in COLUMNS]
