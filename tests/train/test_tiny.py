import pytest
from transformers import AutoTokenizer

from schemas import SnapshotError
from train.base_text import Tiny
from train.model import load_base
from train.tiny import build_tiny, encode_documents

SMALL = Tiny(
    hidden_size=32, intermediate_size=64, layers=2, heads=2, context=64, steps=3, batch_size=4, learning_rate=0.01
)


def built(settings, root, tiny=SMALL):
    """Return the folder, the sentences and the readings of building tiny."""
    said, readings = [], []
    return build_tiny(settings, tiny, root, said.append, readings.append), said, readings


def test_a_document_is_learnt_from_its_first_token_to_its_end(tokenizer):
    found = encode_documents(tokenizer, ["Two ships.", ""], 64, "base.txt")
    assert tokenizer.decode(found.example(0)) == "<|bos|>Two ships.<|eos|>"
    assert found.n_prompt.tolist() == [1, 1]
    assert found.example(1).tolist() == [tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert found.names == ["base.txt, document 1", "base.txt, document 2"]


def test_a_document_over_the_context_is_cut_to_it(tokenizer):
    found = encode_documents(tokenizer, ["é" * 100], 10, "base.txt")
    assert found.lengths.tolist() == [10]
    assert found.example(0)[-1] == tokenizer.eos_token_id


def test_without_a_first_token_the_last_one_stands_in_its_place(make_tokenizer):
    tokenizer = make_tokenizer()
    tokenizer.bos_token = None
    found = encode_documents(tokenizer, ["é"], 10, "base.txt")
    assert found.example(0)[0] == tokenizer.eos_token_id


def test_no_documents_are_no_examples(tokenizer):
    assert len(encode_documents(tokenizer, [], 10, "base.txt")) == 0


def test_tiny_is_loaded_as_any_other_base(train_settings, tmp_path):
    settings = train_settings(base="tiny")
    folder, said, readings = built(settings, tmp_path)
    assert said == [f"base      tiny is not made yet: 3 steps on {settings.base_text}, once"]
    assert readings[-1].step == 3
    base = load_base(settings, folder)
    assert base.context == 64
    assert base.model.config.vocab_size == len(base.tokenizer)
    assert base.model.config.num_hidden_layers == 2
    assert base.tokenizer.chat_template == AutoTokenizer.from_pretrained(settings.base_tokenizer).chat_template
    # Nothing of the making is left beside it.
    assert sorted(path.name for path in (tmp_path / "bases").iterdir() if path.name.startswith("t")) == [folder.name]
    assert not list((tmp_path / "bases").glob(".making-*"))


def test_the_second_time_it_is_there(train_settings, tmp_path):
    first, _, _ = built(train_settings(), tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")}
    again, said, readings = built(train_settings(method="full"), tmp_path)  # what tiny does not depend on
    assert again == first
    assert said == readings == []
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")} == before


def test_what_a_kill_left_is_made_anew(train_settings, tmp_path):
    folder, _, _ = built(train_settings(), tmp_path)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "config.json").unlink()
    (folder / "model.safetensors").write_bytes(b"half")
    assert built(train_settings(), tmp_path)[1] != []
    assert (folder / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_made_twice_it_is_the_same_to_the_bit(train_settings, tmp_path, name):
    one, other = (built(train_settings(), tmp_path / place)[0] / name for place in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_another_seed_makes_another_tiny_beside_the_first(train_settings, tmp_path):
    one, _, _ = built(train_settings(), tmp_path)
    other, said, _ = built(train_settings(), tmp_path, SMALL.model_copy(update={"seed": 2}))
    assert said
    assert one != other
    assert one.is_dir()
    assert (one / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_held_documents_are_not_learnt(train_settings, base_text, tmp_path):
    # Document 0 is held: another text there changes the key, and no weight.
    words = base_text.read_text("utf-8").split("\n\n")
    (tmp_path / "held.txt").write_text("\n\n".join(["Quite another text.", *words[1:]]), encoding="utf-8")
    (tmp_path / "learnt.txt").write_text("\n\n".join([words[0], "Another text.", *words[2:]]), encoding="utf-8")
    tiny = SMALL.model_copy(update={"steps": 15})  # 60 examples: every document is seen
    plain, held, learnt = (
        (built(train_settings(base_text=str(path)), tmp_path, tiny)[0] / "model.safetensors").read_bytes()
        for path in (base_text, tmp_path / "held.txt", tmp_path / "learnt.txt")
    )
    assert plain == held != learnt


def test_a_disk_that_is_full_while_tiny_is_made_leaves_nothing_and_says_so(train_settings, tmp_path, no_file_over):
    with no_file_over(80_000), pytest.raises(SnapshotError) as caught:
        built(train_settings(), tmp_path)
    assert caught.value.what.startswith("cannot be written: ")
    assert "make room" in caught.value.fix
    assert not [path for path in (tmp_path / "bases").iterdir() if "lock" not in path.name and path.name[:2] != ".t"]
