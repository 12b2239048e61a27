"""The model card: `README.md` beside the saved model, read by people and by the hub.

Report(base="Qwen/Qwen3-0.6B", method="lora", ...)  ->  YAML that names base and library, then words and tables
"""

import json
import re
from importlib.resources import files

import yaml
from jinja2 import Environment, StrictUndefined

from pipeline.markdown_text import code, inline
from schemas.method import Family
from schemas.report import ARM_MEANINGS, Reading, Report
from train.evidence_words import finds_from
from train.figure import Interval, number, signed
from train.measures_view import measured
from train.methods import METHODS
from train.page import Checked, Standing, change, duration, forgetting

# What the hub takes for a model of its own; `tiny` and folders with a path are none.
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_READINGS: dict[Reading, str] = {"better": "better", "unclear": "no evidence", "worse": "**worse**"}
_PIPELINES: dict[Family, str] = {
    "causal": "text-generation",
    "seq2seq": "text2text-generation",
    "classify": "text-classification",
}
_AUTO_CLASSES: dict[Family, str] = {
    "causal": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "classify": "AutoModelForSequenceClassification",
}


def card(report: Report) -> str:
    """Return the card: YAML front matter, then Markdown in which no text of the data is markup."""
    # Markdown has its own escapes: `inline` is applied where text comes from outside.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
    environment.filters |= {
        "code": code,
        "inline": inline,
        "number": number,
        "signed": signed,
        "quoted": lambda text: json.dumps(text, ensure_ascii=True),
        "whole": lambda count: f"{count:,}",
    }
    template = environment.from_string(files("train").joinpath("card.md.jinja").read_text("utf-8"))
    return template.render(
        front=yaml.safe_dump(_front(report), sort_keys=False, allow_unicode=False).rstrip(),
        report=report,
        meanings=ARM_MEANINGS,
        readings=_READINGS,
        standing=Standing.of(report.comparisons),
        checked=Checked.of(report.split, report.n, report.n_reviewed),
        train_checked=Checked.of("train", report.n_train, report.n_train_reviewed),
        finds_from=finds_from,
        compared=[(one, Interval.of(one)) for one in report.comparisons],
        sliced=[(one, Interval.of(one.against_base)) for one in report.slices if one.against_base],
        method=METHODS[report.model.method],
        auto_class=_AUTO_CLASSES[report.model.family],
        duration=duration(report.model.train_seconds),
        change=change(report.forgetting) if report.forgetting else None,
        forgetting=forgetting(report.forgetting),
        measured=measured(report.measures),
    )


def _front(report: Report) -> dict[str, object]:
    """Return the keys the hub reads. Results stay out: there they would stand without their intervals."""
    adapter = METHODS[report.model.method].is_adapter
    base = report.model.base
    return {
        **({"base_model": base} if base != "tiny" and _HUB_ID.fullmatch(base) else {}),
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": _PIPELINES[report.model.family],
        "tags": ["tuneloop", "sft", *([report.model.method] if adapter else [])],
    }
