from pathlib import Path

import pytest

from annotation.error_rate_cli import show_error_rate
from pipeline.annotations import add_annotations
from schemas import Annotation, Seen

RECIPE = """
name = "tiny"
[review]
target_error_rate = 0.2
[[ingest.sources]]
name = "sums"
path = "sums.jsonl"
template = "instruct"
"""


def answer(n: int, verdict: str, source: str = "sums", round_: str = "1", queue: str = "random") -> Annotation:
    return Annotation.model_validate(
        {
            "key": f"{source}{round_}{queue}{n}", "example": f"{source}{n}", "source": source, "round": round_,
            "seen": Seen(prompt=[], response="5"), "annotator": "ann", "verdict": verdict, "queue": queue,
            "created_at": "2026-01-01", "updated_at": "2026-01-01",
        }
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    answers = [answer(n, "accept") for n in range(20)] + [answer(20, "reject"), answer(21, "unsure")]
    answers += [answer(n, "reject", source="others") for n in range(5)]
    answers += [answer(n, "reject", queue="ranked") for n in range(30, 35)]
    answers += [answer(n, "reject", round_="2") for n in range(40, 49)]
    add_annotations(tmp_path / "data", answers)
    return tmp_path


def told(store: Path, round_: str | None, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    show_error_rate(recipe=store / "recipe.toml", data_root=store / "data", round_=round_)
    said = capsys.readouterr()
    return said.out, said.err


def test_the_estimate_is_data_and_the_advice_is_talk(store, capsys):
    # Wilson for 1 of 21: 0.8 % to 22.7 %.
    out, err = told(store, "1", capsys)
    assert out == "of 21 random rows 1 were wrong: 4.8%, 95 % interval 0.8% to 22.7%; 1 more are disputed or unsure\n"
    assert err == "go on: the target is 20.0%; 4 more random rows without a mistake would be enough\n"


def test_rounds_are_counted_together_or_one_by_one(store, capsys):
    assert told(store, None, capsys)[0].startswith("of 30 random rows 10 were wrong")
    assert told(store, "2", capsys)[1] == "go on: the share of wrong answers is surely over the target of 20.0%\n"
    assert told(store, "3", capsys) == (
        "no random row has a verdict yet\n",
        "go on: the target is 20.0%; 16 more random rows without a mistake would be enough\n",
    )


def test_few_enough_mistakes_are_enough(store, capsys):
    add_annotations(store / "data", [answer(n, "accept") for n in range(50, 60)])
    assert told(store, "1", capsys)[1] == (
        "enough: even the upper end is at or under the target of 20.0%; people may stop\n"
    )
