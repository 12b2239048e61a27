"""What is wrong with a template file, and what is likely wrong though it loads.

prompts:                                         two paraphrases are nearly the same: 'plain' and 'short', 95 %
  plain: "Summarize this text: {{ document }}"     where: my_templates/slogan.yaml:14, prompts.short
  short: "Summarize the text: {{ document }}"      fix:   change the words, or where the field stands; ...
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.branch_reach import unreached
from pipeline.licence_names import SPDX, is_known
from pipeline.paraphrase_likeness import alike
from pipeline.renderer import TOOLS, Renderer
from pipeline.template import check_template
from pipeline.template_file import read_template
from pipeline.template_place import place
from schemas import ConfigError, Template, nearest
from schemas.metric import METRIC_NAMES

_LEAST_GUIDELINE = 80  # characters; a sentence says no more than the question does
_LEAST_ANSWER = 3  # characters of a response looked for in prompts; "no" stands in many a word
# Metrics of answers that are one of the options, or a span of the text: the prompt rightly holds them.
_CHOSEN = ("accuracy", "macro_f1", "exact_match", "list_f1", "token_f1")
_CONTROL = re.compile(
    r"<\|[A-Za-z_0-9]+\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<[be]os>|<\|(?:begin|end)▁of▁sentence\|>"
)


@dataclass
class Findings:
    """What was found in one file or several; warnings stop nothing."""

    templates: list[tuple[Template, Path]] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[ConfigError] = field(default_factory=list)


def check_files(paths: list[Path]) -> Findings:
    """Return all that is found in the files; a file that does not load has errors and no warnings."""
    found = Findings()
    names: dict[str, Path] = {}
    for path in paths:
        try:
            template = read_template(path)
            check_template(template, path)
        except ConfigError as error:
            found.errors += [ConfigError(each.what, where=each.where, fix=each.fix) for each in (error, *error.also)]
            continue
        if (other := names.setdefault(template.name, path)) != path:
            fix = "give one of them another `name` and file name"
            what = f"two templates are called {template.name!r}"
            found.errors.append(ConfigError(what, where=f"{other} and {path}", fix=fix))
        found.templates.append((template, path))
        found.errors += _errors(template, path)
        found.warnings += _warnings(template, path)
    return found


def _errors(template: Template, path: Path) -> Iterator[ConfigError]:
    for name in template.metrics:
        if name not in METRIC_NAMES:
            fix = nearest(name, METRIC_NAMES)
            yield ConfigError(f"there is no metric {name!r}", where=place(path, "metrics"), fix=fix)
    if not template.license.strip():
        fix = "name the licence of this file by its SPDX name, such as Apache-2.0 or CC-BY-4.0"
        yield ConfigError("the licence is empty", where=place(path, "license"), fix=fix)


def _warnings(template: Template, path: Path) -> Iterator[ConfigError]:
    if template.license.strip() and not is_known(template.license):
        what = f"the licence {template.license!r} is no SPDX name that is known here"
        fix = f"{nearest(template.license, SPDX)}; a licence of your own is LicenseRef-<name>"
        yield ConfigError(what, where=place(path, "license"), fix=fix)
    guideline = template.review.guideline.strip()
    if len(guideline) < _LEAST_GUIDELINE:
        what = f"the guideline has {len(guideline)} characters: annotators will each go by a rule of their own"
        fix = "say when to accept, when to edit and when to reject, with one hard case"
        yield ConfigError(what, where=place(path, "review.guideline"), fix=fix)
    texts = {f"prompts.{name}": text for name, text in template.prompts.items()}
    texts |= {"system": template.system or "", "response": template.response}
    for key, text in texts.items():
        for number, line in enumerate(text.split("\n"), start=1):
            for token in dict.fromkeys(_CONTROL.findall(line)):
                what = f"{token!r} is a control token of some models' chat format"
                fix = "take it out: the chat format is put around the text by the model's own tokenizer"
                yield ConfigError(what, where=place(path, key, number), fix=fix)
    if template.chat:
        return
    for one, two, score in alike(template.prompts):
        what = f"two paraphrases are nearly the same: {one!r} and {two!r}, {score:.0f} of 100"
        fix = "change the words, or put the field on another side of them; or take one out"
        yield ConfigError(what, where=place(path, f"prompts.{two}"), fix=fix)
    yield from _unreached(template, path)
    yield from _shown_answers(template, path)


def _unreached(template: Template, path: Path) -> Iterator[ConfigError]:
    prompt_side = [name for name, spec in template.fields.items() if spec.side == "prompt" and name != TOOLS]
    for key in (*(f"prompts.{name}" for name in template.prompts), "system", "response"):
        text = template.prompts[key.removeprefix("prompts.")] if key.startswith("prompts.") else getattr(template, key)
        if not text:
            continue
        names = list(template.fields) if key == "response" else prompt_side
        rows = [
            {name: example.fields.get(name, "") for name in names if name != TOOLS}
            for example in template.examples
            if not key.startswith("prompts.") or key == f"prompts.{example.paraphrase or next(iter(template.prompts))}"
        ]
        if key == "response":
            rows = [row for row in rows if any(row[name] for name in names if template.fields[name].side == "response")]
        for line, kind in unreached(text, rows) if rows else []:
            what = f"no example reaches this `{kind}`"
            fix = "add an example that does; if no row can, take the branch out"
            yield ConfigError(what, where=place(path, key, line), fix=fix)
        if not rows and key.startswith("prompts."):
            what = f"no example shows the paraphrase {key.removeprefix('prompts.')!r}"
            yield ConfigError(what, where=place(path, key), fix="add an example that names it under `paraphrase`")


def _shown_answers(template: Template, path: Path) -> Iterator[ConfigError]:
    """Yield examples whose prompt holds the whole response, which a row can do though no field leaks.

    Only where half of the answered examples do: a text without a mistake is its own correction.
    """
    if template.metrics[0] in _CHOSEN:
        return
    renderer = Renderer(template)
    n_answered, shown = 0, []
    for number, example in enumerate(template.examples, start=1):
        rendered = renderer.render_as(example.fields, example.paraphrase or next(iter(template.prompts)))
        answer = (rendered.response or "").strip()
        n_answered += bool(answer)
        if len(answer) >= _LEAST_ANSWER and answer in f"{rendered.system}\n{rendered.prompt}":
            shown.append((number, answer))
    for number, answer in shown if 2 * len(shown) >= n_answered else []:
        what = f"the prompt of this example holds the whole answer, {answer[:60]!r}"
        fix = "if options or the text it is copied from are shown, that is right; else take the answer out"
        yield ConfigError(what, where=place(path, f"example {number}, prompt"), fix=fix)
