import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from pipeline.annotate import WAITING, Annotate
from pipeline.annotations import add_annotations
from pipeline.parts import PartJob, run_part
from pipeline.practice import record_passed
from pipeline.reopening import Reopening, add_reopening
from pipeline.screen import screen
from pipeline.snapshot import PartWriter, Snapshot, make_folder
from pipeline.stage import Place, State
from schemas import (
    Annotation,
    AnnotationError,
    ConfigError,
    Formatted,
    GateError,
    Ingested,
    Manifest,
    PartFile,
    PartRecord,
    RunRecord,
    arrow_schema,
    dropped_schema,
)

Row = dict[str, Any]
ANN, BEN, LEAD = "ann@example.org", "ben@example.org", "lead@example.org"


def message(role: str, content: str, **more: Any) -> Row:
    return {
        "role": role,
        "content": content,
        "name": None,
        "tool_calls": None,
        "tool_call_id": None,
        "weight": None,
    } | more


def row(name: str, prompt: str = "", response: str | None = "five", **more: Any) -> Row:
    """A row of format; tokens are words, as the test's tokenizer counts them."""
    return {
        "id": name,
        "source": "sums",
        "origin": f"sums.jsonl:{name}",
        "task": "instruct",
        "template": "instruct",
        "fields": [],
        "turns": [],
        "license": None,
        "meta": "{}",
        "marks": [],
        "group": name,
        "prompt": [message("user", prompt or f"What is {name}?")],
        "completion": [] if response is None else [message("assistant", response)],
        "tools": None,
        "paraphrase": "plain",
        "n_prompt_tokens": 3,
        "n_completion_tokens": len((response or "").split()),
    } | more


def answer(about: Row, verdict: str = "accept", response: str | None = None, who: str = ANN, **more: Any) -> Annotation:
    seen = screen(about["prompt"], about["completion"])
    return Annotation.model_validate(
        {
            "key": f"ls:1:{about['id']}-{who}",
            "example": about["id"],
            "source": about["source"],
            "seen": seen,
            "annotator": who,
            "verdict": verdict,
            "response": response,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            **more,
        }
    )


@dataclass
class Result:
    kept: dict[str, Row]
    dropped: dict[str, Row]
    counts: dict[str, int]
    facts: dict[str, Any]

    def status(self, name: str) -> str:
        return self.kept[name]["status"] if name in self.kept else self.dropped[name]["reason"]


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    tokenizer = make_folder(tmp_path / "tokenizer")
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(tokenizer / "tokenizer.json"))

    def go(
        rows: Sequence[Row],
        answers: Sequence[Annotation] = (),
        *,
        duplicates: Sequence[Row] = (),
        **setting: Any,
    ) -> Result:
        stage, data_root = Annotate(**setting), tmp_path / "data"
        add_annotations(data_root, answers)
        parent = write_snapshot(tmp_path / "format", rows)
        inputs = stage.inputs(place(data_root, tokenizer, duplicates))
        work = make_folder(tmp_path / "work")
        state = stage.prepare({"format": parent}, inputs, work)
        (part,) = stage.parts({"format": parent}, inputs)
        record = run_part(PartJob(stage, part, "key", 0, inputs, state.rows, state.facts, work))
        assert record.rows_in == len(rows)
        counts = {**state.counts, **record.counts}
        kept = read_rows(work, record.files)
        facts = stage.check(parent, inputs, counts, State())
        return Result(kept, read_rows(work, record.dropped), counts, facts)

    return go


def write_snapshot(folder: Path, rows: Sequence[Row]) -> Snapshot:
    schema = arrow_schema(Formatted)
    writer = PartWriter(make_folder(folder) / "part-00000.parquet", schema)
    writer.write(pa.RecordBatch.from_pylist(list(rows), schema))
    file = writer.close()
    return Snapshot(folder, Manifest(stage="format", version="v", rows=len(rows), columns={}, files=[file]))


def read_rows(work: Path, files: Sequence[PartFile]) -> dict[str, Row]:
    return {
        one["id"]: one for file in files for batch in Snapshot.read_part(work / file.name) for one in batch.to_pylist()
    }


