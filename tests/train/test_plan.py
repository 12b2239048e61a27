import shutil

import pytest

from pipeline.recipe import load_recipe
from pipeline.refs import newest
from pipeline.seal import sealed, unseal
from pipeline.template import BUILT_IN
from schemas import ConfigError, Manifest, SnapshotError, SourceError
from schemas.report import Model
from schemas.training import Encode, Train, TrainingRecord
from train.base_text import Tiny
from train.plan import MANIFEST, RUNS, newest_run, plan_run, read_record

# What the default does not tell how to change.
CHANGES = {
    "base": "org/name", "revision": "0f3c", "method": "full", "dropout": 0.5, "learning_rate": 0.5, "evaluate_every": 7,
    "family": "causal", "alpha": 8.0, "objective": "dpo", "preferences": "pairs.jsonl", "schedule": "linear",
    "max_steps": 9, "patience": 3, "task_weights": {"qa": 2.0}, "sequence": [["qa"]], "replay_share": 0.5,
    "replay_text": "other.txt", "precision": "fp32", "attention": "sdpa", "learn": "all-turns",
    "chat_template_kwargs": {"thinking": True}, "status_weights": {"edited": 2.0}, "row_weight": "weight", "shots": 1,
}  # fmt: skip
SETTINGS = {**Train.model_fields, **Encode.model_fields}


def another(name):
    """Return a value of a setting that is not its default."""
    default = SETTINGS[name].default
    return (
        CHANGES[name] if name in CHANGES else not default if isinstance(default, bool) else type(default)(default * 2)
    )


@pytest.fixture(scope="module")
def planned(split_project, train_settings):
    """Return a function that plans a run of the tiny project."""

    def plan(recipe=None, data_root=None, tiny=None, **changes):
        of_encode = {name: changes.pop(name) for name in list(changes) if name in Encode.model_fields}
        sections = {"train": train_settings(**changes), "encode": Encode(**of_encode)}
        recipe = (recipe or split_project.recipe).model_copy(update=sections)
        return plan_run(recipe, data_root or split_project.data, tiny)

    return plan


def record_of(plan, **changes):
    model = Model(
        run=plan.key, base="x", method="lora", n_parameters=2, n_trainable=1, steps=1, best_step=1, train_seconds=1.0,
        tokens_per_second=1.0,
    )  # fmt: skip
    return TrainingRecord(
        key=plan.key, key_parts=plan.key_parts, evaluation=plan.evaluation, recipe=plan.recipe, parents={}, settings={},
        base=plan.base, code=plan.code.digest, distributions={}, git_commit=None, started_at="2026-01-01", seconds=1.0,
        peak_memory_bytes=1, model=model,
    ).model_copy(update=changes)  # fmt: skip


def write(plan, record, data_root):
    folder = data_root / RUNS / plan.key
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(record.model_dump_json())
    return folder


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_in_the_key(planned, name, base_text, base_folder, tmp_path):
    files = {
        "base_text": shutil.copy(base_text, tmp_path / "other.txt"),
        "base_tokenizer": shutil.copytree(base_folder, tmp_path / "tokenizer"),
        "chat_template": tmp_path / "other.jinja",
    }
    files["chat_template"].write_text("x")
    value = str(files[name]) if name in files else another(name)
    plain, changed = planned(), planned(**{name: value})
    part = f"setting encode.{name}" if name in Encode.model_fields else f"setting {name}"
    assert plain.key != changed.key
    assert plain.key_parts[part] != changed.key_parts[part]


def test_the_same_run_has_the_same_key(planned):
    assert planned().key == planned().key
    assert planned().evaluation == planned().evaluation


@pytest.mark.parametrize(
    "file",
    ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "modeling_mine.py", "vocab.txt"],
)
def test_a_change_in_a_file_of_the_base_changes_the_key(planned, base_folder, tmp_path, file):
    folder = shutil.copytree(base_folder, tmp_path / "base")
    (folder / file).touch()
    before = planned(base=str(folder))
    with (folder / file).open("a") as changed:
        changed.write(" ")
    after = planned(base=str(folder))
    assert before.key != after.key
    assert before.base != after.base


def test_a_card_beside_the_base_changes_nothing(planned, base_folder, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "base")
    before = planned(base=str(folder)).key
    (folder / "README.md").write_text("# Mine")
    assert planned(base=str(folder)).key == before


@pytest.mark.parametrize("setting", ["base_text", "chat_template"])
def test_what_a_named_file_says_is_in_the_key(planned, base_text, tmp_path, setting):
    path = tmp_path / "file"
    shutil.copy(base_text, path)
    before = planned(**{setting: str(path)}).key
    path.write_text(path.read_text() + "!")
    assert planned(**{setting: str(path)}).key != before


def test_how_tiny_is_made_is_in_the_key_of_a_run_on_tiny_alone(planned):
    other = Tiny(steps=5)
    assert planned(base="tiny").key != planned(base="tiny", tiny=other).key
    assert planned().key == planned(tiny=other).key


