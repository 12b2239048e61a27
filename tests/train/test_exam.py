from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipeline.refs import newest
from pipeline.snapshot import Snapshot
from pipeline.template import load_templates
from schemas import ConfigError, SourceError, arrow_schema
from schemas.report import Score
from train.encode import Encoder
from train.exam import Result, ask, ask_floors, metric_names, read_side, score_table
from train.floors import Floors
from train.generate import answers
from train.likelihood import example_nll
from train.pack import Packed

SIDES = ("train", "validation", "test")


@pytest.fixture(scope="module")
def split(split_project):
    return Snapshot.open(split_project.data / "split", newest(split_project.data, "split", "tiny").version)


@pytest.fixture(scope="module")
def sides(split, encoder):
    return {name: read_side(split, name, encoder) for name in SIDES}


@pytest.fixture(scope="module")
def templates():
    return load_templates([])


def test_a_side_holds_the_rows_of_its_split_in_order(split_project, sides):
    rows = split_project.rows("split")
    assert len(rows) == sum(len(side.rows) for side in sides.values()) > 0
    for name, side in sides.items():
        expected = [row for row in rows if row["split"] == name]
        assert side.name == name
        assert [row["id"] for row in side.rows] == [row["id"] for row in expected]
        assert [row["group"] for row in side.rows] == [row["group"] for row in expected]
        assert side.references == [row["completion"][0]["content"] for row in expected]
        assert side.encoded.names == [row["origin"] for row in expected]
        assert all(
            message["content"] in prompt
            for row, prompt in zip(expected, side.prompts, strict=True)
            for message in row["prompt"]
        )
        assert set(side.rows[0]) == {"id", "origin", "source", "template", "group", "status"}


def test_the_ids_of_a_side_are_its_prompts_and_references(sides, tokenizer):
    for side in sides.values():
        for i, reference in enumerate(side.references):
            assert tokenizer.decode(side.encoded.target(i)) == f"{reference}<|eos|>"
            assert tokenizer.decode(side.encoded.prompt(i)).endswith("<|assistant|>")


def test_rows_that_people_checked_are_counted(sides):
    side = sides["train"]
    assert side.n_reviewed == 0
    kinds = ["accepted", "edited", "unreviewed", "disputed", "unsure"]
    checked = [dict(side.rows[0], status=kind) for kind in kinds]
    assert type(side)(side.name, checked, [], [], side.encoded).n_reviewed == 2


def test_the_floors_see_prompt_reference_and_target(sides):
    side = sides["train"]
    for i, row in enumerate(side.floor_rows()):
        assert (row.template, row.prompt, row.answer) == (side.rows[i]["template"], side.prompts[i], side.references[i])
        assert list(row.ids) == side.encoded.target(i).tolist()


def test_a_side_that_breaks_a_rule_is_refused_naming_the_source_rows(split, tokenizer):
    with pytest.raises(SourceError) as caught:
        read_side(split, "train", Encoder(tokenizer, 12, "base"))
    assert "more than max_length = 12" in caught.value.what
    assert caught.value.where.startswith(("questions.jsonl:", "notes.csv:"))
    assert "[format] max_tokens" in caught.value.fix
    assert len(caught.value.also) > 0


def asked(model, encoder, side, max_new_tokens):
    told = []
    result = ask(
        model, encoder, side, tokenizer=encoder.tokenizer, layout=Packed(), family="causal",
        token_budget=256, context=128, max_new_tokens=max_new_tokens,
        tell=lambda *one: told.append(one),
    )  # fmt: skip
    return result, told


def test_a_model_is_asked_for_nats_a_token_and_answers(make_model, encoder, sides, tokenizer):
    model, side = make_model(), sides["test"]
    result, told = asked(model, encoder, side, 4)
    summed = example_nll(model, side.encoded, Packed(), token_budget=256)
    assert result.nll == pytest.approx(summed / [len(side.encoded.target(i)) for i in range(len(summed))])
    found = answers(
        model,
        tokenizer,
        side.encoded,
        stop=encoder.stop_id,
        context=128,
        max_new_tokens=4,
        token_budget=64,
        tell=lambda *_: None,
    )
    assert (result.answers, result.stopped) == found
    assert told[-1] == (len(side.rows), len(side.rows))