def place(data_root: Path, tokenizer: Path, duplicates: Sequence[Row]) -> Place:
    """A place whose dedupe dropped rows: {id, partner_id}."""
    schema, files = dropped_schema(Ingested), []
    if duplicates:
        folder = make_folder(data_root / "dedupe" / "dropped")
        blank = {name: value for name, value in row("x").items() if name in schema.names}
        more = {"reason": "near_duplicate", "detail": "", "partner_origin": "", "score": 0.95}
        writer = PartWriter(folder / "ab12.parquet", schema)
        writer.write(pa.RecordBatch.from_pylist([{**blank, **more, **one} for one in duplicates], schema))
        file = writer.close()
        # A dropped part is named after its bytes.
        files = [file.model_copy(update={"name": f"{file.digest[:32]}.parquet"})]
        (folder / file.name).rename(folder / files[0].name)
    part = PartRecord(key="", files=[], dropped=files, rows_in=0)
    quiz = data_root.parent / "quiz.jsonl"
    return Place(
        "tiny", data_root.parent, data_root, {}, ("sums",), (), tokenizer, {"dedupe": record_of(part)},
        {"quiz.jsonl": quiz} if quiz.exists() else {},
    )  # fmt: skip


def record_of(part: PartRecord) -> RunRecord:
    numbers = dict.fromkeys(("number", "peak_memory_bytes", "rows_in", "rows_kept", "rows_dropped"), 1)
    texts = dict.fromkeys(("recipe", "key", "version", "code", "started_at"), "x")
    empty: Row = {
        name: {}
        for name in (
            "key_parts",
            "parents",
            "settings",
            "distributions",
            "dropped_by_reason",
            "counts",
            "facts",
        )
    }
    return RunRecord(stage="dedupe", **numbers, **texts, **empty, inputs=[], git_commit=None, seconds=0.0, parts=[part])


def test_without_any_answer_everything_is_unreviewed_or_to_be_written(run: Run) -> None:
    result = run([row("a"), row("b", response=None)])
    assert result.status("a") == "unreviewed"
    assert result.kept["a"]["votes"] == result.kept["a"]["annotators"] == []
    assert result.status("b") == "to_write"
    assert result.dropped["b"]["detail"] == "nobody has written its response yet"
    assert result.facts == {"waiting": {**dict.fromkeys(WAITING, 0), "unreviewed": 1, "to_write": 1}}


def test_an_accepted_row_names_its_annotators_by_pseudonym_only(run: Run) -> None:
    a = row("a")
    result = run([a, row("b")], [answer(a, guideline="g1"), answer(a, who=BEN, guideline="g2")])
    assert result.kept["a"] == {
        **a, "status": "accepted", "votes": ["accept", "accept"], "annotators": ["a1", "a2"],
        "guideline": "g2", "edited_from": None,
    }  # fmt: skip
    assert result.status("b") == "unreviewed"


def test_an_edit_replaces_the_text_and_is_counted_again(run: Run) -> None:
    a = row("a", response="one two three")
    result = run([row("z"), a], [answer(a, "edit", "one {{two}}")])
    kept = result.kept["a"]
    assert kept["completion"] == [message("assistant", "one {{two}}")]
    assert (kept["status"], kept["edited_from"]) == ("edited", "one two three")
    assert kept["n_completion_tokens"] == 2
    assert result.kept["z"] == {**row("z"), "status": "unreviewed", "votes": [], "annotators": [],
                                "guideline": None, "edited_from": None}  # fmt: skip


def test_an_edit_of_one_turn_leaves_the_other_messages_alone(run: Run) -> None:
    call = message("assistant", "I look", tool_calls='[{"function": {"name": "f", "arguments": "{}"}}]')
    a = row("a", completion=[call, message("tool", "rain"), message("assistant", "It rains.", weight=0.5)])
    a["n_completion_tokens"] = 10  # format also counts the call: 10 = 8 + the last message's 2 words
    result = run([a], [answer(a, "edit", "It rains in Oslo.")])
    assert result.kept["a"]["completion"] == [
        call, message("tool", "rain"), message("assistant", "It rains in Oslo.", weight=0.5),
    ]  # fmt: skip
    assert result.kept["a"]["n_completion_tokens"] == 12


