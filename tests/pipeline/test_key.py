"""Every setting is in its stage's key and in no earlier one: the test walks the models, so none can be forgotten."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from pipeline.code import ROOT, Code, read_module
from pipeline.key import code_of_stage, input_files, key_parts, part_key, what_changed
from pipeline.recipe import STAGES, Recipe, load_recipe
from pipeline.stage import Inputs, Stage
from schemas import InputFile, nearest

SAMPLE = load_recipe(None)
NO_CODE = Code("code", {})


# Settings that go with another one only, of the same table.
BESIDE = {
    "templates": {"template": None},
    "format": {"path": "-"},
    "revision": {"path": "hf://owner/name"},
    "keep_languages": {"languages": "find"},
}


def keys(recipe: Recipe) -> dict[str, dict[str, str]]:
    return {stage.name: key_parts(stage, Inputs(), [], {}, NO_CODE) for stage in recipe.stages()}


def files_behind(stage: Stage) -> set[Path]:
    """Return every first-party file that a stage's module imports, however indirectly."""
    seen: set[Path] = set()
    left = [Path(sys.modules[type(stage).__module__].__file__ or "")]
    while left:
        path = left.pop()
        if path not in seen:
            seen.add(path)
            left.extend(read_module(path, path.stat().st_mtime_ns).first_party)
    return seen


def others(value: Any, annotation: Any) -> Iterator[Any]:
    """Yield values of a type that differ from the given one."""
    if value == "utf-8":
        yield "cp1252"
    options = [one for one in (annotation, *get_args(annotation)) if one is not type(None)]
    for option in options:
        if get_origin(option) is Literal:
            yield from (choice for choice in get_args(option) if choice != value)
        elif option is bool:
            yield not value
        elif option is int:
            yield (value or 0) + 1
        elif option is float:
            yield from (share for share in (0.6, 0.7, 0.01) if share != value)
        elif option is str:
            yield from (f"{value or ''}x", "0" * 40, "x.py:x")  # the last two: a commit, a function of a file
        elif get_origin(option) is list:
            yield from ([*(value or []), one] for one in ("x", "en"))
        elif get_origin(option) is dict:
            yield from ({**(value or {}), "x": one} for one in ("y", 1))


def settings(model: BaseModel, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Yield (path, value, annotation) of every setting in a model, into models and lists of models."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from settings(value, (*path, name))
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            yield from settings(value[0], (*path, name, 0))
        else:
            yield (*path, name), value, field.annotation


def with_value(recipe: Recipe, path: tuple[Any, ...], value: Any) -> Recipe:
    tree: Any = recipe.model_dump(mode="json")
    node = tree
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    if path[0] == "ingest":
        node.update(BESIDE.get(path[-1], {}))
    if path[:2] == ("split", "shares"):  # shares must sum to one: move the difference to another side
        rest = "test" if path[-1] != "test" else "train"
        node[rest] = 1 - sum(share for side, share in node.items() if side != rest)
    return Recipe.model_validate(tree)


STAGE_SETTINGS = [one for one in settings(SAMPLE) if one[0][0] in STAGES]


@pytest.mark.parametrize(
    ("path", "value", "annotation"),
    STAGE_SETTINGS,
    ids=lambda one: ".".join(map(str, one)) if isinstance(one, tuple) else "",
)
def test_every_setting_changes_the_key_of_its_stage_and_of_no_other(path, value, annotation):
    before, tried = keys(SAMPLE), 0
    for other in others(value, annotation):
        try:
            changed = with_value(SAMPLE, path, other)
        except ValidationError:
            continue  # this value breaks a rule of the model; another will do
        tried += 1
        after = keys(changed)
        assert [stage for stage in STAGES if after[stage] != before[stage]] == [path[0]]
        break
    assert tried, f"no other valid value was found for {path}: teach `others` its type"


def test_the_walk_sees_settings_inside_sources_and_shares():
    names = {".".join(map(str, path)) for path, _, _ in STAGE_SETTINGS}
    assert {"ingest.sources.0.delimiter", "dedupe.near", "split.shares.train", "format.max_tokens"} <= names


def test_files_values_parents_and_packages_are_in_the_key():
    stage = SAMPLE.dedupe
    plain = key_parts(stage, Inputs(), [], {}, NO_CODE)
    file = InputFile(name="a.jsonl", bytes=1, digest="d")
    richer = [
        key_parts(stage, Inputs(values={"x": 1}), [], {}, NO_CODE),
        key_parts(stage, Inputs(), [file], {}, NO_CODE),
        key_parts(stage, Inputs(), [file.model_copy(update={"digest": "e"})], {}, NO_CODE),
        key_parts(stage, Inputs(), [], {"ingest": "v1"}, NO_CODE),
        key_parts(stage, Inputs(), [], {}, Code("code", {"numpy": "2"})),
        key_parts(stage, Inputs(), [], {}, Code("other", {})),
    ]
    assert len({str(one) for one in [plain, *richer]}) == 7


def test_an_input_file_is_known_by_name_and_bytes(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(b"abc")
    (file,) = input_files(Inputs(files={"a.txt": tmp_path / "a.txt"}))
    assert (file.name, file.bytes, len(file.digest)) == ("a.txt", 3, 64)


def test_what_people_review_is_in_no_stages_key_and_no_stages_code():
    review = SAMPLE.review.model_copy(update={"random_share": 0.3, "target_error_rate": 0.01})
    assert keys(SAMPLE.model_copy(update={"review": review})) == keys(SAMPLE)
    assert ROOT / "schemas" / "review.py" not in {path for stage in SAMPLE.stages() for path in files_behind(stage)}


def test_every_stage_has_a_code_digest_of_its_own():
    digests = {stage.name: code_of_stage(stage).digest for stage in SAMPLE.stages()}
    assert len(set(digests.values())) == len(STAGES)


def test_a_part_key_depends_on_everything_it_is_given():
    base: list[Any] = [{"near": 0.9}, {"digest": "a", "state": None}, {"values": {}}, NO_CODE]
    other: list[Any] = [{"near": 0.8}, {"digest": "a", "state": "s"}, {"values": {"x": 1}}, Code("other", {})]
    keys_of = {part_key(SAMPLE.dedupe, *base)}
    for at in range(4):
        keys_of.add(part_key(SAMPLE.dedupe, *[other[n] if n == at else base[n] for n in range(4)]))
    assert len(keys_of) == 5


def test_the_first_run_says_that_it_is_the_first():
    assert what_changed({"setting near": "a"}, None) == ["never run for this recipe"]


def test_a_misspelt_setting_is_answered_with_the_nearest_one():
    assert nearest("nera", ["near", "benchmarks"]) == "did you mean 'near'?"
