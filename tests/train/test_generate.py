import pytest
import torch
from peft import LoraConfig, get_peft_model

from train.encoded import Encoded
from train.generate import answers

CONTEXT = 128
PROMPTS = [[1, 9, 30], [1, 70], [1, *range(20, 60)], [1, 9, 31], [1, 101, 44, 12, 7], [1, *range(200, 220)]]


def asked(prompts):
    return Encoded.of([(prompt, [2]) for prompt in prompts], [str(n) for n in range(len(prompts))])


def by_hand(model, tokenizer, prompt, stop, n_new):
    """Return the likeliest token, then the likeliest after that, ...: no cache, no padding, no batch."""
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(n_new):
            logits = model.eval()(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            if (token := int(logits.argmax())) == stop:
                break
            ids.append(token)
    return tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True, clean_up_tokenization_spaces=False)


def said(model, tokenizer, prompts, stop=2, max_new_tokens=12, context=CONTEXT, tell=lambda *_: None):
    return answers(
        model, tokenizer, asked(prompts), stop=stop, context=context, max_new_tokens=max_new_tokens, tell=tell
    )


def second_token(model, tokenizer, prompt):
    """Return the token that the model answers second, to make it the stop token."""
    with torch.no_grad():
        first = int(model.eval()(input_ids=torch.tensor([prompt])).logits[0, -1].argmax())
        return int(model(input_ids=torch.tensor([[*prompt, first]])).logits[0, -1].argmax())


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_answers_are_the_likeliest_token_each_time_whatever_the_batch(make_model, tokenizer, monkeypatch, batch):
    monkeypatch.setattr("train.generate.BATCH", batch)
    model = make_model()
    expected = [by_hand(model, tokenizer, prompt, 2, 12) for prompt in PROMPTS]
    assert len(set(expected)) > 3
    assert said(model, tokenizer, PROMPTS) == expected


def test_an_answer_ends_before_the_stop_token(make_model, tokenizer):
    model = make_model()
    stop = second_token(model, tokenizer, PROMPTS[0])
    found = said(model, tokenizer, PROMPTS, stop=stop)
    assert found == [by_hand(model, tokenizer, prompt, stop, 12) for prompt in PROMPTS]
    assert len(found[0]) < len(said(model, tokenizer, PROMPTS)[0])


@pytest.mark.parametrize(
    "habit",
    [
        {"repetition_penalty": 5.0}, {"no_repeat_ngram_size": 1}, {"min_new_tokens": 10}, {"max_length": 4},
        {"do_sample": True, "temperature": 5.0, "top_k": 200}, {"num_beams": 3}, {"eos_token_id": [2, 70]},
        {"suppress_tokens": list(range(100, 200))}, {"bad_words_ids": [[n] for n in range(100, 200)]},
    ],
    ids=lambda habit: next(iter(habit)),
)  # fmt: skip
def test_habits_that_a_base_brings_along_change_nothing(make_model, tokenizer, habit):
    model = make_model()
    stop = second_token(model, tokenizer, PROMPTS[0])
    expected = [by_hand(model, tokenizer, prompt, stop, 12) for prompt in PROMPTS]
    for name, value in habit.items():
        setattr(model.generation_config, name, value)
    before = model.generation_config.to_dict()
    assert said(model, tokenizer, PROMPTS, stop=stop) == expected
    assert model.generation_config.to_dict() == before


def test_an_adapted_model_answers_likewise(make_model, tokenizer):
    torch.manual_seed(2)
    model = get_peft_model(
        make_model(), LoraConfig(r=4, init_lora_weights=False, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    model.generation_config.repetition_penalty = 5.0
    expected = [by_hand(model, tokenizer, prompt, 2, 12) for prompt in PROMPTS]
    assert said(model, tokenizer, PROMPTS) == expected != said(make_model(), tokenizer, PROMPTS)
    assert model.generation_config.repetition_penalty == 5.0


def test_an_answer_ends_where_the_model_can_read_no_further(make_model, tokenizer):
    model = make_model()
    prompts = [[1, *range(20, 28)], [1, 9], [1, *range(30, 34)]]  # 9, 2 and 5 of 12 tokens
    found = said(model, tokenizer, prompts, context=12, max_new_tokens=8)
    assert found == [by_hand(model, tokenizer, *one) for one in zip(prompts, [2] * 3, [3, 8, 7], strict=True)]


def test_a_prompt_that_fills_the_context_has_no_answer(make_model, tokenizer):
    assert said(make_model(), tokenizer, [[1, 9], [1, *range(20, 31)]], context=12)[1] == ""


def test_it_is_told_how_many_are_done(make_model, tokenizer, monkeypatch):
    monkeypatch.setattr("train.generate.BATCH", 4)
    told = []
    said(make_model(), tokenizer, PROMPTS, max_new_tokens=1, tell=lambda *one: told.append(one))
    assert told == [(4, 6), (6, 6)]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_the_mode_it_was_in(make_model, tokenizer, training):
    model = make_model().train(training)
    said(model, tokenizer, PROMPTS[:1], max_new_tokens=1)
    assert model.training is training


def test_nobody_asked_is_nobody_answered(make_model, tokenizer):
    assert said(make_model(), tokenizer, []) == []
