"""Gold items: examples whose right answer the lead knows, with an explanation, for the practice round.

    {"template": "summarize", "fields": {"document": "The pool opens in May."}, "response": "The pool opens in June.",
     "verdict": "edit", "text": "The pool opens in May.", "explanation": "The text says May."}

One item a line. Instead of `fields` an item may give `prompt`, the text as it is. At least half of the items must be
faulty, so that who accepts everything fails.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from annotation.task import review_of, task_of
from pipeline.digest import value_digest
from pipeline.practice import PURPOSE
from pipeline.renderer import Renderer
from pipeline.strict_json import MalformedError, parse
from pipeline.wording import RenderError
from schemas import AnnotationError, DataError, Strict, Template, nearest

LEAST_ITEMS = 10
PASS_MARK = 0.8
FAULTY = ("edit", "reject")
Templates = Mapping[str, tuple[Template, Path]]
# Takes what is wrong, and the fix.
Refuse = Callable[[str, str], None]


class GoldLine(Strict):
    """One line of the file."""

    template: str
    fields: dict[str, str] = Field(default={}, title="fields of the template's prompt side")
    prompt: str = Field(default="", title="the whole prompt instead of fields")
    response: str = Field(min_length=1, title="what is shown for review")
    verdict: Literal["accept", "edit", "reject"]
    text: str | None = Field(default=None, title="for edit: a right text; left out, any edit is right")
    explanation: str = Field(min_length=1, title="what the annotator reads afterwards")


class Gold(Strict):
    """An item as it is shown; `id` names it by what it shows."""

    id: str
    template: str
    prompt: str
    response: str
    verdict: Literal["accept", "edit", "reject"]
    text: str | None
    explanation: str


def read_gold(path: Path, templates: Templates, pass_mark: float = PASS_MARK) -> list[Gold]:
    """Return the items of a file, in its order.

    Raises:
        AnnotationError: Everything that is wrong with the lines at once; or else with the items as a whole: too few,
            under half of them faulty, or one verdict so frequent that giving it always would pass.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"cannot be read: {error}", where=str(path), fix="name a file of UTF-8 text") from error
    problems: list[DataError] = []
    found: dict[str, Gold] = {}
    renderers: dict[str, Renderer] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        item = _item(line, where, templates, renderers, problems)
        if item is None:
            continue
        if item.id in found:
            problems.append(
                AnnotationError("the same prompt and response again", where=where, fix="remove one of them")
            )
        found[item.id] = item
    if problem := AnnotationError.of(problems or _problems_of_all([*found.values()], path, pass_mark)):
        raise problem
    return [*found.values()]


def practice_tasks(items: Sequence[Gold], templates: Templates) -> Iterator[dict[str, Any]]:
    """Yield a review task for each item; nothing in it tells what is right."""
    for item in items:
        row = {
            "id": item.id,
            "source": PURPOSE,
            "template": item.template,
            "prompt": [{"role": "user", "content": item.prompt}],
            "completion": [{"role": "assistant", "content": item.response}],
        }
        task = task_of(row, review_of(row, templates), round_=PURPOSE)
        yield {"data": {**task["data"], "purpose": PURPOSE}}


def _item(
    line: str, where: str, templates: Templates, renderers: dict[str, Renderer], problems: list[DataError]
) -> Gold | None:
    """Return the item of a line, or None after its problems have joined the others."""
    n_before = len(problems)

    def refuse(what: str, fix: str) -> None:
        problems.append(AnnotationError(what, where=where, fix=fix))

    read = _line(line, refuse)
    if read is None:
        return None
    prompt = read.prompt
    if read.template not in templates:
        refuse(f"there is no template {read.template!r}", nearest(read.template, templates))
    elif read.fields:
        prompt = _rendered(read, templates[read.template][0], renderers, refuse)
    if len(problems) > n_before:
        return None
    id_ = f"gold-{value_digest([prompt, read.response])[:16]}"
    return Gold(id=id_, prompt=prompt, **read.model_dump(exclude={"fields", "prompt"}))


def _line(line: str, refuse: Refuse) -> GoldLine | None:
    """Return what a line says, or None where it cannot be read at all."""
    try:
        read = GoldLine.model_validate(parse(line))
    except MalformedError as error:
        refuse(f"not JSON: {error}", "write one object a line")
        return None
    except ValidationError as error:
        for one in error.errors():
            name = ".".join(map(str, one["loc"])) or "the line"
            refuse(f"{name}: {one['msg']}", "docs/run-a-review.md says what an item holds")
        return None
    if bool(read.fields) == bool(read.prompt):
        refuse("both `fields` and `prompt`" if read.fields else "neither `fields` nor `prompt`", "give one of them")
    if read.verdict != "edit" and read.text is not None:
        refuse(f"`text` beside verdict {read.verdict}", "take `text` out, or set the verdict to edit")
    if read.text is not None and read.text.split() == read.response.split():
        refuse("`text` is the same as `response`", "set the verdict to accept, or mend the text")
    return read


def _rendered(read: GoldLine, template: Template, renderers: dict[str, Renderer], refuse: Refuse) -> str:
    if template.chat:
        refuse("a chat template renders no fields", "give `prompt`")
        return ""
    known = {name for name, field in template.fields.items() if field.side == "prompt"}
    for name in sorted(read.fields.keys() - known):
        refuse(f"template {read.template!r} has no prompt field {name!r}", nearest(name, known))
    if read.fields.keys() - known:
        return ""
    renderer = renderers.setdefault(read.template, Renderer(template))
    try:
        return renderer.render(read.fields, value_digest(read.fields)).prompt
    except RenderError as error:
        refuse(str(error), "give every field that the template needs")
        return ""


def _problems_of_all(items: Sequence[Gold], path: Path, pass_mark: float) -> list[DataError]:
    problems: list[DataError] = []
    n, counts = len(items), Counter[str](item.verdict for item in items)
    faulty = sum(counts[verdict] for verdict in FAULTY)

    def refuse(what: str, fix: str) -> None:
        problems.append(AnnotationError(what, where=str(path), fix=fix))

    if not 0.5 < pass_mark <= 1:
        refuse(f"a pass mark of {pass_mark:g}", "give more than 0.5, so that guessing fails, and 1 at most")
    if n < LEAST_ITEMS:
        refuse(f"{n} items, and it takes {LEAST_ITEMS} to tell care from luck", "add items")
    elif 2 * faulty < n:
        refuse(
            f"{faulty} of {n} items are faulty; with fewer than half, accepting everything goes far",
            f"add {n - 2 * faulty} items with verdict edit or reject, or take as many with accept out",
        )
    else:
        for verdict, count in counts.items():
            if count / n >= pass_mark:
                refuse(
                    f"{count} of {n} items are {verdict}: saying {verdict} to everything would pass", "mix them more"
                )
    return problems
