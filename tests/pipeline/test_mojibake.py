import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mojibake import is_bad, repaired, suspects


@pytest.mark.parametrize(("broken", "whole"), [("100Â°F", "100°F"), ("schÃ¶n", "schön"), ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", "Привет")])
def test_a_wrong_decoding_is_noticed_and_undone(broken, whole):
    assert list(suspects(["fine", broken])) == [1]
    assert repaired(broken) == whole


@pytest.mark.parametrize(
    "text",
    [
        "“quoted” – it’s fine…",
        "ﬁne",
        "ｗｉｄｅ",
        "a\r\nb",
        "&lt;b&gt;",
        "\x1b[31mred",
        "e\u0301",
        "naïve café",
        "你好，“世界”",
        "𝒜",
    ],
)
def test_everything_else_stays_as_it_is(text):
    assert list(suspects([text])) == []
    assert repaired(text) == text


def test_one_odd_letter_before_a_space_is_enough_to_look():
    assert list(suspects(["Ã la carte"])) == [0]


ODD = st.sampled_from([*"ßàÀÑœŒ│«©‘‚“„•»”›™¢£¥€²½×±¦¨´·–—…’ÂÃÎÐ√≈вЂØÙ°¶ая\xa0\xad\x80\x9f中ﬁ\ufffd aZ1,", "Â "])


@given(st.lists(ODD, max_size=12).map("".join))
def test_the_fast_look_over_a_batch_misses_nothing(text):
    assert list(suspects([text])) == ([0] if is_bad(text) else [])


@pytest.mark.shared
def test_real_mojibake_is_repaired_as_its_collectors_say(shared_data):
    cases = json.loads((shared_data / "ftfy-cases" / "in-the-wild.json").read_text("utf-8"))
    right = sum(repaired(case["original"]) == case.get("fixed-encoding", case["fixed"]) for case in cases)
    assert right == len(cases)
