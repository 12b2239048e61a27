"""The `[draft]` section of a recipe: a model writes answers, or instructions to answers, for people to check.

    [draft]
    model = "qwen3-8b"
    endpoint = "http://127.0.0.1:8000/v1"   # left out, `model` is a folder

A recipe without the section has no drafts, and nothing of this changes its data.
"""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from schemas.base import Strict

RESPONSE = "{response}"
INVERT = (
    "Below is an answer. Write the instruction that it answers, complete, so that somebody who has only the "
    f"instruction could give this answer. Write the instruction and nothing else.\n\n{RESPONSE}"
)


class DraftSettings(Strict):
    """Which model drafts, what it is asked, and how much of it may be trained on."""

    model: str = Field(min_length=1, title="a folder with a model, or with `endpoint` its name there")
    endpoint: str | None = Field(
        default=None, title="OpenAI-compatible server, such as http://127.0.0.1:8000/v1; left out, model is a folder"
    )
    key_env: str = Field(
        default="TUNELOOP_DRAFT_KEY",
        pattern=r"^[A-Z_][A-Z0-9_]*$",
        title="environment variable that holds the server's key; never the key itself",
    )
    license: str | None = Field(default=None, title="licence of the model's answers; written into every draft")
    sources: list[str] = Field(default=[], title="sources whose rows without a response are drafted; empty means all")
    templates: list[str] = Field(default=[], title="the same by template")
    system: str | None = Field(default=None, title="system message put before prompts that have none")
    invert: list[str] = Field(
        default=[], title="sources whose train responses get an instruction written, as new examples of `instruct`"
    )
    invert_prompt: str = Field(default=INVERT, title="what is asked then; {response} stands for the response")
    max_rows: int = Field(default=500, ge=0, title="most drafts in all, those of earlier runs among them")
    max_share: float = Field(default=0.2, ge=0, le=1, title="most of the train side that may be synthetic")
    max_new_tokens: int = Field(default=256, ge=1, title="longest draft in tokens; one that is cut there is not kept")
    temperature: float = Field(default=0.0, ge=0, le=2, title="0: the likeliest text; more needs an endpoint")

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if RESPONSE not in self.invert_prompt:
            raise ValueError(f"invert_prompt must hold {RESPONSE}, where the response goes")
        if self.endpoint is None:
            if self.temperature > 0:
                raise ValueError("a model in a folder answers at temperature 0 only: leave it out, or name an endpoint")
            return self
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("endpoint must begin with http:// or https://")
        if parts.username or parts.password or parts.query:
            raise ValueError(f"endpoint must hold no key or password: put it into the environment, {self.key_env}")
        return self


class Synthetic(Strict):
    """Where a row that a model wrote comes from; it stands in the row's meta as `synthetic`."""

    kind: Literal["draft", "inversion"] = Field(title="draft: the response is a model's; inversion: the instruction is")
    model: str = Field(title="as the recipe named it")
    prompt: str = Field(title="digest of the messages it was asked; the drafts file holds them in full")
    parents: list[str] = Field(title="ids of the rows it was made from")
    license: str | None = Field(default=None, title="licence of the model's answers, if the recipe says one")
