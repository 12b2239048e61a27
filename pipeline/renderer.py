r"""Renders a row's fields into a prompt and a response.

    instruct.yaml    prompts.plain: "{{ instruction }}{% if input %}\n\n{{ input }}{% endif %}"
                     response: "{{ response }}"
    a row's fields   {"instruction": "Add the numbers.", "input": "2 and 3", "response": "5"}
    ->               prompt "Add the numbers.\n\n2 and 3", response "5", paraphrase "plain"

The text of a template loses the blank space at its ends; a value keeps its own, wherever it stands.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from pipeline.concatenation import Piece
from pipeline.wording import RenderError, Wording
from schemas import ConfigError, DataError, Template

# This field is not for the texts: its value goes into the column `tools`.
TOOLS = "tools"


class Rendered(NamedTuple):
    """The texts of one example; `system` may be empty, and `response` is None while nobody has written it."""

    system: str
    prompt: str
    response: str | None
    paraphrase: str


class Plan(NamedTuple):
    """What the texts of rows that have the same fields come to.

    Attributes:
        response: None while nobody has written it, or where it takes rendering to know.
        is_answered: Whether there is a response.
    """

    system: tuple[Piece, ...]
    prompt: tuple[Piece, ...]
    response: tuple[Piece, ...] | None
    is_answered: bool


class Renderer:
    """Renders rows through one single-turn template."""

    def __init__(self, template: Template) -> None:
        """Compile the template's texts.

        Raises:
            ConfigError: Every text that cannot be compiled.
        """
        self.template = template
        texts = {f"prompts.{name}": source for name, source in template.prompts.items()}
        texts |= {"response": template.response, "system": template.system or ""}
        self._texts: dict[str, Wording] = {}
        problems: list[DataError] = []
        for key, source in texts.items():
            try:
                self._texts[key] = Wording(source, f"template {template.name!r}, {key}")
            except ConfigError as error:
                problems += [ConfigError(each.what, where=each.where, fix=each.fix) for each in (error, *error.also)]
        if problem := ConfigError.of(problems):
            raise problem
        fields = {name: field for name, field in template.fields.items() if name != TOOLS}
        self._sides = {
            side: [(name, field.optional) for name, field in fields.items() if field.side == side]
            for side in ("prompt", "response")
        }
        self.fields = tuple(name for sides in self._sides.values() for name, _ in sides)

    def names_in(self, key: str) -> frozenset[str]:
        """Return the variables of `system`, `response` or `prompts.<name>`."""
        return self._texts[key].names

    def paraphrase_of(self, example_id: str) -> str:
        """Return the wording for an example: the one whose hash with the id is highest.

        Adding one to n wordings moves about 1 in n + 1 examples, all of them to the new one; removing
        one moves only its own.
        """
        names = self.template.prompts
        if len(names) == 1:
            return next(iter(names))
        return max(names, key=lambda name: blake2b(f"{example_id} {name}".encode(), digest_size=8).digest())

    def render(self, fields: Mapping[str, str], example_id: str) -> Rendered:
        """Return the texts of an example in its wording.

        Raises:
            RenderError: A required field is empty, a text comes out empty, or the values do not fit the text.
        """
        return self.render_as(fields, self.paraphrase_of(example_id))

    def render_as(self, fields: Mapping[str, str], paraphrase: str) -> Rendered:
        """Return the texts in a given wording; raises as `render` does."""
        values = self._values(fields, "prompt")
        # The prompt cannot give the answer away: it is rendered without it.
        system = self._texts["system"].render(values) if self.template.system else ""
        prompt = self._text(f"prompts.{paraphrase}", values)
        if not any(fields.get(name) for name, _ in self._sides["response"]):
            return Rendered(system, prompt, None, paraphrase)
        return Rendered(system, prompt, self.response(fields), paraphrase)

    def plan(self, paraphrase: str, filled: frozenset[str]) -> Plan | None:
        """Return how to join the texts of rows in which just these fields have values.

        None where system or prompt does more than that, or where `render` would raise for every such row.
        """
        sides = {side: frozenset(name for name, _ in fields) for side, fields in self._sides.items()}
        answered = bool(filled & sides["response"])
        for side in ("prompt", *(["response"] if answered else [])):
            if any(not is_optional and name not in filled for name, is_optional in self._sides[side]):
                return None
        known = sides["prompt"]
        system = self._texts["system"].plan(known, filled & known)
        prompt = self._texts[f"prompts.{paraphrase}"].plan(known, filled & known)
        both = known | sides["response"]
        response = self._texts["response"].plan(both, filled & both) if answered else None
        if system is None or prompt is None:
            return None
        return Plan(system, prompt, response, answered)

    def response(self, fields: Mapping[str, str]) -> str:
        """Return the response alone; raises as `render` does."""
        return self._text("response", self._values(fields, "prompt") | self._values(fields, "response"))

    def pieces(self, key: str, fields: Mapping[str, str]) -> list[str]:
        """Return the text of `system`, `response` or `prompts.<name>` in pieces; those from a row are of type `Value`.

        Raises:
            RenderError: As `render` does.
        """
        values = self._values(fields, "prompt")
        if key == "response":
            values |= self._values(fields, "response")
        return self._texts[key].pieces(values)

    def _values(self, fields: Mapping[str, str], side: str) -> dict[str, str]:
        values = {}
        for name, is_optional in self._sides[side]:
            values[name] = fields.get(name, "")
            if not values[name] and not is_optional:
                raise RenderError(
                    f"template {self.template.name!r} needs the field {name!r}, which this row has not; "
                    f"give it a column in the source, or set optional: true in {self.template.name}.yaml"
                )
        return values

    def _text(self, key: str, values: Mapping[str, str]) -> str:
        text = self._texts[key].render(values)
        if not text or text.isspace():
            names = ", ".join(sorted(self._texts[key].names))
            raise RenderError(
                f"template {self.template.name!r}, {key} came out empty (fields: {names}); mend the row or the text",
                "empty_render",
            )
        return text
