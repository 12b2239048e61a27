import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.queue import BY_CHANCE, NOTHING_KNOWN, Queue, Queued, queue_of
from pipeline import ledger, refs
from pipeline.annotations import add_annotations
from pipeline.ingest import Ingest
from pipeline.lots import lots
from pipeline.recipe import Recipe
from pipeline.snapshot import PartWriter, Snapshot, commit, make_folder
from pipeline.template import load_templates
from schemas import (
    Annotated,
    Annotation,
    ConfigError,
    Example,
    Formatted,
    PartFile,
    PartRecord,
    RunRecord,
    Seen,
    arrow_schema,
    dropped_schema,
)
from schemas.report import Score

Row = dict[str, Any]
TEMPLATES = load_templates([])


def name_id(name: str) -> str:
    """Return an id in whose order the names stand: "a" -> 0x61 0000..."""
    return name.encode().hex().ljust(32, "0")


def row(name: str, status: str = "unreviewed", *marks: str, group: str = "", answer: str = "5") -> Row:
    texts = dict.fromkeys(("source", "origin", "task", "paraphrase"), "x")
    message = {"role": "assistant", "content": answer}
    return {
        **texts, "id": name_id(name), "group": name_id(group or name), "template": "instruct", "fields": [],
        "turns": [], "license": None, "meta": "{}", "marks": list(marks), "tools": None,
        "prompt": [{"role": "user", "content": f"What is {name}?"}],
        "completion": [] if status == "to_write" else [message], "n_prompt_tokens": 1, "n_completion_tokens": 1,
        "status": status, "votes": [], "annotators": [], "guideline": None, "edited_from": None,
        "reason": status, "detail": "", "partner_id": None, "partner_origin": None, "score": None,
    }  # fmt: skip


def store(root: Path, stage: str, kept: Sequence[Row], dropped: Sequence[Row] = ()) -> None:
    """Commit a version and its record, as a run would."""
    work, folder = make_folder(root / "work" / stage), make_folder(root / stage)
    schema = arrow_schema(Annotated if stage == "annotate" else Formatted)
    files = [write(work / "part-00000.parquet", schema, kept)]
    commit(folder, Snapshot(work, Snapshot.draft(stage, "v1", schema, files)))
    gone = []
    if dropped:
        path = make_folder(folder / "dropped") / "draft.parquet"
        made = write(path, dropped_schema(Formatted), dropped)
        # A dropped part is named after its bytes, and read only if it has that name.
        gone = [made.model_copy(update={"name": f"{made.digest}.parquet"})]
        path.rename(path.with_name(gone[0].name))
    numbers: Mapping[str, Any] = dict.fromkeys(("peak_memory_bytes", "rows_in", "rows_kept", "rows_dropped"), 1)
    empty: Mapping[str, Any] = {
        name: {}
        for name in ("parents", "settings", "distributions", "dropped_by_reason", "counts", "facts", "key_parts")
    }
    part = PartRecord(key="", files=files, dropped=gone, rows_in=0)
    record = RunRecord(
        number=1, recipe="tiny", stage=stage, key="", version="v1", inputs=[], code="", git_commit=None,
        started_at="", seconds=0, parts=[part], **numbers, **empty,
    )  # fmt: skip
    refs.add(root, record)


def write(path: Path, schema: pa.Schema, rows: Sequence[Row]) -> PartFile:
    writer = PartWriter(path, schema)
    writer.write(pa.RecordBatch.from_pylist([{name: one[name] for name in schema.names} for one in rows], schema))
    return writer.close()


def split(root: Path, **sides: str) -> None:
    path = root / "ledger.arrow"
    table = pa.table({"id": [name_id(name) for name in sides], "split": list(sides.values())})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    ledger.keep(root, "tiny", path, make_folder(root / "work"))