def test_an_edit_of_a_named_turn_replaces_that_one(run: Run) -> None:
    a = row("a", completion=[message("assistant", "first"), message("assistant", "second")])
    result = run([a], [answer(a, "edit", "1st", turn=0)])
    assert [one["content"] for one in result.kept["a"]["completion"]] == ["1st", "second"]
    assert result.kept["a"]["edited_from"] == "first"


def test_a_written_response_makes_the_row_complete(run: Run) -> None:
    a = row("a", response=None)
    result = run([a], [answer(a, "write", "Roses are red")])
    kept = result.kept["a"]
    assert kept["completion"] == [message("assistant", "Roses are red")]
    assert (kept["status"], kept["edited_from"], kept["n_completion_tokens"]) == ("edited", None, 3)


def test_a_row_that_has_a_response_by_now_makes_a_written_one_stale(run: Run) -> None:
    empty = row("a", response=None)
    result = run([row("a", response="it came later")], [answer(empty, "write", "mine")])
    assert result.kept["a"]["marks"] == ["stale"]
    assert result.kept["a"]["completion"] == [message("assistant", "it came later")]


def test_a_written_response_does_not_stand_beside_an_empty_message(run: Run) -> None:
    answers = [answer(row("a", response=None), "write", "mine")]
    assert run([row("a", response="")], answers).kept["a"]["marks"] == ["stale"]


def test_answers_find_their_rows_beyond_the_first_batch(run: Run) -> None:
    rows = [row(f"r{n:05}") for n in range(8200)]  # a batch is 8,192 rows
    result = run(rows, [answer(rows[8195]), answer(row("old", prompt="What is r08197?"))])
    accepted = [name for name, kept in result.kept.items() if kept["status"] == "accepted"]
    assert accepted == ["r08195", "r08197"]


def test_accepting_an_empty_response_accepts_nothing(run: Run) -> None:
    a = row("a", response=None)
    result = run([a], [answer(a, "accept")])
    assert result.status("a") == "to_write"
    assert result.dropped["a"]["detail"] == "its response is still to be written; so far: a1 accept"


@pytest.mark.parametrize(
    ("answers", "reason", "detail"),
    [
        ([("reject", ANN), ("reject", BEN)], "rejected", "rejected: a1 reject, a2 reject; wrong: wrong fact"),
        ([("accept", ANN), ("reject", BEN)], "disputed", "verdicts differ: a1 accept, a2 reject"),
        ([("unsure", ANN)], "unsure", "nobody could say: a1 unsure"),
        ([("edit", ANN)], "disputed", "an edit has no text: a1 edit"),
    ],
)
def test_rows_that_people_turn_down_are_dropped_with_a_sentence(
    run: Run, answers: list[tuple[str, str]], reason: str, detail: str
) -> None:
    a = row("a")
    given = [answer(a, verdict, who=who, error_types=["wrong fact"]) for verdict, who in answers]
    result = run([a, row("b")], given)
    assert result.dropped["a"] == {
        **a, "reason": reason, "detail": detail, "partner_id": None, "partner_origin": None, "score": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("require", "kept"),
    [
        ("any", {"one", "two", "lead", "edit", "new"}),
        ("reviewed", {"one", "two", "lead", "edit"}),
        ("agreed", {"two", "lead"}),
    ],
)
def test_the_policy_says_which_rows_go_on(run: Run, require: str, kept: set[str]) -> None:
    rows = {name: row(name) for name in ("one", "two", "lead", "edit", "new", "bad")}
    answers = [
        answer(rows["one"]),
        answer(rows["two"]),
        answer(rows["two"], who=BEN),
        answer(rows["lead"], "reject"),
        answer(rows["lead"], who=LEAD, adjudicated=True),
        answer(rows["edit"], "edit", "six"),
        answer(rows["bad"], "reject"),
    ]
    result = run(list(rows.values()), answers, require=require)
    assert set(result.kept) == kept
    assert result.status("bad") == "rejected"
    if require == "reviewed":
        assert result.dropped["new"]["detail"] == "nobody has reviewed it, and `require` wants that"
    if require == "agreed":
        assert result.dropped["edit"]["reason"] == "unconfirmed"
        assert result.dropped["edit"]["detail"] == "no second person has confirmed it: a1 edit"
        assert result.dropped["edit"]["completion"] == rows["edit"]["completion"]  # as it came


