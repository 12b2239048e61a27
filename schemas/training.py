"""The `[train]` section of a recipe. It stands here because the recipe reads it and `train` obeys it."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from schemas.base import Strict
from schemas.example import Status
from schemas.method import Method
from schemas.report import CurvePoint, Model


class Encode(Strict):
    """How a split becomes tokens, and which of them carry loss."""

    chat_template: str | None = Field(
        default=None, title="Jinja file for a base whose tokenizer has none, or instead of its own"
    )
    chat_template_kwargs: dict[str, JsonValue] = Field(
        default={}, title="handed to the chat template in training, evaluation and export, such as enable_thinking"
    )
    max_length: int = Field(default=1024, ge=8, title="longest example in tokens; a longer one stops the run")
    learn: Literal["completion", "all-turns"] = Field(
        default="completion", title="what carries loss: the last answer, or every turn of the assistant"
    )
    status_weights: dict[Status, Annotated[float, Field(ge=0)]] = Field(
        default={}, title="weight of a train row by review status, such as { unreviewed = 0.3 }; 1 if unnamed"
    )
    row_weight: str | None = Field(default=None, title="kept column (in meta) with each train row's weight, 0 or more")
    shots: int = Field(default=0, ge=0, title="worked examples of the same template, from train, in each prompt")


class Train(Strict):
    """How the model is trained and evaluated."""

    base: str = Field(
        default="tiny",
        min_length=1,
        title="tiny (built here from base_text), a folder with a model in the format of transformers, or a hub id",
    )
    revision: str | None = Field(default=None, title="commit of a hub id; the newest if left out")
    trust_remote_code: bool = Field(default=False, title="run code that comes with a hub model; read it first")
    base_text: str = Field(
        default="data/sample/base.txt",
        title="text that tiny is built from; its held documents measure forgetting for any base",
    )
    base_steps: int = Field(default=1500, ge=1, title="steps in which tiny is made")
    base_tokenizer: str = Field(default="data/sample/tokenizer", title="folder of the tokenizer of tiny")
    family: Literal["auto", "causal", "seq2seq", "classify"] = Field(
        default="auto",
        title="auto: as the base's config says; classify: a new head that chooses among the train side's answers",
    )

    method: Method = Field(default="lora", title="what of the model trains; `tuneloop methods` explains each")
    rank: int = Field(default=32, ge=1, title="rank of the adapter, for the methods of the LoRA family")
    alpha: float | None = Field(default=None, gt=0, title="scale of the adapter; left out, the rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, title="dropout in the adapter; 0 keeps packing exact")
    last_layers: int = Field(default=2, ge=1, title="last-k: so many layers from the end, with the final norm and head")
    virtual_tokens: int = Field(default=20, ge=1, title="prefix, prompt and p-tuning: learnt places before the prompt")

    objective: Literal["sft", "dpo"] = Field(
        default="sft", title="sft: learn the answers; dpo: learn to prefer, from pairs"
    )
    preferences: str | None = Field(
        default=None, title="dpo: parquet or jsonl with prompt, chosen, rejected; left out, pairs in the split"
    )
    beta: float = Field(default=0.1, gt=0, title="dpo: how dear it is to leave the reference, which is the base")

    learning_rate: float | None = Field(default=None, gt=0, title="peak; left out, the method's own default, said")
    schedule: Literal["cosine", "linear", "constant"] = Field(default="cosine", title="how the rate falls")
    final_share: float = Field(default=0.1, ge=0, le=1, title="share of the peak that the rate falls to")
    warmup_share: float = Field(default=0.05, ge=0, lt=1, title="share of the steps in which the rate climbs")
    weight_decay: float = Field(default=0.01, ge=0, title="AdamW's, of matrices; gains and biases have none")
    clip: float = Field(default=1.0, gt=0, title="largest norm of the gradient")
    epochs: float = Field(default=3.0, gt=0, title="passes over the train side")
    max_steps: int | None = Field(default=None, ge=1, title="optimizer steps at most; the schedule is laid over them")
    batch_size: int = Field(default=16, ge=1, title="examples an optimizer step, of all processes together")
    evaluate_every: int | None = Field(default=None, ge=1, title="steps between validations; left out, 8 a run")
    patience: int | None = Field(
        default=None, ge=1, title="stop after so many validations in a row without a new best; left out, never"
    )
    seed: int = Field(default=1, ge=0, title="of the order of examples, the adapter's start and dropout")

    task_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={}, title="how often a pass sees each example of a task, such as { translate = 2 }; 1 if unnamed"
    )
    sequence: list[list[str]] = Field(
        default=[], title="tasks learnt one after another, such as [['summarize'], ['translate', 'classify']]"
    )
    replay_share: float = Field(
        default=0.0, ge=0, lt=1, title="share of each batch that is general text, against forgetting"
    )
    replay_text: str | None = Field(
        default=None, title="text file of that, blank lines between documents; left out, base_text but what is held"
    )

    token_budget: int = Field(default=4096, ge=8, title="most tokens in memory at once; the result is the same")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", title="of the forward pass; what trains is fp32. auto: bf16 on a GPU that has it, else fp32"
    )
    attention: Literal["auto", "flash", "varlen", "segments", "sdpa", "eager"] = Field(
        default="auto", title="which kernels; auto: the fastest that keeps packed examples apart here, said with why"
    )
    activation_checkpointing: bool = Field(
        default=False, title="forget activations and work them out again: less memory, a third more time"
    )
    tensorboard: bool = Field(default=False, title="write events for TensorBoard beside metrics.jsonl")
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
    encode: dict[str, JsonValue] = Field(default={}, title="the recipe's [encode]; with settings, all to do it again")
    base: str = Field(title="which base exactly: a digest of its files, or a hub id with its revision")
    code: str
    distributions: dict[str, str]
    git_commit: str | None
    started_at: str
    seconds: float
    peak_memory_bytes: int
    model: Model
    external: str | None = Field(default=None, title="what was judged, where no run of ours trained it")