def trained(root: Path, rows: Sequence[Row], **nll: float) -> Path:
    """Write what a finished training run leaves, and the version of the split that it saw."""
    work, schema = make_folder(root / "work" / "split"), arrow_schema(Example)
    files = [write(work / "train-00000-of-00001.parquet", schema, [{**one, "split": "train"} for one in rows])]
    commit(make_folder(root / "split"), Snapshot(work, Snapshot.draft("split", "s1", schema, files)))
    folder = make_folder(root / "runs" / "aa11")
    texts = {"split": "train", "template": "instruct", "source": "x", "metric": "rouge_l", "group": "g", "n_tokens": 2}
    scores = [
        {**texts, "example": name_id(name), "arm": arm, "nll": cost, "score": None, "answer": None}
        for name, tuned in nll.items()
        for arm, cost in (("base", 9.0), ("tuned", tuned))
    ]
    pq.write_table(pa.Table.from_pylist(scores, arrow_schema(Score)), folder / "scores.parquet")
    (folder / "manifest.json").write_text(json.dumps({"key": "aa11", "recipe": "tiny", "parents": {"split": "s1"}}))
    (root / "runs" / "latest-tiny").symlink_to("aa11")
    return folder


def queue(root: Path, random_share: float = 0.0) -> Queue:
    recipe = Recipe.model_construct(name="tiny", ingest=Ingest.model_construct(sources=[]))
    return queue_of(root, recipe, TEMPLATES, random_share=random_share)


def names(rows: Sequence[Queued]) -> list[str]:
    return [bytes.fromhex(one.row["id"]).rstrip(b"\0").decode() for one in rows]


def vote(name: str, who: str, verdict: str) -> Annotation:
    return Annotation.model_validate(
        {
            "key": f"{name}:{who}", "example": name_id(name), "seen": Seen(prompt=[], response="5"),
            "annotator": who, "verdict": verdict, "created_at": "2026-01-01", "updated_at": "2026-01-01",
        }
    )  # fmt: skip


def test_begun_work_comes_first_then_what_is_likely_wrong_then_order_of_id(tmp_path: Path) -> None:
    kept = [
        row("z", "unreviewed", "conflict of another kind"),
        row("b"),
        row("c", "accepted"),
        row("d", "unreviewed", "conflict"),
        row("e", "edited", "conflict"),
        row("f", "unreviewed", "conflict", "stale"),
        row("n", "unreviewed", answer="N/A"),
    ]
    dropped = [
        row("g", "to_write"),
        row("h", "rejected"),
        row("i", "disputed"),
        row("j", "unsure"),
        row("k", "unconfirmed"),
        row("l", "unreviewed"),  # by require = "reviewed"
        row("m", "to_write", "stale"),
    ]
    store(tmp_path, "annotate", kept, dropped)
    found = queue(tmp_path)
    rows = [*found.rows()]
    # f breaks conflict besides stale, so it precedes m; a placeholder is surer than any state but begun work.
    assert names(rows) == ["f", "m", "i", "n", "j", "d", "g", "k", "b", "l", "z"]
    assert found.by_reason == {
        "stale": 2, "disputed": 1, "placeholder": 1, "unsure": 1, "conflict": 1, "to_write": 1, "unconfirmed": 1,
        "unreviewed": 3,
    }  # fmt: skip
    assert found.n == 11
    assert found.n_left_out == {"reviewed": 2, "rejected": 1}
    told = dict(zip(names(rows), rows, strict=True))
    assert told["f"].why == (
        "The text has changed since somebody answered it: please look again. "
        "Another example has the same prompt and a different response."
    )
    assert told["n"].why == "The answer looks like a placeholder."
    assert told["z"].why == NOTHING_KNOWN
    urgency = [one.urgency for one in rows]
    assert urgency == sorted(urgency, reverse=True)
    assert all(0 <= one <= 1 for one in urgency)
    assert {one.kind for one in rows} == {"ranked"}


def test_what_a_model_wrote_comes_first_says_so_and_is_never_drawn_by_lot(tmp_path: Path) -> None:
    note = json.dumps({"synthetic": {"kind": "draft"}})
    drafts = [{**row(name, "draft_unreviewed", "synthetic"), "meta": note} for name in ("p", "q", "r")]
    inverted = {**row("s", "disputed", "synthetic"), "meta": json.dumps({"synthetic": {"kind": "inversion"}})}
    store(tmp_path, "annotate", [row("f", "unreviewed", "stale")], [*drafts, inverted, row("i", "disputed")])
    found = queue(tmp_path, random_share=0.99)
    rows = [*found.rows()]
    assert names(rows)[:4] == ["p", "q", "r", "f"]
    assert {*names(rows)[4:]} == {"i", "s"}
    assert found.by_reason == {"draft_unreviewed": 3, "stale": 1, "disputed": 2}
    assert found.n_random == 0
    told = dict(zip(names(rows), rows, strict=True))
    assert told["p"].why == "A model wrote this answer: it is used only if a person accepts or mends it."
    assert told["p"].state == "draft_unreviewed"
    assert told["s"].why.startswith("A person wrote this answer and a model what is asked")
    assert "model wrote" not in told["i"].why
    assert all(0 <= one.urgency <= 1 for one in rows)


