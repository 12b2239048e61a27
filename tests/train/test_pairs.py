import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.snapshot import Snapshot
from schemas import ConfigError, Example, PartFile, SourceError, arrow_schema
from train.pairs import Pair, pairs_in, part_pairs, read_pairs


def user(text):
    return [{"role": "user", "content": text}]


def says(text):
    return [{"role": "assistant", "content": text}]


def record(n, chosen="yes", rejected="no"):
    return {"prompt": user(f"question {n}"), "chosen": says(chosen), "rejected": says(rejected)}


def write(tmp_path, records):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return str(path)


def test_a_pair_becomes_two_rows_that_differ_in_the_answer(tmp_path):
    path = write(tmp_path, [record(1, "4", "5")])
    (pair,) = read_pairs(path)
    chosen, rejected = pair.rows()
    assert chosen["prompt"] == rejected["prompt"]
    assert (chosen["completion"][0]["content"], rejected["completion"][0]["content"]) == ("4", "5")
    assert chosen["origin"] == f"{path}:1, chosen"


def test_parquet_reads_the_same_as_json_lines(tmp_path):
    records = [record(n) for n in range(3)]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "pairs.parquet")
    as_parquet = read_pairs(str(tmp_path / "pairs.parquet"))
    as_lines = read_pairs(write(tmp_path, records))
    assert [(pair.prompt, pair.chosen) for pair in as_parquet] == [(pair.prompt, pair.chosen) for pair in as_lines]


def test_all_records_that_are_no_pair_are_named_at_once(tmp_path):
    bad = [
        record(1),
        {"prompt": user("x"), "chosen": says("a")},
        record(3, "same", "same"),
        record(4) | {"chosen": user("a")},
        record(5) | {"prompt": [{"role": "nobody", "content": "x"}]},
    ]
    path = write(tmp_path, bad)
    with pytest.raises(SourceError) as caught:
        read_pairs(path)
    errors = [caught.value, *caught.value.also]
    assert [error.where for error in errors] == [f"{path}:{n}" for n in (2, 3, 4, 5)]
    assert [error.what for error in errors[:3]] == [
        "this is no pair: rejected missing",
        "this is no pair: chosen and rejected say the same",
        "this is no pair: chosen must be one message of the assistant",
    ]


@pytest.mark.parametrize(
    ("path", "what"),
    [("none.jsonl", "No such file"), ("broken.jsonl", "cannot be read")],
)
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path, monkeypatch, path, what):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_pairs(path)
    assert what in caught.value.what
    assert "pairs" in caught.value.fix or "parquet" in caught.value.fix


def pair(n):
    return Pair(f"pairs:{n}", user(f"question {n}"), says("yes"), says("no"))


def test_test_prompts_are_left_out_and_validation_prompts_judge():
    sides = {"validation": [user("question 2")], "test": [user("question 5"), user("question 6"), user("other")]}
    parted = part_pairs([pair(n) for n in range(8)], sides)
    assert [one.origin for one in parted.learn] == [f"pairs:{n}" for n in (0, 1, 3, 4, 7)]
    assert [one.origin for one in parted.judge] == ["pairs:2"]
    assert parted.n_test == 2


def test_without_validation_prompts_a_tenth_is_set_apart_and_stays_so():
    nothing = {"validation": [], "test": []}
    parted = part_pairs([pair(n) for n in range(400)], nothing)
    assert 20 <= len(parted.judge) <= 60
    assert len(parted.judge) + len(parted.learn) == 400
    fewer = part_pairs([pair(n) for n in range(200)], nothing)
    assert {one.origin for one in fewer.judge} == {one.origin for one in parted.judge if int(one.origin[6:]) < 200}


def test_nothing_left_to_learn_from_is_an_error_that_counts():
    with pytest.raises(SourceError) as caught:
        part_pairs([pair(1), pair(2)], {"validation": [user("question 1")], "test": [user("question 2")]})
    assert caught.value.what == ("no preference pair is left to learn from: of 2, 1 have a test prompt and 1 judge")


def split_of(folder, **sides):
    """Write a split by hand: side to pairs of prompt and worse answer, None for a row that is no pair."""
    files = []
    for side, rows in sides.items():
        made = [
            {
                "id": prompt,
                "origin": f"{side}:{n}",
                "prompt": user(prompt),
                "completion": says("yes"),
                "fields": [{"name": "rejected", "value": worse}] if worse else [{"name": "other", "value": "x"}],
            }
            for n, (prompt, worse) in enumerate(rows)
        ]
        schema = pa.schema([arrow_schema(Example).field(name) for name in made[0]])
        path = folder / f"{side}-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist(made, schema), path, write_page_checksum=True)
        files.append(PartFile(name=path.name, rows=len(rows), bytes=1, digest="0"))
    return Snapshot(folder, Snapshot.draft("split", "v", schema, files))


def texts(pair):
    return pair.chosen[0]["content"], pair.rejected[0]["content"]


def test_pairs_in_the_split_are_parted_by_its_sides(tmp_path):
    split = split_of(tmp_path, train=[("a", "no"), ("b", None)], validation=[("c", "never")], test=[("d", "no")])
    found = pairs_in(split)
    (learnt,), (judging,) = found.learn, found.judge
    assert (learnt.origin, learnt.prompt[0]["content"], texts(learnt)) == ("train:0", "a", ("yes", "no"))
    assert (judging.origin, texts(judging), found.n_test) == ("validation:0", ("yes", "never"), 1)


def test_a_split_without_pairs_says_where_pairs_come_from(tmp_path):
    with pytest.raises(ConfigError) as caught:
        pairs_in(split_of(tmp_path, train=[("b", None)]))
    assert "the split holds none" in caught.value.what
    assert 'template "preference"' in caught.value.fix
    assert "tuneloop annotate preferences" in caught.value.fix
