"""The `[train]` section of a recipe. It stands here because the recipe reads it and `train` obeys it."""

from typing import Literal

from pydantic import Field, JsonValue

from schemas.base import Strict
from schemas.report import CurvePoint, Model


class Train(Strict):
    """How the model is trained and evaluated."""

    base: str = Field(
        default="tiny",
        min_length=1,
        title="tiny (built here from base_text), a folder with a model in the format of transformers, or a hub id",
    )
    revision: str | None = Field(default=None, title="commit of a hub id; the newest if left out")
    trust_remote_code: bool = Field(default=False, title="run code that comes with a hub model; read it first")
    chat_template: str | None = Field(default=None, title="Jinja file for a base whose tokenizer has none")
    base_text: str = Field(
        default="data/sample/base.txt",
        title="text that tiny is built from; its held documents measure forgetting for any base",
    )
    base_steps: int = Field(default=1500, ge=1, title="steps in which tiny is made")
    base_tokenizer: str = Field(default="data/sample/tokenizer", title="folder of the tokenizer of tiny")

    method: Literal["lora", "full"] = Field(default="lora", title="lora: a small adapter; full: every weight")
    rank: int = Field(default=32, ge=1, title="rank of the adapter")
    dropout: float = Field(default=0.0, ge=0, lt=1, title="dropout in the adapter; 0 keeps packing exact")
    learning_rate: float | None = Field(default=None, gt=0, title="peak; left out, the method's own default, said")
    weight_decay: float = Field(default=0.01, ge=0, title="AdamW's, of matrices; gains and biases have none")
    epochs: float = Field(default=3.0, gt=0, title="passes over the train side")
    batch_size: int = Field(default=16, ge=1, title="examples an optimizer step")
    warmup_share: float = Field(default=0.05, ge=0, lt=1, title="share of the steps in which the rate climbs")
    clip: float = Field(default=1.0, gt=0, title="largest norm of the gradient")
    max_length: int = Field(default=1024, ge=8, title="longest example in tokens; a longer one stops the run")
    token_budget: int = Field(default=4096, ge=8, title="most tokens in memory at once; the result is the same")
    evaluate_every: int | None = Field(default=None, ge=1, title="steps between validations; left out, 8 a run")
    seed: int = Field(default=1, ge=0, title="of the order of examples, the adapter's start and dropout")
    max_new_tokens: int = Field(default=128, ge=1, title="longest answer in evaluation")


class Tuned(Strict):
    """What training left: `tuned.json`, written once the model is saved."""

    model: Model
    curve: list[CurvePoint]


class TrainingRecord(Strict):
    """A finished training run: `data/runs/<key>/manifest.json`, written last, so a folder without it is unfinished."""

    key: str = Field(title="digest of all that can change the model")
    key_parts: dict[str, str] = Field(title="what the key is made of, so that a re-run can say what changed")
    evaluation: str = Field(title="digest of all that can change the scores of this model")
    recipe: str
    parents: dict[str, str] = Field(title="stage to version: what was trained on")
    settings: dict[str, JsonValue]
    base: str = Field(title="which base exactly: a digest of its files, or a hub id with its revision")
    code: str
    distributions: dict[str, str]
    git_commit: str | None
    started_at: str
    seconds: float
    peak_memory_bytes: int
    model: Model
