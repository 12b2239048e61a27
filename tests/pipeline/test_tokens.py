"""Token counts: two engines, one answer, and a reason where only one will do."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from pipeline.fast_ids import PATTERNS
from pipeline.messages import LIST
from pipeline.tokens import Counter, check_tokenizer
from schemas import ConfigError

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "12 + 30 = 42", "café naïve", "don't you're it's"]
ALPHABET = pre_tokenizers.ByteLevel.alphabet()


def pre_tokenizer(pattern: str | None = None, *, space: bool = False) -> pre_tokenizers.PreTokenizer:
    if pattern is None:
        return pre_tokenizers.ByteLevel(add_prefix_space=space)
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def trained() -> Tokenizer:
    """Train a byte-level BPE of 320 tokens, cut as GPT-2 cuts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer()
    special = ["<|end|>"]
    tokenizer.train_from_iterator(
        TEXTS * 2,
        trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=ALPHABET, show_progress=False),
    )
    return tokenizer


def merging(merges: list[tuple[str, str]], order: list[int] | None = None) -> Tokenizer:
    """Return a byte-level BPE with these merges, ids in their order or the one given."""
    made = list(dict.fromkeys(left + right for left, right in merges))
    vocab = {char: n for n, char in enumerate(sorted(ALPHABET))}
    vocab |= {token: 256 + n for token, n in zip(made, order or range(len(made)), strict=True)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizer()
    return tokenizer


def counter(folder: Path, tokenizer: Tokenizer) -> Counter:
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return Counter(path)


def plain_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    tokenizer.encode_special_tokens = True
    return tokenizer.encode(text, add_special_tokens=False).ids


FAST = trained()


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    made = counter(tmp_path_factory.mktemp("fast"), FAST)
    assert made.engine.startswith("tiktoken: ids are the same")
    return made


@given(st.text())
@example("<|end|> the <|end|>")  # control tokens in a text are text
@example("the cat's  \n\n\t don'T \u0085\u2003x")
def test_tiktoken_gives_the_ids_of_tokenizers(fast, text):
    assert fast.ids(text) == plain_ids(FAST, text)


@given(st.text("thecat 's\n", max_size=60))
def test_tiktoken_gives_the_ids_of_tokenizers_for_text_that_merges(fast, text):
    assert fast.ids(text) == plain_ids(FAST, text)


def test_counts_come_row_by_row_and_nothing_is_none(fast):
    texts = pa.array(["the cat", None, "", "the", "zz"])
    # trained on them: "the" and " cat" are one token each; "zz" is two bytes
    assert fast.count(texts).to_pylist() == [2, 0, 0, 1, 2]
    assert fast.count(texts.slice(3, 2)).to_pylist() == [1, 2]
    assert fast.count(pa.array([], pa.string())).to_pylist() == []


def test_messages_count_their_contents_and_tool_calls(fast):
    messages = pa.array(
        [
            [{"role": "user", "content": "the"}, {"role": "assistant", "content": "the cat"}],
            [],
            [{"role": "assistant", "content": "", "tool_calls": "zz"}],
        ],
        LIST,
    )
    assert fast.count_messages(messages).to_pylist() == [3, 0, 2]
    assert fast.count_messages(messages.slice(1)).to_pylist() == [0, 2]


def test_a_million_blanks_do_not_stop_the_run(fast):
    text = "the" + " " * 1_100_000 + "cat"  # tiktoken's own regex engine gives up here
    assert fast.count(pa.array([text])).to_pylist() == [len(plain_ids(FAST, text))]


def test_what_the_file_says_of_cutting_does_not_shorten_counts(tmp_path):
    tokenizer = trained()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    assert counter(tmp_path, tokenizer).count(pa.array(["zzzz"])).to_pylist() == [4]
    tokenizer.normalizer = normalizers.NFC()
    assert counter(tmp_path, tokenizer).count(pa.array(["zzzz"])).to_pylist() == [4]


def with_normalizer() -> Tokenizer:
    tokenizer = trained()
    tokenizer.normalizer = normalizers.Lowercase()
    return tokenizer


def with_an_added_token_that_eats_blanks() -> Tokenizer:
    tokenizer = trained()
    tokenizer.add_tokens([AddedToken("<think>", special=False, rstrip=True)])
    return tokenizer


def with_pre_tokenizer(given: pre_tokenizers.PreTokenizer) -> Tokenizer:
    tokenizer = trained()
    tokenizer.pre_tokenizer = given
    return tokenizer


@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (with_normalizer(), "it has a normalizer"),
        (with_an_added_token_that_eats_blanks(), "its added token '<think>' depends on what stands beside it"),
        (with_pre_tokenizer(pre_tokenizer(space=True)), "puts a space in front"),
        (with_pre_tokenizer(pre_tokenizer(r"\w+|\W")), "cuts text in a way that is not known here"),
        (with_pre_tokenizer(pre_tokenizers.Whitespace()), "is not byte-level"),
        (Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?")), "its model is WordLevel, not BPE"),
        (Tokenizer(models.BPE({"a": 0}, [])), "is not byte-level"),
        (merging([("a", "b"), ("c", "d")], order=[1, 0]), "ids of its tokens do not follow the order of its merges"),
        # tiktoken would join a + bc, which no merge lists; tokenizers leaves two tokens
        (merging([("b", "c"), ("a", "b"), ("ab", "c")]), "the token b'abc' can be made in two ways"),
        (merging([("a", "a"), ("aa", "a"), ("a", "aa")]), "tokens without a merge, or with two"),
    ],
)
def test_where_tiktoken_would_differ_tokenizers_counts_and_says_why(tmp_path, tokenizer, reason):
    made = counter(tmp_path, tokenizer)
    assert made.engine.startswith("tokenizers: ")
    assert reason in made.engine
    text = "the abc aaa cat"
    assert made.ids(text) == plain_ids(tokenizer, text)
    assert made.count(pa.array([text])).to_pylist() == [len(plain_ids(tokenizer, text))]


