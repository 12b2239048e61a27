import sqlite3

import pytest
from peft import LoraConfig, get_peft_model

from train.answer_cache import FILE, AnswerCache, identity_of, key_of
from train.encoded import Encoded
from train.generate import Said

PROMPTS = Encoded.of([([1, 2], [9]), ([3], [9, 9]), ([1, 2], [7])], ["a", "b", "c"])


class Model:
    """Answers with the ids it is given, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, encoded):
        prompts = [encoded.prompt(i).tolist() for i in range(len(encoded))]
        self.asked += prompts
        return Said([f"said {prompt}" for prompt in prompts], [len(prompt) == 2 for prompt in prompts])


@pytest.fixture
def told():
    return []


@pytest.fixture
def cache(tmp_path, told):
    return AnswerCache.of(tmp_path, told.append)


def test_what_was_answered_is_not_asked_again_and_equal_prompts_are_asked_once(cache):
    model = Model()
    first = cache.answers("m", PROMPTS, model)
    assert first == (["said [1, 2]", "said [3]", "said [1, 2]"], [True, False, True])
    assert model.asked == [[1, 2], [3]]
    assert cache.answers("m", PROMPTS, model) == first
    assert model.asked == [[1, 2], [3]]


def test_another_model_or_another_prompt_is_asked(cache):
    model = Model()
    cache.answers("m", PROMPTS, model)
    cache.answers("n", PROMPTS, model)
    assert len(model.asked) == 4
    cache.answers("m", Encoded.of([([1, 2], [9]), ([1, 2, 3], [9])], ["a", "d"]), model)
    assert model.asked[4:] == [[1, 2, 3]]


def test_no_prompt_asks_nothing_and_writes_nothing(cache, tmp_path):
    assert cache.answers("m", Encoded.of([], []), Model()) == ([], [])
    assert not (tmp_path / FILE).exists()


def test_a_damaged_file_is_said_and_everything_is_asked(cache, tmp_path, told):
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    assert cache.answers("m", PROMPTS, Model()).texts == ["said [1, 2]", "said [3]", "said [1, 2]"]
    assert "known answers cannot be used" in told[0]
    assert str(tmp_path / FILE) in told[0]


def test_beyond_the_bound_the_answers_unused_for_longest_go(tmp_path, told):
    small = AnswerCache(tmp_path / "answers.sqlite", told.append, most_bytes=200_000)
    small.keep({key_of("m", bytes([n])): ("x" * 900, True) for n in range(100)})
    with sqlite3.connect(small.path) as file:
        file.execute("UPDATE answers SET used = 1")
    small.keep({key_of("new", bytes([n])): ("y" * 900, True) for n in range(150)})
    assert small.path.stat().st_size <= 200_000
    with sqlite3.connect(small.path) as file:
        left = dict(file.execute("SELECT answer, count(*) FROM answers GROUP BY answer"))
    assert set(left) == {"y" * 900}
    assert told == []


def test_a_model_is_another_once_any_weight_or_how_it_is_asked_changes(make_model):
    one, other = make_model(), make_model()
    how = {"stop": 1}
    assert identity_of(one, how) == identity_of(other, how)
    assert identity_of(one, how) != identity_of(one, {"stop": 2})
    other.model.norm.weight.data[3] += 1e-6
    assert identity_of(one, how) != identity_of(other, how)


def test_an_adapter_of_another_scale_is_another_model(make_model):
    def adapted(alpha):
        return get_peft_model(
            make_model(), LoraConfig(r=2, lora_alpha=alpha, init_lora_weights=False, target_modules=["q_proj"])
        )

    one, other = adapted(2), adapted(4)
    other.load_state_dict(one.state_dict())
    assert identity_of(one, {}) != identity_of(other, {})
