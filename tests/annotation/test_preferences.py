import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from cyclopts import App
from hypothesis import given
from hypothesis import strategies as st

from annotation.answers_cli import preferences
from annotation.preferences import Preference, Preferred, pairs_of, preferences_of
from pipeline.annotations import add_annotations
from schemas import Annotation, ConfigError, Message

PROMPT = [Message(role="user", content="2 + 2?").model_dump()]


def said(who: str, preferred: Preferred, a: str = "4", b: str = "5", example: str = "e1") -> Preference:
    return Preference(example=example, prompt=PROMPT, text_a=a, text_b=b, preferred=preferred, annotator=who)


def texts(pairs: Any) -> list[tuple[str, str, int, float]]:
    return [
        (row["chosen"][0]["content"], row["rejected"][0]["content"], row["votes"], round(row["agreement"], 2))
        for row in pairs.table.to_pylist()
    ]


def test_what_most_people_prefer_is_chosen_whatever_side_it_stood_on() -> None:
    pairs = pairs_of([said("ann", "a"), said("ben", "b", a="5", b="4"), said("cy", "tie")])
    assert texts(pairs) == [("4", "5", 3, 0.67)]
    assert pairs.table["prompt"].to_pylist() == [PROMPT]


@pytest.mark.parametrize(
    ("votes", "ties", "both_bad"),
    [
        (["a", "b"], 1, 0),
        (["tie"], 1, 0),
        (["a", "tie"], 1, 0),
        (["both_bad"], 0, 1),
        (["a", "both_bad", "both_bad"], 0, 1),
        (["a", "b", "both_bad"], 0, 1),
        (["a", "tie", "both_bad"], 1, 0),
    ],
)
def test_pairs_that_nobody_wins_are_left_out_and_counted(votes: list[Preferred], ties: int, both_bad: int) -> None:
    pairs = pairs_of([said(f"p{n}", vote) for n, vote in enumerate(votes)])
    assert (pairs.table.num_rows, pairs.n_ties, pairs.n_both_bad) == (0, ties, both_bad)


def test_the_last_answer_of_a_person_counts() -> None:
    pairs = pairs_of([said("ann", "b"), said("ann", "a")])
    assert texts(pairs) == [("4", "5", 1, 1.0)]
    assert pairs.n_votes == 1


def test_agreement_is_alpha_over_the_pairs() -> None:
    # Pair e1: (4, 4); pair e2: (4, 5). Observed disagreement 1/2, expected 2 * 3 * 1 / (4 * 3) = 1/2: alpha 0.
    answers = [said("ann", "a"), said("ben", "a"), said("ann", "a", example="e2"), said("ben", "b", example="e2")]
    assert pairs_of(answers).alpha == pytest.approx(0.0)
    assert pairs_of(answers[:1]).alpha is None
    assert pairs_of([]).alpha is None


@given(st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from(["a", "b", "tie", "both_bad"]), st.booleans())))
def test_every_pair_is_a_row_or_counted_and_sides_are_no_matter(given_by: list[tuple[str, Any, bool]]) -> None:
    swap: dict[str, Preferred] = {"a": "b", "b": "a", "tie": "tie", "both_bad": "both_bad"}
    plain = [said(who, vote) for who, vote, _ in given_by]
    mixed = [said(w, swap[v], a="5", b="4") if swapped else said(w, v) for w, v, swapped in given_by]
    pairs, others = pairs_of(plain), pairs_of(mixed)
    assert pairs.table.equals(others.table)
    assert pairs.table.num_rows + pairs.n_ties + pairs.n_both_bad == (1 if given_by else 0)
    assert pairs.alpha == others.alpha or (pairs.alpha is not None and pairs.alpha == pytest.approx(others.alpha))


def test_answers_that_compare_nothing_are_no_preferences() -> None:
    assert preferences_of([plain_answer()]) == []


def plain_answer() -> Annotation:
    moment = "2026-01-01T00:00:00Z"
    return Annotation.model_validate(
        {
            "key": "ls:1:1", "example": "e", "annotator": "ann", "verdict": "accept", "created_at": moment,
            "updated_at": moment, "seen": {"prompt": PROMPT, "response": "4"},
        }
    )  # fmt: skip


def test_the_file_loads_as_a_dataset(tmp_path: Path) -> None:
    pairs = pairs_of([said("ann", "a"), said("ann", "b", example="e2")])
    pq.write_table(pairs.table, tmp_path / "p.parquet")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "p.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.column_names == ["prompt", "chosen", "rejected", "votes", "agreement"]
    assert loaded[1]["chosen"][0]["content"] == "5"
    assert json.dumps(loaded[0]["prompt"]) == json.dumps(PROMPT)


def test_the_command_says_what_it_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_annotations(tmp_path, [plain_answer()])
    app = App(name="annotate")
    app.command(preferences)
    out = tmp_path / "p.parquet"
    app(
        ["preferences", "--to", str(out), "--data-root", str(tmp_path)],
        exit_on_error=False,
        result_action="return_value",
    )
    said = capsys.readouterr()
    assert said.out == f"{out}\n"
    assert "0 pairs from 0 answers; left out: 0 ties, 0 of which both answers are bad" in said.err
    assert "(Krippendorff's alpha): undefined" in said.err
    assert pq.read_table(out).num_rows == 0
    with pytest.raises(ConfigError, match="no format goes by"):
        app(["preferences", "--to", "p.csv"], exit_on_error=False, result_action="return_value")
