import ast
import re

import pytest
import yaml

from schemas.report import (
    ARM_MEANINGS,
    Comparison,
    CurvePoint,
    Forgetting,
    Mean,
    Model,
    Report,
    Slice,
)
from train.card import card
from train.figure import number, signed

HOSTILE = "x|y `a`\n# head\n<script>alert(1)</script> [link](http://e) **b** \u202e"


def compared(than, difference, low, high, measure="score"):
    return Comparison(
        better="tuned", than=than, measure=measure, difference=difference, low=low, high=high, n=40, n_groups=31
    )


def report(base="Qwen/Qwen3-0.6B", method="lora", **changes):
    means = [Mean(arm="base", score=0.11, nll=2.2), Mean(arm="tuned", score=0.44, nll=0.7)]
    whole = Report(
        recipe="support", data_version="842b0b5a", split="test", n=40, n_reviewed=0, n_train=3927, n_train_reviewed=12,
        model=Model(
            run="3f9c21b0", base=base, method=method, n_parameters=5_000_000, n_trainable=390_000, steps=736,
            best_step=460, train_seconds=412.3, tokens_per_second=2311.7,
        ),
        verdict="Better than base.",
        means=means,
        comparisons=[compared("base", 0.33, 0.21, 0.41), compared("base", -1.5, -1.7, -1.2, "nll")],
        slices=[Slice(by="template", value="classify", n=19, metric="json_match", means=means, against_base=compared("base", -0.05, -0.2, 0.1))],
        forgetting=Forgetting(text="base.txt", n_documents=300, base_nll=2.103, tuned_nll=2.188, low=0.071, high=0.099),
        curve=[CurvePoint(step=460, train_loss=0.5, validation_nll=0.9)],
        samples=[],
    )  # fmt: skip
    return whole.model_copy(update=changes)


def front(text):
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


def code(text):
    return re.search(r"```python\n(.*?)```", text, re.S)[1]


def rows(text):
    """Return the cells of each line of a table, split as Markdown splits them."""
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize(
    ("base", "method", "expected"),
    [
        ("Qwen/Qwen3-0.6B", "lora", {"base_model": "Qwen/Qwen3-0.6B", "library_name": "peft"}),
        ("gpt2", "full", {"base_model": "gpt2", "library_name": "transformers"}),
        ("tiny", "lora", {"library_name": "peft"}),  # built here: the hub has no such model
        ("/srv/models/own", "full", {"library_name": "transformers"}),  # a folder is no id
        ("./own", "full", {"library_name": "transformers"}),
    ],
)
def test_the_front_matter_names_the_library_and_a_base_the_hub_can_have(base, method, expected):
    head, _ = front(card(report(base, method)))
    assert {key: head[key] for key in head if key in ("base_model", "library_name")} == expected
    assert ("lora" in head["tags"]) == (method == "lora")


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("base", ["tiny", "Qwen/Qwen3-0.6B", 'C:\\models\\"own"'])
def test_the_lines_that_load_the_model_are_python_and_name_the_base(base, method):
    tree = ast.parse(code(card(report(base, method))))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert ("PeftModel" in imported) == (method == "lora")
    assert (base in constants) == (method == "lora" and base != "tiny")


def test_every_mean_and_every_interval_stands_in_a_table():
    given = report()
    cells = [cell.strip() for row in rows(card(given)) for cell in row]
    for mean in given.means:
        assert {mean.arm, ARM_MEANINGS[mean.arm], number(mean.score), number(mean.nll)} <= set(cells)
    for one in [*given.comparisons, given.slices[0].against_base]:
        assert f"{signed(one.low)} to {signed(one.high)}" in cells
        assert signed(one.difference) in cells


def test_each_difference_is_read_in_words():
    readings = [row[-1].strip() for row in rows(card(report())) if " to " in row[-2]]
    assert readings == ["better", "better", "no evidence"]


def test_the_verdict_and_how_sure_it_is_come_first():
    _, body = front(card(report(comparisons=[compared("base", 0.1, -0.1, 0.3)])))
    assert body.index("**No evidence in 1 of 1.** Better than base.") < body.index("## What it is")


def test_what_nobody_checked_is_said_at_the_top_and_among_the_limits():
    text = card(report())
    assert "**None of the 40 test examples has been checked by a person. The figures are as good as the data.**" in text
    assert "40 of the 40 test references were not checked by a person" in text
    assert "3,915 of the 3,927 train answers were not checked by a person" in text


def test_a_side_that_people_checked_wholly_is_no_limit():
    text = card(report(n_reviewed=40, n_train_reviewed=3927))
    assert "not checked" not in text
    assert "as good as the data" not in text


def test_forgetting_is_told_with_its_interval():
    text = card(report())
    assert "The model forgot" in text
    assert "base 2.103, tuned 2.188; difference +0.085 (+0.071 to +0.099)" in text


def test_a_tiny_base_is_called_what_it_is():
    assert "no model to build on" in card(report("tiny"))
    assert "no model to build on" not in card(report())


def test_hostile_text_stays_in_its_cell_and_is_no_markup():
    one = report().slices[0].model_copy(update={"value": HOSTILE, "metric": HOSTILE})
    changed = report(recipe=HOSTILE, data_version=HOSTILE, verdict=HOSTILE, slices=[one])
    changed = changed.model_copy(update={"forgetting": changed.forgetting.model_copy(update={"text": HOSTILE})})
    changed = changed.model_copy(update={"model": changed.model.model_copy(update={"base": HOSTILE, "run": HOSTILE})})
    head, body = front(card(changed))
    outside = re.sub(
        r"`[^`\n]*`", "", body.replace(code(body), "").replace(r"\`", "")
    )  # code spans show marks as they are
    assert "base_model" not in head
    assert [line for line in body.splitlines() if line.startswith("# head")] == []
    assert "<script" not in outside
    assert "[link](" not in outside
    assert "**b**" not in outside
    assert "\u202e" not in body
    assert [len(row) for row in rows(body)] == [len(row) for row in rows(card(report()))]
    assert "| `x⟨U+007C⟩y ⟨U+0060⟩a⟨U+0060⟩ # head <script>" in body  # in a code span marks are text already
    ast.parse(code(body))


def test_a_report_with_no_comparison_and_no_slice_has_a_card():
    text = card(report(comparisons=[], slices=[]))
    assert "Differences" not in text
    assert "Tuned against base" not in text
    assert "**No evidence.**" in text
