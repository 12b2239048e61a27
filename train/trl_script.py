"""The script that trains the same model with TRL, for people who go on elsewhere: our labels, our settings.

adapter_config.json, [train]  ->  train_trl.py, which reads tokens/train.parquet and tokens/validation.parquet
"""

import json
from collections.abc import Sequence
from copy import copy
from dataclasses import MISSING, Field, fields
from enum import Enum
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from peft import PeftConfig

from schemas.training import Train
from train import loop

# The version whose reading of `labels` a test compares with ours.
TRL = "1.16.0"
_NOT_SETTINGS = {
    "peft_type", "inference_mode", "base_model_name_or_path", "revision", "peft_version", "auto_mapping",
    "runtime_config",
}  # fmt: skip


def trl_script(
    settings: Train,
    how: loop.Plan,
    *,
    run: str,
    source: str,
    tokenizer: str,
    adapter: PeftConfig | None,
    modules: Sequence[str],
    trained: Sequence[str],
    longest: int,
    weighted: bool,
) -> str:
    """Return the script as text.

    Args:
        settings: Of the run.
        how: The run's steps, rate and batch.
        run: Its key.
        source: Base as a hub id or a whole path.
        tokenizer: Folder of the tokenizer, seen from the script.
        adapter: What peft adds; None if the model itself trains.
        modules: Names of the base's modules.
        trained: Names of the weights that train, where no adapter does and not all do.
        longest: Tokens of the longest example, by which a batch is cut into passes of at most token_budget.
        weighted: Whether tokens have weights, which TRL cannot take.
    """
    environment = Environment(  # noqa: S701 - no HTML
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["quoted"] = _python
    template = environment.from_string(files("train").joinpath("train_trl.py.jinja").read_text("utf-8"))
    per_device = _at_once(how.batch_size, settings.token_budget // max(1, longest))
    return template.render(
        base=settings.base,
        run=run,
        version=TRL,
        left_out=_left_out(settings, weighted=weighted),
        peft=_arguments(_short(adapter, modules)) if adapter else [],
        peft_class=type(adapter).__name__,
        quantised=settings.method.removeprefix("qlora-") if settings.method.startswith("qlora-") else "",
        patience=settings.patience,
        source=source,
        revision=settings.revision or "main",
        bf16={"fp32": "False", "bf16": "True"}.get(
            settings.precision, "torch.cuda.is_available() and torch.cuda.is_bf16_supported()"
        ),
        how=how,
        settings=settings,
        trust_remote_code=settings.trust_remote_code,
        trained=trained,
        tokenizer=tokenizer,
        per_device=per_device,
        accumulation=how.batch_size // per_device,
        schedule=_schedule(settings, how.learning_rate),
        betas=loop.BETAS,
    )


def _at_once(batch_size: int, room: int) -> int:
    """Return the largest part of a batch that divides it and has room at once; 1 if none has."""
    return max((n for n in range(1, batch_size + 1) if batch_size % n == 0 and n <= room), default=1)


def _schedule(settings: Train, peak: float) -> tuple[str, dict[str, float]]:
    """Return what transformers calls our schedule."""
    match settings.schedule:
        case "cosine":
            return "cosine_warmup_with_min_lr", {"min_lr_rate": settings.final_share}
        case "linear":
            return "polynomial", {"lr_end": settings.final_share * peak, "power": 1.0}
    return "constant_with_warmup", {}


def _left_out(settings: Train, *, weighted: bool) -> list[str]:
    """Return what the run did and TRL is not told, in sentences."""
    said = []
    if weighted:
        said.append("Left out: weights of rows and tokens (column `weights`); here every label counts in full.")
    if settings.task_weights or settings.sequence:
        said.append("Left out: task_weights and sequence; here every example comes once a pass, in random order.")
    if settings.replay_share:
        said.append("Left out: replay_share; here no general text is mixed in.")
    return said


def _arguments(config: PeftConfig) -> list[tuple[str, str]]:
    """Return the settings of an adapter that are not peft's own defaults, as Python."""
    found = []
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in _NOT_SETTINGS or value == _default(field) or not _plain(value):
            continue
        found.append((field.name, _python(value)))
    return found


def _default(field: "Field[Any]") -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(one) for key, one in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return all(_plain(one) for one in value)
    return value is None or isinstance(value, str | int | float | bool | Enum)


def _python(value: object) -> str:
    if isinstance(value, Enum):
        return _python(value.value)
    if isinstance(value, set | frozenset | list | tuple):
        return f"[{', '.join(_python(one) for one in (sorted(value) if isinstance(value, set) else value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _short(config: PeftConfig, modules: Sequence[str]) -> PeftConfig:
    """Return the same adapter with its targets named by their last part, where that means the same modules."""
    targets = getattr(config, "target_modules", None)
    if not isinstance(targets, set | list):
        return config
    ends = {name.rpartition(".")[2] for name in targets}
    if {name for name in modules if name.rpartition(".")[2] in ends} != set(targets):
        return config
    short = copy(config)
    short.target_modules = ends  # type: ignore[attr-defined]
    return short
