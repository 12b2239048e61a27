"""What lm-eval measured before and after training, read from the two files it wrote.

{"results": {"arc_easy": {"acc,none": 0.31, "acc_stderr,none": 0.02}}, "n-samples": ...}, twice
    ->  Benchmark(task="arc_easy", metric="acc", base=0.31, tuned=0.30, low=-0.065, high=0.045)

The interval is difference +- 1.96 * sqrt(se_base ** 2 + se_tuned ** 2), as for two independent sets of questions. The
questions are the same, so it is rather too wide.
"""

import json
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipeline.digest import file_digest
from schemas import ConfigError
from schemas.evaluation import Evaluate, LmEvalResults
from schemas.report import Benchmark

_SETTING = "[evaluate] lm_eval_results"
_Z = 1.959964  # of a 95 % interval


def results_digest(settings: Evaluate) -> JsonValue:
    """Return what the benchmark figures of a report depend on: the bytes of both files, if there are any.

    Raises:
        ConfigError: A file is missing.
    """
    named = settings.lm_eval_results
    return None if named is None else [file_digest(_file(named.base, "base")), file_digest(_file(named.tuned, "tuned"))]


def benchmarks(named: LmEvalResults | None) -> list[Benchmark]:
    """Return each figure that both files have; of a group of tasks the group's alone.

    Raises:
        ConfigError: A file is missing or not lm-eval's, no task is in both, or the two asked different questions.
    """
    if named is None:
        return []
    base, tuned = _read(named.base, "base"), _read(named.tuned, "tuned")
    parts = {name for found in (base, tuned) for names in _dict(found, "group_subtasks").values() for name in names}
    shared = [task for task in base["results"] if task in tuned["results"] and task not in parts]
    problems = [problem for task in shared if (problem := _other_questions(task, base, tuned))]
    if not shared:
        listed = f"{', '.join(base['results']) or 'none'}; tuned: {', '.join(tuned['results']) or 'none'}"
        problems = [
            ConfigError(f"no task is in both files: base: {listed}", where=_SETTING, fix="run the same --tasks")
        ]
    if error := ConfigError.of(problems):
        raise error
    return [one for task in shared for one in _figures(task, base, tuned)]


def _figures(task: str, base: dict[str, Any], tuned: dict[str, Any]) -> list[Benchmark]:
    before, after = base["results"][task], tuned["results"][task]
    better = _dict(base, "higher_is_better").get(task) or {}
    n = (_dict(base, "n-samples").get(task) or {}).get("effective")
    found = []
    for key, value in before.items():
        metric, _, kind = key.partition(",")
        if "_stderr" in key or not (_is_number(value) and _is_number(after.get(key))):
            continue
        if not kind:
            continue  # a count, not a figure
        errors = [one.get(f"{metric}_stderr,{kind}") for one in (before, after)]
        half = _Z * sqrt(sum(error**2 for error in errors)) if all(map(_is_number, errors)) else None
        difference = after[key] - value
        found.append(
            Benchmark(
                task=task, metric=metric if kind == "none" else key, n=n, base=value, tuned=after[key],
                more_is_better=better.get(metric) is not False,
                low=None if half is None else difference - half, high=None if half is None else difference + half,
            )
        )  # fmt: skip
    return found


def _other_questions(task: str, base: dict[str, Any], tuned: dict[str, Any]) -> ConfigError | None:
    """Return an error where both files have the task and do not mean the same by it."""
    for key, name in (("versions", "version"), ("n-shot", "number of shots"), ("n-samples", "number of questions")):
        one, other = _dict(base, key).get(task), _dict(tuned, key).get(task)
        if one != other:
            return ConfigError(
                f"{task} is not the same in both files: {name} {one} in base, {other} in tuned",
                where=_SETTING,
                fix="run both with the same lm-eval, --num_fewshot and --limit",
            )
    return None


def _read(name: str, side: str) -> dict[str, Any]:
    path = _file(name, side)
    where = f"{_SETTING}.{side}, {path}"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", where=where, fix="run lm-eval again") from error
    results = found.get("results") if isinstance(found, dict) else None
    if not isinstance(results, dict) or not all(isinstance(one, dict) for one in results.values()):
        fix = "name the results_*.json that lm-eval writes with --output_path"
        raise ConfigError("this is no result of lm-eval: it has no results", where=where, fix=fix)
    return dict(found)


def _file(name: str, side: str) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        # lm-eval makes a folder of the model's name, and its file names end in the time.
        found = sorted(path.rglob("results_*.json"), key=lambda file: file.name)
        path = found[-1] if found else path
    if not path.is_file():
        raise ConfigError(
            "there is no such file, nor a results_*.json in such a folder",
            where=f"{_SETTING}.{side} = {name!r}",
            fix="run lm-eval with --output_path, or take the setting out; docs/evaluate.md has the commands",
        )
    return path


def _dict(found: dict[str, Any], key: str) -> dict[str, Any]:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
