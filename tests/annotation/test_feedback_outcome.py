"""What came back of what was sent, counted by hand."""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.error_rate import rate_of
from annotation.feedback import QueueName
from annotation.feedback_outcome import Came, RoundOutcome, lift_of, round_outcome, told
from annotation.feedback_record import Sent
from pipeline.screen import seen_digest
from schemas import Annotation, Seen

RUN = "1849b0071cc520f4"
AT = "2026-11-27T08:00:00Z"
CHANGED = {"verdict": "edit", "response": "another"}


def seen(example: str, response: str = "5") -> Seen:
    return Seen.model_validate({"prompt": [{"role": "user", "content": f"{example}?"}], "response": response})


def sent(example: str, queue: QueueName, *reasons: str) -> Sent:
    return Sent(
        example=example, seen=seen_digest(seen(example)), queue=queue, template="maths", reasons=[*reasons], at=AT
    )


def said(example: str, verdict: str = "accept", who: str = "ann", round_: str = "1849b007", **more: Any) -> Annotation:
    fields = {
        "key": f"ls:1:{example}{who}{round_}", "example": example, "seen": seen(example), "annotator": who,
        "verdict": verdict, "round": round_, "created_at": AT, "updated_at": AT,
    }  # fmt: skip
    return Annotation.model_validate(fields | more)


def outcome(rows: Sequence[Sent], *votes: Annotation) -> RoundOutcome:
    return round_outcome(RUN, rows, votes)


def test_answers_are_counted_by_queue_and_by_reason() -> None:
    rows = [
        sent("a", "ranked", "wrong_sum"),
        sent("b", "ranked", "wrong_sum", "model"),
        sent("c", "ranked", "model"),
        sent("v", "validation"),
        sent("r", "random"),
    ]
    found = outcome(rows, said("a", **CHANGED), said("b", "reject"), said("v"), said("r"), said("r", "reject", "ben"))
    assert found.by_queue == {
        "ranked": Came(sent=3, edited=1, rejected=1),
        "validation": Came(sent=1, accepted=1),
        "random": Came(sent=1, undecided=1),  # ann and ben disagree
    }
    # b has two reasons and counts under both.
    assert found.by_reason == {"model": Came(sent=2, rejected=1), "wrong_sum": Came(sent=2, edited=1, rejected=1)}
    assert found.by_queue["ranked"].rate.share == 1.0


def test_only_rows_that_were_answered_in_this_round_count_and_then_all_that_was_said_does() -> None:
    rows = [sent("a", "random"), sent("b", "random")]
    elsewhere = said("a", "reject", round_="77aa0000")
    assert outcome(rows, elsewhere).by_queue["random"] == Came(sent=2)
    # A dispute of this round, settled in the lead's project.
    lead = said("b", "reject", "lead", round_="1", adjudicated=True)
    assert outcome(rows, said("b"), lead).by_queue["random"] == Came(sent=2, rejected=1)
    # Tasks of a file name run and queue.
    assert outcome(rows, said("a", round_=f"{RUN}-random")).by_queue["random"] == Came(sent=2, accepted=1)


def test_an_answer_about_another_text_does_not_count() -> None:
    other = said("a", "reject").model_copy(update={"seen": seen("a", "another text")})
    assert outcome([sent("a", "ranked", "model")], other).by_queue["ranked"].answered == 0


def test_lift_is_told_by_the_rows_that_went_first() -> None:
    rows = [sent("a", "ranked", "model"), sent("b", "ranked", "model"), sent("r", "random"), sent("s", "random")]
    late = sent("z", "random").model_copy(update={"at": "2026-11-28T08:00:00.000000Z"})
    votes = [said("a", "reject"), said("b", "reject"), said("r", "reject"), said("s"), said("z")]
    found = outcome([*rows, late], *votes)
    # 2 of 2 against 1 of 2; with the later one it would be against 1 of 3.
    assert found.lift is not None
    assert found.lift.times == 2.0
    assert found.by_queue["random"].rate.n == 3


def test_lift_is_the_ratio_of_the_shares() -> None:
    found = lift_of(rate_of(40, 80), rate_of(10, 80))
    assert found is not None
    assert found.times == pytest.approx(4.0)
    assert 1 < found.low < 4 < found.high < 10
    assert "ranking finds 4.0 times what chance finds" in str(found)
    assert "luck" not in str(found)
    same = lift_of(rate_of(10, 80), rate_of(10, 80))
    assert same is not None
    assert same.low < 1 < same.high
    assert same.low * same.high == pytest.approx(1.0)  # exchanging two equal samples turns the interval over
    assert "may be luck" in str(same)


def test_where_chance_found_nothing_there_is_a_lower_end_alone() -> None:
    # Wilson: 40 of 80 has 0.3930 to 0.6070, 0 of 80 has 0 to 0.0458: sqrt(0.3930 * (1 - 0.3930)) / 0.0458 = 10.66
    found = lift_of(rate_of(40, 80), rate_of(0, 80))
    assert found is not None
    assert (found.times, found.high) == (inf, inf)
    assert found.low == pytest.approx(10.66, abs=0.02)
    assert "at least 10.7 times" in str(found)
    few = lift_of(rate_of(1, 2), rate_of(0, 2))
    assert "too few rows are answered" in str(few)


def test_without_wrong_rows_or_without_answers_there_is_no_lift() -> None:
    assert lift_of(rate_of(0, 10), rate_of(0, 10)) is None
    assert lift_of(rate_of(0, 0), rate_of(1, 10)) is None
    assert lift_of(rate_of(1, 10), rate_of(0, 0)) is None
    nothing = lift_of(rate_of(0, 10), rate_of(5, 10))
    assert nothing is not None
    assert (nothing.times, nothing.low) == (0.0, 0.0)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_ratio_lies_within_its_interval(n: int, m: int, data: st.DataObject) -> None:
    one, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    found = lift_of(rate_of(one, n), rate_of(other, m))
    if found is not None:
        assert 0 <= found.low <= found.times * (1 + 1e-9)
        assert found.times <= found.high * (1 + 1e-9)


def test_the_interval_holds_the_true_ratio_in_about_95_of_100_draws() -> None:
    rng, hits, draws = np.random.default_rng(7), 0, 2000
    for ranked, chance in zip(rng.binomial(160, 0.4, draws), rng.binomial(40, 0.1, draws), strict=True):
        found = lift_of(rate_of(int(ranked), 160), rate_of(int(chance), 40))
        hits += found is not None and found.low <= 4.0 <= found.high
    assert 0.93 <= hits / draws <= 0.98


def test_label_errors_are_told_apart_from_model_errors() -> None:
    rows = [sent(name, "validation") for name in "vwx"]
    lines = [*told(outcome(rows, said("v", "reject"), said("w"), said("x", "unsure")))]
    assert lines[0] == f"after run {RUN}: 3 sent, 3 answered"
    assert lines[1] == "ranked and random rows both need verdicts before ranking can be compared with chance"
    assert "of 2 validation rows that the model answers otherwise the data were wrong in 1 (50%" in lines[2]
    assert "right in 1: the model's errors" in lines[2]
    fine = [sent("a", "ranked", "model"), sent("r", "random")]
    assert [*told(outcome(fine, said("a"), said("r")))][1].startswith("nothing was wrong in either")
