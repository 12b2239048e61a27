"""Makes templates of ours from those of promptsource; what cannot be had is refused with the reason.

ag_news: classify, recommend, which_section (columns text -> label)  ->  ag_news.yaml with three paraphrases
         generate (columns label -> text)                            ->  ag_news-generate.yaml

Templates of one data set that read the same columns, write the same text and are scored alike become the
paraphrases of one file.
"""

import copy
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import nodes

from pipeline.jinja_source import UnwritableError, source_of
from pipeline.promptsource_columns import Column, columns_of
from pipeline.promptsource_columns import Path as ColumnPath
from pipeline.promptsource_fields import converted
from pipeline.promptsource_file import Foreign
from pipeline.promptsource_parser import RefusedError
from pipeline.promptsource_rows import made_rows
from pipeline.promptsource_text import halves_of
from pipeline.promptsource_trim import ends_trimmed
from pipeline.reading import ABSENT, as_text, lookup
from pipeline.renderer import Renderer
from pipeline.starter_template import with_examples
from pipeline.template import check_template
from pipeline.template_writer import template_text
from pipeline.wording import RenderError
from schemas import ConfigError, Review, Template, TemplateField, WorkedExample

LICENCE = "Apache-2.0"  # promptsource's own
_METRICS = {"BLEU": ["bleu"], "ROUGE": ["rouge_l"], "Squad": ["exact_match", "token_f1"], "COQA F1": ["token_f1"]}
_EXAMPLES = 3
_NEEDED = 2
_GUIDELINE = """\
The rows and their answers come from the data set {dataset}, the wordings from promptsource.

**Accept** if the answer is right for what was asked. **Edit** if a small change makes it right.
**Reject** if it would have to be written anew. **Unsure** if you lack the knowledge to judge; say what you would need.
"""


