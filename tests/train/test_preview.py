"""One row as the model sees it, on the command line and in pieces."""

import contextlib
import io

import pytest

from pipeline import cli
from pipeline.recipe import load_recipe
from pipeline.refs import add
from schemas import ConfigError, RunRecord, SourceError
from tests.train.chat_templates import message
from tests.train.small_split import split_row, write_split
from train.preview import Piece, _find, preview
from train.preview_cli import lines

TALK = [message("user", "a"), message("assistant", "bé"), message("user", "c")]
ROWS = [
    split_row("q0", "a0", id="one", status="accepted"),
    split_row("", "d", id="talk", prompt=TALK, completion=[message("assistant", "d")]),
    split_row("q2", "<|eos|>[bold]\x1b[31m", id="odd"),
    split_row("t", "c", "test", id="t"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, base_folder):
    """Return a folder with a store and recipes."""
    root = tmp_path_factory.mktemp("preview")
    (root / "s.jsonl").write_text('{"instruction": "a", "output": "b"}\n', encoding="utf-8")
    record(root)
    for name, settings in (
        ("plain", ""),
        ("turns", 'learn = "all-turns"'),
        ("weights", "status_weights = { accepted = 0.5, unreviewed = 0 }"),
        ("shots", "shots = 1"),
        ("short", "max_length = 8"),
    ):
        text = f"""
            name = "tiny"
            [[ingest.sources]]
            name = "s"
            path = "s.jsonl"
            template = "instruct"
            [encode]
            {settings}
            [train]
            base = "{base_folder}"
        """
        (root / f"{name}.toml").write_text(text, encoding="utf-8")
    return root


def record(root):
    """Commit the split with a record, as a run of `data` leaves it."""
    split = write_split(root / "data", ROWS)
    add(root / "data", RunRecord(
        number=1, recipe="tiny", stage="split", key="k", key_parts={}, version=split.manifest.version, parents={},
        settings={}, inputs=[], code="", distributions={}, git_commit=None, started_at="", seconds=0,
        peak_memory_bytes=0, rows_in=4, rows_kept=4, rows_dropped=0, dropped_by_reason={}, counts={}, facts={}, parts=[],
    ))  # fmt: skip


def shown(place, name, wanted=None, **options):
    found = preview(load_recipe(place / f"{name}.toml"), place / "data", wanted)
    return [str(line) for line in lines(found, ids=False, coloured=False, **options)]


def test_a_row_is_shown_with_its_prompt_and_a_mark_around_each_token_with_loss(place):
    told = shown(place, "plain")
    assert told[0] == "s.jsonl:one  one  train, template instruct, accepted"
    assert told[1].startswith("ids by tiktoken: ids are the same")
    assert told[3] == "<|bos|><|user|>q0<|assistant|>"
    assert told[4] == "\n3 of 8 tokens carry loss"
    assert told[5] == "<|bos|><|user|>q0<|assistant|>⟦a⟧⟦0⟧⟦<|eos|>⟧"


@pytest.mark.parametrize("wanted", ["talk", "s.jsonl:talk"])
def test_every_turn_that_is_learnt_is_marked(place, wanted):
    told = shown(place, "turns", wanted)
    assert told[-1] == ("<|bos|><|user|>a<|assistant|>⟦b⟧⟦é⟧⟦<|eos|>⟧<|user|>c<|assistant|>⟦d⟧⟦<|eos|>⟧")
    assert shown(place, "plain", wanted)[-1].endswith("<|assistant|>bé<|eos|><|user|>c<|assistant|>⟦d⟧⟦<|eos|>⟧")


def test_weights_are_told_and_a_row_that_is_left_out_says_so(place):
    assert shown(place, "weights", "one")[4] == "\n3 of 8 tokens carry loss, each times 0.5"
    told = shown(place, "weights", "talk")
    assert told[4].startswith("\n0 of ")
    assert told[5] == "its weight is 0: it is left out of training"
    assert shown(place, "weights", "t")[4] == "\n2 of 6 tokens carry loss"  # a test row counts in full


def test_worked_examples_are_part_of_the_prompt(place):
    assert shown(place, "shots", "t")[3] in {
        "<|bos|><|user|>q0<|assistant|>a0<|eos|><|user|>t<|assistant|>",
        "<|bos|><|user|>q2<|assistant|><|eos|>[bold]␛[31m<|eos|><|user|>t<|assistant|>",
    }


def test_what_stands_in_the_data_is_shown_as_it_is_and_cannot_speak_to_the_terminal(place):
    assert shown(place, "plain", "odd")[-1].replace("⟧⟦", "").endswith("⟦<|eos|>[bold]␛[31m<|eos|>⟧")


def test_ids_are_listed_piece_by_piece_with_characters_kept_whole(place, tokenizer):
    found = preview(load_recipe(place / "turns.toml"), place / "data", "talk")
    [pieces] = found.examples
    assert Piece(tuple(tokenizer("é", add_special_tokens=False)["input_ids"]), "é", 1.0) in pieces
    listed = [str(line) for line in lines(found, ids=True, coloured=False)][-len(pieces) :]
    assert listed[0] == "    0  300              0  '<|bos|>'"
    assert listed[-1].endswith("1  '<|eos|>'")


def test_colours_say_what_marks_say(place):
    found = preview(load_recipe(place / "weights.toml"), place / "data", "one")
    line = lines(found, ids=False, coloured=True)[-1]
    assert str(line) == "<|bos|><|user|>q0<|assistant|>a0<|eos|>"
    assert {span.style for span in line.spans} == {"dim", "black on yellow"}


def test_the_command_prints_to_stdout_and_refuses_what_is_not_there(place):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert cli.run(["preview", "t", "--recipe", "plain.toml"]) == 0
        assert cli.run(["preview", "nope", "--recipe", "plain.toml"]) == 2
    assert out.getvalue().endswith("<|bos|><|user|>t<|assistant|>⟦c⟧⟦<|eos|>⟧\n")
    assert "no row has the id or origin 'nope'" in err.getvalue()
    assert "`tuneloop show split` lists some" in err.getvalue()


def test_without_a_split_the_error_says_what_to_run(place, tmp_path):
    with pytest.raises(ConfigError, match="recipe 'tiny' has no split yet") as caught:
        preview(load_recipe(place / "plain.toml"), tmp_path, None)
    assert "run `make data`" in caught.value.fix


def test_a_row_that_cannot_be_learnt_is_refused_as_in_training(place):
    with pytest.raises(SourceError, match="more than max_length = 8") as caught:
        preview(load_recipe(place / "short.toml"), place / "data", "talk")
    assert caught.value.where == "s.jsonl:talk"


def test_a_row_is_found_by_the_name_of_its_file_alone(tmp_path, place):
    split = write_split(tmp_path / "data", [split_row("q", "a", id="one", origin="data/raw/my.jsonl:7")])
    recipe = load_recipe(place / "plain.toml")
    for wanted in ("my.jsonl:7", "data/raw/my.jsonl:7", "one"):
        assert _find(split, wanted, recipe)[1]["id"] == "one"
    for wanted in ("y.jsonl:7", "7"):
        with pytest.raises(ConfigError, match="no row has"):
            _find(split, wanted, recipe)
