"""Chat templates written here that behave as the well-known ones do, and a small tokenizer that knows their tokens."""

from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

# Ends a turn with a control token and a line break; says nothing of its own.
CHATML = (
    "{% if tools %}{{ '<|im_start|>system\nTools: ' + tools | tojson + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] }}"
    "{% for call in m['tool_calls'] or [] %}"
    "{{ '\n<tool_call>' + call['function'] | tojson + '</tool_call>' }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# Begins with bos, trims what people say, ends calls of tools with the token that ends all turns.
LLAMA3 = (
    "{{ bos_token }}"
    "{% if tools %}{{ '<|start_header_id|>system<|end_header_id|>\n\n' + tools | tojson + '<|eot_id|>' }}{% endif %}"
    "{% for m in messages %}"
    "{{ '<|start_header_id|>' + ('ipython' if m['role'] == 'tool' else m['role']) + '<|end_header_id|>\n\n' }}"
    "{{ m['content'] | trim }}"
    "{% for call in m['tool_calls'] or [] %}{{ '<|python_tag|>' + call['function'] | tojson }}{% endfor %}"
    "{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

# Rewrites history: once the user has asked again, the reasoning of earlier turns is gone.
QWEN3 = (
    "{% if tools %}{{ '<|im_start|>system\n# Tools\n' + tools | tojson + '<|im_end|>\n' }}{% endif %}"
    "{% set ns = namespace(asked=-1) %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{% set ns.asked = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}"
    "{% if m['role'] == 'tool' %}"
    "{{ '<|im_start|>user\n<tool_response>\n' + m['content'] + '\n</tool_response><|im_end|>\n' }}"
    "{% elif m['role'] == 'assistant' %}"
    "{% set said = m['content'] %}"
    "{% if '</think>' in said and loop.index0 < ns.asked %}{% set said = said.split('</think>')[-1].lstrip() %}{% endif %}"
    "{{ '<|im_start|>assistant\n' + said }}"
    "{% for call in m['tool_calls'] or [] %}"
    "{{ '\n<tool_call>\n' + call['function'] | tojson + '\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)

# For a base that was never taught to chat: plain text, and the end of text after each answer.
PLAIN = (
    "{% for m in messages %}"
    "{% if m['role'] == 'assistant' %}{{ '### Response:\n' + m['content'] + eos_token + '\n' }}"
    "{% else %}{{ '### ' + m['role'] | capitalize + ':\n' + m['content'] + '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
)

# Marks what the assistant says, for trainers that read such marks.
MARKED = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

SPECIAL = (
    "<|endoftext|>", "<|begin_of_text|>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>", "<|python_tag|>",
)  # fmt: skip
ADDED = ("<think>", "</think>", "<tool_call>", "</tool_call>")
TEXTS = ("the user and the assistant say that 2 + 2 is 4", "Response: what is the capital of France? Paris", "天気は")


@cache
def _bpe(n: int) -> str:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=n, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(TEXTS * 3, trainer)
    bpe.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    bpe.add_tokens([AddedToken(text, special=False, normalized=False) for text in ADDED])
    return bpe.to_str()


def chat_tokenizer(template, eos="<|im_end|>", bos=None, adds_bos=False, change=None, n=300):
    """Return a byte-level BPE with a chat template.

    Args:
        template: Of the above, or another.
        eos: Its end token.
        bos: Its begin token, if it has one.
        adds_bos: Whether it puts that before every text of its own accord.
        change: Changes the `tokenizers.Tokenizer` before it is wrapped.
        n: Tokens before control tokens are added.
    """
    bpe = Tokenizer.from_str(_bpe(n))
    if adds_bos:
        bpe.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    if change:
        change(bpe)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=eos, bos_token=bos, pad_token=eos, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = template
    return tokenizer


def message(role, content, calls=None, weight=None):
    """Return a message as a split has it."""
    return {
        "role": role, "content": content, "name": None, "tool_calls": calls, "tool_call_id": None, "weight": weight
    }  # fmt: skip


def conversation(*turns, origin="file:1", tools=None):
    """Return a row from (role, content) or messages; the last is the completion."""
    messages = [turn if isinstance(turn, dict) else message(*turn) for turn in turns]
    return {"origin": origin, "prompt": messages[:-1], "completion": messages[-1:], "tools": tools}


def spans(encoded, i):
    """Return (start, end) of each run of tokens with loss in an example."""
    weights = encoded.weights_of(i).tolist()
    edges = [
        k for k in range(len(weights) + 1) if (k < len(weights) and weights[k] > 0) != (k > 0 and weights[k - 1] > 0)
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))
