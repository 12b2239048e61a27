import json
import shutil
from pathlib import Path

import pytest

from pipeline.cli import run
from pipeline.duplicates_page import snippet

ROOT = Path(__file__).resolve().parents[2]
# 168 words and 835 characters: three words may differ where the long responses are equal.
WORDS = ["harbour", "village", "market", "bridge", "garden", "kitchen"]
WORDS += ["teacher", "captain", "painter", "doctor", "baker", "sailor"]
OTHERS = WORDS[3:] + WORDS[:3] + WORDS[5:] + WORDS[:5]
TALE = " ".join(f"the {one} of the {other} saw them" for one, other in zip(WORDS * 2, OTHERS, strict=True))
LONG_ANSWER = "They all meet on the square in the evening, tell each other what they saw, and go home before the rain."
# To make "fisherman" of "captain" 12 characters go or come, for "shepherdess" and "baker" likewise.
SECOND = TALE.replace("captain", "fisherman", 1)  # 1 - 12 / (835 + 837) = 0.9928
THIRD = SECOND.replace("baker", "shepherdess", 1)  # 1 - 12 / (837 + 843) = 0.9929 from SECOND, 0.9857 from TALE
RECIPE = "--recipe", "recipe.toml"


@pytest.fixture
def duplicates(project, monkeypatch, capsys):
    """Run `duplicates` in the tiny project with three long tales added; return exit code, stdout and stderr."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("COLUMNS", "100")
    with (project.root / "questions.jsonl").open("a") as file:
        file.writelines(json.dumps({"q": tale, "a": LONG_ANSWER}) + "\n" for tale in (TALE, SECOND, THIRD))

    def command(*words: str) -> tuple[int, str, str]:
        code = run(["duplicates", *RECIPE, *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def with_near(project, near):
    text = (project.root / "recipe.toml").read_text()
    kept = text.split("\n[dedupe]")[0]
    (project.root / "recipe.toml").write_text(f"{kept}\n[dedupe]\nnear = {near}\n")
    project.run(to="dedupe")
    return {row["origin"] for row in project.dropped("dedupe")}


def test_a_cluster_shows_the_kept_row_and_why_each_other_one_went(duplicates, project):
    project.run(to="dedupe")
    code, out, err = duplicates()
    assert (code, err) == (0, "")
    assert out.startswith("run 1, near 0.9: 3 of 15 rows went (near_duplicate 3)\n2 clusters, the largest first\n")
    # The tales come first: two rows went for one.
    assert out.index("2 rows went for questions.jsonl:") < out.index("1 row went for questions.jsonl:1\n")
    assert "  kept    questions.jsonl:1  " in out
    assert "    prompt    What is the capital of France?\n    response  Paris\n" in out
    assert "  gone    questions.jsonl:2  " in out
    assert "    why       the prompt differs only in case, punctuation or spacing\n" in out
    assert "    prompt    what is the capital of France\n    response  the same\n" in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_long_text_is_cut_so_that_its_first_difference_is_in_sight(duplicates, project):
    project.run(to="dedupe")
    out = duplicates("--row", "questions.jsonl:10")[1]
    # The longest stays.
    assert out.startswith("2 rows went for questions.jsonl:12\n")
    assert "garden of the captain saw them" in out
    assert "    above     …" in out
    assert "garden of the fisherman saw them" in out
    assert "the captain of the baker saw them" in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_text_that_goes_on_where_the_other_ends_is_shown_at_its_end():
    text = "word " * 50
    assert snippet(f"{text}and more", 40, text).endswith("word and more")
    assert len(snippet(f"{text}and more", 40, text)) == 40


def test_one_row_is_found_by_origin_or_id_kept_or_not(duplicates, project):
    project.run(to="dedupe")
    (gone,) = [row for row in project.dropped("dedupe") if row["origin"] == "questions.jsonl:2"]
    by_origin = duplicates("--row", "questions.jsonl:2")[1]
    assert by_origin.startswith("1 row went for questions.jsonl:1\n")
    assert duplicates("--row", "questions.jsonl:1")[1] == by_origin
    assert duplicates("--row", gone["id"][:10])[1] == by_origin
    assert duplicates("--row", "notes.csv:2")[1].startswith("nothing went for notes.csv:2: it stays as it is\n")


def test_an_unknown_row_is_answered_with_the_nearest(duplicates, project):
    project.run(to="dedupe")
    code, out, err = duplicates("--row", "questions.jsonl:80")
    assert (code, out) == (2, "")
    assert "no row with id or origin 'questions.jsonl:80' came to dedupe\n  where: run 1 of recipe tiny" in err
    assert "fix:   the nearest is questions.jsonl:12" in err
    assert "did you mean 'questions.jsonl'?" in duplicates("--row", "question.jsonl:1")[2]
    assert "give the first digits of an id, or file and line" in duplicates("--row", "zz")[2]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0.9, 0.99),  # fewer go
        (0.9, 1),  # equal texts only
        (0.99, 0.9),  # more go: from the kept pairs
        (0.995, 0.6),  # more go: pairs are searched again
    ],
)
def test_near_prints_exactly_the_rows_that_a_run_at_that_threshold_drops(duplicates, project, before, after):
    now = with_near(project, before)
    code, out, err = duplicates("--near", str(after), "--json", "-n", "99")
    changes = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert ("searched again: those kept from the run go down to 0.895 only" in err) == (after == 0.6)
    then = with_near(project, after)
    assert now != then
    assert {one["origin"] for one in changes if one["change"] == "stays"} == now - then
    goes = {one["origin"]: one for one in changes if one["change"] == "goes"}
    assert goes.keys() == then - now
    for row in project.dropped("dedupe"):
        if one := goes.get(row["origin"]):
            assert {
                name: one[name] for name in ("id", "reason", "detail", "partner_id", "partner_origin", "score")
            } == {name: row[name] for name in ("id", "reason", "detail", "partner_id", "partner_origin", "score")}


def test_near_counts_reasons_now_and_then(duplicates, project):
    project.run(to="dedupe")
    out = duplicates("--near", "0.99")[1]
    assert out.startswith("near 0.99 instead of 0.9; nothing is written\n")
    # Two tales and the capital of France now. The tale that differs in two words scores less than 0.99 beside the one that stays.
    assert "  near_duplicate                   3           2\n" in out
    assert "  dropped in all                   3           2\n" in out
    assert "\n0 rows would go\n" in out
    assert "\n1 row would stay\n" in out


def test_near_out_of_range_is_refused(duplicates, project):
    project.run(to="dedupe")
    code, out, err = duplicates("--near", "0.3")
    assert (code, out) == (2, "")
    assert err == (
        "a threshold of 0.3\n  where: --near\n  fix:   give a number from 0.5 to 1; 1 finds equal texts only\n"
    )


def test_options_that_ask_for_different_things_are_refused(duplicates):
    code, _, err = duplicates("--row", "a:1", "--near", "0.9")
    assert code == 2
    assert err.startswith("--row and --near ask for different things\n")


def test_the_border_shows_what_counts_what_falls_short_and_what_is_kept_apart(duplicates, project):
    with (project.root / "questions.jsonl").open("a") as file:
        file.write(json.dumps({"q": "Who wrote the plays Macbeth?", "a": "William Shakespeare"}) + "\n")
        file.write(json.dumps({"q": "What is the capital of Greece?", "a": "Athens"}) + "\n")
    with_near(project, 0.99)
    out = duplicates("--border", "--json")[1]
    pairs = [json.loads(line) for line in out.splitlines()]
    assert {pair["kind"] for pair in pairs} == {"counts", "below"}
    assert all((pair["score"] >= 0.99) == (pair["kind"] == "counts") for pair in pairs)
    below = next(pair for pair in pairs if pair["kind"] == "below")
    assert {below["left"]["origin"], below["right"]["origin"]} == {"questions.jsonl:10", "questions.jsonl:12"}
    assert below["why"].startswith("differs in 2 of some ")

    # "france" and "greece" share r, c and e: 6 of 60 characters go or come, a score of 0.9.
    code, out, _ = duplicates("--border", "--near", "0.8")
    assert code == 0
    apart = out[out.index("apart (") :]
    assert "another word: 'france' against 'greece'" in apart
    assert "What is the capital of France?" in apart
    assert "What is the capital of Greece?" in apart


def test_a_refused_pair_with_other_numbers_is_shown_too(duplicates, project):
    with (project.root / "questions.jsonl").open("a") as file:
        file.writelines(
            json.dumps({"q": f"Calculate the sum of the numbers {n}.", "a": n}) + "\n" for n in ("2+2", "8+5")
        )
    project.run(to="dedupe")
    out = duplicates("--border")[1]
    assert "a number or sign differs: '2' against '8'" in out
    assert "Calculate the sum of the numbers 2+2." in out


def test_where_only_equal_texts_count_there_is_no_border(duplicates, project):
    with_near(project, 1)
    code, _, err = duplicates("--border")
    assert code == 2
    assert "at near 1 only equal texts count" in err
    assert "--border --near 0.9" in err


def test_looking_changes_no_file_of_the_store(duplicates, project):
    project.run(to="dedupe")
    before = project.snapshot_of_files()
    views = [(), ("--row", "questions.jsonl:1"), ("--border",), ("--near", "0.99"), ("--near", "0.5"), ("--reason", "conflict")]  # fmt: skip
    for words in views:
        assert duplicates(*words)[0] == 0
        assert project.snapshot_of_files() == before, words


def test_an_index_that_is_gone_is_built_again_and_said(duplicates, project):
    project.run(to="dedupe")
    there = [duplicates("--border")[1], duplicates("--near", "0.99")[1], duplicates()[1]]
    versions = {name: what for name, what in project.snapshot_of_files().items() if "index" not in name}
    shutil.rmtree(project.data / "dedupe" / "index")
    code, out, err = duplicates("--border")
    assert code == 0
    assert "index: 2 of 2 parts were not there as needed and have been built again" in err
    assert "pairs of prompts were searched again: it is not there" in err
    assert [out, duplicates("--near", "0.99")[1], duplicates()[1]] == there
    after = {name: what for name, what in project.snapshot_of_files().items() if "index" not in name}
    assert {name: what for name, what in after.items() if name != "dedupe"} == {
        name: what for name, what in versions.items() if name != "dedupe"
    }


def test_the_settings_are_those_of_the_run_and_a_changed_recipe_is_said(duplicates, project):
    project.run(to="dedupe")
    shown = duplicates()[1]
    (project.root / "recipe.toml").write_text((project.root / "recipe.toml").read_text() + "\n[dedupe]\nnear = 0.99\n")
    _, out, err = duplicates()
    assert out == shown
    assert "the recipe has changed since run 1 (dedupe.near)" in err


def test_marked_groups_are_listed(duplicates, project):
    project.run(to="dedupe")
    out = duplicates("--reason", "conflict")[1]
    assert out.startswith("1 group is marked conflict (the same prompt, other responses)")
    assert "2 rows with the same prompt, all kept" in out
    assert "    prompt    How many legs does a spider have?\n    response  eight\n" in out
    assert "    prompt    the same\n    response  six\n" in out
    code, out, err = duplicates("--reason", "boilerplate")
    assert (code, out, err) == (0, "", "run 1 of recipe tiny marked no row boilerplate\n")


def test_a_reason_that_never_came_up_is_answered_with_the_nearest(duplicates, project):
    project.run(to="dedupe")
    assert duplicates("--reason", "near_duplicate")[1].count("  gone  ") == 3
    code, _, err = duplicates("--reason", "near_duplicat")
    assert code == 2
    assert "nothing was dropped as 'near_duplicat'" in err
    assert "did you mean 'near_duplicate'?" in err


def test_a_run_that_dropped_nothing_says_so(duplicates, project):
    lines = [json.dumps({"q": q, "a": "yes"}) for q in ("Is water wet?", "Do birds sing at night?")]
    (project.root / "questions.jsonl").write_text("\n".join(lines) + "\n")
    project.run(to="dedupe")
    assert duplicates() == (0, "", "run 1 of recipe tiny dropped none of 6 rows\n")


def test_a_recipe_that_never_ran_is_answered_with_what_to_do(duplicates):
    code, out, err = duplicates()
    assert (code, out) == (2, "")
    assert err.startswith("dedupe has never run for recipe tiny\n")
    assert "tuneloop data" in err


def test_rows_that_repeat_a_benchmark_stand_beside_its_item(duplicates, project):
    (project.root / "quiz.jsonl").write_text(json.dumps({"question": "Which gas do plants take in?", "answer": "CO2"}))
    (project.root / "recipe.toml").write_text(
        (project.root / "recipe.toml").read_text() + '\n[dedupe]\nbenchmarks = ["quiz.jsonl"]\n'
    )
    project.run(to="dedupe")
    out = duplicates("--reason", "benchmark")[1]
    assert "1 row went for the benchmark's item quiz.jsonl:1\n  item    quiz.jsonl:1\n" in out
    assert "    prompt    Which gas do plants take in?\n    response  CO2\n" in out
    (line,) = duplicates("--reason", "benchmark", "--json")[1].splitlines()
    cluster = json.loads(line)
    assert (cluster["kept"], cluster["item"]) == (None, "quiz.jsonl:1")
    assert cluster["dropped"][0]["prompt"] == {"instruction": "Which gas do plants take in?"}


def test_what_a_terminal_would_act_on_is_not_printed(duplicates, project):
    with (project.root / "questions.jsonl").open("a") as file:
        file.writelines(
            json.dumps({"q": "Say\x1b[31m hello\x07 twice.", "a": f"hello hello{mark}"}) + "\n" for mark in ".!"
        )
    project.run(to="dedupe")
    out = duplicates("--row", "questions.jsonl:13")[1]
    assert "hello" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_the_name_of_a_recipe_will_do_unless_it_has_templates_of_its_own(duplicates, project, capsys):
    project.run(to="dedupe")
    by_file = duplicates()[1]
    assert run(["duplicates", "--recipe", "tiny"]) == 0
    assert capsys.readouterr().out == by_file

    (project.root / "own").mkdir()
    text = (project.root / "recipe.toml").read_text()
    own = (ROOT / "pipeline" / "templates" / "instruct.yaml").read_text().replace("name: instruct", "name: ours")
    (project.root / "own" / "ours.yaml").write_text(own)
    text = text.replace('template = "instruct"', 'template = "ours"').replace(
        'name = "tiny"', 'name = "tiny"\ntemplate_dirs = ["own"]'
    )
    (project.root / "recipe.toml").write_text(text)
    project.run(to="dedupe")
    assert duplicates()[1].startswith("run 2, near 0.9: 3 of 15 rows went")
    assert run(["duplicates", "--recipe", "tiny"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("template 'ours' is not found\n  where: run 2 of recipe tiny; folders: our own only\n")
    assert "name the recipe's file, as in --recipe my.toml" in err
