"""Models and answers from elsewhere, judged on a real split beside a real base."""

import json

import pytest

from annotation.training_run import find_run
from pipeline import cli
from schemas import ConfigError
from schemas.report import Report
from tests.train.test_judge import endpoint
from train.external import External
from train.plan import newest_run, read_record

RECIPE = """
name = "colours"
[[ingest.sources]]
name = "things"
path = "things.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
[format]
tokenizer = "tokenizer"
[split]
shares = { train = 0.7, validation = 0.15, test = 0.15 }
[encode]
max_length = 128
[train]
base = "BASE"
base_text = "TEXT"
max_new_tokens = 4
[evaluate]
arms = ["nearest", "copy", "few-shot"]
shots = 1
"""


@pytest.fixture
def place(make_project, base_folder, base_text, monkeypatch):
    project = make_project(RECIPE.replace("BASE", str(base_folder)).replace("TEXT", str(base_text)))
    lines = [json.dumps({"q": f"Is {n * 37} odd, {'yes' if n % 2 else 'no'}?", "a": "ny"[n % 2]}) for n in range(60)]
    (project.root / "things.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    project.run()
    monkeypatch.chdir(project.root)
    return project


def evaluate(place, *words):
    code = cli.run(["evaluate", "--recipe", "recipe.toml", "--data-root", str(place.data), *words])
    runs = {path.resolve() for path in (place.data / "runs").glob("*") if (path / "report.json").is_file()}
    return code, max(runs, key=lambda path: path.stat().st_mtime, default=None)


def test_answers_in_a_file_get_the_report_of_a_run_and_feedback_finds_it(place, tmp_path):
    held = [row for row in place.rows("split") if row["split"] != "train"]
    answers = [{"id": row["id"], "answer": row["completion"][0]["content"]} for row in held]
    missing = next(row for row in held if row["split"] == "test")["id"]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in answers if one["id"] != missing), encoding="utf-8")
    code, folder = evaluate(place, "--generations", str(path))
    assert code == 0
    report = Report.model_validate_json((folder / "report.json").read_bytes())
    n_test = sum(row["split"] == "test" for row in held)
    assert report.n == n_test - 1
    assert any(f"1 of {n_test} test examples have no answer" in note for note in report.notes)
    scores = {mean.arm: mean for mean in report.means}
    assert list(scores) == ["nearest", "copy", "base", "few-shot", "tuned"]
    assert (scores["tuned"].score, scores["tuned"].nll) == (1.0, None)
    assert {one.measure for one in report.comparisons} == {"score"}
    assert "Judged:" in (folder / "report.html").read_text("utf-8")
    assert read_record(folder).external == str(path)
    assert newest_run(place.data, "colours") is None  # unless --latest asks for it
    run = find_run(place.data, "colours", folder.name[:8])
    assert len(run.scores().answers) == sum(row["split"] == "validation" for row in held)
    queue = tmp_path / "queue.json"
    words = ["--to", str(queue), "--run", folder.name[:8], "--recipe", "recipe.toml", "--data-root", str(place.data)]
    assert cli.run(["feedback", *words]) == 0
    assert json.loads(queue.read_text("utf-8"))


def test_a_gate_that_fails_ends_with_its_exit_code_and_the_report_says_so(place, tmp_path, capsys):
    recipe = place.root / "recipe.toml"
    recipe.write_text(f"{recipe.read_text('utf-8')}gates = {{ min_reviewed = 0.5 }}\n", encoding="utf-8")
    answers = [{"id": row["id"], "answer": "n"} for row in place.rows("split") if row["split"] != "train"]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in answers), encoding="utf-8")
    code, folder = evaluate(place, "--generations", str(path), "--latest")
    assert code == 4
    assert "gate min_reviewed fails" in capsys.readouterr().err
    assert "A gate of the recipe fails" in (folder / "report.html").read_text("utf-8")
    assert read_record(folder).external == str(path)
    assert newest_run(place.data, "colours").key == folder.name
    assert not (folder / "model").exists()
    recipe.write_text(recipe.read_text("utf-8").replace("0.5 }", "0.0 }"), encoding="utf-8")
    assert evaluate(place, "--generations", str(path)) == (0, folder)  # a gate is no reason for another run


def test_a_folder_that_holds_the_base_is_exactly_as_good_as_the_base(place, base_folder):
    code, folder = evaluate(place, "--model", str(base_folder), "--latest")
    assert code == 0
    report = Report.model_validate_json((folder / "report.json").read_bytes())
    against = [one for one in report.comparisons if one.than == "base"]
    assert [(one.measure, one.difference) for one in against] == [("score", 0.0), ("nll", 0.0)]
    assert report.forgetting.low == report.forgetting.high == 0.0
    assert newest_run(place.data, "colours").external == str(base_folder)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "nothing says what is to be judged"),
        (["--model", "a", "--generations", "b.jsonl"], "two things are to be judged"),
        (["--model", "./gone"], "./gone is not there"),
        (["--model", "http://127.0.0.1:1/v1"], "a server may hold several models"),
        (["--model", "x/y", "--split", "zzz"], "there is no version 'zzz'"),
    ],
)
def test_what_a_command_cannot_mean_is_refused_with_its_cure(place, capsys, words, what):
    code, _ = evaluate(place, *words)
    assert code == 2
    said = capsys.readouterr().err
    assert what in said
    assert "fix:" in said


def test_a_server_that_is_down_ends_with_the_code_of_a_service(place, monkeypatch, capsys):
    monkeypatch.setattr("train.endpoint._TRIES", 1)
    code, _ = evaluate(place, "--model", "http://127.0.0.1:1/v1", "--name", "m")
    assert code == 5
    assert "curl http://127.0.0.1:1/v1/models" in capsys.readouterr().err


def test_a_server_is_asked_with_the_worked_examples_that_models_here_are_asked_with(place, monkeypatch):
    recipe = place.root / "recipe.toml"
    recipe.write_text(recipe.read_text("utf-8").replace("[encode]", "[encode]\nshots = 2"), encoding="utf-8")
    with endpoint(lambda _: "n") as (settings, asked):
        code, folder = evaluate(place, "--model", settings.url, "--name", "m")
    assert code == 0
    held = {row["prompt"][-1]["content"] for row in place.rows("split") if row["split"] != "train"}
    learnt = {row["prompt"][-1]["content"] for row in place.rows("split") if row["split"] == "train"}
    turns = [body["messages"] for _, _, body in asked]
    assert {tuple(turn["role"] for turn in one) for one in turns} == {
        ("user", "assistant", "user", "assistant", "user")
    }
    assert {one[-1]["content"] for one in turns} == held
    assert {turn["content"] for one in turns for turn in one[:-1:2]} <= learnt
    assert any("a server's" in note for note in Report.model_validate_json((folder / "report.json").read_bytes()).notes)


def test_what_is_given_tells_how_it_is_asked(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert External.of(str(tmp_path), None, "").kind == "adapter"
    assert External.of("org/name", None, "").kind == "hub"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no model"):
        External.of(str(tmp_path / "empty"), None, "")