@pytest.mark.parametrize(
    "now",
    [
        row("a", prompt="Say: what is a?"),
        row("a", response="six"),
        row("a", prompt="What is a?", prompt_system=True),
    ],
)
def test_an_answer_about_another_text_is_stale_and_kept_beside_the_row(run: Run, now: Row) -> None:
    if now.pop("prompt_system", False):
        now["prompt"] = [message("system", "Be brief."), *now["prompt"]]
    result = run([now], [answer(row("a"), "reject")])
    kept = result.kept["a"]
    assert (kept["status"], kept["marks"], kept["votes"], kept["annotators"]) == (
        "unreviewed",
        ["stale"],
        ["reject"],
        ["a1"],
    )
    assert result.counts["stale"] == 1
    assert result.facts["waiting"]["stale"] == 1
    assert result.facts["waiting"]["unreviewed"] == 0  # counted once, under the first reason


def test_a_changed_tool_call_makes_an_answer_stale(run: Run) -> None:
    def with_city(city: str) -> Row:
        calls = f'[{{"function": {{"name": "weather", "arguments": "{city}"}}}}]'
        return row("a", completion=[message("assistant", "", tool_calls=calls)])

    assert run([with_city("Oslo")], [answer(with_city("Oslo"))]).status("a") == "accepted"
    assert run([with_city("Rome")]).kept["a"]["marks"] == ["stale"]


def test_a_stale_answer_is_no_vote_beside_a_standing_one(run: Run) -> None:
    a = row("a")
    result = run([a], [answer(row("a", response="old"), "reject"), answer(a, "accept", who=BEN)])
    assert (result.status("a"), result.kept["a"]["votes"], result.kept["a"]["marks"]) == (
        "accepted",
        ["accept"],
        [],
    )


def test_stale_rows_that_a_policy_drops_say_what_was_said(run: Run) -> None:
    result = run([row("a", response="new"), row("b")], [answer(row("a")), answer(row("b"))], require="reviewed")
    assert result.dropped["a"]["reason"] == "unreviewed"
    assert result.dropped["a"]["marks"] == ["stale"]
    assert result.dropped["a"]["detail"] == "its text changed after these answers: a1 accept"


def test_a_source_that_moved_loses_no_answer(run: Run) -> None:
    then = row("a")
    now = row("a", source="sums", origin="moved/elsewhere.csv:900", meta='{"kept": 1}')
    assert run([now], [answer(then)]).status("a") == "accepted"


def test_an_answer_to_a_dropped_duplicate_counts_for_the_kept_row(run: Run) -> None:
    gone, kept = row("gone", prompt="what is a"), row("a")
    duplicates = [{"id": "gone", "partner_id": "between"}, {"id": "between", "partner_id": "a"}]  # a chain
    result = run([kept], [answer(gone, "edit", "six")], duplicates=duplicates)
    assert (result.status("a"), result.kept["a"]["edited_from"]) == ("edited", "five")
    assert result.counts["by_duplicate"] == 1


def test_duplicates_that_lead_nowhere_or_in_a_circle_are_orphans(run: Run) -> None:
    duplicates = [
        {"id": "x", "partner_id": "y"},
        {"id": "y", "partner_id": "x"},
        {"id": "same", "partner_id": "same"},  # exact duplicates share an id
        {"id": "bench", "partner_id": None},
    ]
    answers = [answer(row(name)) for name in ("x", "same", "bench")]
    assert run([row("a")], answers, duplicates=duplicates, max_orphans=1.0).counts["orphans"] == 3


def test_an_exact_duplicate_does_not_hide_where_its_id_leads(run: Run) -> None:
    duplicates = [{"id": "gone", "partner_id": "a"}, {"id": "gone", "partner_id": "gone"}]
    assert run([row("a")], [answer(row("gone"))], duplicates=duplicates).status("a") == "accepted"


