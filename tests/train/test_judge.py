from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.refs import newest
from pipeline.snapshot import PartWriter, Snapshot
from schemas import Example, arrow_schema
from schemas.evaluation import JudgeSettings
from schemas.report import Score
from tests.train.chat_server import chat_server, said
from train.answer_cache import FILE, AnswerCache
from train.judge import KEY, Checked, Pair, checked_rows, judge, judge_run
from train.plan import SCORES

SECRET, TOO_LONG = "sk-very-secret", b"too long"
PAIRS = [
    Pair("2 + 2?", "4", "good 4", "bad 5", "a"),
    Pair("3 + 3?", "6", "bad 7", "good 6", "b"),
    Pair("1 + 1?", "2", "2", " 2 ", "c"),  # the same: nobody is asked
]
CHECKED = [Checked("q", f"right {n}", True) for n in range(25)] + [Checked("q", f"bad {n}", False) for n in range(5)]


def fair(question):
    """Judge as the texts say of themselves."""
    if "RIGHT or WRONG" in question:
        return "Right." if "right " in question else "WRONG"
    first = question.partition("<answer_a>")[2].partition("</answer_a>")[0]
    return "A" if "good" in first else "B"


@contextmanager
def endpoint(reply, status=200):
    """Serve chat completions at a port of this machine, and note what was asked."""

    def answer(body, _n):
        said_of_it = reply(body["messages"][0]["content"])
        return (413 if said_of_it == TOO_LONG else status), (
            said_of_it if isinstance(said_of_it, bytes) else said(said_of_it, None)
        )

    with chat_server(answer) as (url, seen):
        yield JudgeSettings(url=url, model="wise"), seen


def ask(settings, pairs, checked, place):
    return judge(settings, pairs, checked, AnswerCache.of(place, lambda _: None), lambda *_: None)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    monkeypatch.setattr("train.endpoint._LONGEST_WAIT", 0)


def test_each_pair_is_compared_both_ways_round(tmp_path):
    with endpoint(fair) as (settings, asked):
        found = ask(settings, PAIRS, [], tmp_path)
    assert (found.n, found.n_tuned, found.n_base, found.n_same, found.n_turned) == (2, 1, 1, 1, 0)
    assert found.difference == 0
    assert found.low <= 0 <= found.high
    assert len(asked) == 4
    path, headers, body = asked[0]
    assert (path, headers["authorization"], body["model"], body["temperature"]) == (
        "/v1/chat/completions", f"Bearer {SECRET}", "wise", 0,
    )  # fmt: skip


def test_a_judge_that_goes_by_position_finds_nothing_but_ties(tmp_path):
    with endpoint(lambda _: "A") as (settings, _):
        found = ask(settings, PAIRS, [], tmp_path)
    assert (found.n, found.n_tuned, found.n_base, found.n_turned, found.difference) == (2, 0, 0, 2, 0)


def test_its_agreement_with_people_stands_beside_it(tmp_path):
    with endpoint(fair) as (settings, _):
        found = ask(settings, PAIRS, CHECKED, tmp_path)
    assert (found.n_checked, found.n_checked_wrong, found.agreement, found.kappa) == (30, 5, 1, 1)
    assert found.worth == "It agrees with people well."


def test_a_judge_that_finds_everything_right_is_worth_nothing(tmp_path):
    with endpoint(lambda _: "RIGHT") as (settings, _):
        found = ask(settings, [], CHECKED, tmp_path)
    assert found.agreement == pytest.approx(25 / 30)
    assert found.kappa == 0  # as good as chance
    assert "do not rely on it" in found.worth


@pytest.mark.parametrize(
    ("checked", "worth"),
    [
        ([], "No validation row was checked by people, so what this judge is worth is unknown."),
        (CHECKED[:25], "Only 25 validation rows were checked by people, 0 of them edited"),
        (CHECKED[3:29], "Only 26 validation rows were checked by people, 4 of them edited"),
    ],
)
def test_with_too_few_checked_rows_its_worth_is_unknown(tmp_path, checked, worth):
    with endpoint(fair) as (settings, _):
        found = ask(settings, PAIRS, checked, tmp_path)
    assert found.worth.startswith(worth)
    assert "unknown" in found.worth


def test_what_it_said_is_kept_and_not_asked_again(tmp_path):
    with endpoint(fair) as (settings, asked):
        first = ask(settings, PAIRS, CHECKED, tmp_path)
        n = len(asked)
        assert ask(settings, PAIRS, CHECKED, tmp_path) == first
        assert len(asked) == n == 34
        ask(settings.model_copy(update={"model": "another"}), PAIRS, [], tmp_path)
        assert len(asked) == n + 4
    assert SECRET.encode() not in (tmp_path / FILE).read_bytes()


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("**A**", True), ("<think>B? No, B is wrong.</think>\nAnswer: A", True), ("tie", True),
        ("A is better than B", False), ("", False), (None, False), ("<script>", False),
    ],
)  # fmt: skip
def test_only_a_plain_verdict_is_read(tmp_path, reply, read):
    with endpoint(lambda _: reply) as (settings, _):
        found = ask(settings, PAIRS[:1], [], tmp_path)
    assert (found.n, found.n_unread) == ((1, 0) if read else (0, 1))


@pytest.mark.parametrize(
    ("status", "raw", "what", "cure"),
    [
        (401, b"no", "it refuses us: 401 no", f"set {KEY}, then run the same command"),
        (503, b"busy", "it does not answer: 503 busy", "see that it runs"),
        (200, b"<html>", "its answer is no chat completion: <html>", "name an OpenAI-compatible server"),
        (302, b"", "it refuses us: 302", "read what it says"),
    ],
)
def test_a_judge_that_refuses_is_said_without_its_key(tmp_path, status, raw, what, cure):
    with endpoint(lambda _: raw, status) as (settings, _):
        found = ask(settings, PAIRS, CHECKED, tmp_path)
    assert what in found.failed
    assert f", at {settings.url}. To ask again: {cure}" in found.failed
    assert SECRET not in found.model_dump_json()
    assert (found.difference, found.kappa, found.worth) == (None, None, "")


