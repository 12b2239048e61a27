"""base.txt is a text of the same kind that gives no row away, and the tokenizer fits it."""

import json

import pytest
from tokenizers import Tokenizer

LONG = 30
SPECIAL = ["<|bos|>", "<|eos|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>", "<|tool|>"]


@pytest.fixture(scope="module")
def base(sample):
    return (sample / "base.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tokenizer(sample):
    return Tokenizer.from_file(str(sample / "tokenizer" / "tokenizer.json"))


def test_base_text_is_a_few_megabytes_of_documents(base):
    assert 3_500_000 < len(base.encode("utf-8")) < 3_800_000
    assert base.count("\n\n") > 10_000


def test_no_prompt_and_no_response_stands_in_the_base_text(rows, base):
    for found in rows.values():
        for row in found:
            texts = [row.prompt, row.response]
            if row.file == "alpaca.json":
                texts.append(row.fields["input"])
            elif row.file != "assistant.jsonl":
                texts += row.texts
            for text in texts:
                assert len(text) <= LONG or text not in base, text


def test_no_benchmark_item_stands_in_the_base_text(base, sample):
    for line in (sample / "benchmark.jsonl").read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        assert item["question"] not in base
        assert len(item["answer"]) <= LONG or item["answer"] not in base


def test_the_tokenizer_gives_every_row_back(clean, tokenizer):
    for found in clean.values():
        for row in found[:40]:
            assert tokenizer.decode(tokenizer.encode(row.prompt).ids, skip_special_tokens=False) == row.prompt


def test_special_tokens_come_first_in_a_vocabulary_of_4096(tokenizer):
    assert tokenizer.get_vocab_size() == 4096
    assert [tokenizer.id_to_token(number) for number in range(len(SPECIAL))] == SPECIAL
    assert tokenizer.encode("<|user|>Hello<|eos|>").tokens[0] == "<|user|>"


def test_the_tokenizer_configuration_names_the_special_tokens(sample):
    text = (sample / "tokenizer" / "tokenizer_config.json").read_text(encoding="utf-8")
    config = json.loads(text)
    assert [config["bos_token"], config["eos_token"], config["pad_token"]] == SPECIAL[:3]
    assert config["additional_special_tokens"] == SPECIAL[3:]
