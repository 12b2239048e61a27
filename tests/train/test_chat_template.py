"""Templates of every kind: what is a control token was written by the template, and what cannot work is refused."""

import pytest
from tokenizers import AddedToken

from schemas import ConfigError
from tests.train.chat_templates import CHATML, LLAMA3, MARKED, PLAIN, QWEN3, SPECIAL, chat_tokenizer, conversation
from train.chat_template import ChatTemplate
from train.encode import Encoder

ROW = conversation(("user", "2 + 2?"), ("assistant", "4"))
KINDS = [
    (CHATML, "<|im_end|>", "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n"),
    (
        LLAMA3,
        "<|eot_id|>",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n2 + 2?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    (QWEN3, "<|im_end|>", "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n"),
    (PLAIN, "<|endoftext|>", "### User:\n2 + 2?\n### Response:\n"),
    (MARKED, "<|im_end|>", "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n"),
]


def tokenizer_of(template, stop, **options):
    bos = "<|begin_of_text|>" if template == LLAMA3 else None
    return chat_tokenizer(template, eos=stop, bos=bos, **options)


@pytest.mark.parametrize(("template", "stop", "prompt"), KINDS)
def test_the_loss_is_on_the_answer_and_the_token_that_ends_it(template, stop, prompt):
    encoder = Encoder(tokenizer_of(template, stop), 1000, "base")
    found = encoder.encode([ROW])
    assert encoder.render_prompt(ROW) == prompt
    assert encoder.tokenizer.decode(found.prompt(0).tolist()) == prompt
    assert encoder.tokenizer.decode(found.target(0).tolist()) == f"4{stop}"
    assert found.weights.tolist() == [0.0] * int(found.n_prompt[0]) + [1.0, 1.0]
    # The tokenizer's pad token is its end token: the end is learnt all the same.
    assert encoder.tokenizer.pad_token_id == encoder.stop_id == found.ids[-1]


@pytest.mark.parametrize(("template", "stop", "_"), KINDS)
@pytest.mark.parametrize("token", SPECIAL)
def test_no_control_token_can_be_written_by_the_data_even_one_without_a_name(template, stop, _, token):
    encoder = Encoder(tokenizer_of(template, stop), 1000, "base")
    text = f"say {token} now"
    (spoiled, honest) = (
        encoder.encode([conversation(("system", one), ("user", one), ("assistant", one))])
        for one in (text, "say it now")
    )
    number = encoder.tokenizer.convert_tokens_to_ids(token)
    assert spoiled.ids.tolist().count(number) == honest.ids.tolist().count(number)
    assert encoder.read_back(spoiled.target(0).tolist()) == text
    assert encoder.render_prompt(conversation(("user", text), ("assistant", "x"))).count(text) == 1


def test_a_tokenizer_that_begins_texts_itself_begins_no_prompt_twice():
    tokenizer = chat_tokenizer(LLAMA3, eos="<|eot_id|>", bos="<|begin_of_text|>", adds_bos=True)
    begin = tokenizer.bos_token_id
    assert tokenizer("a")["input_ids"][0] == begin
    found = Encoder(tokenizer, 1000, "base").encode([ROW])
    assert found.ids.tolist().count(begin) == 1
    assert found.ids[0] == begin


def test_kwargs_reach_every_rendering():
    encoder = Encoder(chat_tokenizer(QWEN3), 1000, "base", {"enable_thinking": False})
    assert encoder.kwargs == {"enable_thinking": False}
    end = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert encoder.render_prompt(ROW).endswith(end)
    found = encoder.encode([ROW])
    assert encoder.tokenizer.decode(found.prompt(0).tolist()).endswith(end)
    assert encoder.tokenizer.decode(found.target(0).tolist()) == "4<|im_end|>"
    assert encoder.depends_on != Encoder(chat_tokenizer(QWEN3), 1000, "base").depends_on


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("enable_thinkng", "does not read 'enable_thinkng', so setting it changes nothing", "'enable_thinking'?"),
        ("add_generation_prompt", "add_generation_prompt is not the template's to read", "leave it out"),
    ],
)
def test_kwargs_that_would_change_nothing_or_too_much_are_refused(name, what, fix):
    with pytest.raises(ConfigError) as caught:
        ChatTemplate(chat_tokenizer(QWEN3), "base", {name: True})
    assert what in caught.value.what
    assert caught.value.where == "base, [encode] chat_template_kwargs"
    assert fix in caught.value.fix


def test_control_tokens_that_the_tokenizer_does_not_know_are_refused():
    with pytest.raises(ConfigError) as caught:
        ChatTemplate(chat_tokenizer(CHATML.replace("im_start", "turn").replace("im_end", "over")), "base")
    assert "<|turn|>, <|over|>, which the tokenizer does not know as tokens" in caught.value.what
    assert caught.value.where == "base"
    assert "ends answers with <|im_end|>: [encode] chat_template" in caught.value.fix
    # One that is known, and one that stands in no control token's place, are no reason.
    ChatTemplate(chat_tokenizer(CHATML.replace("assistant\n' }}", "assistant\n' + '<|not over>' }}")), "base")


def test_a_token_that_swallows_the_blanks_beside_it_does_so_in_every_row():
    def swallow(bpe):
        bpe.add_special_tokens([AddedToken("<|turn|>", special=True, normalized=False, rstrip=True)])

    template = CHATML.replace("<|im_start|>", "<|turn|>").replace("+ '\n' + m['content']", "+ '\n' + m['content']")
    tokenizer = chat_tokenizer(template.replace("'<|turn|>' +", "'<|turn|>  ' +"), change=swallow)
    encoder = Encoder(tokenizer, 1000, "base")
    plain, spoiled = (encoder.encode([conversation(("user", "a"), ("assistant", one))]) for one in ("b", "<|im_end|>"))
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "a"}], add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert plain.prompt(0).tolist() == spoiled.prompt(0).tolist() == asked


def test_what_a_template_makes_of_a_conversation_is_its_digest():
    digests = {ChatTemplate(chat_tokenizer(template), "base").digest for template in (CHATML, QWEN3, MARKED)}
    assert len(digests) == 3
    assert ChatTemplate(chat_tokenizer(CHATML), "base").digest in digests
    dated = CHATML.replace("{% for m", "{{ strftime_now('%f') }}{% for m", 1)
    assert ChatTemplate(chat_tokenizer(dated), "base").digest != ChatTemplate(chat_tokenizer(dated), "base").digest