@st.composite
def merge_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Draw merges over three letters, each of two tokens that are there by then."""
    tokens, merges = ["a", "b", "c"], []
    for _ in range(draw(st.integers(1, 8))):
        pair = (draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens)))
        if "".join(pair) not in tokens:
            merges.append(pair)
            tokens.append("".join(pair))
    return merges


@given(merge_lists(), st.lists(st.text("abc", max_size=30), min_size=5, max_size=5))
def test_the_proof_lets_no_tokenizer_through_that_differs(tmp_path_factory, merges, texts):
    tokenizer = merging(merges)
    made = counter(tmp_path_factory.mktemp("proof"), tokenizer)
    assert [made.ids(text) for text in texts] == [plain_ids(tokenizer, text) for text in texts]


def test_control_tokens_in_a_text_are_text_to_either_engine(fast, tmp_path):
    slow = counter(tmp_path, with_normalizer())
    for engine in (fast, slow):
        assert engine.count(pa.array(["<|end|>"])).to_pylist() == [len("<|end|>")]  # none of its letters merge


def test_merges_written_as_one_text_are_read_too(tmp_path):
    path = tmp_path / "tokenizer.json"
    FAST.save(str(path))
    spec = json.loads(path.read_text("utf-8"))
    spec["model"]["merges"] = [" ".join(merge) for merge in spec["model"]["merges"]]  # as files before 2024 have it
    path.write_text(json.dumps(spec), encoding="utf-8")
    made = Counter(path)
    assert made.engine.startswith("tiktoken")
    assert made.ids(TEXTS[0]) == plain_ids(FAST, TEXTS[0])


def test_a_missing_tokenizer_is_told_with_the_setting(tmp_path):
    with pytest.raises(ConfigError) as error:
        check_tokenizer(tmp_path)
    assert error.value.what == f"there is no tokenizer.json in {tmp_path}"
    assert error.value.where == "[format] tokenizer"
    assert "name a folder that holds one" in error.value.fix


def test_a_broken_tokenizer_is_told_with_its_path(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(ConfigError, match="not a tokenizer") as error:
        Counter(path)
    assert error.value.where == str(path)
    assert "save_pretrained" in error.value.fix


@pytest.mark.slow
@pytest.mark.parametrize("pattern", sorted(PATTERNS), ids=["gpt2", "three-digits", "one-digit"])
def test_both_regex_engines_cut_every_character_alike(tmp_path, pattern):
    # A byte before or after one of these marks merges with it, unless the text is cut between them.
    chars = {byte: char for byte, char in zip(range(256), _byte_chars(), strict=True)}
    pairs = [(chars[byte], chars[ord(mark)]) for mark in "x1 !'\n" for byte in range(256)]
    merges = list(dict.fromkeys([*pairs, *((right, left) for left, right in pairs)]))
    unique = {left + right: (left, right) for left, right in reversed(merges)}
    tokenizer = merging([*unique.values()])
    tokenizer.pre_tokenizer = pre_tokenizer(pattern)
    made = counter(tmp_path, tokenizer)
    assert made.engine.startswith("tiktoken")
    points = [n for n in range(0x110000) if not 0xD800 <= n < 0xE000]
    # All that is or may soon be in use; the rest is empty, and every 97th of it will do.
    points = [n for n in points if n < 0x34000 or 0xE0000 <= n < 0xE0200 or n % 97 == 0]
    for start in range(0, len(points), 64):
        some = [chr(n) for n in points[start : start + 64]]
        text = "".join(f"x{c}x1{c}1{c}! {c}{c} '{c}x\n{c} x" for c in some)
        assert made.ids(text) == plain_ids(tokenizer, text), f"between U+{points[start]:04X} and 64 on"


def _byte_chars() -> list[str]:
    """Return the character that stands for each byte in a byte-level vocabulary."""
    shown = [n for n in range(256) if chr(n) in ALPHABET]
    hidden = [n for n in range(256) if n not in shown]
    table = {n: chr(n) for n in shown} | {n: chr(256 + k) for k, n in enumerate(hidden)}
    return [table[n] for n in range(256)]


@pytest.mark.shared
def test_naughty_strings_and_real_text_count_alike(fast, shared_data):
    naughty = json.loads((shared_data / "blns" / "blns.json").read_text("utf-8"))
    rows = json.loads((shared_data / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8"))
    for text in [*naughty, *(row["output"] for row in rows[:1000])]:
        assert fast.ids(text) == plain_ids(FAST, text)