def test_before_annotate_has_run_drafts_are_known_by_their_mark(tmp_path: Path) -> None:
    store(tmp_path, "format", [row("a"), row("d", "unreviewed", "synthetic"), row("w", "to_write")])
    assert [one.state for one in queue(tmp_path).rows()] == ["draft_unreviewed", "to_write", "unreviewed"]


def test_different_answers_to_one_prompt_stand_side_by_side(tmp_path: Path) -> None:
    kept = [row("a", "unreviewed", "conflict"), row("b", "unreviewed", "conflict")]
    kept += [row("c", "unreviewed", "conflict", group="a"), row("d", "unreviewed", "conflict", group="b")]
    store(tmp_path, "annotate", kept)
    assert names([*queue(tmp_path).rows()]) == ["a", "c", "b", "d"]


def test_the_more_people_differ_the_sooner_a_dispute_is_settled(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [], [row("a", "disputed"), row("b", "disputed")])
    votes = {"a": ["accept", "accept", "accept", "reject"], "b": ["accept", "reject"]}
    add_annotations(tmp_path, [vote(name, f"p{n}", one) for name, some in votes.items() for n, one in enumerate(some)])
    assert names([*queue(tmp_path).rows()]) == ["b", "a"]


def test_a_limit_takes_the_first_and_rows_come_whole(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("b"), row("a")])
    (first,) = queue(tmp_path).rows(limit=1)
    assert first.row["prompt"][0]["content"] == "What is a?"
    assert list(first.row) == list(Formatted.model_fields)


def test_test_rows_and_their_groups_never_wait(tmp_path: Path) -> None:
    kept = [row("a", group="g"), row("b", group="g"), row("c"), row("d")]
    store(tmp_path, "annotate", kept, [row("w", "to_write", group="g"), row("v", "to_write")])
    split(tmp_path, a="test", c="train", d="validation")
    for share in (0.0, 0.9):
        found = queue(tmp_path, share)
        assert sorted(names([*found.rows()])) == ["c", "d", "v"]
        assert found.n_left_out == {"test": 3}  # a, and b and w of its group
        assert found.has_split


def test_without_a_split_everything_may_wait_and_that_is_known(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("a")])
    assert not queue(tmp_path).has_split


def test_before_annotate_has_run_all_of_format_waits(tmp_path: Path) -> None:
    store(tmp_path, "format", [row("a"), row("b", "to_write"), row("c", "unreviewed", "conflict")])
    assert names([*queue(tmp_path).rows()]) == ["c", "b", "a"]


def test_nothing_left_to_do_is_no_error(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("a", "accepted")])
    found = queue(tmp_path, 0.5)
    assert ([*found.rows()], found.by_reason, found.n) == ([], {}, 0)


def test_a_recipe_without_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        queue(tmp_path)
    assert caught.value.what == "recipe 'tiny' has no examples yet"
    assert caught.value.where == str(tmp_path)
    assert "tuneloop data" in caught.value.fix


def test_without_a_training_run_the_queue_says_so(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("a")])
    found = queue(tmp_path)
    assert (found.scores, found.n_scored) == ("recipe 'tiny' has no finished training run", 0)


def test_a_training_run_orders_what_no_rule_speaks_against_and_says_so(tmp_path: Path) -> None:
    rows = [row("a"), row("b"), row("c"), row("d", answer="N/A"), row("e", "unreviewed", "pii:email")]
    store(tmp_path, "annotate", rows)
    trained(tmp_path, rows, a=1.0, b=3.0, c=2.0, d=0.5)
    found = queue(tmp_path)
    # The rules placeholder and pii weigh more than any surprise; e has no score and needs none.
    shown = [*found.rows()]
    assert names(shown) == ["d", "e", "b", "c", "a"]
    assert (found.scores, found.n_scored, found.n_changed) == ("run aa11", 4, 0)
    # b costs more than the other three: (4 - 0.5) / 4.
    assert shown[2].why == "The trained model finds this answer less likely than 87 of 100 to instruct."