def test_a_response_written_for_a_duplicate_is_stale_where_there_is_one(run: Run) -> None:
    given = [answer(row("gone", response=None), "write", "mine")]
    duplicates = [{"id": "gone", "partner_id": "a"}]
    assert run([row("a")], given, duplicates=duplicates).kept["a"]["marks"] == ["stale"]


def test_an_edit_that_the_kept_row_says_already_accepts_it(run: Run) -> None:
    gone, kept = row("gone", response="fiv"), row("a", response="five")
    result = run([kept], [answer(gone, "edit", "five")], duplicates=[{"id": "gone", "partner_id": "a"}])
    assert (result.status("a"), result.kept["a"]["edited_from"]) == ("accepted", None)


def test_an_answer_without_an_id_finds_the_row_that_shows_the_same(run: Run) -> None:
    a = row("a")
    foreign = answer(a).model_copy(update={"example": None, "source": None})
    result = run([row("b"), a], [foreign])
    assert (result.status("a"), result.status("b"), result.counts["by_text"]) == ("accepted", "unreviewed", 1)


def test_an_answer_under_an_old_id_finds_the_row_by_its_text(run: Run) -> None:
    assert run([row("new", prompt="Hi?")], [answer(row("old", prompt="Hi?"))]).status("new") == "accepted"


def test_of_rows_that_show_the_same_the_smallest_id_gets_the_answer(run: Run) -> None:
    result = run([row("c", prompt="Hi?"), row("b", prompt="Hi?")], [answer(row("old", prompt="Hi?"))])
    assert (result.status("b"), result.status("c")) == ("accepted", "unreviewed")


def test_the_prompt_alone_joins_as_stale_if_one_row_has_it(run: Run) -> None:
    old = row("old", prompt="Hi?", response="before")
    result = run([row("new", prompt="Hi?", response="after")], [answer(old)])
    assert (result.status("new"), result.kept["new"]["marks"]) == ("unreviewed", ["stale"])
    assert result.counts["orphans"] == 0


def test_the_prompt_alone_joins_nothing_if_two_rows_have_it(run: Run) -> None:
    rows = [row("n1", prompt="Hi?", response="x"), row("n2", prompt="Hi?", response="y")]
    assert run(rows, [answer(row("old", prompt="Hi?"))], max_orphans=1.0).counts["orphans"] == 1


def test_too_many_orphans_stop_the_run_and_are_listed(run: Run) -> None:
    gone = [answer(row(f"gone{n:02}", prompt="A long lost question. " * 20)) for n in range(22)]
    with pytest.raises(GateError) as caught:
        run([row("a"), row("b")], [answer(row("a")), answer(row("b")), *gone])
    error = caught.value
    # 22 of 24 = 91.67 %
    assert error.what == (
        "22 of 24 answers about this recipe's sources (92%) have no live example; max_orphans allows 10%"
    )
    assert "ls:1:gone00-ann@example.org (sums): A long lost question. A long lost question." in error.where
    assert error.where.count("ls:1:") == 20
    assert "and 2 more" in error.where
    assert "max_orphans = 0.93" in error.fix


def test_orphans_up_to_the_limit_are_counted_only(run: Run) -> None:
    answers = [answer(row("a")), answer(row("gone"))]  # half of them
    assert run([row("a")], answers, max_orphans=0.5).counts["orphans"] == 1
    with pytest.raises(GateError):
        run([row("a")], max_orphans=0.49)


def test_answers_about_other_sources_or_none_never_stop_a_run(run: Run) -> None:
    other = answer(row("x", source="another recipe's"))
    nowhere = answer(row("y")).model_copy(update={"source": None})
    counts = run([row("a")], [other, nowhere], max_orphans=0.0).counts
    assert (counts["other_sources"], counts["unplaced"], counts["orphans"]) == (1, 1, 0)


def test_what_waits_is_counted_under_one_reason_each(run: Run) -> None:
    conflict = row("c", marks=["conflict", "pii:email"])
    almost = row("d", marks=["conflict of another kind"])
    settled = row("e", marks=["conflict"])
    written = row("w", response=None)
    rows = [row("a"), conflict, almost, settled, written, row("u"), row("s", response="new")]
    answers = [answer(settled), answer(row("u"), "unsure"), answer(row("s"))]
    assert run(rows, answers).facts["waiting"] == {
        "draft_unreviewed": 0,
        "unreviewed": 2, "stale": 1, "conflict": 1, "to_write": 1, "disputed": 0, "unsure": 1,
    }  # fmt: skip


