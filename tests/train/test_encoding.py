"""The encode snapshot: made once, made again when something changes, and safe where the store is looked after."""

import threading

import pytest

from pipeline import refs
from pipeline.fsck import fsck
from pipeline.gc import collect, find_garbage
from pipeline.lock import locked
from schemas import ConfigError, SourceError
from schemas.training import Encode
from tests.train.chat_templates import CHATML, QWEN3, chat_tokenizer, message
from tests.train.small_split import split_row, write_split
from train.encode import Encoder
from train.encode_parts import encode_parts
from train.encoding import encode_split
from train.exam import read_side

TALK = [message("user", "a"), message("assistant", "<think>t</think>b"), message("user", "c")]
ROWS = [
    *(split_row(f"q{n}", f"a{n}", id=str(n), status="accepted" if n % 2 else "unreviewed") for n in range(6)),
    split_row("", "d", id="talk", template="chat", prompt=TALK, completion=[message("assistant", "d")]),
    *(split_row(f"v{n}", f"b{n}", "validation", id=f"v{n}") for n in range(3)),
    split_row("t", "c", "test", id="t", status="unreviewed"),
    split_row("", "f", "test", id="u", template="chat", prompt=TALK, completion=[message("assistant", "f")]),
]


def encoder_of(template=CHATML, max_length=1000, **kwargs):
    return Encoder(chat_tokenizer(template), max_length, "base", kwargs)


def encode(split, root, encoder=None, **settings):
    """Encode and return the encoding with what was told."""
    told = []
    made = encode_split(split, encoder or encoder_of(), Encode(**settings), root, "tiny", told.append)
    return made, told


@pytest.fixture
def split(tmp_path):
    return write_split(tmp_path, ROWS, part_rows=4)


def texts(encoder, encoded):
    """Return each example's tokens with loss as text."""
    found = []
    for i in range(len(encoded)):
        ids, weights = encoded.example(i), encoded.weights_of(i)
        found.append(encoder.tokenizer.decode(ids[weights > 0].tolist()))
    return found


def test_every_side_has_its_rows_in_order_and_parts_like_the_split(split, tmp_path):
    encoder = encoder_of()
    made, told = encode(split, tmp_path, encoder)
    assert [file.name for file in made.snapshot.manifest.files] == [file.name for file in split.manifest.files]
    assert texts(encoder, made.lessons()) == [*(f"a{n}<|im_end|>" for n in range(6)), "d<|im_end|>"]
    assert made.lesson_templates() == ["instruct"] * 6 + ["chat"]
    assert texts(encoder, made.completions("validation")) == [f"b{n}<|im_end|>" for n in range(3)]
    assert texts(encoder, made.completions("test")) == ["c<|im_end|>", "f<|im_end|>"]
    assert told[0].startswith("encode    runs: never run for this recipe; tiktoken: ids are the same")
    assert told[1].startswith(f"encode    {made.version[:8]}: 7 train examples of 7 rows, ")
    rows = made.snapshot.table(["id", "split", "template", "completion_at", "n_prompt"]).to_pylist()
    assert [row["id"] for row in rows] == [row["id"] for row in ROWS]
    assert [row["split"] for row in rows] == [row["split"] for row in ROWS]
    assert all(row["completion_at"] == row["n_prompt"] for row in rows)


def test_the_same_key_is_not_encoded_again_and_any_part_of_it_is(split, tmp_path):
    first, _ = encode(split, tmp_path)
    again, told = encode(split, tmp_path)
    assert again.record == first.record
    assert not any("runs" in line for line in told)
    changes = [
        ({"encoder": encoder_of(QWEN3)}, "chat template changed"),
        ({"encoder": encoder_of(QWEN3, enable_thinking=False)}, "chat template changed"),
        ({"encoder": encoder_of(max_length=999)}, "max_length changed"),
        ({"encoder": Encoder(chat_tokenizer(CHATML, n=305), 1000, "base")}, "tokenizer changed"),
        ({"shots": 1}, "setting shots changed"),
        ({"learn": "all-turns"}, "setting learn changed"),
        ({"status_weights": {"unreviewed": 0.5}}, "setting status_weights changed"),
    ]
    for change, why in changes:
        encode(split, tmp_path)  # what changes is measured against the newest run
        _, told = encode(split, tmp_path, **change)
        assert why in told[0], change
    other = write_split(tmp_path, ROWS[:-1])
    encode(split, tmp_path)
    _, told = encode(other, tmp_path)
    assert "split has new rows" in told[0]


def test_train_examples_may_be_more_than_rows_and_evaluation_stays_one_a_row(split, tmp_path):
    encoder = encoder_of(QWEN3)
    made, told = encode(split, tmp_path, encoder, learn="all-turns")
    assert "8 train examples of 7 rows" in told[1]
    learnt = [*(f"a{n}<|im_end|>" for n in range(6)), "<think>t</think>b<|im_end|>", "d<|im_end|>"]
    assert texts(encoder, made.lessons()) == learnt
    assert made.lesson_templates() == ["instruct"] * 6 + ["chat"] * 2
    plain, _ = encode(split, tmp_path, encoder)
    for side in ("train", "validation", "test"):
        one, other = made.completions(side), plain.completions(side)
        for name in ("ids", "starts", "n_prompt", "weights", "names"):
            assert list(getattr(one, name)) == list(getattr(other, name)), (side, name)
    side = read_side(split, "train", encoder, made.completions("train"))
    assert side.references == [row["completion"][0]["content"] for row in ROWS[:7]]


