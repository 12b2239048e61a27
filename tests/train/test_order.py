from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import ConfigError
from train.order import Group, Order, Wishes, arrange, plain

TASKS = {"short": "summarize", "long": "summarize", "french": "translate", "german": "translate"}
# Four examples of short, two of french, six of german.
TEMPLATES = ["short", "french", "german"] * 2 + ["short"] * 2 + ["german"] * 4


def made(templates=TEMPLATES, tasks=TASKS, n_documents=0, batch_size=4, epochs=1.0, max_steps=None, seed=3, **wishes):
    return arrange(
        templates, tasks, Wishes(**wishes), batch_size=batch_size, epochs=epochs, max_steps=max_steps,
        n_documents=n_documents, seed=seed,
    )  # fmt: skip


def dealt(order, steps):
    return [i for step in range(steps) for i in order.batch(step)]


@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 6), st.integers(0, 3))
def test_every_example_is_dealt_equally_often(batch_size, n, epochs, seed):
    steps = -(-n * epochs // batch_size)
    found = dealt(plain(n, batch_size, seed), steps)
    assert set(Counter(found[: n * epochs]).values()) == {epochs}
    assert len(found) == steps * batch_size


@given(st.integers(0, 200), st.integers(1, 20), st.integers(1, 40), st.integers(0, 3))
def test_a_batch_is_a_function_of_its_arguments(step, batch_size, n, seed):
    order = plain(n, batch_size, seed)
    before = order.batch(step)
    np.random.seed(step)  # a state that must not matter
    order.batch(step + 1)
    assert order.batch(step) == plain(n, batch_size, seed).batch(step) == before


def test_another_seed_and_another_pass_deal_in_another_order():
    order = plain(40, 40, 1)
    assert order.batch(0) != order.batch(1) != plain(40, 40, 2).batch(0) != order.batch(0)


def test_without_wishes_the_order_is_the_plain_one():
    order, steps = made(epochs=5.0)
    assert steps == 15
    assert dealt(order, steps) == dealt(plain(12, 4, 3), steps)


def test_epochs_and_max_steps_make_the_number_of_steps():
    assert made(epochs=2.0)[1] == 6
    assert made(epochs=0.1)[1] == 1
    assert made(epochs=2.0, max_steps=4)[1] == 4
    assert made(epochs=2.0, max_steps=40)[1] == 6
    order, steps = made(batch_size=50)
    assert (order.batch_size, steps) == (12, 1)


def test_a_task_of_weight_two_is_seen_twice_a_pass():
    order, steps = made(task_weights={"french": 2})
    assert steps == round(14 / 4)
    seen = Counter(TEMPLATES[i] for i in dealt(order, 7)[:14])  # one pass is 14 examples
    assert seen == {"short": 4, "french": 4, "german": 6}


def test_the_fraction_of_a_weight_is_carried_to_the_next_pass():
    order, _ = made(task_weights={"short": 0.375, "translate": 0})
    # 1.5 of four examples a pass: one, then two; each example once in 8 / 3 passes.
    assert order.groups[0].size == 1.5
    assert [order.groups[0].before(n) for n in range(5)] == [0, 1, 3, 4, 6]
    found = dealt(order, 36)  # of one example: a pass has no more
    assert Counter(found) == {0: 9, 3: 9, 6: 9, 7: 9}  # 36 units are 24 passes


@given(
    st.lists(st.sampled_from(sorted(TASKS)), min_size=1, max_size=30),
    st.dictionaries(st.sampled_from(sorted(TASKS)), st.sampled_from([0.1, 0.3, 0.5, 1.0, 1.7, 3.0])),
    st.integers(1, 9),
    st.integers(0, 5),
)
def test_after_any_number_of_steps_no_example_is_ahead_of_its_task(templates, weights, batch_size, seed):
    weights = {name: weight for name, weight in weights.items() if name in templates}
    order, _ = made(templates, task_weights=weights, batch_size=batch_size, seed=seed)
    seen = Counter()
    for step in range(12):
        seen.update(order.batch(step))
    passes = 12 * order.batch_size / float(order.groups[0].size)
    for task in set(templates):
        counts = [seen[i] for i, name in enumerate(templates) if name == task]
        # Within a pass the mix is random, so a task is off by one pass of itself at most, and an example by one turn.
        weight = weights.get(task, 1.0)
        assert max(counts) - min(counts) <= 1 + np.ceil(weight)
        assert abs(sum(counts) - passes * weight * len(counts)) <= weight * len(counts) + 1


def test_a_kind_of_task_can_be_named_and_the_template_counts_more():
    order, _ = made(task_weights={"translate": 3, "french": 1})
    assert {name: float(weight) for (places, weight), name in zip(order.groups[0].tasks, ["short", "french", "german"], strict=True)} == {
        "short": 1, "french": 1, "german": 3,
    }  # fmt: skip


def test_tasks_are_learnt_one_after_another_each_with_its_share_of_the_steps():
    order, steps = made(sequence=[["summarize"], ["german", "french"]], epochs=3.0, batch_size=3)
    assert steps == 12
    assert order.ends == (4,)  # 4 of 12 examples are of the first group
    kinds = [{TASKS[TEMPLATES[i]] for i in order.batch(step)} for step in range(steps)]
    assert kinds == [{"summarize"}] * 4 + [{"translate"}] * 8
    assert set(Counter(dealt(order, steps)).values()) == {3}


@given(st.integers(2, 40), st.integers(1, 9), st.floats(0.2, 4))
def test_every_group_of_a_sequence_has_a_step(n, batch_size, epochs):
    templates = ["short"] * n + ["french"] + ["german"] * 3
    try:
        order, steps = made(
            templates, sequence=[["short"], ["french"], ["german"]], batch_size=batch_size, epochs=epochs
        )
    except ConfigError as error:
        assert "steps are too few for 3 groups" in error.what
        return
    assert all(one < other for one, other in pairwise([0, *order.ends, steps]))


def test_general_text_has_its_share_of_every_batch_and_of_all():
    order, steps = made(replay_share=0.3, n_documents=5, epochs=4.0)
    # 2.8 examples of the data a step.
    assert steps == round(48 / 2.8)
    shares = [sum(i >= 12 for i in order.batch(step)) for step in range(steps)]
    assert [sum(shares[:n]) for n in range(1, 6)] == [1, 2, 3, 4, 6]  # 1.2 a step, rounded down in the sum
    assert all(len(order.batch(step)) == 4 for step in range(steps))
    seen = Counter(i for i in dealt(order, steps) if i >= 12)
    assert set(seen) == {12, 13, 14, 15, 16}
    assert max(seen.values()) - min(seen.values()) <= 1
    data = [i for i in dealt(order, steps) if i < 12]
    assert set(Counter(data[:48]).values()) <= {4, 3}
    assert set(Counter(data[:36]).values()) == {3}


def test_general_text_and_a_sequence_go_together():
    order, steps = made(replay_share=0.5, n_documents=3, sequence=[["summarize"], ["translate"]], epochs=2.0)
    assert steps == 12
    assert [sum(i >= 12 for i in order.batch(step)) for step in range(12)] == [2] * 12
    assert Counter(i for i in dealt(order, steps) if i < 12) == Counter(list(range(12)) * 2)


def test_a_batch_is_no_larger_than_the_data_and_its_general_text():
    order, steps = made(replay_share=0.5, n_documents=3, batch_size=100)
    assert (order.batch_size, steps) == (24, 1)


@pytest.mark.parametrize(
    ("wishes", "what", "where", "fix"),
    [
        ({"task_weights": {"frensh": 2}}, "the train side has no task 'frensh'", "task_weights", "did you mean 'french'?"),
        ({"sequence": [["short", "nothing"], ["translate"]]}, "no task 'nothing'", "sequence", "known names: french, german"),
        ({"sequence": [["summarize"], ["french"]]}, "examples of german, which", "sequence", "name every task"),
        ({"sequence": [["summarize"], ["translate", "short", "short"]]}, "'short' is named twice", "sequence", "once"),
        ({"sequence": [["summarize"], ["translate", "summarize"]]}, "'summarize' is named twice", "sequence", "once"),
        ({"sequence": [["summarize", "translate"], []]}, "group 2 of `sequence` has no task", "sequence", "leave the group out"),
        ({"task_weights": {"summarize": 0, "translate": 0}}, "nothing of group 1", "task_weights", "a weight over 0"),
        ({"sequence": [["summarize"], ["translate"]], "task_weights": {"translate": 0}}, "nothing of group 2", "task_weights", "out of `sequence`"),
        ({"sequence": [["summarize"], ["translate"]], "max_steps": 1}, "1 steps are too few for 2 groups", "sequence", "max_steps"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_granted_is_an_error(wishes, what, where, fix):
    with pytest.raises(ConfigError) as caught:
        made(**wishes)
    assert what in caught.value.what
    assert where in caught.value.where
    assert fix in caught.value.fix


def test_what_is_left_out_is_never_dealt_and_the_steps_shrink_in_proportion():
    order, steps = plain(8, 2, seed=1).without(np.array([0, 3]), 12)
    assert steps == 9  # six of eight examples are left
    dealt = [place for step in range(steps) for place in order.batch(step)]
    assert Counter(dealt) == dict.fromkeys([1, 2, 4, 5, 6, 7], 3)


def test_a_group_of_a_sequence_that_is_left_empty_takes_its_steps_with_it():
    groups = tuple(Group(((np.array(places), Fraction(1)),)) for places in ([0, 1], [2, 3, 4, 5]))
    order, steps = Order(2, 1, groups, ends=(1,)).without(np.array([0, 1]), 6)
    assert steps == 4
    assert order.ends == ()
    assert {place for step in range(steps) for place in order.batch(step)} == {2, 3, 4, 5}
