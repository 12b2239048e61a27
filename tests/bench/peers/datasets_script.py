"""One stage of the like work in `datasets`, as a careful script does it; `beside_datasets.py` runs this.

The rows between stages are parquet. What `datasets` cannot read is told, and the run goes on without it.
"""

import argparse
import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import jinja2
import yaml
from tokenizers import Tokenizer

TEMPLATES = Path(__file__).resolve().parents[3] / "pipeline" / "templates"
ROLES = {"human": "user", "gpt": "assistant", "system": "system", "function_call": "assistant", "observation": "tool"}


def lookup(row: dict[str, Any], path: str) -> Any:
    value: Any = row
    for step in [path] if path in row else path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def fields_of(
    row: dict[str, Any], columns: dict[str, str], constants: dict[str, str], template: str, source: str
) -> dict[str, str]:
    values = {field: lookup(row, column) for field, column in columns.items()}
    turns = [
        {
            "role": ROLES.get(turn.get("from", turn.get("role")), "user"),
            "content": turn.get("value", turn.get("content")) or "",
        }
        for turn in values.pop("turns", None) or []
    ]
    texts = {name: v if isinstance(v, str) else "" if v is None else json.dumps(v) for name, v in values.items()}
    return {"fields": json.dumps(texts | constants), "turns": json.dumps(turns), "template": template, "source": source}


def ingest(asked: argparse.Namespace, failed: list[str]) -> datasets.Dataset:
    recipe, columns, parts = tomllib.loads(Path(asked.recipe).read_text("utf-8")), json.loads(asked.columns), []
    for source in recipe["ingest"]["sources"]:
        kind = "csv" if source["path"].endswith(".csv") else "json"
        try:
            rows = datasets.load_dataset(kind, data_files=source["path"], split="train")
        except Exception as error:  # noqa: BLE001 - what it cannot read is a finding
            failed.append(f"{source['name']} not read ({type(error).__name__})")
            continue
        told = columns[source["name"]]["columns"][source["template"]]
        given = {
            "columns": told,
            "constants": source.get("constants", {}),
            "template": source["template"],
            "source": source["name"],
        }
        parts.append(rows.map(fields_of, fn_kwargs=given, remove_columns=rows.column_names, num_proc=asked.processes))
    together = datasets.concatenate_datasets(parts)
    return together.filter(has_both_sides, num_proc=asked.processes)


def has_both_sides(row: dict[str, str]) -> bool:
    if row["template"] == "chat":
        return len(json.loads(row["turns"])) > 1
    fields, template = json.loads(row["fields"]), template_of(row["template"])
    return all(fields.get(name) for name, field in template["fields"].items() if not field.get("optional"))


def dedupe(rows: datasets.Dataset, asked: argparse.Namespace) -> datasets.Dataset:
    seen: set[str] = set()

    def digest(row: dict[str, str]) -> dict[str, str]:
        text = " ".join((row["template"] + row["fields"] + row["turns"]).lower().split())
        return {"digest": hashlib.sha256(text.encode()).hexdigest()}

    def is_new(row: dict[str, str]) -> bool:
        is_first = row["digest"] not in seen
        seen.add(row["digest"])
        return is_first

    # The filter remembers, so it runs in one process.
    return rows.map(digest, num_proc=asked.processes).filter(is_new).remove_columns("digest")


_LOADED: dict[str, Any] = {}


def template_of(name: str) -> dict[str, Any]:
    if name not in _LOADED:
        _LOADED[name] = yaml.safe_load((TEMPLATES / f"{name}.yaml").read_text("utf-8"))
    found: dict[str, Any] = _LOADED[name]
    return found


def render(rows: dict[str, list[str]], tokenizer: str) -> dict[str, list[Any]]:
    environment = _LOADED.setdefault("jinja", jinja2.Environment(trim_blocks=True, lstrip_blocks=True))
    counter = _LOADED.setdefault("tokenizer", Tokenizer.from_file(tokenizer))
    made: dict[str, list[Any]] = {"prompt": [], "completion": [], "n_prompt_tokens": [], "n_completion_tokens": []}
    for template, fields, turns in zip(rows["template"], rows["fields"], rows["turns"], strict=True):
        if template == "chat":
            messages = json.loads(turns)
            prompt, completion = messages[:-1], messages[-1:]
        else:
            told = template_of(template)
            values = dict.fromkeys(told["fields"], "") | json.loads(fields)
            names = list(told["prompts"])
            which = names[hashlib.blake2b(fields.encode(), digest_size=1).digest()[0] % len(names)]
            for name in (which, "response"):
                text = told["response"] if name == "response" else told["prompts"][name]
                if (template, name) not in _LOADED:
                    _LOADED[template, name] = environment.from_string(text)
            prompt = [{"role": "user", "content": _LOADED[template, which].render(values).strip()}]
            completion = [{"role": "assistant", "content": _LOADED[template, "response"].render(values).strip()}]
        made["prompt"].append(prompt)
        made["completion"].append(completion)
    for side in ("prompt", "completion"):
        texts = ["".join(message["content"] for message in messages) for messages in made[side]]
        made[f"n_{side}_tokens"] = [len(one.ids) for one in counter.encode_batch(texts, add_special_tokens=False)]
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("recipe", "to", "stage", "columns"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--processes", type=int)
    asked = parser.parse_args()
    datasets.disable_progress_bars()
    datasets.disable_caching()
    out, failed = Path(asked.to), list[str]()
    out.mkdir(parents=True, exist_ok=True)
    before = {"dedupe": "ingest", "format": "dedupe", "split": "format"}.get(asked.stage)
    rows = (
        datasets.Dataset.from_parquet(str(out / f"{before}.parquet"), cache_dir=str(out / "cache")) if before else None
    )
    recipe = tomllib.loads(Path(asked.recipe).read_text("utf-8"))
    if asked.stage == "ingest":
        made = ingest(asked, failed)
    elif asked.stage == "dedupe":
        made = dedupe(rows, asked)
    elif asked.stage == "format":
        given = {"tokenizer": f"{recipe['format']['tokenizer']}/tokenizer.json"}
        made = rows.map(render, batched=True, fn_kwargs=given, num_proc=asked.processes)
        made = made.filter(
            lambda a, b, most: a + b <= most,
            input_columns=["n_prompt_tokens", "n_completion_tokens"],
            fn_kwargs={"most": recipe["format"]["max_tokens"]},
            num_proc=asked.processes,
        )
    else:
        sides = rows.train_test_split(test_size=0.1, seed=0)
        for name, side in sides.items():
            side.to_parquet(str(out / f"split-{name}.parquet"))
        made = None
    if made is not None:
        made.to_parquet(str(out / f"{asked.stage}.parquet"))
    n = len(made) if made is not None else len(rows)
    (out / f"{asked.stage}.json").write_text(json.dumps({"rows": n, "failed": failed}), encoding="utf-8")


if __name__ == "__main__":
    main()