@pytest.mark.parametrize("require", ["any", "reviewed", "agreed"])
def test_what_a_model_wrote_goes_on_only_when_a_person_has_accepted_or_mended_it(run: Run, require: str) -> None:
    names = ("open", "good", "mended", "bad", "stale")
    rows = {name: row(name, marks=["synthetic"]) for name in names}
    by = [answer(rows["good"], who=who) for who in (ANN, BEN)]
    by += [answer(rows["mended"], "edit", "5", who=who) for who in (ANN, BEN)]
    by += [answer(rows["bad"], "reject"), answer(row("stale", response="before", marks=["synthetic"]))]
    result = run(list(rows.values()), by, require=require)
    assert {name: result.status(name) for name in names} == {
        "open": "draft_unreviewed", "good": "accepted", "mended": "edited", "bad": "rejected",
        "stale": "draft_unreviewed",
    }  # fmt: skip
    assert [*result.kept] == ["good", "mended"]
    assert result.dropped["open"]["detail"] == "a model wrote it and nobody has accepted it yet"
    assert result.facts["waiting"] == {**dict.fromkeys(WAITING, 0), "draft_unreviewed": 2}


def test_naughty_texts_survive_letter_by_letter(run: Run) -> None:
    text = "\x00 \u2028 \u202e 🦊 e\u0301 \r\n\ttab  end  "
    a, b = row("a", prompt=text, response=text), row("b")
    result = run([a, b], [answer(a), answer(b, "edit", text)])
    assert result.status("a") == "accepted"
    assert result.kept["b"]["completion"][0]["content"] == text


def test_a_person_without_pseudonym_stops_the_run(run: Run, tmp_path: Path) -> None:
    a = row("a")
    run([a], [answer(a)])
    (tmp_path / "data" / "annotations" / "people.json").write_text("{}")
    with pytest.raises(AnnotationError) as caught:
        run([a])
    assert caught.value.what == "1 annotators have no pseudonym"
    assert caught.value.where == "annotations/people.json"
    assert "import an export of theirs again" in caught.value.fix


def test_a_missing_tokenizer_is_told_before_anything_runs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"no tokenizer\.json"):
        run([row("a")])


verdicts = st.sampled_from(["accept", "edit", "reject", "unsure", "write"])
NAMES = list("abcdefgh")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    empty=st.sets(st.sampled_from(NAMES)),
    given=st.lists(
        st.tuples(st.sampled_from(NAMES), verdicts, st.booleans(), st.sampled_from([ANN, BEN])), max_size=12
    ),
    require=st.sampled_from(["any", "reviewed", "agreed"]),
)
def test_every_row_is_kept_or_dropped_and_only_edits_change_text(
    tmp_path_factory: pytest.TempPathFactory, run: Run, tmp_path: Path,
    empty: set[str], given: list[tuple[str, str, bool, str]], require: str,
) -> None:  # fmt: skip
    for path in (tmp_path / "data").rglob("*.json*"):
        path.unlink()
    rows = {name: row(name, response=None if name in empty else "five") for name in NAMES}
    answers = [
        answer(rows[name] if fits else row(name, response="old"), verdict, "six", who, key=f"ls:1:{i}")
        for i, (name, verdict, fits, who) in enumerate(given)
    ]
    result = run(list(rows.values()), answers, require=require)
    assert sorted([*result.kept, *result.dropped]) == NAMES
    for name, kept in result.kept.items():
        changed = kept["completion"] != rows[name]["completion"]
        assert changed == (kept["status"] == "edited")
        assert kept["completion"]
        assert kept["n_completion_tokens"] == 1
        assert len(kept["votes"]) == len(kept["annotators"])
    for name, gone in result.dropped.items():
        assert gone["completion"] == rows[name]["completion"]
        assert gone["detail"]


