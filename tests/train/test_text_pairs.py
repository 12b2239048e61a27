import pytest
from transformers import AutoTokenizer

from schemas import ConfigError, SourceError
from tests.train.shapes import write_base
from train.text_pairs import TextPairs


@pytest.fixture(scope="module")
def make_pairs(tmp_path_factory, base_folder):
    """Return a function that makes an encoder with the tokenizer of a shape."""
    root = tmp_path_factory.mktemp("pairs")

    def make(shape="t5", max_length=100):
        return TextPairs(
            AutoTokenizer.from_pretrained(write_base(shape, root / shape, base_folder)), max_length, "base"
        )

    return make


def test_prompt_and_answer_have_the_tokenizers_own_special_tokens(make_pairs, row):
    pairs = make_pairs()
    encoded = pairs.encode([row("Who?", "Ann")])
    tokens = pairs.tokenizer.convert_ids_to_tokens
    assert tokens(encoded.prompt(0).tolist())[-1] == "<|eos|>"
    assert tokens(encoded.target(0).tolist())[-1] == "<|eos|>"
    assert "".join(tokens(encoded.target(0).tolist())[:-1]) == "Ann"
    assert encoded.n_supervised.tolist() == [len(encoded.target(0))]
    assert pairs.read_back(encoded.target(0).tolist()) == "Ann"
    bart = make_pairs("bart")
    assert tokens(bart.encode([row("Who?", "Ann")]).target(0).tolist())[0] == "<|bos|>"


def test_an_answer_without_a_stop_token_of_its_own_is_given_one(make_pairs, row, tokenizer):
    plain = TextPairs(tokenizer, 100, "base")  # puts nothing around a text
    assert plain.encode([row("Who?", "Ann")]).target(0)[-1] == tokenizer.eos_token_id


def test_several_messages_are_headed_by_their_roles_and_one_is_not(make_pairs, row):
    pairs = make_pairs()
    assert pairs.render_prompt(row("Who?", "Ann")) == "Who?"
    assert pairs.render_prompt(row("Who?", "Ann", system="Be short.")) == "system: Be short.\n\nuser: Who?"
    with_tools = row("Who?", "Ann") | {"tools": '[{"name": "ask"}]'}
    assert pairs.render_prompt(with_tools) == 'tools: [{"name": "ask"}]\n\nWho?'


def test_control_tokens_in_the_data_are_text(make_pairs, row):
    pairs = make_pairs()
    encoded = pairs.encode([row("<|eos|> who?", "a <|eos|> b")])
    assert encoded.prompt(0).tolist().count(pairs.stop_id) == 1
    assert encoded.target(0).tolist().count(pairs.stop_id) == 1
    assert pairs.tokenizer.decode(encoded.target(0)[:-1]) == "a <|eos|> b"


def test_bad_rows_are_named_all_at_once(make_pairs, row):
    pairs = make_pairs(max_length=8)
    rows = [row("a", " ", "f:1"), row("a" * 90, "b", "f:2"), row("a", "b" * 90, "f:3"), row("a", "b", "f:4")]
    with pytest.raises(SourceError) as caught:
        pairs.encode(rows)
    text = str(caught.value)
    assert "f:1" in text
    assert "no token to learn: the answer is empty" in text
    assert "tokens of the prompt are more than max_length = 8" in text
    assert "tokens of the answer are more than max_length = 8" in text
    assert "f:4" not in text


def test_a_tokenizer_that_ends_nothing_is_refused(make_tokenizer):
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ConfigError) as caught:
        TextPairs(tokenizer, 100, "base")
    assert "would never stop" in caught.value.what
    assert "eos_token" in caught.value.fix
