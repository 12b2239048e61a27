import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.checked_texts import Kinds
from annotation.feedback import Feedback, Sizes, find_feedback
from annotation.feedback_cli import feedback
from annotation.training_run import find_run
from pipeline import refs
from pipeline.snapshot import PartWriter, Snapshot, commit, make_folder
from schemas import ConfigError, Example, RunRecord, SnapshotError, arrow_schema
from schemas.report import Score

Row = dict[str, Any]
NO_KINDS = Kinds([], [])
ALL = Sizes(limit=100, validation=0, random=0)


def row(name: str, side: str = "train", answer: str = "5", **given: Any) -> Row:
    texts = dict.fromkeys(("source", "origin", "task", "paraphrase"), "x")
    return {
        **texts, "id": name, "group": name, "template": "instruct", "fields": [], "turns": [], "license": None,
        "meta": "{}", "marks": [], "prompt": [{"role": "user", "content": f"What is {name}?"}], "tools": None,
        "completion": [{"role": "assistant", "content": answer}], "n_prompt_tokens": 1, "n_completion_tokens": 1,
        "status": "unreviewed", "votes": [], "annotators": [], "guideline": None, "edited_from": None,
        "split": side, **given,
    }  # fmt: skip


def score(
    one: Row, tuned: float, base: float = 9.0, right: float | None = None, answer: str | None = None
) -> list[Row]:
    """Return the rows of `scores.parquet` for an example; only train rows have no answer."""
    both = {name: one[name] for name in ("group", "split", "template", "source")}
    both |= {"example": one["id"], "metric": "rouge_l", "n_tokens": 2}
    return [
        {
            **both,
            "arm": "base",
            "nll": base,
            "score": 0.0 if answer else None,
            "answer": "base says" if answer else None,
        },
        {**both, "arm": "tuned", "nll": tuned, "score": right, "answer": answer},
    ]


def split(root: Path, rows: Sequence[Row], version: str = "v1", number: int = 1) -> None:
    """Commit a version of the split, and the record that makes it the newest."""
    work = make_folder(root / "work" / version)
    files = []
    for side in ("test", "train", "validation"):  # in the order in which the stage names its files
        own = [one for one in rows if one["split"] == side]
        if own:
            writer = PartWriter(work / f"{side}-00000-of-00001.parquet", arrow_schema(Example))
            writer.write(pa.RecordBatch.from_pylist(own, arrow_schema(Example)))
            files.append(writer.close())
    commit(make_folder(root / "split"), Snapshot(work, Snapshot.draft("split", version, arrow_schema(Example), files)))
    empty: dict[str, Any] = {
        name: {}
        for name in ("parents", "settings", "distributions", "dropped_by_reason", "counts", "facts", "key_parts")
    }
    numbers = dict.fromkeys(("peak_memory_bytes", "rows_in", "rows_kept", "rows_dropped", "seconds"), 1)
    refs.add(
        root,
        RunRecord(
            number=number, recipe="tiny", stage="split", key="", version=version, inputs=[], code="",
            git_commit=None, started_at="", parts=[], **numbers, **empty,
        ),
    )  # fmt: skip


def trained(root: Path, scores: Sequence[Row], key: str = "aa11", version: str = "v1", recipe: str = "tiny") -> Path:
    """Write what a finished training run leaves."""
    folder = make_folder(root / "runs" / key)
    pq.write_table(pa.Table.from_pylist(list(scores), arrow_schema(Score)), folder / "scores.parquet")
    link = root / "runs" / f"latest-{recipe}"
    link.unlink(missing_ok=True)
    link.symlink_to(key)
    said = {"key": key, "recipe": recipe, "parents": {"split": version}, "seconds": 3}
    (folder / "manifest.json").write_text(json.dumps(said))
    return folder


def find(root: Path, sizes: Sizes = ALL, key: str | None = None) -> Feedback:
    return find_feedback(root, "tiny", find_run(root, "tiny", key), NO_KINDS, sizes)


def ids(found: Feedback) -> list[str]:
    return [one["id"] for one, _ in found.rows]