def test_without_a_length_nothing_is_answered(make_model, encoder, sides):
    result, told = asked(make_model(), encoder, sides["train"], None)
    assert result.answers is None
    assert told == []
    assert len(result.nll) == len(sides["train"].rows)


def test_the_score_table_has_a_row_for_each_example_and_arm(sides, templates, tokenizer):
    metrics = metric_names(list(sides.values()), templates)
    floors = Floors.fit(sides["train"].floor_rows(), sides["validation"].floor_rows(), len(tokenizer))
    side = sides["test"]
    n = len(side.rows)
    results = ask_floors(floors, side) | {
        "base": Result(np.arange(n) + 0.5, [side.references[0], *["nonsense"] * (n - 1)]),
        "tuned": Result(np.zeros(n), list(side.references)),
    }
    table = score_table(side, results, metrics)
    assert table.schema.equals(arrow_schema(Score))
    assert table.num_rows == 4 * n
    rows = table.to_pylist()
    assert {(row["example"], row["arm"]) for row in rows} == {(r["id"], arm) for r in side.rows for arm in results}
    for row in rows:
        Score.model_validate(row)
    by_arm = {arm: [row for row in rows if row["arm"] == arm] for arm in results}
    assert [row["nll"] for row in by_arm["base"]] == [place + 0.5 for place in range(n)]
    assert [row["n_tokens"] for row in by_arm["base"]] == [len(side.encoded.target(i)) for i in range(n)]
    assert {row["score"] for row in by_arm["tuned"]} == {1.0}
    assert [row["score"] for row in by_arm["base"]] == [1.0, *[0.0] * (n - 1)]
    assert [row["answer"] for row in by_arm["tuned"]] == side.references
    assert {row["split"] for row in rows} == {"test"}
    assert [row["metric"] for row in by_arm["base"]] == [metrics[row["template"]] for row in side.rows]


def test_an_arm_that_did_not_answer_has_no_score_and_no_answer(sides, templates):
    side = sides["train"]
    n = len(side.rows)
    table = score_table(side, {"base": Result(np.ones(n), None)}, metric_names([side], templates))
    assert table["score"].null_count == table["answer"].null_count == n
    assert table["nll"].null_count == 0


def test_a_side_without_rows_makes_a_table_without_rows(split, encoder, templates):
    nothing = read_side(SimpleNamespace(manifest=SimpleNamespace(files=[])), "test", encoder)
    table = score_table(nothing, {"base": Result(np.empty(0), [])}, {})
    assert (table.num_rows, table.schema.equals(arrow_schema(Score))) == (0, True)
    assert isinstance(table, pa.Table)


def test_each_template_is_scored_by_its_first_metric(sides, templates):
    found = metric_names(list(sides.values()), templates)
    assert found == {name: templates[name][0].metrics[0] for name in ("instruct", "summarize")}


def test_templates_that_are_gone_and_metrics_that_are_not_known_are_named_at_once(sides, templates):
    instruct, path = templates["instruct"]
    changed = {
        "instruct": (instruct.model_copy(update={"metrics": ["rouge_9"]}), path),
        "summary": templates["summarize"],
    }
    with pytest.raises(ConfigError) as caught:
        metric_names(list(sides.values()), changed)
    metric, gone = caught.value, caught.value.also[0]
    assert "rouge_9" in metric.what
    assert metric.where == f"{path}, metrics"
    assert "rouge_" in metric.fix
    assert gone.what == "template 'summarize' is gone, so nobody knows how its answers are scored"
    assert gone.where == "the recipe's templates"
    assert "did you mean 'summary'?" in gone.fix
