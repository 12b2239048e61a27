"""Which project each waiting row goes to, on the tiny project: as real data, without a server."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from annotation.assign import Assignment
from annotation.projects import Slot
from annotation.push import Wanted
from pipeline.annotations import add_annotations
from pipeline.screen import screen
from pipeline.template import load_templates
from schemas import Annotation, ConfigError
from tests.conftest import RECIPE, ROOT, Project

TEMPLATES = load_templates([])
PLAIN = RECIPE + "[review]\nrandom_share = 0.0\noverlap = 0.0\n"
TWICE = PLAIN.replace("overlap = 0.0", "overlap = 1.0")
GOLD = ROOT / "data" / "sample" / "gold.jsonl"
Make = Callable[..., Project]


def made(make_project: Make, recipe: str = PLAIN, name: str = "project") -> Project:
    project = make_project(recipe, name)
    project.run()
    return project


def assignment(project: Project) -> Assignment:
    return Assignment.of(project.data, project.recipe, TEMPLATES)


def queued(project: Project) -> list[Wanted]:
    return [*assignment(project).queue()]


def keys(tasks: Sequence[Wanted]) -> dict[str, str]:
    return {one.data["example_id"]: one.data["task_key"] for one in tasks}


def purposes(tasks: Sequence[Wanted]) -> dict[str, str]:
    return {one.data["example_id"]: one.slot.purpose for one in tasks}


def answer_of(row: dict[str, Any], who: str, verdict: str, day: int = 1, **more: object) -> Annotation:
    """Return what a person says of a row as it is shown now."""
    at = f"2026-11-{day:02d}T10:00:00Z"
    found = {
        "key": f"ls:1:{who}-{row['id'][:8]}",
        "example": row["id"],
        "seen": screen(row["prompt"], row["completion"]),
        "annotator": f"{who}@example.org",
        "verdict": verdict,
        "created_at": at,
        "updated_at": at,
    }
    return Annotation.model_validate(found | more)


def waiting_rows(project: Project) -> list[dict[str, Any]]:
    """Return the rows of the queue, the first in order of id first."""
    waiting = {one.data["example_id"] for one in queued(project)}
    rows = [row for row in project.rows("format") if row["id"] in waiting]
    return sorted(rows, key=lambda row: str(row["id"]))


def test_with_no_overlap_every_unreviewed_row_goes_to_main_and_with_all_to_overlap(make_project: Make) -> None:
    once, twice = queued(made(make_project)), queued(made(make_project, TWICE, "twice"))
    assert {one.slot for one in once} == {Slot("1", "main", "review", "en")}
    assert {one.slot for one in twice} == {Slot("1", "overlap", "review", "en")}
    # Which of the two it is says nothing about the task: a changed share asks nobody again.
    assert keys(once) == keys(twice)
    assert len(once) > 3


def test_a_preference_source_goes_to_the_screen_that_compares(make_project: Make) -> None:
    project = make_project(PLAIN + '[[ingest.sources]]\nname = "pairs"\npath = "p.jsonl"\ntemplate = "preference"\n')
    pair = {"prompt": "Which gas do plants give off by day?", "chosen": "Oxygen.", "rejected": "Nitrogen."}
    (project.root / "p.jsonl").write_text(json.dumps(pair) + "\n", encoding="utf-8")
    project.run()
    (task,) = [one for one in queued(project) if one.slot.screen == "preference"]
    assert {task.data["answer_a"], task.data["answer_b"]} == {"Oxygen.", "Nitrogen."}


def test_the_most_urgent_row_has_the_lowest_score_and_all_lie_between_0_and_1(make_project: Make) -> None:
    scores = [one.score for one in queued(made(make_project))]
    assert scores == sorted(scores)
    assert all(0 <= score <= 1 for score in scores)


def test_a_disputed_row_goes_to_the_lead_with_both_answers_and_no_names(make_project: Make) -> None:
    project = made(make_project)
    row = waiting_rows(project)[0]
    add_annotations(
        project.data, [answer_of(row, "ann", "accept"), answer_of(row, "ben", "edit", response="a better answer")]
    )
    project.run()
    (dispute,) = [one for one in queued(project) if one.slot.purpose == "dispute"]
    assert dispute.slot == Slot("1", "dispute", "dispute", "en")
    assert dispute.data["example_id"] == row["id"]
    sides = [dispute.data["a"], dispute.data["b"]]
    assert sorted(side["verdict"] for side in sides) == ["accept", "edit"]
    assert "a better answer" in [side["text"] for side in sides]
    assert "example.org" not in json.dumps(dict(dispute.data))


def test_an_unsure_row_goes_to_the_lead(make_project: Make) -> None:
    project = made(make_project, TWICE)
    row = waiting_rows(project)[0]
    add_annotations(project.data, [answer_of(row, "ann", "unsure")])
    project.run()
    assert purposes(queued(project))[row["id"]] == "lead"
    assert Counter(purposes(queued(project)).values())["lead"] == 1


def test_the_test_side_comes_only_when_asked_for_without_a_reason_and_in_an_order_of_chance(make_project: Make) -> None:
    project = made(make_project)
    test = {row["id"] for row in project.rows("split") if row["split"] == "test"}
    assert test
    tasks = [*assignment(project).test_side()]
    assert {one.data["example_id"] for one in tasks} == test
    assert not test & purposes(queued(project)).keys()
    assert {(one.slot.purpose, one.data["why"], one.data.get("queue")) for one in tasks} == {("test", "", None)}
    # The lot hangs on the id alone: the same order each time.
    assert keys(tasks) == keys([*assignment(project).test_side()])


def test_a_test_row_waits_until_two_different_people_have_answered_it(make_project: Make) -> None:
    project = made(make_project)
    row = min((row for row in project.rows("split") if row["split"] == "test"), key=lambda row: str(row["id"]))

    def still_waits() -> bool:
        return row["id"] in keys([*assignment(project).test_side()])

    first_key = keys([*assignment(project).test_side()])[str(row["id"])]
    add_annotations(project.data, [answer_of(row, "ann", "accept")])
    assert still_waits()
    # The second person gets the task that is there: an answer changes no key of the test side.
    assert keys([*assignment(project).test_side()])[str(row["id"])] == first_key
    add_annotations(project.data, [answer_of(row, "ann", "reject", key="ls:1:again")])
    assert still_waits()
    add_annotations(project.data, [answer_of(row, "ben", "accept")])
    assert not still_waits()
    assert assignment(project).shown_now(Slot("1", "test", "review", "en"), [str(row["id"])]) == {}


def test_without_a_split_there_is_no_test_side_to_show(make_project: Make) -> None:
    project = make_project(PLAIN)
    project.run(to="annotate")
    with pytest.raises(ConfigError, match="recipe 'tiny' has no split yet") as caught:
        [*assignment(project).test_side()]
    assert "tuneloop data" in caught.value.fix


def test_rows_that_name_their_language_get_a_project_of_it_and_others_the_one_of_the_recipe(make_project: Make) -> None:
    recipe = PLAIN.replace(
        'key = "id"\nfields = { document', 'key = "id"\nkeep = ["language"]\nfields = { document'
    ).replace("overlap = 0.0", 'overlap = 0.0\nlanguage = "fr"')
    project = make_project(recipe)
    # de has a screen of its own; sw is a language no screen speaks; "a word" is no code of a language.
    languages = ["language", "de", "sw", "a word", "de"]
    lines = (project.root / "notes.csv").read_text("utf-8").splitlines()
    assert len(lines) == len(languages)
    text = "".join(f"{line},{language}\n" for line, language in zip(lines, languages, strict=True))
    (project.root / "notes.csv").write_text(text, "utf-8")
    project.run()
    assigned = assignment(project)
    tasks = [*assigned.queue(), *assigned.test_side()]
    found = Counter((one.slot.language, one.data["language"]) for one in tasks if one.data["source"] == "notes")
    assert found == {("de", "de"): 2, ("sw", "sw"): 1, ("fr", "fr"): 1}
    assert {one.slot.language for one in tasks if one.data["source"] == "questions"} == {"fr"}
    # Where no screen speaks the language, people see the English one.
    of = {language: assigned.config_of(Slot("1", "main", "review", language)) for language in ("de", "en", "sw")}
    assert of["sw"] == of["en"] != of["de"]


def test_keys_stay_when_nothing_changes_and_change_with_the_text(make_project: Make) -> None:
    project = made(make_project)
    before = keys(queued(project))
    project.run()
    assert keys(queued(project)) == before
    row = next(row for row in waiting_rows(project) if row["source"] == "notes")
    project.replace("notes.csv", row["completion"][-1]["content"], "Another summary.")
    project.run()
    changed = [one for one in queued(project) if one.data["response"] == "Another summary."]
    assert [one.data["task_key"] in before.values() for one in changed] == [False]
    # All others keep theirs, whatever has become of their place in the queue.
    others = keys([one for one in queued(project) if one.data["response"] != "Another summary."])
    assert {example: before.get(example) for example in others} == others


def test_a_key_changes_when_a_row_gets_another_answer_and_only_that_row_s(make_project: Make) -> None:
    project = made(make_project)
    row, *others = waiting_rows(project)
    add_annotations(project.data, [answer_of(row, "ann", "unsure")])
    project.run()
    first = keys(queued(project))
    project.run()
    assert keys(queued(project)) == first
    add_annotations(project.data, [answer_of(row, "ben", "unsure", day=2)])
    project.run()
    second = keys(queued(project))
    assert first[row["id"]] != second[row["id"]]
    assert all(first[str(other["id"])] == second[str(other["id"])] for other in others)


def test_an_answer_to_a_text_that_has_changed_does_not_make_another_task(make_project: Make) -> None:
    project = made(make_project)
    row = waiting_rows(project)[0]
    before = keys(queued(project))
    # It was given to another text, so nothing stands for what is shown today.
    old = answer_of(row, "ann", "accept")
    other_text = old.seen.model_copy(update={"response": "an older text"})
    add_annotations(project.data, [old.model_copy(update={"seen": other_text})])
    project.run()
    assert keys(queued(project)) == before


def test_shown_now_leaves_out_what_waits_no_more_and_gives_the_keys_of_today(make_project: Make) -> None:
    project = made(make_project)
    first, second, *_ = waiting_rows(project)
    ids = [first["id"], second["id"], "0" * 32]
    before = assignment(project).shown_now(Slot("1", "main", "review", "en"), ids)
    assert before == {one: key for one, key in keys(queued(project)).items() if one in ids}
    assert len(before) == 2
    add_annotations(project.data, [answer_of(first, "ann", "accept"), answer_of(second, "ann", "unsure")])
    project.run()
    now = assignment(project)
    # The first is done; the second waits for the lead, so its old task goes.
    assert now.shown_now(Slot("1", "main", "review", "en"), ids) == {}
    assert now.shown_now(Slot("1", "lead", "review", "en"), ids) == {second["id"]: keys(queued(project))[second["id"]]}


def test_a_task_of_main_stays_when_its_row_would_go_to_overlap_today(make_project: Make) -> None:
    project = made(make_project)
    before = keys(queued(project))
    project.replace("recipe.toml", "overlap = 0.0", "overlap = 1.0")
    assert assignment(project).shown_now(Slot("1", "main", "review", "en"), [*before]) == before


def test_practice_tasks_have_keys_each_another_and_the_same_each_time(make_project: Make) -> None:
    assigned = assignment(made(make_project))
    tasks = [*assigned.practice(GOLD)]
    n_items = sum(1 for line in GOLD.read_text("utf-8").split("\n") if line.strip())
    assert len({one.data["task_key"] for one in tasks}) == len(tasks) == n_items
    assert {one.slot for one in tasks} == {Slot("1", "practice", "review", "en")}
    assert [one.data["task_key"] for one in tasks] == [one.data["task_key"] for one in assigned.practice(GOLD)]
    # In the order of the file, and nothing tells what is right.
    assert [one.score for one in tasks] == sorted(one.score for one in tasks)
    explanations = [json.loads(line)["explanation"] for line in GOLD.read_text("utf-8").split("\n") if line.strip()]
    shown = json.dumps([dict(one.data) for one in tasks], ensure_ascii=False)
    assert not any(explanation in shown for explanation in explanations)


LATER = "2026-11-26T11:00:00Z"


def test_what_was_answered_since_the_data_were_made_is_not_asked_again(project: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(project.root)
    project.run()
    before = [one.data for one in assignment(project).queue()]
    task = before[0]
    answer = Annotation.model_validate(
        {
            "key": "ls:1:1", "example": task["example_id"], "annotator": "ann@example.org", "verdict": "unsure",
            "seen": {
                "prompt": [{key: one[key] for key in ("role", "content")} for one in task["messages"]],
                "response": task["response"],
            },
            "created_at": "2026-11-26T10:00:00Z", "updated_at": "2026-11-26T10:00:00Z",
        }
    )  # fmt: skip
    add_annotations(project.root / "data", [answer])
    since = assignment(project)
    assert {one.data["example_id"] for one in since.queue()} == {one["example_id"] for one in before[1:]}
    assert since.n_since == 1
    assert since.shown_now(Slot("1", "main", "review", "en"), [task["example_id"]]) == {}
    # Once the data know of it, somebody else is asked: the first could not say.
    project.run()
    again = assignment(project)
    (lead,) = [one for one in again.queue() if one.data["example_id"] == task["example_id"]]
    assert (lead.slot.purpose, again.n_since) == ("lead", 0)
    # She takes it back: the row is nobody's to settle, and no task is made of what the data still say.
    add_annotations(project.root / "data", [answer.model_copy(update={"withdrawn": True, "updated_at": LATER})])
    taken_back = assignment(project)
    assert {one.data["example_id"] for one in taken_back.queue()} == {one["example_id"] for one in before[1:]}