def test_train_rows_come_in_order_of_suspicion_each_with_its_reason(tmp_path):
    rows = [row("a"), row("b"), row("c", marks=["conflict"]), row("d", answer="N/A")]
    split(tmp_path, rows)
    # Ranks of four, by tuned and by tuned minus base alike: a 1/8, d 3/8, c 5/8, b 7/8.
    costs = {"a": 1.0, "d": 2.0, "c": 3.0, "b": 4.0}
    trained(tmp_path, [line for one in rows for line in score(one, costs[one["id"]])])
    found = find(tmp_path)
    # d 0.95 by its rule, c 0.5 by its rule and (5/8)**4 / 5, b (7/8)**4 / 5, a (1/8)**4 / 5
    assert ids(found) == ["d", "c", "b", "a"]
    why = {one["id"]: pick.why for one, pick in found.rows}
    assert why["d"] == "The answer looks like a placeholder."
    assert why["c"] == "Another example has the same prompt and a different response."
    assert why["b"] == "The trained model finds this answer less likely than 87 of 100 to instruct."
    assert {pick.queue for _, pick in found.rows} == {"ranked"}
    assert found.n_by_rule == {"placeholder": 1, "conflict": 1}
    assert ids(find(tmp_path, ALL._replace(limit=2))) == ["d", "c"]


def test_test_rows_and_their_groups_never_come_from_this_version_or_the_newest(tmp_path):
    rows = [row("a", group="g"), row("b"), row("c"), row("t", "test", group="g"), row("v", "validation", group="g")]
    split(tmp_path, rows)
    wrong = {"right": 0.0, "answer": "6"}
    trained(tmp_path, [line for one in rows for line in score(one, 2.0, **({} if one["split"] == "train" else wrong))])
    everything = Sizes(limit=50, validation=10, random=1)
    found = find(tmp_path, everything)
    assert sorted(ids(found)) == ["b", "c"]
    assert found.n_left_out["test"] == 3  # t, and a and v of its group
    # Later, a new test row turns out to be of one group with c.
    later = [row("b"), row("c", group="h"), row("u", "test", group="h")]
    split(tmp_path, later, "v2", 2)
    assert ids(find(tmp_path, everything)) == ["b"]


sides = st.sampled_from(["train", "validation", "test"])
statuses = st.sampled_from(["unreviewed", "accepted", "edited"])
stores = st.lists(st.tuples(sides, st.sampled_from("ghijk"), statuses, st.floats(0, 9)), min_size=3, max_size=12)


@settings(max_examples=25)
@given(stores, st.integers(1, 9), st.integers(0, 3), st.integers(0, 3))
def test_whatever_the_data_only_open_rows_come_each_once_and_the_limit_holds(
    tmp_path_factory, made, limit, validation, random
):
    root = tmp_path_factory.mktemp("store")
    made = [*made, ("train", "z", "unreviewed", 1.0)]
    rows = [row(f"r{n:02}", side, group=group, status=status) for n, (side, group, status, _) in enumerate(made)]
    split(root, rows)
    trained(
        root,
        [line for one, (*_, nll) in zip(rows, made, strict=True) for line in score(one, nll, right=0.0, answer="6")],
    )
    sizes = Sizes(limit, min(validation, limit), min(random, limit - min(validation, limit)))
    found = find(root, sizes)
    groups = {one["group"] for one in rows if one["split"] == "test"}
    fit = {one["id"] for one in rows if one["status"] == "unreviewed" and one["group"] not in groups}
    assert len(set(ids(found))) == len(found.rows) <= limit
    assert set(ids(found)) <= fit
    assert found.n_of("validation") <= sizes.validation
    assert found.n_of("random") == min(sizes.random, found.n_open)
    assert all(pick.why for _, pick in found.rows)
    shutil.rmtree(root)


def test_what_people_have_reviewed_since_or_what_is_gone_or_changed_is_left_out(tmp_path):
    rows = [row("a"), row("b"), row("c"), row("d"), row("e", "validation")]
    split(tmp_path, rows)
    trained(tmp_path, [line for one in rows for line in score(one, 2.0, right=0.0, answer="6")])
    assert sorted(ids(find(tmp_path, ALL._replace(validation=5)))) == ["a", "b", "c", "d", "e"]
    now = [row("a", status="accepted"), row("b", answer="6"), row("d"), row("e", "validation", status="edited")]
    split(tmp_path, now, "v2", 2)
    found = find(tmp_path, ALL._replace(validation=5))
    assert ids(found) == ["d"]
    assert found.n_left_out == {"reviewed": 2, "test": 0, "gone": 1, "changed": 1}
    assert found.n_open == 2  # b and d; that b's text is another is seen once b is chosen