def test_weights_are_of_the_train_side_alone_and_rows_of_weight_0_are_left_out_and_told(split, tmp_path):
    encoder = encoder_of()
    made, told = encode(split, tmp_path, encoder, status_weights={"unreviewed": 0, "accepted": 0.5})
    assert texts(encoder, made.lessons()) == [f"a{n}<|im_end|>" for n in (1, 3, 5)]
    assert set(made.lessons().weights.tolist()) == {0.0, 0.5}
    assert told[1].endswith("; 4 rows have weight 0 and are left out")
    assert set(made.completions("test").weights.tolist()) == {0.0, 1.0}
    assert len(made.completions("train")) == 7


def test_no_train_row_with_loss_is_an_error(split, tmp_path):
    made, _ = encode(split, tmp_path, status_weights={"unreviewed": 0, "accepted": 0})
    with pytest.raises(SourceError) as caught:
        made.lessons()
    assert caught.value.what == "no train row carries any loss: all have weight 0"
    assert "status_weights" in caught.value.fix


def test_worked_examples_stand_in_the_prompts_of_all_sides_and_carry_no_loss(split, tmp_path):
    encoder = encoder_of()
    made, _ = encode(split, tmp_path, encoder, shots=2, learn="all-turns")
    assert texts(encoder, made.lessons())[:6] == [f"a{n}<|im_end|>" for n in range(6)]
    prompt = encoder.tokenizer.decode(made.completions("validation").prompt(0).tolist())
    assert prompt.count("<|im_start|>assistant\na") == 2
    assert prompt.endswith("v0<|im_end|>\n<|im_start|>assistant\n")
    side = read_side(split, "validation", encoder, made.completions("validation"))
    assert side.prompts == ["v0", "v1", "v2"]  # what people and floors see is the question


def test_bad_rows_of_all_parts_and_sides_are_named_at_once_and_nothing_is_written(split, tmp_path):
    with pytest.raises(SourceError) as caught:
        encode(split, tmp_path, encoder_of(max_length=30), shots=2)
    found = [one.where for one in (caught.value, *caught.value.also)]
    assert found == [row["origin"] for row in ROWS]
    assert "fewer [encode] shots" in encode_error(split, tmp_path, Encoder(chat_tokenizer(CHATML), 30, "base", shots=2))
    assert not list((tmp_path / "encode" / "tmp").iterdir())
    assert refs.newest(tmp_path, "encode", "tiny") is None


def encode_error(split, root, encoder):
    with pytest.raises(SourceError) as caught:
        encode(split, root, encoder, shots=2)
    return caught.value.fix


def test_all_turns_are_refused_for_an_encoder_that_answers_once(split, tmp_path):
    class Once:
        """An encoder of another family."""

        encode = None

    with pytest.raises(ConfigError) as caught:
        encode_split(split, Once(), Encode(learn="all-turns"), tmp_path, "tiny", print)
    assert caught.value.where == "[encode] learn"
    assert caught.value.fix == "learn = 'completion'"


@pytest.mark.slow
def test_several_processes_make_the_same_rows(split, tmp_path):
    alone, _ = encode(split, tmp_path)
    files, counts = encode_parts(split, encoder_of(), Encode(), tmp_path, workers=2)
    assert [file.digest for file in files] == [file.digest for file in alone.snapshot.manifest.files]
    assert counts == alone.record.counts


def test_the_store_is_whole_and_garbage_goes_but_not_what_is_needed(split, tmp_path):
    kept, _ = encode(split, tmp_path)
    old, _ = encode(split, tmp_path, shots=1)
    encode(split, tmp_path, shots=2)
    encode(split, tmp_path)  # wanted again: now the newest
    run = tmp_path / "runs" / "abc"
    run.mkdir(parents=True)
    assert fsck(tmp_path)[1] == []
    assert old.snapshot.folder in find_garbage(tmp_path, 1).paths
    (run / "manifest.json").write_text(f'{{"parents": {{"encode": "{old.version}"}}}}', encoding="utf-8")
    gone = collect(tmp_path, 1).paths
    assert len([path for path in gone if path.parent.name == "encode"]) == 1
    assert kept.snapshot.folder.is_dir()
    assert old.snapshot.folder.is_dir()
    # The arrays go and come with their version.
    assert texts(encoder_of(), kept.lessons())[0] == "a0<|im_end|>"


def test_who_finds_another_at_work_waits_for_it(split, tmp_path):
    made = []
    with locked(refs.refs_folder(tmp_path, "encode", "tiny"), "a test"):
        other = threading.Thread(target=lambda: made.append(encode(split, tmp_path)))
        other.start()
        other.join(1)
        assert other.is_alive()
        assert refs.newest(tmp_path, "encode", "tiny") is None
    other.join(60)
    assert made[0][0].record == refs.newest(tmp_path, "encode", "tiny")
