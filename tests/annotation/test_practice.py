import json
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from annotation.gold import Gold, practice_tasks, read_gold
from annotation.practice import is_right, practice_result
from annotation.practice_cli import practice
from annotation.task import seen_of
from pipeline.annotations import add_annotations, annotation_files
from pipeline.practice import passed
from pipeline.template import load_templates
from schemas import Annotation, AnnotationError

TEMPLATES = load_templates([])
SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "gold.jsonl"


def line(n: int, verdict: str = "accept", **more: Any) -> dict[str, Any]:
    text = {"text": f"right {n}"} if verdict == "edit" else {}
    return {
        "template": "instruct", "prompt": f"Say {n}.", "response": f"said {n}", "verdict": verdict,
        "explanation": f"because {n}", **text, **more,
    }  # fmt: skip


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


@pytest.fixture
def items(tmp_path: Path) -> list[Gold]:
    """Ten items: 0 to 4 are right, 5 to 7 to be edited, 8 and 9 to be rejected."""
    kinds = ["accept"] * 5 + ["edit"] * 3 + ["reject"] * 2
    return read_gold(write(tmp_path / "gold.jsonl", *(line(n, kind) for n, kind in enumerate(kinds))), TEMPLATES)


def answer(item: Gold, who: str = "ann", minute: int = 0, **more: Any) -> Annotation:
    """What somebody who knows answers, an item a minute."""
    moment = f"2026-01-01T10:{minute:02}:00Z"
    fields = {
        "key": f"ls:9:{item.id}{who}{minute}", "example": item.id, "annotator": who, "verdict": item.verdict,
        "response": item.text, "seen": {"prompt": [{"role": "user", "content": item.prompt}], "response": item.response},
        "created_at": moment, "updated_at": moment, "purpose": "practice",
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


def all_right(items: list[Gold], who: str = "ann") -> list[Annotation]:
    return [answer(item, who, minute) for minute, item in enumerate(items)]


def test_who_knows_passes_at_the_moment_of_the_last_answer(items: list[Gold]) -> None:
    ann = practice_result(all_right(items), items)["ann"]
    assert (ann.right, ann.total, ann.wrong, ann.state) == (10, 10, (), "passed")
    assert ann.passed_at == "2026-01-01T10:09:00.000000Z"


@pytest.mark.parametrize("verdict", ["accept", "reject", "unsure"])
def test_who_says_the_same_to_everything_fails(items: list[Gold], verdict: str) -> None:
    answers = [answer(item, minute=n, verdict=verdict, response=None) for n, item in enumerate(items)]
    ann = practice_result(answers, items)["ann"]
    assert ann.passed_at is None
    assert ann.state == "not passed"
    assert len(ann.wrong) == {"accept": 5, "reject": 8, "unsure": 10}[verdict]
    assert ann.wrong[-1].item.explanation in ("because 7", "because 9")


def test_eight_of_ten_pass_and_seven_do_not(items: list[Gold]) -> None:
    answers = all_right(items)
    wrong = [one.model_copy(update={"verdict": "unsure"}) for one in answers]
    assert practice_result([*wrong[:2], *answers[2:]], items)["ann"].state == "passed"
    assert practice_result([*wrong[:3], *answers[3:]], items)["ann"].state == "not passed"


def test_nobody_passes_before_the_last_item(items: list[Gold]) -> None:
    ann = practice_result(all_right(items)[:9], items)["ann"]
    assert (ann.right, ann.answered, ann.passed_at, ann.state) == (9, 9, None, "1 items left")


def test_what_was_mended_after_the_explanations_were_shown_stays_wrong(items: list[Gold]) -> None:
    # The last answer came at 10:09; a minute is allowed, since the tool touches an answer after it was sent.
    answers = all_right(items)
    late = [one.model_copy(update={"updated_at": "2026-01-01T10:10:01.000000Z"}) for one in answers[:3]]
    assert practice_result([*late, *answers[3:]], items)["ann"].state == "not passed"
    touched = [one.model_copy(update={"updated_at": "2026-01-01T10:10:00.000000Z"}) for one in answers[:3]]
    assert practice_result([*touched, *answers[3:]], items)["ann"].state == "passed"


def test_the_first_answer_counts_and_a_second_try_does_not(items: list[Gold]) -> None:
    first = [answer(item, minute=n, verdict="unsure", response=None) for n, item in enumerate(items)]
    second = [answer(item, minute=20 + n) for n, item in enumerate(items)]
    assert practice_result([*second, *first], items)["ann"].right == 0


def test_answers_about_other_examples_are_no_matter(items: list[Gold]) -> None:
    other = all_right(items)[0].model_copy(update={"example": "9f3c"})
    assert practice_result([other], items) == {}


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("The pool opens in May.", True),
        ("the pool opens in  may", True),
        ("In May the pool opens.", True),  # other words in another order, and the change is made
        ("The pool opens in June!", False),  # changed, but not what is wrong
        ("The pool opens in May or June.", False),
        ("The pool opens.", False),
        ("", False),
    ],
)
def test_an_edit_must_make_the_change(given: str, right: bool) -> None:
    item = Gold(
        id="g", template="instruct", prompt="p", response="The pool opens in June.", verdict="edit",
        text="The pool opens in May.", explanation="May",
    )  # fmt: skip
    assert is_right(answer(item, response=given), item) is right


