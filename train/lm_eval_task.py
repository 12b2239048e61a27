"""The held-out side as tasks of lm-eval: one a template, and a group of all.

20 test rows of template translate  ->  tuneloop_sample_translate.yaml, translate.parquet

The prompts are rendered: chat template, generation prompt and first token are in them. lm-eval must add none of these,
so no --apply_chat_template, and add_bos_token=False. Rows are parquet and not JSON lines, which `datasets` reads with
guessed types: a task whose every answer is a date would come out as timestamps.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from transformers import PreTrainedTokenizerBase

from pipeline.snapshot import make_folder
from schemas import Template
from train.exam import Side

FOLDER = "lm-eval"
LM_EVAL = "0.4.13"  # the version these files were tried with
_TEXT_METRICS = ("bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "token_f1")
_SACREBLEU = ("bleu", "chrf", "chrf++")
_README = """# lm-eval: the held-out side of `{recipe}`

In an environment of its own (`pip install torch lm-eval[hf]=={version}`), from this folder:

    lm_eval run --model hf --model_args pretrained={model},add_bos_token=False --device cpu \\
        --tasks {group} --include_path . --output_path results --log_samples

Prompts are rendered, so do not add `--apply_chat_template` or `--num_fewshot`. `exact_match` is equality but for blanks
around; in our report it is `same text`. BLEU is sacrebleu's with the tokenizer 13a.
"""


def write_lm_eval(
    side: Side,
    templates: dict[str, Template],
    tokenizer: PreTrainedTokenizerBase,
    to: Path,
    *,
    recipe: str,
    stop: int,
    context: int,
    max_new_tokens: int,
    model: str | None,
) -> list[str]:
    """Write the tasks into `to`, and return what is to be known of them: rows that lm-eval would not ask as we do.

    Args:
        side: Of whose rows the tasks are.
        templates: By name, for their metrics.
        tokenizer: Of the model.
        to: The folder.
        recipe: Whose name the tasks bear.
        stop: Token that ends an answer.
        context: Longest sequence the model takes.
        max_new_tokens: Longest answer.
        model: Folder of the model, as seen from `to`; None if there is none that lm-eval could load.
    """
    make_folder(to)
    group = f"tuneloop_{_plain(recipe)}"
    until = str(tokenizer.decode([stop], skip_special_tokens=False))
    tasks: list[str] = []
    n_other = n_long = 0
    for name in sorted({row["template"] for row in side.rows}):
        places = [place for place, row in enumerate(side.rows) if row["template"] == name]
        prompts = [_text(tokenizer, side.encoded.prompt(place).tolist()) for place in places]
        read = tokenizer(prompts, add_special_tokens=False)["input_ids"]
        own = [side.encoded.prompt(place).tolist() for place in places]
        n_other += sum(list(one) != other for one, other in zip(read, own, strict=True))
        n_long += sum(len(one) > context - max_new_tokens for one in own)
        rows = {
            "id": [side.rows[place]["id"] for place in places],
            "prompt": prompts,
            "answer": [side.references[place].strip() for place in places],
        }
        pq.write_table(pa.table(rows, schema=pa.schema(dict.fromkeys(rows, pa.string()))), to / f"{name}.parquet")
        tasks.append(f"{group}_{_plain(name)}")
        task = _task(tasks[-1], f"{name}.parquet", templates[name].metrics, until, max_new_tokens)
        _write(to / f"{tasks[-1]}.yaml", task)
    _write(to / f"{group}.yaml", {"group": group, "task": tasks, "metadata": {"version": 1.0}})
    (to / "README.md").write_text(
        _README.format(recipe=recipe, version=LM_EVAL, model=model or "MODEL", group=group), encoding="utf-8"
    )
    said = []
    if n_other:
        said.append(f"lm-eval/: {n_other:,} prompts read back as other tokens, such as one with a control token's text")
    if n_long:
        said.append(
            f"lm-eval/: {n_long:,} prompts leave no room for {max_new_tokens} tokens; lm-eval cuts their beginning, "
            "where we make the answer shorter"
        )
    if model is None:
        said.append("lm-eval/: there is no merged model here to name; load base and adapter (peft=...)")
    return said


def _task(name: str, file: str, metrics: Sequence[str], until: str, max_new_tokens: int) -> dict[str, Any]:
    named = ["exact_match", *(_SACREBLEU if set(metrics) & set(_TEXT_METRICS) else ())]
    return {
        "task": name,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {"test": file}},
        "test_split": "test",
        "output_type": "generate_until",
        # Names of columns, so that no text of the data is read as Jinja.
        "doc_to_text": "prompt",
        "doc_to_target": "answer",
        "num_fewshot": 0,
        "generation_kwargs": {"until": [until], "do_sample": False, "max_gen_toks": max_new_tokens},
        "filter_list": [
            {"name": "strip", "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}]},
        ],
        "metric_list": [{"metric": metric, "higher_is_better": True} for metric in named],
        "metadata": {"version": 1.0},
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _text(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name)