def test_validation_rows_come_by_worst_answer_and_show_it_beside_the_box(tmp_path):
    rows = [row("a"), *(row(name, "validation") for name in "vwxyz")]
    split(tmp_path, rows)
    trained(
        tmp_path,
        [
            *score(rows[0], 1.0),
            *score(rows[1], 3.0, right=0.5, answer="half"),  # the score decides, not the cost
            *score(rows[2], 1.0, right=1.0, answer="5"),  # as the reference: nothing to ask
            *score(rows[3], 1.0, right=0.0, answer="likelier"),
            *score(rows[4], 2.0, right=0.0, answer="less likely"),
        ],  # and z was not answered
    )
    found = find(tmp_path, Sizes(limit=9, validation=9, random=0))
    assert [one["id"] for one, pick in found.rows if pick.queue == "validation"] == ["y", "x", "v"]
    told = {one["id"]: pick for one, pick in found.rows}
    assert told["v"].model_answer == "half"
    assert told["v"].why == (
        "The trained model answers this otherwise (50 of 100 points by rouge_l). Either may be wrong."
    )
    assert told["a"].model_answer == ""
    assert found.rows[0][0]["completion"][0]["content"] == "5"


def many(root: Path, key: str, status: dict[str, str] | None = None) -> Feedback:
    rows = [row(f"r{n:03}", status=(status or {}).get(f"r{n:03}", "unreviewed")) for n in range(100)]
    split(root, rows)
    trained(root, [line for n, one in enumerate(rows) for line in score(one, float(n))], key)
    return find(root, Sizes(limit=40, validation=0, random=8))


def by_chance(found: Feedback) -> list[str]:
    return [one["id"] for one, pick in found.rows if pick.queue == "random"]


def test_chance_is_fixed_by_the_run_and_spread_evenly_among_the_ranked(tmp_path):
    first, same, other = (many(tmp_path / name, key) for name, key in (("1", "aa"), ("2", "aa"), ("3", "bb")))
    assert ids(first) == ids(same)
    assert len(by_chance(first)) == 8
    assert by_chance(first) != by_chance(other)
    queues = [pick.queue for _, pick in first.rows]
    assert [queues[n : n + 5].count("random") for n in range(0, 40, 5)] == [1] * 8
    assert {pick.why for _, pick in first.rows if pick.queue == "random"} == {
        "Chosen at random, to estimate how many answers are wrong."
    }
    # The most suspicious of those that chance left: drawn first, so that the estimate has no bias.
    left = [name for name in (f"r{n:03}" for n in reversed(range(100))) if name not in by_chance(first)]
    assert [one["id"] for one, pick in first.rows if pick.queue == "ranked"] == left[:32]


def test_of_the_rows_drawn_by_chance_the_reviewed_give_way_and_the_others_stay(tmp_path):
    first = by_chance(many(tmp_path / "1", "aa"))
    second = by_chance(many(tmp_path / "2", "aa", status={first[0]: "accepted", first[3]: "edited"}))
    assert second[:6] == [name for name in first if name not in (first[0], first[3])]
    assert len(second) == 8


def test_rows_without_a_score_are_ranked_by_rules_alone_and_counted(tmp_path):
    rows = [row("a"), row("b"), row("c", marks=["conflict"])]
    split(tmp_path, rows)
    trained(tmp_path, score(rows[1], 2.0))
    found = find(tmp_path)
    assert ids(found) == ["c", "b", "a"]  # 0.5 by the rule, 0.5**4 / 5 alone of its template, nothing
    assert found.n_unscored == 2


def test_scores_of_other_rows_are_refused(tmp_path):
    split(tmp_path, [row("a")])
    trained(tmp_path, score(row("b"), 2.0))
    with pytest.raises(SnapshotError, match="hold no train row of version v1") as caught:
        find(tmp_path)
    assert "make train" in caught.value.fix