def test_an_edit_of_marks_alone_must_be_the_text_and_without_a_text_any_edit_is_right() -> None:
    item = Gold(
        id="g", template="instruct", prompt="p", response='{"a":1,"b":2}', verdict="edit", text='{"a":2,"b":1}',
        explanation="swapped",
    )  # fmt: skip
    assert is_right(answer(item, response='{"a":2,"b":1}\n'), item)
    assert not is_right(answer(item, response='{"b":2,"a":1}'), item)
    open_ended = item.model_copy(update={"text": None})
    assert is_right(answer(open_ended, response="anything"), open_ended)


def test_the_tasks_show_the_item_and_not_what_is_right(items: list[Gold]) -> None:
    task = list(practice_tasks(items, TEMPLATES))[5]
    data = task["data"]
    assert (data["example_id"], data["purpose"], data["response"]) == (items[5].id, "practice", "said 5")
    assert seen_of(data) is not None
    assert "right 5" not in json.dumps(task)
    assert "because" not in json.dumps(task)


def test_everything_wrong_with_the_lines_is_told_at_once(tmp_path: Path) -> None:
    lines = [
        line(0, template="summarise"),
        line(1, verdict="fine"),
        line(2, fields={"instruction": "x"}),
        line(3, prompt=""),
        line(4, text="x"),
        line(5, "edit", text="said  5"),
        line(6, explanation=""),
        line(7, prompt="", template="translate", fields={"source": "x", "language": "German"}),
        line(8, prompt="", template="translate", fields={"source": "x"}),
        line(9),
        line(9),
    ]
    path = write(tmp_path / "gold.jsonl", *lines)
    with path.open("a") as file:
        file.write("{\n")
    with pytest.raises(AnnotationError) as caught:
        read_gold(path, TEMPLATES)
    text = str(caught.value)
    for told in (
        "did you mean 'summarize'?", "verdict: Input should be", "both `fields` and `prompt`",
        "neither `fields` nor `prompt`", "`text` beside verdict accept", "`text` is the same as `response`",
        "explanation: String should have at least 1", "no prompt field 'language'", "needs the field 'source_language'",
        "the same prompt and response again", "gold.jsonl:12", "not JSON",
    ):  # fmt: skip
        assert told in text, told


def test_items_that_let_the_careless_pass_are_refused_with_the_reason(tmp_path: Path) -> None:
    def refused(*kinds: str, mark: float = 0.8) -> str:
        path = write(tmp_path / "gold.jsonl", *(line(n, kind) for n, kind in enumerate(kinds)))
        with pytest.raises(AnnotationError) as caught:
            read_gold(path, TEMPLATES, mark)
        return str(caught.value)

    assert "9 items, and it takes 10 to tell care from luck" in refused(*["edit"] * 9)
    assert "4 of 10 items are faulty" in refused(*["accept"] * 6, *["edit"] * 4)
    assert "add 2 items with verdict edit or reject" in refused(*["accept"] * 6, *["edit"] * 4)
    assert "8 of 10 items are reject: saying reject to everything would pass" in refused(
        *["reject"] * 8, *["accept"] * 2
    )
    assert "a pass mark of 0.5" in refused(*["accept"] * 5, *["edit"] * 5, mark=0.5)
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_gold(tmp_path / "none.jsonl", TEMPLATES)


def test_the_sample_has_a_practice_round_over_its_templates() -> None:
    items = read_gold(SAMPLE, TEMPLATES)
    assert len(items) == 16
    assert {item.template for item in items} == {"summarize", "translate", "classify", "question-answer", "extract"}
    assert sum(item.verdict != "accept" for item in items) == 9
    # Who gives the right texts is right.
    assert all(is_right(answer(item), item) for item in items)


def test_the_command_says_who_passed_and_changes_nothing_until_told_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = read_gold(SAMPLE, TEMPLATES)
    lazy = [answer(item, "ben@b.org", n, verdict="accept", response=None) for n, item in enumerate(items)]
    real = [answer(items[0], who, 30, example="e", purpose="main") for who in ("ann@b.org", "ben@b.org")]
    add_annotations(tmp_path, [*all_right(items, "ann@b.org"), *lazy, *real])
    app = App(name="annotate")
    app.command(practice)

    def run(*words: str) -> str:
        words = ("practice", "--gold", str(SAMPLE), "--data-root", str(tmp_path), *words)
        app(words, exit_on_error=False, result_action="return_value")
        said = capsys.readouterr()
        assert said.out == "a1\tpassed\t16 of 16 right\t16 answered\na2\tnot passed\t7 of 16 right\t16 answered\n"
        return said.err

    said = run("--tasks-to", str(tmp_path / "t.json"))
    assert "16 gold items, 9 of them faulty; 80% must be right" in said
    assert "with --yes only who has passed votes, and 1 answers of today would not count" in said
    assert len(json.loads((tmp_path / "t.json").read_text("utf-8"))) == 16
    assert passed(annotation_files(tmp_path).values()) is None
    assert "1 people have newly passed" in run("--yes")
    assert passed(annotation_files(tmp_path).values()) == {"ann@b.org": "2026-01-01T10:15:00.000000Z"}
    # From then on every run adds who has passed meanwhile.
    assert "0 people have newly passed" in run()