SOLUTION = (
    "Start with the six full crates in the barn, add the four that came on Monday, take away the three "
    "that Rosa sold at the market, and you are left with seven crates in all, so the answer is seven."
)  # 37 words


def write_quiz(folder: Path) -> None:
    lines = [{"question": "Which moon of Saturn is the largest?", "answer": "Titan"},
             {"question": "Rosa has six crates of pears. How many are left?", "answer": SOLUTION}]  # fmt: skip
    (folder / "quiz.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def test_an_edit_that_brings_in_a_benchmark_is_dropped_and_names_the_item(run: Run, tmp_path: Path) -> None:
    write_quiz(tmp_path)
    a, b = row("a", response="Seven."), row("b", response="Five.")
    result = run([a, b, row("c")], [answer(a, "edit", f"Well: {SOLUTION}"), answer(b, "edit", "Seven crates.")])
    assert result.status("a") == "benchmark"
    assert result.dropped["a"]["detail"] == "the response contains 100% of the answer to item 2 of quiz.jsonl"
    assert result.dropped["a"]["score"] == 1
    assert result.dropped["a"]["completion"] == [message("assistant", "Seven.")]
    assert result.status("b") == "edited"
    assert result.status("c") == "unreviewed"


def test_only_what_people_rewrote_is_checked_again(run: Run, tmp_path: Path) -> None:
    write_quiz(tmp_path)
    a = row("a", response=SOLUTION)  # dedupe has let it pass, with settings of its own
    assert run([a], [answer(a)]).status("a") == "accepted"


def test_an_edit_that_repeats_a_benchmark_changes_no_part_it_does_not_concern(project: Any) -> None:
    write_quiz(project.root)
    project.replace("recipe.toml", "[format]", '[dedupe]\nbenchmarks = ["quiz.jsonl"]\n[format]')
    project.run()
    spider = next(one for one in project.rows("format") if "spider" in one["prompt"][0]["content"])
    before = project.outcomes["annotate"].record
    add_annotations(project.data, [answer(spider, "edit", SOLUTION)])
    project.run(to="annotate")
    (gone,) = [one for one in project.dropped("annotate") if one["reason"] == "benchmark"]
    assert gone["id"] == spider["id"]
    assert project.outcomes["annotate"].record.rows_kept == before.rows_kept - 1
    project.replace("quiz.jsonl", "largest", "biggest")  # of another item
    project.run(to="annotate")
    assert project.outcomes["annotate"].ran
    assert project.outcomes["annotate"].reused == 2  # one part a source


CY, DAN = "cy@example.org", "dan@example.org"


def judged(n: int) -> tuple[list[Row], list[Annotation]]:
    """Rows of which ann, ben and dan say the truth, every other one being wrong, and cy the contrary of it."""
    rows = [row(f"r{i:02d}") for i in range(n)]
    verdicts = ["accept" if i % 2 == 0 else "reject" for i in range(n)]
    contrary = {"accept": "reject", "reject": "accept"}
    answers = [
        answer(one, contrary[said] if who == CY else said, who=who)
        for one, said in zip(rows, verdicts, strict=True)
        for who in (ANN, BEN, DAN, CY)
    ]
    return rows, answers


@pytest.mark.parametrize("model", ["dawid-skene", "mace"])
def test_a_model_settles_what_the_policy_leaves_open(run: Run, model: str) -> None:
    rows, answers = judged(12)
    assert {run(rows, answers).status(one["id"]) for one in rows} == {"disputed"}
    result = run(rows, answers, consensus=model)
    assert result.status("r00") == "accepted"
    assert result.status("r01") == "rejected"
    assert result.counts["model_settled"] == 12
    assert result.dropped["r01"]["detail"].startswith("rejected: a1 reject, a2 reject, a4 accept, a3 reject (a model")


def test_a_model_that_is_not_sure_says_so(run: Run) -> None:
    rows, answers = judged(12)
    # Of one more row two people who are mostly right say different things.
    more = row("new")
    split = [answer(more, "accept", who=ANN), answer(more, "reject", who=BEN)]
    result = run([*rows, more], [*answers, *split], consensus="mace", min_posterior=1.0)
    assert result.status("new") == "disputed"
    assert result.dropped["new"]["detail"].startswith("the model is not sure, ")
    assert result.counts["model_left_open"] == 13


def test_under_thirty_verdicts_the_policy_holds_and_the_counts_say_so(run: Run) -> None:
    rows, answers = judged(7)  # 28 verdicts
    result = run(rows, answers, consensus="dawid-skene")
    assert {result.status(one["id"]) for one in rows} == {"disputed"}
    assert result.counts["too_few_for_model"] == 28


def test_edits_that_are_alike_are_counted(run: Run) -> None:
    a = row("a")
    answers = [answer(a, "edit", "It is the river Nile."), answer(a, "edit", "It is the River Nile.", who=BEN)]
    assert run([a], answers).status("a") == "disputed"
    result = run([a], answers, same_edit_chrf=0.6)
    assert result.status("a") == "edited"
    assert result.counts["edits_alike"] == 1


def test_the_models_code_is_an_input_of_recipes_that_ask_for_one(run: Run, tmp_path: Path) -> None:
    run([])  # makes the tokenizer's folder
    here = place(tmp_path / "data", tmp_path / "tokenizer", [])
    assert "model" not in Annotate().inputs(here).values
    model = Annotate(consensus="mace").inputs(here).values["model"]
    assert isinstance(model, dict)
    assert {"code", "crowd-kit", "pandas"} <= set(model)


def test_a_reopened_answer_makes_its_row_unreviewed_and_stale_with_the_reason(run: Run, tmp_path: Path) -> None:
    x, y = row("x"), row("y")
    first = [answer(x, "reject"), answer(y, "edit", "six")]
    assert run([x, y], first).status("x") == "rejected"
    listed = [(one.key, one.created_at, one.updated_at) for one in first]
    decision = Reopening(at="2026-02-01", guideline="g", where={}, reason="dates stay", answers=listed)
    add_reopening(tmp_path / "data", decision)
    found = run([x, y])
    assert {name: one["status"] for name, one in found.kept.items()} == {"x": "unreviewed", "y": "unreviewed"}
    assert found.kept["y"]["completion"][0]["content"] == "five"
    assert found.kept["x"]["marks"] == ["stale", "reopened: dates stay"]
    assert found.counts["stale"] == 2
    # Answered again, x stands; y waits still.
    found = run([x, y], [answer(x, "accept", updated_at="2026-03-01T00:00:00Z")])
    assert (found.status("x"), found.status("y")) == ("accepted", "unreviewed")
    assert found.kept["x"]["marks"] == []
    # Where only reviewed rows go on, the reason stands beside the dropped row.
    found = run([x, y], require="reviewed")
    assert "y" in found.dropped


def test_answers_before_passing_the_practice_are_as_good_as_none(run: Run, tmp_path: Path) -> None:
    x, y = row("x"), row("y")
    record_passed(tmp_path / "data", {BEN: "2025-12-01"})
    found = run([x, y], [answer(x, "reject"), answer(y, "reject", who=BEN)])
    assert (found.status("x"), found.status("y")) == ("unreviewed", "rejected")
    assert (found.counts["before_passing"], found.counts["answers"]) == (1, 1)


def test_practice_answers_are_no_orphans(run: Run) -> None:
    gold = row("gold")
    found = run([row("x")], [answer(gold, purpose="practice")])
    assert found.status("x") == "unreviewed"
    assert found.counts.get("orphans", 0) == 0


def test_a_preference_is_counted_and_votes_for_nothing(run: Run) -> None:
    a, b = row("a"), row("b", response="six")
    better = answer(
        a, "prefer", preferred="b", seen={**screen(a["prompt"], a["completion"]).model_dump(), "other": "4"}
    )
    result = run([a, b], [better, answer(b)])
    assert (result.status("a"), result.kept["a"]["votes"]) == ("unreviewed", [])
    assert (result.status("b"), result.counts["answers"], result.counts["preferences"]) == ("accepted", 1, 1)


def test_preferences_alone_change_nothing(run: Run) -> None:
    a = row("a")
    result = run([a], [answer(a, "prefer", preferred="tie")])
    assert (result.status("a"), result.counts["preferences"]) == ("unreviewed", 1)
