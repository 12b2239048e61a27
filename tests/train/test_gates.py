import pytest

from schemas import GateError
from schemas.evaluation import Gates
from schemas.report import Forgetting
from tests.train.test_page import compared, report
from train.gates import judged, refusal

OVER_BASE = [compared("base", "score", 0.05, 0.01, 0.09)]


def one_gate(gates, **changes):
    (found,) = judged(report(**changes), gates)
    return found


@pytest.mark.parametrize(("asked", "holds"), [(0.005, True), (0.01, True), (0.02, False), (0.1, False)])
def test_the_lower_end_of_the_interval_must_reach_what_is_asked(asked, holds):
    found = one_gate(Gates(score_over_base=asked), comparisons=OVER_BASE)
    assert (found.gate, found.found, found.holds) == ("score_over_base", 0.01, holds)


def test_a_gate_that_fails_says_by_how_much_and_what_to_do():
    short = one_gate(Gates(score_over_base=0.02), comparisons=OVER_BASE)
    assert short.words == "score over base is +0.050, surely from +0.010 on, 0.010 under the +0.020 asked for"
    assert short.fix.startswith("the difference is large enough and the test side too small")
    weak = one_gate(Gates(score_over_base=0.06), comparisons=OVER_BASE)
    assert weak.fix.startswith("look at the slices of the report for what is weak")


def test_each_arm_without_a_model_is_asked_and_those_of_the_base_are_not():
    floors = [compared("majority", "score", 0.3, 0.2, 0.4), compared("nearest", "score", 0.1, -0.1, 0.3)]
    found = judged(report(comparisons=[*OVER_BASE, *floors]), Gates(score_over_floors=0))
    assert [(one.found, one.holds) for one in found] == [(0.2, True), (-0.1, False)]


def test_nats_do_not_open_a_gate_on_the_score():
    found = one_gate(Gates(score_over_base=0), comparisons=[compared("base", "nll", 0.5, 0.4, 0.6)])
    assert (found.holds, found.found) == (False, None)
    assert found.words == "the tuned model was compared with no such arm (base)"


@pytest.mark.parametrize(("most", "holds"), [(0.0989, False), (0.099, True)])
def test_forgetting_is_asked_at_its_upper_end(most, holds):
    found = one_gate(Gates(max_forgetting=most))  # +0.085 (+0.071 to +0.099)
    assert (found.found, found.holds) == (0.099, holds)
    assert "replay_share" in found.fix or holds


def test_forgetting_that_was_not_measured_keeps_its_gate_shut():
    assert not one_gate(Gates(max_forgetting=9), forgetting=None).holds


@pytest.mark.parametrize(("n_reviewed", "holds"), [(19, False), (20, True)])
def test_the_checked_share_of_the_test_rows_is_asked(n_reviewed, holds):
    found = one_gate(Gates(min_reviewed=0.5), n=40, n_reviewed=n_reviewed)
    assert found.holds == holds
    assert holds or "47.5%), 2.5% under the 50.0% asked for" in found.words
    assert not one_gate(Gates(min_reviewed=0.5), n=0).holds


def test_a_recipe_without_gates_is_asked_nothing():
    assert judged(report(), Gates()) == []
    assert refusal([], "here") is None


def test_one_error_tells_all_gates_that_fail_and_ends_with_exit_code_4():
    found = judged(report(comparisons=OVER_BASE), Gates(score_over_base=0.02, max_forgetting=0.0, min_reviewed=0))
    error = refusal(found, "runs/1/report.html")
    assert isinstance(error, GateError)
    assert error.exit_code == 4
    assert str(error).count("gate ") == 2
    assert str(error).startswith(
        "gate score_over_base fails: score over base is +0.050, surely from +0.010 on, 0.010 under the +0.020 asked for\n"
        "  where: runs/1/report.html\n  fix:   the difference is large enough"
    )


def test_forgetting_is_measured_of_whatever_interval_there_is():
    better = Forgetting(text="t", n_documents=9, base_nll=2.0, tuned_nll=1.9, low=-0.2, high=-0.05)
    assert one_gate(Gates(max_forgetting=0), forgetting=better).holds
