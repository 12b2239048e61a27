"""Which guideline causes trouble, on a handful of answers."""

from typing import Any

from annotation.guideline_trouble import Trouble, templates_of, troubles
from annotation.task import guideline_digest
from pipeline.template import load_templates
from schemas import Annotation
from tests.conftest import Project

TEMPLATES = load_templates([])
NOW = guideline_digest(TEMPLATES["maths"][0].review)
OF = {"a": "maths", "b": "maths", "c": "maths", "d": "chat"}


def said(example: str, verdict: str, who: str = "ann", guideline: str = NOW, **more: Any) -> Annotation:
    at = "2026-11-27T08:00:00Z"
    fields = {
        "key": f"ls:1:{example}{who}", "example": example, "annotator": who, "verdict": verdict,
        "seen": {"prompt": [{"role": "user", "content": f"{example}?"}], "response": "5"},
        "guideline": guideline, "created_at": at, "updated_at": at,
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


def test_examples_are_counted_by_template_and_guideline_and_the_unclear_ones_come_first() -> None:
    votes = [
        said("a", "accept"),
        said("a", "reject", "ben", error_types=["wrong sum"]),
        said("b", "unsure"),
        said("c", "edit", guideline="0ld0ld0ld0", response="6", error_types=["wrong sum", "wrong sum"]),
        said("d", "reject"),
    ]
    now, *others = troubles(votes, OF, TEMPLATES)
    assert now == Trouble("maths", NOW[:8], True, 2, 1, 1, 0, 0, (("wrong sum", 1),))
    assert now.unclear == 2
    assert [(one.template, one.guideline, one.is_current, one.edited, one.rejected) for one in others] == [
        ("chat", NOW[:8], False, 0, 1), ("maths", "0ld0ld0l", False, 1, 0),
    ]  # fmt: skip
    # An example under which one wrong thing was named twice has it once.
    assert others[1].errors == (("wrong sum", 1),)
    assert others[1].told[2] == ("changed", 1)


def test_one_of_one_does_not_stand_before_twelve_of_forty() -> None:
    many = [said(f"m{n}", "unsure" if n < 12 else "accept") for n in range(40)]
    of = {"d": "chat"} | {f"m{n}": "maths" for n in range(40)}
    # Wilson's lower ends: 1 of 1 0.207, 12 of 40 0.181; so 1 of 1 is first, and 1 of 2 (0.095) is not.
    alone = [said("d", "unsure")]
    assert [one.template for one in troubles([*many, *alone], of, TEMPLATES)] == ["chat", "maths"]
    pair = [*alone, said("e", "accept")]
    assert [one.template for one in troubles([*many, *pair], of | {"e": "chat"}, TEMPLATES)] == ["maths", "chat"]


def test_nobody_and_nothing_causes_no_trouble() -> None:
    assert troubles([], {}, TEMPLATES) == []


def test_the_template_of_each_example_that_is_there_is_found(project: Project) -> None:
    project.run(to="annotate")
    rows = project.rows("annotate")
    known = templates_of(project.data, project.recipe.name, [str(row["id"]) for row in rows[:2]] + ["gone"])
    assert known == {row["id"]: row["template"] for row in rows[:2]}
