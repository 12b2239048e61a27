"""A template: how a task's fields become a prompt and a response, with examples that test it."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Strict
from schemas.example import Message

# Fields are variables of the texts, hence no hyphen.
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$")]
# What a template may ask for. A row without a response gets `write` whatever its template asks.
AskedScreen = Literal["review", "chat", "preference", "classify"]
Screen = Literal[AskedScreen, "write", "dispute"]


class TemplateField(Strict):
    """One field a source must or may give."""

    side: Literal["prompt", "response"] = Field(title="prompt: the model reads it; response: it must write it")
    about: str = Field(title="one sentence for the person who maps a column to it")
    optional: bool = Field(default=False, title="may be absent or empty; renders as empty text")
    document: bool = Field(default=False, title="rows sharing this text stay on one side of the split")
    choices: list[str] = Field(default=[], title="the only values allowed; empty means any")


class WorkedExample(Strict):
    """Fields and the text they must render to: documentation and golden test in one."""

    fields: dict[str, str] = Field(default={}, title="field to value")
    turns: list[Message] = Field(default=[], title="the conversation, for chat templates")
    paraphrase: str = Field(default="", title="which wording; the only one if empty")
    system: str = Field(default="", title="the rendered system message; empty if there is none")
    prompt: str = Field(default="", title="the rendered user message; in a chat the last message before the answer")
    response: str = Field(default="", title="the rendered assistant message")


class Review(Strict):
    """What annotators are asked about an example of this template."""

    screen: AskedScreen = Field(default="review", title="kind of labelling screen")
    question: str = Field(title="one sentence above the answer")
    error_types: list[str] = Field(min_length=1, title="labels of what can be wrong with an answer")
    guideline: str = Field(title="what a right answer is, in Markdown")
    labels: list[str] = Field(
        default=[], title="labels of the classify screen; empty means those in the example's own field `labels`"
    )


class Template(Strict):
    """One file of `pipeline/templates/` or of a recipe's `template_dirs`."""

    name: Name = Field(title="the file's name without .yaml")
    task: Name = Field(title="task type; duplicates are searched within one")
    about: str = Field(title="one sentence for the person who chooses a template")
    license: str = Field(title="SPDX name of the licence of this file, such as Apache-2.0")
    chat: bool = Field(default=False, title="true: the example is its turns, and nothing is rendered")
    fields: dict[FieldName, TemplateField] = Field(default={}, title="what a source gives, by name")
    system: str | None = Field(default=None, title="system message, in Jinja; none if it renders empty")
    prompts: dict[Name, str] = Field(default={}, title="named paraphrases of the user message, in Jinja")
    response: str = Field(default="", title="the assistant message, in Jinja")
    metrics: list[Name] = Field(min_length=1, title="how an answer is scored, the first one foremost")
    review: Review = Field(title="what annotators are asked")
    examples: list[WorkedExample] = Field(min_length=2, title="fields and the texts they render to")

    @model_validator(mode="after")
    def _sides_are_there(self) -> Self:
        if self.chat:
            if self.prompts or self.response or self.system:
                raise ValueError("a chat template renders nothing: leave out `system`, `prompts` and `response`")
            return self
        if not self.prompts:
            raise ValueError("give at least one wording under `prompts`")
        if not self.response:
            raise ValueError("give `response`, such as '{{ answer }}'")
        for side in ("prompt", "response"):
            if not any(field.side == side for field in self.fields.values()):
                raise ValueError(f"no field has side = {side}")
        return self
