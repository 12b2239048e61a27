import pytest
import torch
from peft import LoraConfig, get_peft_model

from schemas.training import Train
from tests.train.shapes import write_base
from train.encoded import Encoded
from train.generate import answers, choices
from train.model import load_base
from train.padded import PaddedClasses
from train.trainable import prepare

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


def said(
    model, tokenizer, prompts, stop=2, max_new_tokens=12, context=CONTEXT, tell=lambda *_: None, token_budget=4096
):
    return answers(
        model, tokenizer, asked(prompts), stop=stop, context=context, max_new_tokens=max_new_tokens,
        token_budget=token_budget, tell=tell,
    ).texts  # fmt: skip


def test_an_answer_says_whether_it_ended_by_its_stop_token(make_model, tokenizer):
    model, prompt = make_model(), PROMPTS[0]
    second = second_token(model, tokenizer, prompt)

    def ended(stop, n_new):
        found = answers(
            model, tokenizer, asked([prompt]), stop=stop, context=CONTEXT, max_new_tokens=n_new, token_budget=64,
            tell=lambda *_: None,
        )  # fmt: skip
        return found.stopped

    assert ended(second, 2) == [True]
    assert ended(second, 1) == [False]  # cut before the stop token came


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


def test_no_more_prompts_are_answered_at_once_than_the_budget_has_room_for(make_model, tokenizer):
    model = make_model()
    expected = said(model, tokenizer, PROMPTS)
    read = []
    model.register_forward_pre_hook(lambda _, __, named: read.append(named["input_ids"].shape), with_kwargs=True)
    # Room for 80 tokens; prompts of 2, 3, 3, 5, 21 and 41 and 12 of an answer: 4 x (5 + 12), and two that go alone.
    assert said(model, tokenizer, PROMPTS, token_budget=40) == expected
    assert [tuple(shape) for shape in read if shape[1] > 1] == [(4, 5), (1, 21), (1, 41)]


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


def test_rows_that_have_ended_leave_the_batch_and_the_others_go_on_as_if_alone(make_model, tokenizer):
    model = make_model()
    stop = second_token(model, tokenizer, PROMPTS[0])
    expected = [by_hand(model, tokenizer, prompt, stop, 12) for prompt in PROMPTS]
    sizes = []
    handle = model.register_forward_pre_hook(
        lambda _model, _args, kwargs: sizes.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    assert said(model, tokenizer, PROMPTS, stop) == expected
    handle.remove()
    assert sizes[0] == len(PROMPTS)
    assert sizes[-1] < len(PROMPTS)
    assert sizes == sorted(sizes, reverse=True)


def test_a_model_whose_cache_is_of_another_kind_answers_through_generate(make_model, tokenizer, monkeypatch):
    model = make_model()
    expected = said(model, tokenizer, PROMPTS)
    monkeypatch.setattr("train.generate.DynamicLayer", int)  # so that no layer is of a kind we know
    called = []
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda **given: called.append(1) or generate(**given))
    assert said(model, tokenizer, PROMPTS) == expected
    assert called


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


@pytest.mark.parametrize("method", ["prefix", "prompt", "p-tuning"])
def test_learnt_places_before_the_prompt_are_heeded(base_folder, tokenizer, method):
    # transformers' `generate` leaves them out: where this differs no longer, `_step_by_step` is not needed.
    settings = Train(base=str(base_folder), method=method, virtual_tokens=4)
    base = load_base(settings, base_folder)
    model = loud(prepare(base, settings))
    expected = [by_hand(model, tokenizer, prompt, 2, 6) for prompt in PROMPTS]
    assert said(model, tokenizer, PROMPTS, max_new_tokens=6) == expected
    base_says = said(load_base(settings, base_folder).model, tokenizer, PROMPTS, max_new_tokens=6)
    assert base_says != expected
    out = model.generate(
        input_ids=torch.tensor([PROMPTS[0]]), attention_mask=torch.ones(1, 3, dtype=torch.long), do_sample=False,
        max_new_tokens=6, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    assert tokenizer.decode(out[0, 3:], skip_special_tokens=True) != expected[0]


@pytest.mark.parametrize("shape", ["t5", "bart"])
@pytest.mark.parametrize("method", ["full", "lora", "prefix", "prompt"])
def test_an_encoder_decoder_answers_the_likeliest_token_each_time(tmp_path, base_folder, tokenizer, shape, method):
    folder = write_base(shape, tmp_path / shape, base_folder)
    settings = Train(base=str(folder), method=method, virtual_tokens=4)
    model = loud(prepare(load_base(settings, folder), settings))
    start = model.config.decoder_start_token_id
    expected = []
    for prompt in PROMPTS:
        ids = [start]
        with torch.no_grad():
            for _ in range(6):
                one = model(
                    input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                    decoder_input_ids=torch.tensor([ids]),
                )  # fmt: skip
                if (token := int(one.logits[0, -1].argmax())) == 2:
                    break
                ids.append(token)
        expected.append(tokenizer.decode(ids[1:], skip_special_tokens=True, clean_up_tokenization_spaces=False))
    assert len(set(expected)) > 1 or method == "prefix"
    found = answers(
        model, tokenizer, asked(PROMPTS), stop=2, context=CONTEXT, max_new_tokens=6, token_budget=4096,
        tell=lambda *_: None, family="seq2seq",
    )  # fmt: skip
    assert found.texts == expected


def loud(model):
    """Return a model whose every trained weight is far from where it began."""
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.3)
    return model.eval()


def test_a_classifier_names_the_likeliest_class_whatever_the_batch(tmp_path, base_folder, monkeypatch):
    settings = Train(base=str(write_base("bert", tmp_path / "bert", base_folder)))
    model = load_base(settings, settings.base, labels=("a", "b", "c")).model.eval()
    with torch.no_grad():
        expected = [int(model(input_ids=torch.tensor([prompt])).logits.argmax()) for prompt in PROMPTS]
    told = []
    for batch in (1, 4, 64):
        monkeypatch.setattr("train.generate.BATCH", batch)
        found = choices(
            model, asked(PROMPTS), PaddedClasses("", 9.0), token_budget=64, tell=lambda *one: told.append(one)
        )
        assert found == expected
    assert told[-1] == (6, 6)
