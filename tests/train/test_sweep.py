import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.recipe import load_recipe
from schemas import ConfigError, SourceError
from schemas.sweep import Sweep
from train.plan import plan_run
from train.sweep import Bench, Space, sweep, sweep_key
from train.sweep_cli import table
from train.sweep_page import curves, rate, scatter, sweep_page
from train.talk import Talk

ROOT = Path(__file__).resolve().parents[2]


def make_place(folder, project, base, text, template, method):
    shutil.copytree(project.root, folder, symlinks=True)
    (folder / "chat.jinja").write_text(template, encoding="utf-8")
    recipe = folder / "recipe.toml"
    train = (
        f'[encode]\nchat_template = "chat.jinja"\n[train]\nbase = "{base}"\nbase_text = "{text}"\nmethod = "{method}"\n'
        "rank = 4\nlearning_rate = 0.003\nepochs = 4\nbatch_size = 2\n"
    )
    recipe.write_text(recipe.read_text() + train, encoding="utf-8")
    return folder


@pytest.fixture
def make(tmp_path, split_project, base_folder, base_text, template):
    """Return a function that makes a folder with the tiny project's data and a recipe."""
    return lambda method="lora", name="project": make_place(
        tmp_path / name, split_project, base_folder, base_text, template, method
    )


def command(place, *words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(["sweep", "--recipe", "recipe.toml", *words])
    return code, out.getvalue(), err.getvalue()


def plan_of(place):
    return plan_run(load_recipe(Path("recipe.toml")), Path("data"))


def settled(found):
    """Return what a sweep found, but for the time it took."""
    return [(trial.learning_rate, trial.rank, trial.outcome, trial.nll, trial.steps) for trial in found.trials]


def test_a_sweep_begins_with_the_recipe_and_never_ends_worse(make):
    place = make()
    code, out, err = command(place, "--trials", "5", "--rates", "1e-4", "0.1", "--ranks", "2,4")
    assert code == 0, err
    found = Sweep.model_validate_json(out)
    assert (found.trials[0].learning_rate, found.trials[0].rank) == (0.003, 4)
    assert [trial.number for trial in found.trials] == [1, 2, 3, 4, 5]
    assert all(1e-4 <= trial.learning_rate <= 0.1 for trial in found.trials)
    assert {trial.rank for trial in found.trials} <= {2, 4}
    done = {trial.number: trial.nll for trial in found.trials if trial.outcome == "done"}
    assert found.best == min(done, key=done.get)
    assert found.winner.nll <= found.trials[0].nll
    # What is to be pasted is said, and the page is there.
    assert f"learning_rate = {found.winner.learning_rate:.3g}\nrank = {found.winner.rank}\n" in err
    page = place / re.search(r"^page: (.*)$", err, re.MULTILINE)[1]
    assert "<script" not in page.read_text("utf-8")
    # Nothing of the trials but what they said is left.
    assert not list(page.parent.glob("trials/*"))
    assert not (place / "data" / "runs").exists()


def test_more_trials_go_on_from_those_made_and_none_is_made_twice(make):
    place = make()
    words = ("--rates", "1e-4", "0.1", "--ranks", "4")
    first = Sweep.model_validate_json(command(place, *words, "--trials", "2")[1])
    more = Sweep.model_validate_json(command(place, *words, "--trials", "4")[1])
    assert settled(more)[:2] == settled(first)
    assert len(more.trials) == 4
    again = Sweep.model_validate_json(command(place, *words, "--trials", "4")[1])
    assert (again.trials, again.key) == (more.trials, more.key)
    # All at once, the same is proposed.
    whole = Sweep.model_validate_json(command(make(name="other"), *words, "--trials", "4")[1])
    assert settled(whole) == settled(more)


def test_a_rate_that_breaks_the_model_is_a_failed_trial_with_its_reason(make):
    place = make("full")
    code, out, err = command(place, "--trials", "3", "--rates", "1e-3", "1e30")
    assert code == 0, err
    found = Sweep.model_validate_json(out)
    failed = [trial for trial in found.trials if trial.outcome == "failed"]
    assert failed
    assert all(re.search(r"is (nan|inf) at step", trial.reason) for trial in failed)
    assert found.winner.outcome == "done"
    # The method has no rank, so none is swept and none is to be pasted.
    assert (found.ranks, found.lines) == ([], [f"learning_rate = {found.winner.learning_rate:.3g}"])


def test_a_sweep_without_one_whole_trial_says_so(make):
    place = make("full")
    code, out, err = command(place, "--trials", "2", "--rates", "1e25", "1e30")
    assert (code, out) == (3, "")
    assert "none of 2 trials came through" in err


@pytest.mark.parametrize("method", ["lora", "full"])
def test_every_trial_begins_at_the_same_base(make, method, tmp_path):
    place = make(method)
    with contextlib.chdir(place), Talk() as talk:
        bench = Bench(plan_of(place), talk.tell())
        losses = []
        for name in "ab":
            seen = []
            bench.train(0.01, 4 if method != "full" else None, tmp_path / name, seen.append)
            losses.append([reading.loss for reading in seen])
        assert losses[0] == losses[1]
        assert not any(weight.requires_grad for weight in bench._prepared.base.model.parameters())


KILLED = """
import sys
from pipeline import cli
sys.exit(cli.run(["sweep", "--recipe", "recipe.toml", "--trials", "4", "--rates", "1e-4", "0.1", "--ranks", "4"]))
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_finds_what_one_that_was_not_killed_finds(make):
    place = make()
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=place, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        # In the middle of the second trial.
        if line.startswith("trial 2") and "validation" in line:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    journal = next((place / "data" / "sweeps").glob("*/journal.jsonl"))
    state = next(journal.parent.glob("trials/*/checkpoint/state.json"))
    state.write_text(json.dumps(json.loads(state.read_text()) | {"seconds": 100.0}))
    with journal.open("a") as file:
        file.write('{"op_code": 4, "worker')  # as a kill in the middle of a line leaves it
    words = ("--rates", "1e-4", "0.1", "--ranks", "4", "--trials", "4")
    code, out, err = command(place, *words)
    assert code == 0, err
    whole = Sweep.model_validate_json(command(make(name="other"), *words)[1])
    found = Sweep.model_validate_json(out)
    assert settled(found) == settled(whole)
    # The time before the kill counts.
    assert found.trials[1].seconds > 100
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_the_space_is_a_decade_around_the_recipe_and_holds_its_rank(train_settings):
    space = Space.of(train_settings(method="lora", learning_rate=1e-3, rank=6), None, None)
    assert space.rates == pytest.approx((1e-4, 1e-2))
    assert space.ranks == (6, 8, 16, 32)
    assert Space.of(train_settings(method="full", learning_rate=1e-3), (1e-5, 1e-4), None) == Space((1e-5, 1e-4), ())


@pytest.mark.parametrize(
    ("method", "rates", "ranks", "what"),
    [
        ("lora", (1e-3, 1e-4), None, "are no range"),
        ("lora", (0.0, 1e-4), None, "are no range"),
        ("full", None, [8], "method 'full' has no rank"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(train_settings, method, rates, ranks, what):
    with pytest.raises(ConfigError, match=what):
        Space.of(train_settings(method=method), rates, ranks)


@pytest.mark.parametrize("ranks", ["8;16", "0,4", ""])
def test_ranks_that_are_none_are_refused(make, ranks):
    code, _, err = command(make(), "--ranks", ranks)
    assert code == 2
    assert "are no ranks" in err


def test_the_key_forgets_what_is_swept_and_nothing_else(make):
    place = make()
    with contextlib.chdir(place):
        space = Space((1e-4, 1e-2), (4,))
        before = sweep_key(plan_of(place), space)
        recipe = Path("recipe.toml")
        recipe.write_text(recipe.read_text().replace("learning_rate = 0.003", "learning_rate = 0.005"))
        assert sweep_key(plan_of(place), space) == before
        assert sweep_key(plan_of(place), Space((1e-4, 1e-2), (8,))) != before
        recipe.write_text(recipe.read_text().replace("batch_size = 2", "batch_size = 3"))
        assert sweep_key(plan_of(place), space) != before


FOUND = Sweep.model_validate(
    {
        "key": "k", "recipe": "my <b>recipe</b>", "base": "tiny", "method": "lora", "split": "s", "rates": (1e-4, 1e-2),
        "ranks": [4, 8], "steps": 20, "best": 2,
        "trials": [
            {"number": 1, "learning_rate": 1e-3, "rank": 4, "outcome": "done", "nll": 2.0, "best_step": 20, "steps": 20,
             "seconds": 1.0, "reason": "", "curve": [{"step": 20, "train_loss": 2.0, "validation_nll": 2.0}]},
            {"number": 2, "learning_rate": 5e-3, "rank": 8, "outcome": "done", "nll": 1.5, "best_step": 10, "steps": 20,
             "seconds": 1.0, "reason": "", "curve": [{"step": 10, "train_loss": 2.0, "validation_nll": 1.5}]},
            {"number": 3, "learning_rate": 2e-4, "rank": 8, "outcome": "pruned", "nll": 1.1, "best_step": 5, "steps": 5,
             "seconds": 1.0, "reason": "worse", "curve": [{"step": 5, "train_loss": 2.0, "validation_nll": 1.1}]},
            {"number": 4, "learning_rate": 1e-2, "rank": 4, "outcome": "failed", "nll": None, "best_step": 0, "steps": 0,
             "seconds": 1.0, "reason": "the loss is nan at step 1", "curve": []},
        ],
    }
)  # fmt: skip


def test_the_page_shows_every_trial_and_no_markup_of_the_data():
    page = sweep_page(FOUND)
    assert "Learning rate 5.00e−3, rank 8: validation NLL 1.500" in page
    assert "The best of 2 whole trials; 1 was stopped early, 1 ended without a number." in page
    assert "<b>recipe" not in page
    assert "my &lt;b&gt;recipe&lt;/b&gt;" in page
    assert page.count('<th scope="row">') == 4
    assert "the loss is nan at step 1" in page
    # Two dots filled, one hollow; the cross is two lines.
    scatter = page.partition("<svg")[2].partition("</svg>")[0]
    assert (scatter.count('class="point better"'), scatter.count('class="point unclear"')) == (2, 1)
    assert scatter.count('class="whisker worse"') == 2


def test_a_trial_that_broke_leaves_the_figures_legible():
    def with_first(nll):
        curve = [{"step": step, "train_loss": 2.0, "validation_nll": nll} for step in (10, 20)]
        first = {"number": 1, "learning_rate": 1e-3, "rank": 4, "outcome": "done", "nll": nll, "best_step": 10,
                 "steps": 20, "seconds": 1.0, "reason": "", "curve": curve}  # fmt: skip
        return Sweep.model_validate(FOUND.model_dump() | {"trials": [first, *FOUND.model_dump()["trials"][1:]]})

    broken, calm = (str(scatter(with_first(nll))) for nll in (4402.0, 2.0))
    # The axis is that of the others, and the broken one stands on top with an arrow.
    assert ">1.2</text>" in broken
    assert (broken.count("r4 ↑"), calm.count("↑")) == (1, 0)
    assert "with an arrow: above the scale" in sweep_page(with_first(4402.0))
    assert ">1.2</text>" in str(curves(with_first(4402.0)))
    assert "flat on the upper edge" in sweep_page(with_first(4402.0))
    assert "above the scale" not in sweep_page(with_first(2.0))
    # Rates over forty decades still have ticks that can be read.
    wide = Sweep.model_validate(FOUND.model_dump() | {"rates": (1e-4, 1e36)})
    assert str(scatter(wide)).partition("learning rate</text>")[0].count("1e") <= 9


def test_the_first_trial_is_the_nearest_where_the_recipe_is_left_out(make):
    found = Sweep.model_validate_json(
        command(make(), "--trials", "1", "--rates", "1e-5", "1e-4", "--ranks", "1,3,9")[1]
    )
    assert (found.winner.learning_rate, found.winner.rank) == (1e-4, 3)  # the recipe's are 0.003 and 4


def test_the_table_has_the_best_first_and_ends_with_what_to_paste():
    lines = table(FOUND)
    assert lines[2].split()[:4] == ["2", "5.00e-03", "8", "1.500"]
    assert lines[2].endswith("done  best")
    assert lines[-3:] == ["[train]", "learning_rate = 0.005", "rank = 8"]
    assert (rate(2.0), rate(1.5e-4)) == ("2.00e0", "1.50e−4")


def test_all_trials_failing_is_an_error_in_the_library_too(make):
    place = make("full")
    with contextlib.chdir(place), Talk() as talk, pytest.raises(SourceError, match="none of 1 trials"):
        sweep(plan_of(place), Space((1e29, 1e30), ()), 1, talk.tell(), lambda _: None)