def test_a_hub_id_is_known_by_its_revision(planned):
    assert planned(base="org/name").base == "org/name@main"
    assert planned(base="org/name", revision="0f3c").base == "org/name@0f3c"


def test_a_first_run_says_why_it_runs(planned, split_project):
    plan = planned()
    assert plan.why == ["never run for this recipe"]
    assert plan.split.manifest.version == newest(split_project.data, "split", "tiny").version
    assert plan.key_parts["parent split"] == plan.split.manifest.version
    assert {name.split()[0] for name in plan.key_parts} == {"setting", "value", "parent", "input", "package", "code"}
    assert "torch" in plan.code.distributions


def refused(kind, planned, **options):
    with pytest.raises(kind) as caught:
        planned(**options)
    return caught.value


def test_without_a_split_the_run_is_refused(planned, tmp_path):
    error = refused(ConfigError, planned, data_root=tmp_path)
    assert error.what == "recipe 'tiny' has no split yet"
    assert error.where == str(tmp_path)
    assert "`make data`" in error.fix


@pytest.mark.parametrize(
    ("side", "cure"), [("train", "tuneloop log"), ("validation", "the best step"), ("test", "nothing can be said")]
)
def test_a_split_with_an_empty_side_is_refused(planned, split_project, tmp_path, side, cure):
    data = shutil.copytree(split_project.data, tmp_path / "data", symlinks=True)
    version = newest(data, "split", "tiny").version
    path = data / "split" / version / "manifest.json"
    manifest = unseal(path.read_bytes(), Manifest)
    files = [one for one in manifest.files if not one.name.startswith(f"{side}-")]
    path.write_text(sealed(manifest.model_copy(update={"files": files})))
    error = refused(SourceError, planned, data_root=data)
    assert error.what == f"the split has no {side} rows"
    assert error.where == str(data / "split" / version)
    assert cure in error.fix


def test_a_missing_text_or_tokenizer_is_refused_before_anything_is_made(planned, tmp_path, split_project):
    error = refused(ConfigError, planned, base_text=str(tmp_path / "none.txt"))
    assert error.where == f"[train] base_text = {str(tmp_path / 'none.txt')!r}"
    error = refused(ConfigError, planned, base="tiny", base_tokenizer=str(tmp_path))
    assert error.where == "[train] base_tokenizer"
    assert not (split_project.data / RUNS).exists()


@pytest.fixture
def data(split_project, tmp_path):
    """Return a copy of the store."""
    return shutil.copytree(split_project.data, tmp_path / "data", symlinks=True)


def test_a_finished_run_has_a_record_and_an_unfinished_one_has_none(planned, data):
    plan = planned(data_root=data)
    assert plan.record is None
    assert plan.folder == data / RUNS / plan.key
    folder = write(plan, record_of(plan), data)
    assert plan.record == record_of(plan)
    (folder / MANIFEST).unlink()
    assert plan.record is None


def test_a_run_whose_scores_no_longer_hold_is_not_finished(planned, data):
    plan = planned(data_root=data)
    write(plan, record_of(plan, evaluation="of other metrics"), data)
    assert plan.record is None


def test_the_next_run_says_what_changed(planned, data):
    plan = planned(data_root=data)
    folder = write(plan, record_of(plan), data)
    (data / RUNS / "latest-tiny").symlink_to(folder.name)
    assert newest_run(data, "tiny") == record_of(plan)
    assert planned(data_root=data).why == []
    assert planned(data_root=data, seed=9, rank=2).why == ["setting rank changed", "setting seed changed"]


def test_another_metric_changes_the_scores_and_not_the_model(planned, split_project, tmp_path):
    template = tmp_path / "templates" / "mine.yaml"
    template.parent.mkdir()
    text = (BUILT_IN / "instruct.yaml").read_text("utf-8").replace("name: instruct", "name: mine")
    template.write_text(text, encoding="utf-8")
    recipe = load_recipe(split_project.root / "recipe.toml").model_copy(
        update={"template_dirs": [str(template.parent)]}
    )
    before = planned(recipe=recipe)
    first = next(iter(before.templates["mine"][0].metrics))
    template.write_text(text.replace(first, "exact_match" if first != "exact_match" else "rouge_l"), encoding="utf-8")
    after = planned(recipe=recipe)
    assert before.key == after.key
    assert before.evaluation != after.evaluation


@pytest.mark.parametrize("damage", [lambda text: text[:50], lambda _: "{}", lambda text: text.replace('"key"', '"k"')])
def test_a_damaged_record_is_refused_with_the_cure(planned, data, damage):
    plan = planned(data_root=data)
    path = write(plan, record_of(plan), data) / MANIFEST
    path.write_text(damage(path.read_text()))
    with pytest.raises(SnapshotError) as caught:
        read_record(path.parent)
    assert "record of a training run cannot be read" in caught.value.what
    assert caught.value.where == str(path)
    assert caught.value.fix.startswith(f"remove {path}; ")
