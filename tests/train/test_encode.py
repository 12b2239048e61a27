import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from schemas import ConfigError, SourceError
from train.encode import Encoder
from train.encoded import Encoded

# Every character a file in UTF-8 can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
CONTROL = ["<|bos|>", "<|eos|>", "<|pad|>", "<|user|>", "<|assistant|>"]
SPOILED = st.lists(st.sampled_from([*CONTROL, "a", " ", "<|", "\n", "\ue0a1", "4"]), min_size=1).map("".join)


def decoded(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def plain(tokenizer, text):
    """Return ids of a text in which nothing is a control token."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def refused(tokenizer, kind, template=None, rows=(), max_length=1000):
    """Return the error that a template or some rows end in."""
    if template is not None:
        tokenizer.chat_template = template
    with pytest.raises(kind) as caught:
        Encoder(tokenizer, max_length, "[train] base = 'x'").encode(rows)
    return caught.value


@given(TEXT | SPOILED)
@example("🙂👩‍👩‍👧 漢字\n\n  end ")
@example("  two spaces before, two after  ")
@example("\ue0a1")  # the encoder's own mark
@example("<\ue0a1|eos|>")
def test_the_target_reads_back_as_the_answer_and_ends_with_the_one_stop_token(encoder, row, answer):
    found = encoder.encode([row("2 + 2?", answer)])
    target = found.target(0).tolist()
    assert decoded(encoder.tokenizer, target[:-1]) == answer
    assert [place for place, token in enumerate(target) if token == encoder.stop_id] == [len(target) - 1]


@given(TEXT | SPOILED, TEXT | SPOILED)
def test_the_prompt_reads_back_as_the_template_wrote_it_and_begins_once(encoder, row, system, question):
    found = encoder.encode([row(question, "4", system=system)])
    prompt = found.prompt(0).tolist()
    assert decoded(encoder.tokenizer, prompt) == f"<|bos|><|system|>{system}<|user|>{question}<|assistant|>"
    controls = [token for token in prompt if token in encoder.tokenizer.all_special_ids]
    assert encoder.tokenizer.convert_ids_to_tokens(controls) == ["<|bos|>", "<|system|>", "<|user|>", "<|assistant|>"]


def test_an_example_is_the_prompt_for_generation_then_the_answer_then_the_stop_token(tokenizer, encoder, row):
    found = encoder.encode([row("2 + 2?", "It is 4.")])
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "2 + 2?"}], add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert found.example(0).tolist() == [*asked, *plain(tokenizer, "It is 4."), tokenizer.eos_token_id]
    assert found.n_prompt.tolist() == [len(asked)]
    assert found.n_supervised.tolist() == [len(plain(tokenizer, "It is 4.")) + 1]


@pytest.mark.parametrize("token", CONTROL)
def test_a_control_token_in_the_data_is_text(tokenizer, encoder, row, token):
    (found, honest) = (encoder.encode([row(text, text)]) for text in (f"say {token} now", "say it now"))
    assert plain(tokenizer, f"say {token} now") == found.target(0)[:-1].tolist()
    number = tokenizer.convert_tokens_to_ids(token)
    assert found.example(0).tolist().count(number) == honest.example(0).tolist().count(number)


@given(TEXT)
def test_a_mark_in_one_message_changes_no_id_of_the_others(encoder, row, question):
    # A row with a control token in it is tokenised piece by piece; what is before the mark must not notice.
    whole = encoder.encode([row("tail", "4", system=question)]).prompt(0).tolist()
    pieces = encoder.encode([row("tail<|eos|>", "4", system=question)]).prompt(0).tolist()
    user = encoder.tokenizer.convert_tokens_to_ids("<|user|>")
    assert whole[: whole.index(user)] == pieces[: pieces.index(user)]


def test_rows_keep_their_order_and_names_over_blocks(encoder, row, monkeypatch):
    rows = [row(f"q{n}", f"answer {n}", origin=f"file:{n}") for n in range(7)]
    whole = encoder.encode(rows)
    monkeypatch.setattr("train.encode.BLOCK_ROWS", 3)
    blocks = encoder.encode(rows)
    assert blocks.ids.tolist() == whole.ids.tolist()
    assert blocks.names == [f"file:{n}" for n in range(7)]
    assert [decoded(encoder.tokenizer, blocks.target(n)) for n in range(7)] == [f"answer {n}<|eos|>" for n in range(7)]


def test_joined_parts_are_the_same_as_the_whole(encoder, row):
    rows = [row(f"q{n}", "a" * (n + 1), origin=str(n)) for n in range(5)]
    whole, joined = encoder.encode(rows), Encoded.joined([encoder.encode(rows[:2]), encoder.encode(rows[2:])])
    for name in ("ids", "starts", "n_prompt"):
        assert getattr(whole, name).tolist() == getattr(joined, name).tolist()
    assert whole.names == joined.names


def test_no_rows_are_no_examples(encoder):
    assert len(encoder.encode([])) == len(Encoded.joined([])) == 0


CALL = [{"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": "<|eos|>"}}}]


def test_a_tool_call_is_written_by_the_template_and_a_control_token_in_it_is_text(encoder, row):
    found = encoder.encode([row("2 + 2?", "Let me see. ", calls=CALL)])
    text = decoded(encoder.tokenizer, found.target(0)[:-1].tolist())
    said, _, arguments = text.partition("CALL add ")
    assert (said, json.loads(arguments)) == ("Let me see. ", CALL[0]["function"]["arguments"])
    assert found.target(0).tolist().count(encoder.stop_id) == 1


def test_a_tool_call_behind_a_control_token_of_the_template_is_learnt_whole(make_tokenizer, template, row):
    tokenizer = make_tokenizer(template.replace("'CALL '", "'<|tool|>'"))
    found = Encoder(tokenizer, 1000, "base").encode([row("2 + 2?", "Look: ", calls=CALL)])
    assert tokenizer.convert_tokens_to_ids("<|tool|>") in found.target(0)
    assert decoded(tokenizer, found.target(0)).startswith('Look: <|tool|>add {"a": 2')
    assert decoded(tokenizer, found.target(0)).endswith("}<|eos|>")


def test_a_tool_call_that_the_template_never_ends_is_refused(make_tokenizer, template, row):
    unended = template.replace("== 'assistant'", "== 'assistant' and not message['tool_calls']")
    error = refused(make_tokenizer(), ConfigError, unended, [row("q", "a", origin="file:9", calls=CALL)])
    assert "<|eos|>" in error.what
    assert "row file:9" in error.where
    assert "[encode] chat_template" in error.fix


def test_a_template_that_rewrites_the_question_once_it_is_answered_is_refused_for_tool_calls(
    make_tokenizer, template, row
):
    forgetful = template.replace("{{ bos_token }}", "{{ bos_token }}{{ messages | length }}")
    error = refused(make_tokenizer(), ConfigError, forgetful, [row("q", "a", origin="file:9", calls=CALL)])
    assert "differently once it is answered" in error.what
    assert "row file:9" in error.where


def test_a_template_that_trims_does_not_trim_the_target(make_tokenizer, template, row):
    tokenizer = make_tokenizer(template.replace("message['content']", "message['content'] | trim"))
    found = Encoder(tokenizer, 1000, "base").encode([row(" q ", " 4\n")])
    assert decoded(tokenizer, found.target(0)) == " 4\n<|eos|>"
    assert decoded(tokenizer, found.prompt(0)) == "<|bos|><|user|>q<|assistant|>"


def test_a_template_that_ends_an_answer_with_a_line_and_a_token_stops_with_the_token(make_tokenizer, template, row):
    tokenizer = make_tokenizer(template.replace("{{ eos_token }}", "{{ '\\n<|pad|>\\n' }}"))
    encoder = Encoder(tokenizer, 1000, "base")
    assert encoder.stop_id == tokenizer.pad_token_id
    assert decoded(tokenizer, encoder.encode([row("q", "4")]).target(0)) == "4<|pad|>"


def test_a_base_without_chat_template_is_refused(make_tokenizer):
    error = refused(make_tokenizer(None), ConfigError)
    assert "no chat template" in error.what
    assert error.where == "[train] base = 'x'"
    assert '[encode] chat_template = "file.jinja"' in error.fix


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}", "'\\n'"),
        ("{% for m in messages %}{{ '<|user|>' + m['content'] + ' [END] ' + eos_token }}{% endfor %}", "[END]"),
    ],
)
def test_a_template_that_does_not_close_an_answer_with_a_control_token_is_refused(make_tokenizer, template, shown):
    error = refused(make_tokenizer(), ConfigError, template)
    assert shown in error.what
    assert "would never stop" in error.what
    assert error.where == "[train] base = 'x'"
    assert "end token after the assistant's turn" in error.fix


def test_a_template_that_leaves_the_answer_out_is_refused(make_tokenizer):
    silent = "{% for m in messages if m['role'] == 'user' %}{{ bos_token + m['content'] + eos_token }}{% endfor %}"
    error = refused(make_tokenizer(), ConfigError, silent)
    assert "leaves the answer out" in error.what
    assert "[encode] chat_template" in error.fix


def test_a_template_that_is_no_jinja_is_refused(make_tokenizer):
    error = refused(make_tokenizer(), ConfigError, "{% for m in messages %}{{ m['content'] }}")
    assert "chat template cannot be used: Unexpected end" in error.what
    assert error.where == "[train] base = 'x'"
    assert "chat_template" in error.fix


def test_a_row_that_the_template_refuses_is_named(make_tokenizer, template, row):
    picky = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    rows = [row("q", "4"), row("q", "4", origin="file:7", system="Be short.")]
    error = refused(make_tokenizer(), ConfigError, picky + template, rows)
    assert "System role not supported" in error.what
    assert "row file:7" in error.where
    assert "[encode] chat_template" in error.fix


def test_a_template_that_begins_twice_is_refused(make_tokenizer, template, row):
    error = refused(make_tokenizer(), SourceError, "{{ bos_token }}" + template, [row("q", "4", origin="file:3")])
    assert error.what == "the prompt begins 2 times (<|bos|>)"
    assert error.where == "file:3"
    assert "[encode] chat_template" in error.fix


def test_a_tokenizer_without_control_tokens_is_refused(make_tokenizer):
    tokenizer = make_tokenizer("{% for m in messages %}{{ m['content'] + '</s>' }}{% endfor %}")
    tokenizer._special_tokens_map = dict.fromkeys(tokenizer._special_tokens_map)
    tokenizer._extra_special_tokens = []
    assert tokenizer.all_special_tokens == []
    error = refused(tokenizer, ConfigError)
    assert "would never stop" in error.what


def test_every_bad_row_is_named_at_once(make_tokenizer, row):
    rows = [
        row("q", "", origin="file:1"),  # nothing to learn
        row("q", "fine", origin="file:2"),
        row("q", "é" * 40, origin="file:3"),  # two tokens each
    ]
    error = refused(make_tokenizer(), SourceError, rows=rows, max_length=50)
    assert [one.where for one in (error, *error.also)] == ["file:1", "file:3"]
    assert "no token to learn" in error.what
    assert "mend or drop the row" in error.fix
    # bos, user, q, assistant; 80 of the answer; stop
    assert error.also[0].what == "85 tokens (80 of them the answer) are more than max_length = 50"
    assert "max_length = 85" in error.also[0].fix
    assert "[format] max_tokens" in error.also[0].fix


def test_an_answer_as_long_as_it_may_be_is_taken(make_tokenizer, row):
    encoder = Encoder(make_tokenizer(), 85, "base")
    assert encoder.encode([row("q", "é" * 40)]).lengths.tolist() == [85]


def test_an_answer_that_the_tokenizer_cannot_write_is_refused(tmp_path, row):
    words = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "four": 2, "q": 3}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="</s>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}"
    error = refused(tokenizer, SourceError, rows=[row("q", "four"), row("q", "five", origin="file:2")])
    assert error.where == "file:2"
    assert error.what == "the answer reads back differently: '<unk>' instead of 'five'"
    assert "use another base" in error.fix
    assert not error.also


def test_a_control_token_in_a_tool_is_text(encoder, row):
    tools = json.dumps([{"type": "function", "function": {"name": "<|eos|>"}}])
    found = encoder.encode([row("q", "4") | {"tools": tools}])
    assert decoded(encoder.tokenizer, found.prompt(0)) == "<|bos|>[<|eos|>]<|user|>q<|assistant|>"
    assert encoder.stop_id not in found.prompt(0)
