"""A new template that already passes every check, for its author to edit.

name "slogan", fields [document], response "slogan"  ->  three paraphrases, two examples, a guideline
"""

import re

from pipeline.renderer import Renderer
from pipeline.template_writer import template_text
from schemas import Review, Template, TemplateField, WorkedExample

_COMMENTS = {
    "": "Made by `tuneloop template new`: mend the sentences, then `tuneloop template check`.\n"
    "pipeline/templates/instruct.yaml explains every key, docs/add-a-template.md the rules.",
    "fields": "What a source gives. prompt: the model reads it; response: it must write it, no prompt may show it.\n"
    "Add `optional: true`, `document: true` or `choices: [...]` where they fit.",
    "prompts": "The wordings, in Jinja. Let them differ in words and in where the fields stand.",
    "metrics": "How an answer is scored, the first foremost: accuracy for labels, chrf for translations.",
    "review": "What annotators see beside an example.",
    "examples": "Fields and what they must render to. They run as tests: keep them in step with the texts.",
}
_GUIDELINE = """\
Read what was given, then the {answer}.

**Accept** if it is right and complete. **Edit** if a few words make it so; change as little as you can.
**Reject** if it would have to be written anew. **Unsure** if you lack the knowledge to judge; say what you would need.
"""


def starter(name: str, *, task: str, about: str, fields: list[str], response: str, license_: str) -> Template:
    """Return a template with three paraphrases and two examples that render to what they say.

    Args:
        name: The template's name.
        task: The task type.
        about: One sentence; made from the names if empty.
        fields: Names of the prompt's fields, at least one.
        response: Name of the response's field.
        license_: SPDX name.

    Raises:
        ValidationError: A name is none.
    """
    answer = _words(response)
    values = [f"{{{{ {field} }}}}" for field in fields]
    labelled = [f"{_words(field).capitalize()}: {value}" for field, value in zip(fields, values, strict=True)]
    prompts = {
        "plain": "\n\n".join([f"Write the {answer}.", *values]) + "\n",
        "text_first": "\n\n".join([*values, f"What is the right {answer} for this?"]) + "\n",
        "labelled": "\n".join([*labelled, f"{answer.capitalize()}:"]) + "\n",
    }
    review = Review(
        question=f"Is the {answer} right?",
        error_types=["wrong", "incomplete", "made up", "unclear or badly written"],
        guideline=_GUIDELINE.format(answer=answer),
    )
    template = Template(
        name=name,
        task=task,
        about=about or f"{' and '.join(map(_words, fields)).capitalize()}, and the {answer}.",
        license=license_,
        fields={field: TemplateField(side="prompt", about=f"The {_words(field)}.") for field in fields}
        | {response: TemplateField(side="response", about=f"The {answer}.")},
        prompts=prompts,
        response=f"{{{{ {response} }}}}",
        metrics=["rouge_l", "token_f1"],
        review=review,
        examples=[WorkedExample(), WorkedExample()],
    )
    rows = [
        ({field: f"The {ordinal} {_words(field)}." for field in fields}, f"An answer to the {ordinal} row.")
        for ordinal in ("first", "second", "third")
    ]
    return with_examples(
        template, [({**row, response: text}, name) for (row, text), name in zip(rows, prompts, strict=True)]
    )


def with_examples(template: Template, rows: list[tuple[dict[str, str], str]]) -> Template:
    """Return the template with these fields, each in its paraphrase, as worked examples."""
    renderer = Renderer(template)
    examples = []
    for fields, paraphrase in rows:
        rendered = renderer.render_as(fields, paraphrase)
        one = WorkedExample(
            fields=fields,
            paraphrase=paraphrase,
            system=rendered.system,
            prompt=rendered.prompt,
            response=rendered.response or "",
        )
        examples.append(one)
    return template.model_copy(update={"examples": examples})


def starter_text(template: Template) -> str:
    """Return the file's text, with comments that say what to do where."""
    return template_text(template, _COMMENTS)


def renamed(text: str, name: str, old: str, *, task: str | None, license_: str | None) -> str:
    """Return the text of another template's file under a new name; all else stays, comments too."""
    text = re.sub(rf"^name: *{re.escape(old)} *$", f"name: {name}", text, count=1, flags=re.MULTILINE)
    for key, value in (("task", task), ("license", license_)):
        if value:
            text = re.sub(rf"^{key}: *\S.*$", f"{key}: {value}", text, count=1, flags=re.MULTILINE)
    return text


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").strip()
