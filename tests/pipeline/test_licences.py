import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.licences import TERMS, Licensed, conflicts, forbidden, remarks, shared, spdx


def sources(*licences: str | None) -> list[Licensed]:
    return [Licensed(f"source s{number}", licence) for number, licence in enumerate(licences, start=1)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CC-BY-SA-4.0", "CC-BY-NC-4.0"),  # sold or not
        ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"),  # each wants its own terms
        ("CC-BY-SA-4.0", "ODbL-1.0"),
        ("GPL-2.0-only", "GPL-3.0-only"),
        ("GPL-3.0-only", "CC-BY-NC-4.0"),
    ],
)
def test_licences_that_cannot_be_joined_are_named_with_their_sources(one, other):
    (told,) = conflicts(sources(one, other))
    assert one in told
    assert other in told
    assert "source s1" in told
    assert "source s2" in told
    assert "do not go together" in told


@pytest.mark.parametrize(
    "licences",
    [
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0"),  # the older allows the newer
        ("CC-BY-SA-4.0", "GPL-3.0-only"),  # the first allows the second
        ("CC-BY-SA-4.0", "CC-BY-4.0", "MIT", "CC0-1.0"),
        ("CC-BY-NC-4.0", "CC-BY-4.0"),  # the whole is then for no business, which is no conflict
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-4.0"),
        (None, "CC-BY-SA-4.0"),
    ],
)
def test_licences_that_can_be_joined_have_no_conflict(licences):
    assert conflicts(sources(*licences)) == []


@pytest.mark.parametrize("closed", ["Proprietary", "all rights reserved", "LicenseRef-acme", "CC-BY-ND-4.0"])
def test_what_may_not_be_passed_on_is_told(closed):
    (told,) = forbidden(sources("MIT", closed))
    assert told.startswith(f"source s2 is under {closed}, which ")


def test_a_licence_nobody_stated_is_told_and_forbids_nothing():
    assert forbidden(sources(None)) == []
    (told,) = remarks(sources(None))
    assert told == "source s1: the licence is not stated, so nobody has said that it may be passed on"


def test_a_licence_nobody_knows_is_told():
    assert remarks(sources("Beerware")) == ["source s1: Beerware is no licence that tuneloop knows; read it"]


def test_no_business_is_told():
    assert remarks(sources("CC-BY-NC-4.0")) == [
        "source s1: CC-BY-NC-4.0 forbids use in business and asks that the authors be named"
    ]


def test_case_and_blanks_do_not_matter():
    assert spdx(" cc-by-4.0") == spdx("CC BY 4.0") == "cc-by-4.0"


def test_a_model_licence_is_known_and_is_no_spdx_name():
    assert "have Llama at the start" in remarks([Licensed("drafts by llama", "llama3")])[0]
    assert spdx("llama3") is None
    assert spdx("MIT") == "mit"


def test_one_licence_for_all_is_found_and_several_are_not():
    assert shared(["MIT", "mit"]) == "MIT"
    assert shared(["MIT", "CC0-1.0"]) is None
    assert shared(["MIT", None]) is None
    assert shared([]) is None


@given(st.lists(st.sampled_from([*sorted(TERMS), None]), max_size=6))
def test_the_order_of_the_sources_changes_no_verdict(licences):
    there, back = sources(*licences), list(reversed(sources(*licences)))
    assert len(conflicts(there)) == len(conflicts(back))
    assert sorted(forbidden(there)) == sorted(forbidden(back))


@given(st.sampled_from(sorted(TERMS)))
def test_no_licence_conflicts_with_itself(licence):
    assert conflicts(sources(licence, licence)) == []