def test_a_score_of_a_text_that_has_changed_since_is_left_out_and_counted(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("a"), {**row("b"), "n_completion_tokens": 9}, row("c")])
    trained(tmp_path, [row("a"), row("b"), row("c")], a=1.0, b=3.0, c=2.0)
    found = queue(tmp_path)
    assert names([*found.rows()]) == ["c", "a", "b"]
    assert (found.n_scored, found.n_changed) == (2, 1)


def test_a_damaged_run_stops_nobody_from_reviewing(tmp_path: Path) -> None:
    store(tmp_path, "annotate", [row("a")])
    folder = trained(tmp_path, [row("a")], a=1.0)
    (folder / "scores.parquet").write_bytes(b"PAR1")
    assert "damaged parquet" in queue(tmp_path).scores
    shutil.rmtree(tmp_path / "split")
    found = queue(tmp_path)
    assert found.scores == "run aa11 was trained on version s1, which is gone"
    assert names([*found.rows()]) == ["a"]


def test_every_tenth_row_is_one_of_those_set_apart_by_lot(tmp_path: Path) -> None:
    everyone = [f"n{n:03}" for n in range(200)]
    store(tmp_path, "annotate", [row(name) for name in everyone])
    found = queue(tmp_path, 0.1)
    ids = pa.array([name_id(name) for name in everyone])
    lot = dict(zip(everyone, lots(ids, "review").tolist(), strict=True))
    by_lot = sorted((name for name in everyone if lot[name] < 0.1), key=lot.__getitem__)
    rows = [*found.rows()]
    random = [place for place, one in enumerate(rows) if one.kind == "random"]
    assert found.n_random == len(by_lot) > 3
    assert [names([rows[place]])[0] for place in random] == by_lot
    # While both last: the other rows have run out before the twentieth, if chance drew more than 20.
    full = min(len(by_lot), (200 - len(by_lot)) // 9)
    assert random[:full] == [10 * n + 9 for n in range(full)]
    assert {rows[place].why for place in random} == {BY_CHANCE}
    assert found.by_reason == {"unreviewed": 200 - len(by_lot), "random": len(by_lot)}
    # A smaller order is the beginning of a larger one, and urgency sorts as the rows stand.
    assert names([*found.rows(37)]) == names(rows)[:37]
    urgency = [one.urgency for one in rows]
    assert urgency == sorted(urgency, reverse=True)


def test_a_random_row_stays_one_when_rules_speak_against_it_or_rows_join(tmp_path: Path) -> None:
    everyone = [f"n{n:03}" for n in range(100)]
    store(tmp_path / "one", "annotate", [row(name) for name in everyone])
    store(tmp_path / "two", "annotate", [row(name, answer="N/A") for name in [*everyone, "m1", "m2"]])

    def drawn(root: Path) -> set[str]:
        return set(names([one for one in queue(root, 0.2).rows() if one.kind == "random"]))

    assert drawn(tmp_path / "one") == drawn(tmp_path / "two") - {"m1", "m2"}


def test_rows_that_somebody_has_answered_are_never_random(tmp_path: Path) -> None:
    dropped = [row(f"n{n}", "disputed") for n in range(30)] + [row(f"w{n}", "to_write") for n in range(30)]
    store(tmp_path, "annotate", [row(f"s{n}", "unreviewed", "stale") for n in range(30)], dropped)
    assert queue(tmp_path, 0.99).n_random == 0


@settings(max_examples=25)
@given(
    states=st.lists(st.sampled_from(["unreviewed", "disputed", "unsure", "to_write", "accepted"]), max_size=25),
    share=st.sampled_from([0.0, 0.1, 0.35, 0.9]),
)
def test_every_open_row_stands_in_the_queue_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, states: list[str], share: float
) -> None:
    root = tmp_path_factory.mktemp("store")
    rows = [row(f"r{n:02}", state) for n, state in enumerate(states)]
    kept = [one for one in rows if one["status"] in ("unreviewed", "accepted")]
    store(root, "annotate", kept, [one for one in rows if one not in kept])
    found = queue(root, share)
    shown = [*found.rows()]
    assert sorted(one.row["id"] for one in shown) == [one["id"] for one in rows if one["status"] != "accepted"]
    assert sum(found.by_reason.values()) == found.n == len(shown)
    assert [one.urgency for one in shown] == sorted((one.urgency for one in shown), reverse=True)
    assert all(one.why for one in shown)