def test_a_question_that_the_judge_will_not_take_has_no_verdict(tmp_path):
    with endpoint(lambda question: TOO_LONG if "2 + 2?" in question else fair(question)) as (settings, _):
        found = ask(settings, PAIRS, [], tmp_path)
    assert (found.failed, found.n, found.n_unread, found.n_same) == ("", 1, 1, 1)


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_not_shown(tmp_path, monkeypatch, key):
    monkeypatch.setenv(KEY, key)
    found = ask(JudgeSettings(url="http://127.0.0.1:9", model="wise"), PAIRS, [], tmp_path)
    assert (
        f"the key holds characters that no header can, at http://127.0.0.1:9. To ask again: mend the value of {KEY}"
        in (found.failed)
    )
    assert key not in found.failed


def test_a_url_with_a_password_is_refused():
    for url in ("http://me:pw@host/v1", "http://host/v1?key=1", "host/v1", "file:///etc"):
        with pytest.raises(ValueError, match="url must"):
            JudgeSettings(url=url, model="wise")


def split_of(folder, rows):
    """Write a split of two sides with these validation rows, as the split stage names its parts."""
    folder.mkdir()
    schema = arrow_schema(Example)
    empty = {name: "" for name in schema.names}
    parts = []
    for side in ("test", "validation"):
        writer = PartWriter(folder / f"{side}-00000-of-00001.parquet", schema)
        for status, edited_from, response in rows:
            message = {"role": "assistant", "content": response}
            prompt = {"role": "user", "content": f"prompt of {side}"}
            row = empty | {
                "fields": [], "turns": [], "marks": [], "votes": [], "annotators": [], "n_prompt_tokens": 1,
                "n_completion_tokens": 1, "prompt": [prompt], "completion": [message], "status": status,
                "edited_from": edited_from, "split": side,
            }  # fmt: skip
            writer.write(pa.RecordBatch.from_pylist([row], schema))
        parts.append(writer.close())
    return Snapshot(folder, Snapshot.draft("split", folder.name, schema, parts))


def test_people_judged_what_they_accepted_and_what_stood_there_before_they_edited(tmp_path):
    rows = [("accepted", None, f"fine {n}") for n in range(4)]
    rows += [("edited", "teh", "the"), ("unreviewed", None, "?"), ("unsure", None, "?")]
    found = checked_rows(split_of(tmp_path / "split", rows), 4)
    assert [(one.response, one.is_right) for one in found] == [
        ("teh", False), ("fine 0", True), ("fine 1", True), ("fine 2", True),
    ]  # fmt: skip
    assert {one.prompt for one in found} == {"prompt of validation"}


def test_half_of_the_checked_rows_are_of_either_kind_where_there_are_enough(tmp_path):
    rows = [(kind, old, f"{n}") for n in range(5) for kind, old in (("accepted", None), ("edited", f"was {n}"))]
    split = split_of(tmp_path / "split", rows)
    assert [one.is_right for one in checked_rows(split, 4)] == [False, False, True, True]
    assert len(checked_rows(split, 100)) == 10
    assert checked_rows(split_of(tmp_path / "none", [("unreviewed", None, "?")]), 4) == []


def test_rows_are_drawn_by_the_runs_key_alone_and_shown_as_the_split_has_them(tmp_path, split_project):
    version = newest(split_project.data, "split", "tiny").version
    split = Snapshot.open(split_project.data / "split", version)
    held = [row for row in split_project.rows("split") if row["split"] == "validation"]
    said = []
    for key in ("0123abcd", "89abcdef"):
        (tmp_path / key).mkdir()
        write_scores(tmp_path / key / SCORES, [row["id"] for row in held])
        with endpoint(lambda _: "A") as (settings, asked):
            settings = settings.model_copy(update={"n": 1})
            cache = AnswerCache.of(tmp_path / key, lambda _: None)
            found = judge_run(settings, split, tmp_path / key, cache, lambda *_: None)
        assert (found.n, found.n_same, found.n_checked) == (1, 0, 0)
        said.append({body["messages"][0]["content"] for _, _, body in asked})
    assert said[0] != said[1]
    texts = {(row["prompt"][-1]["content"], row["completion"][-1]["content"]) for row in held}
    for question in said[0]:
        assert any(f"\n{prompt}\n" in question and f"\n{right}\n" in question for prompt, right in texts)


def test_without_answers_of_both_models_there_is_nothing_to_judge(tmp_path, split_project):
    split = Snapshot.open(split_project.data / "split", newest(split_project.data, "split", "tiny").version)
    write_scores(tmp_path / SCORES, ["one"], base=None)
    settings = JudgeSettings(url="http://127.0.0.1:9", model="wise")
    assert judge_run(settings, split, tmp_path, AnswerCache.of(tmp_path, lambda _: None), lambda *_: None) is None


def write_scores(path, ids, base="bad"):
    lines = [
        dict.fromkeys(("group", "template", "source", "metric"), "x")
        | {"example": id_, "arm": arm, "split": side, "score": 0.0, "answer": answer, "nll": 1.0, "n_tokens": 2}
        for id_ in ids
        for arm, answer in (("tuned", "good"), ("base", base), ("nearest", "other"))
        for side in ("validation", "test")
    ]
    pq.write_table(pa.Table.from_pylist(lines, arrow_schema(Score)), path)
