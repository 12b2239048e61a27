from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.screen import asks_for_text, screen, seen_digest, shown_prompt

WEATHER = '[{"id": "1", "function": {"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}}]'


def message(role: str, content: str, tool_calls: str | None = None) -> dict[str, Any]:
    return {"role": role, "content": content, "tool_calls": tool_calls}


def test_the_last_completion_message_is_in_the_box_and_all_before_is_context() -> None:
    seen = screen([message("user", "hi")], [message("assistant", "wait"), message("assistant", "hello")])
    assert shown_prompt(seen) == (("user", "hi"), ("assistant", "wait"))
    assert seen.response == "hello"


def test_tool_calls_are_shown_as_text_in_the_context() -> None:
    asked = [message("user", "weather?"), message("assistant", "I look.", WEATHER), message("tool", "rain")]
    seen = screen(asked, [message("assistant", "", WEATHER)])
    assert shown_prompt(seen) == (
        ("user", "weather?"),
        ("assistant", 'I look.\nweather({"city": "Oslo"})'),
        ("tool", "rain"),
        ("assistant", 'weather({"city": "Oslo"})'),
    )
    assert seen.response == ""


def test_arguments_may_be_an_object_and_odd_calls_are_shown_as_they_are() -> None:
    calls = '[{"function": {"name": "f", "arguments": {"é": 1}}}]'
    assert shown_prompt(screen([message("assistant", "", calls)], [])) == (("assistant", 'f({"é": 1})'),)
    assert shown_prompt(screen([message("assistant", "", '{"odd": 1}')], [])) == (("assistant", '{"odd": 1}'),)


def test_an_empty_box_asks_for_text_unless_a_call_is_the_answer() -> None:
    asked = [message("user", "weather?")]
    assert asks_for_text(screen(asked, []))
    assert not asks_for_text(screen(asked, [message("assistant", "", WEATHER)]))
    assert not asks_for_text(screen(asked, [message("assistant", "rain")]))


texts = st.text(max_size=3)
conversations = st.lists(st.builds(message, st.sampled_from(["system", "user", "assistant"]), texts), max_size=3)


@given(conversations, texts, conversations, texts)
def test_digests_are_equal_exactly_when_the_texts_are(
    one: list[dict[str, Any]], one_response: str, two: list[dict[str, Any]], two_response: str
) -> None:
    left = screen(one, [message("assistant", one_response)])
    right = screen(two, [message("assistant", two_response)])
    same = one == two and one_response == two_response
    assert (seen_digest(left) == seen_digest(right)) == same
    assert seen_digest(left) == seen_digest(screen(one, [message("assistant", one_response)]))