RECIPE = '[[ingest.sources]]\nname = "sums"\npath = "sums.jsonl"\ntemplate = "instruct"\n'


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with a run, ready for the command."""
    monkeypatch.chdir(tmp_path)
    Path("recipe.toml").write_text('name = "tiny"\n' + RECIPE)
    rows = [*(row(f"r{n}") for n in range(8)), row("v", "validation"), row("t", "test")]
    rows[3]["status"] = "accepted"
    split(Path("data"), rows)
    answered = {"right": 0.25, "answer": "the model's own"}
    trained(
        Path("data"),
        [
            line
            for n, one in enumerate(rows)
            for line in score(one, float(n), **(answered if one["id"] in "vt" else {}))
        ],
    )
    return tmp_path


def call(**given: Any) -> None:
    feedback(**{"to": Path("queue.jsonl"), "recipe": Path("recipe.toml"), "data_root": Path("data"), **given})


def test_the_command_writes_one_task_a_line_and_tells_what_it_chose(store, capsys):
    call(limit=5, random_share=0.2, validation=1)
    said = capsys.readouterr()
    assert said.out == "queue.jsonl\n"
    assert "5 tasks written to queue.jsonl after run aa11: 3 ranked and 1 at random, of 7 train rows" in said.err
    assert "1 of validation" in said.err
    assert "left out: 1 reviewed by people, 1 of the test side and their groups" in said.err
    assert "not by upload" in said.err
    tasks = [json.loads(line) for line in Path("queue.jsonl").read_text("utf-8").splitlines()]
    assert sorted(task["data"]["queue"] for task in tasks) == ["random", "ranked", "ranked", "ranked", "validation"]
    (asked,) = [task["data"] for task in tasks if task["data"]["queue"] == "validation"]
    assert (asked["example_id"], asked["response"], asked["model_answer"]) == ("v", "5", "the model's own")
    assert {task["data"]["round"] for task in tasks} == {"aa11-ranked", "aa11-random", "aa11-validation"}
    assert all(task["data"]["question"] and task["data"]["why"] for task in tasks)


def test_a_json_file_is_a_list_for_upload(store, capsys):
    call(to=Path("queue.json"), limit=3)
    assert len(json.loads(Path("queue.json").read_text("utf-8"))) == 3
    assert "upload the file" in capsys.readouterr().err


def test_left_out_a_tenth_is_validation_and_a_tenth_chance(store):
    call(limit=10)
    queues = [json.loads(line)["data"]["queue"] for line in Path("queue.jsonl").read_text("utf-8").splitlines()]
    assert {name: queues.count(name) for name in set(queues)} == {"ranked": 6, "random": 1, "validation": 1}


def test_numbers_that_make_no_sense_are_told_all_at_once(store):
    with pytest.raises(ConfigError) as caught:
        call(limit=0, random_share=1.0, validation=-1)
    text = str(caught.value)
    assert "--limit is 0" in text
    assert "--random-share is 1.0" in text
    assert "less than 1, such as 0.1" in text
    assert "--validation is -1" in text
    assert text.count("where: tuneloop feedback") == 3
    with pytest.raises(ConfigError, match="9 validation rows and 2 by chance are more than the limit of 10") as caught:
        call(limit=10, random_share=0.2, validation=9)
    assert "raise --limit" in caught.value.fix


def test_a_file_that_cannot_be_written_is_told(store):
    with pytest.raises(ConfigError) as caught:
        call(to=Path("nowhere/queue.jsonl"))
    assert caught.value.where == "nowhere/queue.jsonl"
    assert "a folder that is there" in caught.value.fix


def test_a_template_that_is_gone_is_told_and_nothing_is_written(store):
    rows = [row("a", template="instrukt")]
    split(Path("data"), rows, "v2", 2)
    trained(Path("data"), score(rows[0], 1.0), "bb", "v2")
    with pytest.raises(ConfigError, match="template 'instrukt' is gone") as caught:
        call()
    assert "did you mean 'instruct'?" in caught.value.fix
    assert not Path("queue.jsonl").exists()
