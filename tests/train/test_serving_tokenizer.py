import json

import pytest
from transformers import AutoTokenizer

from schemas import ConfigError
from train.serving_tokenizer import adds_bos, leave_bos_to_template, settle

ASKED = [{"role": "user", "content": "hi"}]
THINKS = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is defined and not enable_thinking %}"
    "<think></think>{% endif %}{% endif %}"
)


def ask(tokenizer, **more):
    return tokenizer.apply_chat_template(ASKED, tokenize=False, add_generation_prompt=True, **more)


def test_what_the_template_was_told_in_training_it_then_does_untold(make_tokenizer, tmp_path):
    tokenizer = make_tokenizer(THINKS)
    assert ask(tokenizer) == "<|user|>hi<|assistant|>"
    assert settle(tokenizer, {"enable_thinking": False, "note": None}, tokenizer.convert_tokens_to_ids("<|eos|>")) == []
    tokenizer.save_pretrained(tmp_path)
    assert ask(AutoTokenizer.from_pretrained(tmp_path)) == "<|user|>hi<|assistant|><think></think>"


def test_the_stop_token_becomes_eos_unless_the_template_writes_eos_elsewhere(make_tokenizer):
    tokenizer = make_tokenizer("{{ messages[0].content }}<|tool|>")
    stop = tokenizer.convert_tokens_to_ids("<|tool|>")
    assert settle(tokenizer, {}, stop) == []
    assert tokenizer.eos_token == "<|tool|>"
    tokenizer = make_tokenizer("{{ eos_token }}{{ messages[0].content }}<|tool|>")
    (said,) = settle(tokenizer, {}, stop)
    assert "keeps eos <|eos|>" in said
    assert tokenizer.eos_token == "<|eos|>"
    assert ask(tokenizer) == "<|eos|>hi<|tool|>"


def test_settings_that_cannot_be_written_into_a_template_are_refused(make_tokenizer):
    tokenizer = make_tokenizer()
    with pytest.raises(ConfigError, match="cannot be written into it"):
        settle(tokenizer, {"no-name": 1}, 1)


def test_space_before_a_template_stays(make_tokenizer):
    tokenizer = make_tokenizer(" \n{{ messages[0].content }}{{ note or '' }}")
    settle(tokenizer, {"note": "!"}, tokenizer.eos_token_id)
    assert ask(tokenizer) == " \nhi!"


def test_a_tokenizer_that_adds_no_first_token_says_so(make_tokenizer, tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    assert not adds_bos(tokenizer)
    leave_bos_to_template(tokenizer, tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["add_bos_token"] is False
    assert AutoTokenizer.from_pretrained(tmp_path)("a b").input_ids == tokenizer("a b").input_ids