@dataclass(frozen=True)
class Taken:
    """One template of promptsource in our words.

    Attributes:
        asked: The prompt in Jinja.
        target: The response in Jinja.
        columns: What it reads, by path.
        prompt_side: Paths that the prompt reads.
    """

    foreign: Foreign
    asked: str
    target: str
    columns: Mapping[ColumnPath, Column]
    prompt_side: frozenset[ColumnPath]

    def fields_of(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the values that a source would give for a row; a column it lacks gives none."""
        found = {column.field: lookup(row, column.column) for column in self.columns.values()}
        return {name: as_text(value) for name, value in found.items() if value is not ABSENT and value is not None}


@dataclass(frozen=True)
class Refused:
    """One that was not taken over, and why."""

    foreign: Foreign
    reason: str
    detail: str


@dataclass(frozen=True)
class Made:
    """One template of ours, as text of its file, and what it was made from."""

    template: Template
    text: str
    taken: dict[str, Taken]


def take(foreign: Foreign, *, choose_first: bool = False) -> Taken:
    """Return one template in our words; `choose_first` takes the first where promptsource picks one at random.

    Raises:
        RefusedError: It cannot be had; the reason says what stands against it.
    """
    halves = halves_of(foreign.jinja, foreign.choices, choose_first=choose_first)
    try:
        columns = columns_of([halves.asked, halves.target])
        asked_paths = _paths(halves.asked, columns)
        target_paths = _paths(halves.target, columns)
        if not target_paths - asked_paths:
            raise RefusedError(
                "its answer reads no column that the prompt does not show",
                "it is made of constants"
                if not target_paths
                else ", ".join(columns[path].column for path in target_paths),
            )
        if not asked_paths:
            raise RefusedError("its prompt reads no column")
        asked = source_of(ends_trimmed(converted(copy.deepcopy(halves.asked), columns)))
        target = source_of(ends_trimmed(converted(copy.deepcopy(halves.target), columns)))
    except UnwritableError as error:
        raise RefusedError(*str(error).split(", ")[:1]) from error
    taken = Taken(foreign, asked, target, columns, frozenset(asked_paths))
    _prove([taken], "a")
    return taken


def _paths(body: Sequence[nodes.Node], columns: Mapping[ColumnPath, Column]) -> set[ColumnPath]:
    found = columns_of([body])
    return {max((one for one in columns if path[: len(one)] == one), key=len) for path in found}


def _prove(group: list[Taken], name: str, rows: Sequence[Mapping[str, Any]] = ()) -> tuple[Template, dict[str, Taken]]:
    """Return the template of a group, which passes the checks, and what each paraphrase was.

    Raises:
        RefusedError: It does not pass, or cannot be shown by two examples.
    """
    template = _template(group, name)
    prompts = dict(zip(template.prompts, group, strict=True))
    try:
        renderer = Renderer(template)
    except ConfigError as error:
        raise RefusedError(re.sub(r" '.*?'", "", error.what), error.what) from error
    examples: list[tuple[dict[str, str], str]] = []
    failure = "none rendered"
    # One of each paraphrase first, then others of the first ones.
    for most in range(1, _NEEDED + 1):
        for paraphrase, taken in prompts.items():
            # Another row for each paraphrase, so that the examples show different answers.
            made = [*rows, *made_rows(taken.columns)]
            start = len(examples) % len(made)
            for row in made[start:] + made[:start]:
                if sum(name == paraphrase for _, name in examples) >= most or len(examples) >= max(
                    len(prompts), _NEEDED
                ):
                    break
                fields = {key: text for key, text in taken.fields_of(row).items() if text}
                try:
                    rendered = renderer.render_as(fields, paraphrase)
                except RenderError as error:
                    failure = str(error)
                    continue
                if rendered.response and (fields, paraphrase) not in examples:
                    examples.append((fields, paraphrase))
    if len(examples) < _NEEDED or {name for _, name in examples} != set(prompts):
        reason = "no made-up row can be rendered" if not examples else "too few made-up rows can be rendered"
        raise RefusedError(reason, re.sub(r"^template '.*?', ", "", failure))
    template = with_examples(template, examples)
    try:
        check_template(template, Path(f"{name}.yaml"))
    except ConfigError as error:
        raise RefusedError(re.sub(r" '.*?'", "", error.what.splitlines()[0]), error.what.replace("\n", " ")) from error
    return template, prompts


def _made(group: list[Taken], template: Template, prompts: dict[str, Taken]) -> Made:
    sources = {column.field: column.column for taken in group for column in taken.columns.values()}
    pairs = ", ".join(f'{field} = "{column}"' for field, column in sources.items())
    comments = {
        "": f"From promptsource (Apache-2.0), data set {group[0].foreign.dataset}.\n"
        f"In the source: fields = {{ {pairs} }}",
    }
    return Made(template, template_text(template, comments), prompts)


def _template(group: list[Taken], name: str) -> Template:
    first = group[0]
    prompts: dict[str, str] = {}
    for one in group:
        key = slug = _slug(one.foreign.name)
        while key in prompts:
            key = f"{slug}-{sum(other.startswith(slug) for other in prompts) + 1}"
        prompts[key] = one.asked
    columns = {path: column for one in group for path, column in one.columns.items()}
    optional = {path for one in group for path, column in one.columns.items() if column.is_tested}
    fields = {
        column.field: TemplateField(
            side="prompt" if path in first.prompt_side else "response",
            about=f"Column {column.column}"
            + {"list": ", a list as JSON.", "int": ", a whole number."}.get(column.kind, "."),
            optional=path in optional,
        )
        for path, column in columns.items()
    }
    return Template(
        name=name,
        task=name,
        about=f"promptsource's wordings for {first.foreign.dataset}.",
        license=LICENCE,
        fields=fields,
        prompts=prompts,
        response=first.target,
        metrics=_metrics(first.foreign),
        review=Review(
            question="Is the answer right for what was asked?",
            error_types=["wrong", "incomplete", "made up", "unclear or badly written"],
            guideline=_GUIDELINE.format(dataset=first.foreign.dataset),
        ),
        examples=[WorkedExample(), WorkedExample()],
    )


def _metrics(foreign: Foreign) -> list[str]:
    mapped: list[str] = []
    for metric in foreign.metrics:
        mapped += _METRICS.get(metric, [])
        if metric == "Accuracy":
            mapped += ["accuracy", "macro_f1"] if foreign.choices else ["exact_match"]
    return list(dict.fromkeys(mapped)) or (["accuracy"] if foreign.choices else ["rouge_l", "token_f1"])


def make_templates(
    taken: Iterable[Taken], names: set[str], rows: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Made | Refused]:
    """Yield the templates of one data set, and what no template could be made of after all.

    Args:
        taken: The templates of one data set.
        names: Names that are taken already; new ones are added.
        rows: Real rows, for the examples.
    """
    groups: dict[object, list[Taken]] = defaultdict(list)
    for one in taken:
        groups[_group(one)].append(one)
    for place, group in enumerate(sorted(groups.values(), key=len, reverse=True)):
        base = _slug(group[0].foreign.dataset)
        name = base if not place and base not in names else f"{base}-{_slug(group[0].foreign.name)}"
        while name in names:
            name += "-2"
        try:
            made = _made(group, *_prove(group, name, rows))
        except RefusedError as error:
            yield from (Refused(one.foreign, error.reason, str(error)) for one in group)
            continue
        names.add(name)
        yield made


def _group(one: Taken) -> object:
    sides = frozenset(
        (path, path in one.prompt_side, column.kind, column.is_tested) for path, column in one.columns.items()
    )
    return sides, one.target, tuple(_metrics(one.foreign))


def _slug(name: str) -> str:
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "template"
    return text if text[0].isalpha() else f"t-{text}"
