"""Finds the templates and proves that each does what it says.

A file passes if its form is right (`template_file`), its texts keep to the limited Jinja (`wording`), each
text uses the fields it must and none it must not, and the worked examples render to what they say.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.renderer import TOOLS, Renderer
from pipeline.template_file import read_template
from pipeline.template_place import place
from pipeline.wording import RESERVED_NAMES, RenderError
from schemas import ConfigError, DataError, Template, WorkedExample, nearest

BUILT_IN = Path(__file__).parent / "templates"


def load_templates(dirs: Sequence[Path]) -> dict[str, tuple[Template, Path]]:
    """Return every template by name with its file: the built-in ones, then those of each folder.

    Raises:
        ConfigError: All problems of all files at once.
    """
    found: dict[str, tuple[Template, Path]] = {}
    problems: list[DataError] = []
    for folder in (BUILT_IN, *dirs):
        if not folder.is_dir():
            problems.append(
                ConfigError(f"there is no folder {folder}", where="template_dirs", fix="make it, or mend the recipe")
            )
            continue
        problems += [
            ConfigError(f"{path.name} would not be read", where=str(path), fix=f"call it {path.stem}.yaml")
            for path in sorted(folder.glob("*.yml"))
        ]
        for path in sorted(folder.glob("*.yaml")):
            try:
                template = read_template(path)
                check_template(template, path)
            except ConfigError as error:
                problems += [ConfigError(each.what, where=each.where, fix=each.fix) for each in (error, *error.also)]
                continue
            other = found.setdefault(template.name, (template, path))[1]
            if other != path:
                problems.append(
                    ConfigError(
                        f"two templates are called {template.name!r}",
                        where=f"{other} and {path}",
                        fix="give yours another `name` and file name; the first one comes with tuneloop"
                        if other.parent == BUILT_IN
                        else "give one of them another `name` and file name",
                    )
                )
    if problem := ConfigError.of(problems):
        raise problem
    return found


def check_template(template: Template, path: Path) -> None:
    """Return if the texts use the fields rightly and the worked examples render as they say.

    Raises:
        ConfigError: Everything that is wrong, at once.
    """
    problems: list[DataError] = [*_field_problems(template, path)]
    if template.chat:
        problems += _chat_problems(template, path)
    else:
        try:
            renderer = Renderer(template)
        except ConfigError as error:
            problems += [
                ConfigError(each.what, where=place_in_text(path, each.where), fix=each.fix)
                for each in (error, *error.also)
            ]
        else:
            uses = [*_use_problems(renderer, path)]
            # The examples of a text that uses a wrong name would only say it again.
            problems += uses or _example_problems(renderer, path)
    if problem := ConfigError.of(problems):
        raise problem


def _at(path: Path, key: str, what: str, fix: str) -> ConfigError:
    return ConfigError(what, where=place(path, key), fix=fix)


def place_in_text(path: Path, where: str) -> str:
    """Turn "template 'gloss', prompts.plain, line 2" into the file and its own line."""
    _, key, *rest = where.split(", ")
    return place(path, key, int(rest[0].removeprefix("line ")) if rest else None)


def _field_problems(template: Template, path: Path) -> Iterator[ConfigError]:
    for name, field in template.fields.items():
        if name in RESERVED_NAMES:
            yield _at(path, f"fields.{name}", f"{name!r} is a word of Jinja", "choose another name")
        if name == TOOLS and field.side != "prompt":
            yield _at(path, f"fields.{name}", "tools are on the prompt's side", "set side: prompt")
    for number, example in enumerate(template.examples, start=1):
        for name, value in example.fields.items():
            key = f"example {number}, fields.{name}"
            if name not in template.fields:
                yield _at(path, key, f"there is no field {name!r}", nearest(name, template.fields))
            elif (choices := template.fields[name].choices) and value and value not in choices:
                yield _at(path, key, f"{value!r} is none of the choices", nearest(value, choices))


def _use_problems(renderer: Renderer, path: Path) -> Iterator[ConfigError]:
    """Yield names that are not declared, answers inside prompts, and fields that are not used."""
    template = renderer.template
    fields = {name: field for name, field in template.fields.items() if name != TOOLS}
    prompt_keys = [f"prompts.{name}" for name in template.prompts]
    for key in (*prompt_keys, "system", "response"):
        for name in sorted(renderer.names_in(key) - fields.keys()):
            what = f"template {template.name!r} uses {name!r}, which is not declared"
            yield _at(path, key, what, f"{nearest(name, fields)}; or declare it under `fields`")
    for key in (*prompt_keys, "system"):
        for name in sorted(renderer.names_in(key) & fields.keys()):
            if fields[name].side == "response":
                what = f"template {template.name!r} shows the model its answer, {name!r}"
                yield _at(path, key, what, f"take {{{{ {name} }}}} out, or set its side to prompt")
    system = renderer.names_in("system")
    for name, field in fields.items():
        keys = prompt_keys if field.side == "prompt" else ["response"]
        missing = [key for key in keys if name not in renderer.names_in(key) | system]
        if field.optional and len(missing) < len(keys):
            continue
        for key in missing:
            what = f"template {template.name!r} never uses its field {name!r} here"
            yield _at(path, key, what, f"put {{{{ {name} }}}} in, or take the field out")


def _example_problems(renderer: Renderer, path: Path) -> Iterator[ConfigError]:
    template = renderer.template
    for number, example in enumerate(template.examples, start=1):
        key = f"example {number}"
        name = example.paraphrase or next(iter(template.prompts))
        if example.turns:
            yield _at(path, key, "it has turns, and only a chat template does", "give `fields` instead")
        elif name not in template.prompts or (not example.paraphrase and len(template.prompts) > 1):
            known = nearest(example.paraphrase, template.prompts)
            yield _at(path, key, f"there is no paraphrase {example.paraphrase!r}", f"name one; {known}")
        else:
            try:
                rendered = renderer.render_as(example.fields, name)
            except RenderError as error:
                yield _at(path, key, f"it cannot be rendered: {error}", "mend the example or the text")
                continue
            got = {"system": rendered.system, "prompt": rendered.prompt, "response": rendered.response or ""}
            yield from _differences(example, got, path, key)


def _chat_problems(template: Template, path: Path) -> Iterator[ConfigError]:
    for number, example in enumerate(template.examples, start=1):
        key = f"example {number}"
        turns = example.turns
        if len(turns) < 2:
            yield _at(path, key, f"a conversation of {len(turns)} turns", "give two turns or more under `turns`")
            continue
        is_answered = turns[-1].role == "assistant"
        got = {
            "system": turns[0].content if turns[0].role == "system" else "",
            "prompt": turns[-2 if is_answered else -1].content,
            "response": turns[-1].content if is_answered else "",
        }
        yield from _differences(example, got, path, key)


def _differences(example: WorkedExample, got: dict[str, str], path: Path, key: str) -> Iterator[ConfigError]:
    for part, text in got.items():
        # A YAML block (|) ends with a newline that nobody means.
        expected = getattr(example, part).removesuffix("\n")
        if expected != text:
            what = f"{part} does not render as the example says\n  expected: {expected!r}\n  got:      {text!r}"
            yield _at(path, f"{key}, {part}", what, "mend the text; or paste what was got, if that is right")
