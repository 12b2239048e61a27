import re

import pytest

from schemas import ConfigError
from train.modelfile import ChatShape, chat_shape, modelfile

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DEFAULT = "{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}" + CHATML
THINKS = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n\n</think>\n\n{% endif")
LLAMA = (
    "{{ bos_token }}{% for m in messages %}{{ '<h>' + m.role + '</h>\n\n' + m.content | trim + '<|eot|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<h>assistant</h>\n\n{% endif %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('none') }}{% endif %}"
    "{% for m in messages %}<turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
IN_USER = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] "
    "{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content }}\n\n{% endif %}{{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
CHATS = [
    [("user", "Hi")],
    [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "And you?")],
    [("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4"), ("user", "5")],
]


def go(text, chat):
    """Render a Modelfile's TEMPLATE: as much of Go's language as we write, read anew from its rules."""
    body = re.search(r'TEMPLATE """(.*?)"""\n', text, re.DOTALL)[1]
    system = re.search(r'^SYSTEM """(.*?)"""$', text, re.DOTALL | re.MULTILINE)
    if system and chat[0][0] != "system":
        chat = [("system", system[1]), *chat]
    before, _, rest = body.partition("{{ range .Messages }}")
    inside, _, after = rest.rpartition("{{ end }}{{ end }}")
    if found := re.fullmatch(
        r'(.*)\{\{ if ne \(index \.Messages 0\)\.Role "system" \}\}(.*)\{\{ end \}\}', before, re.DOTALL
    ):
        before = found[1] + ("" if chat[0][0] == "system" else found[2])
    branches = dict(re.findall(r'\{\{ (?:else )?if eq \.Role "(\w+)" \}\}(.*?)(?=\{\{ else if|\Z)', inside, re.DOTALL))
    return before + "".join(branches.get(role, "").replace("{{ .Content }}", said) for role, said in chat) + after


def jinja(tokenizer, chat):
    messages = [{"role": role, "content": said} for role, said in chat]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


@pytest.mark.parametrize(
    ("template", "stop"), [(CHATML, "<|im_end|>"), (DEFAULT, "<|im_end|>"), (THINKS, "<|im_end|>"), (LLAMA, "<|eot|>")]
)
def test_ollama_is_told_to_write_what_the_chat_template_writes(make_tokenizer, template, stop):
    tokenizer = make_tokenizer(template)
    text = modelfile(chat_shape(tokenizer, stop, "base"), stop, "merged", adds_bos=None)
    assert text.startswith("FROM ./merged\n")
    assert text.endswith(f'PARAMETER stop "{stop}"\nPARAMETER temperature 0\n')
    for chat in CHATS:
        assert go(text, chat) == jinja(tokenizer, chat)


def test_turns_are_cut_where_people_would_cut_them(make_tokenizer):
    shape = chat_shape(make_tokenizer(DEFAULT), "<|im_end|>", "base")
    assert shape == ChatShape(
        start="",
        around={
            "user": ("<|im_start|>user\n", "<|im_end|>\n"),
            "assistant": ("<|im_start|>assistant\n", "<|im_end|>\n"),
            "system": ("<|im_start|>system\n", "<|im_end|>\n"),
        },
        default="<|im_start|>system\nBe kind.<|im_end|>\n",
        ask="<|im_start|>assistant\n",
    )
    assert 'SYSTEM """Be kind."""' in modelfile(shape, "<|im_end|>", "merged", adds_bos=None)


def test_a_first_token_that_the_tokenizer_adds_is_not_written_twice(make_tokenizer):
    shape = chat_shape(make_tokenizer(LLAMA), "<|eot|>", "base")
    assert shape.start == "<|bos|>"
    assert "<|bos|>" in modelfile(shape, "<|eot|>", "merged", adds_bos=None)
    assert "<|bos|>" not in modelfile(shape, "<|eot|>", "merged", adds_bos="<|bos|>")


def test_a_template_without_system_messages_says_so(make_tokenizer):
    tokenizer = make_tokenizer(NO_SYSTEM)
    text = modelfile(chat_shape(tokenizer, "<end>", "base"), "<end>", "merged", adds_bos=None)
    assert "# The chat template takes no system message" in text
    for chat in (CHATS[0], CHATS[2]):
        assert go(text, chat) == jinja(tokenizer, chat)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (IN_USER, "system message is no turn|is left out, repeated or moved|is not the sum"),
        ("{{ messages[-1].content }}", "is left out, repeated or moved"),
        (
            "{% for m in messages %}{{ loop.index }}{{ m.role }}{{ m.content }}<e>{% endfor %}",
            "is not the sum|written differently",
        ),
        (CHATML.replace("<|im_end|>", "{' + '{"), "has a meaning of its own"),
    ],
)
def test_a_template_that_is_not_the_sum_of_its_turns_is_refused(make_tokenizer, template, why):
    with pytest.raises(ConfigError, match=why) as found:
        modelfile(chat_shape(make_tokenizer(template), "<|im_end|>", "base"), "<|im_end|>", "merged", adds_bos=None)
    assert "golden.jsonl" in found.value.fix
