"""Each planted fault stands where faults.jsonl says, and is what it says."""

import json
import re

import pytest
from rapidfuzz import fuzz

AMOUNTS = {
    "exact_duplicate": (40, 55),
    "near_duplicate": (80, 105),
    "conflict": (40, 55),
    "wrong_answer": (365, 456),
    "mojibake": (18, 28),
    "empty_field": (15, 24),
    "pii": (18, 28),
    "malformed": (10, 16),
    "benchmark_leak": (23, 27),
}
PRIVATE = {
    "email": r"[\w.]+@[\w.]+\.(com|org|net)\b",
    "phone": r"\+\d[\d -]{8,}\d",
    "credit card": r"\b(\d{4} ){3}\d{4}\b",
    "ip address": r"\b\d{1,3}(\.\d{1,3}){3}\b",
}


def of_kind(faults, kind):
    return [fault for fault in faults if fault["kind"] == kind]


def place(origin):
    name, _, number = origin.rpartition(":")
    return name, int(number)


@pytest.fixture(scope="module")
def by_origin(rows):
    return {f"{name}:{row.number}": row for name, found in rows.items() for row in found}


def test_every_kind_is_planted_in_its_amount(faults):
    for kind, (low, high) in AMOUNTS.items():
        assert low <= len(of_kind(faults, kind)) <= high, kind
    assert {fault["kind"] for fault in faults} == set(AMOUNTS)


def test_a_row_carries_at_most_one_fault_and_each_partner_carries_none(faults):
    origins = [fault["origin"] for fault in faults]
    partners = [fault["partner"] for fault in faults if fault["partner"]]
    assert len(set(origins)) == len(origins)
    assert len(set(partners)) == len(partners)
    assert not set(partners) & set(origins)


def test_a_partner_stands_before_its_duplicate_in_the_same_file(faults):
    for fault in faults:
        assert (fault["partner"] is not None) == (fault["kind"] in ("exact_duplicate", "near_duplicate", "conflict"))
        if fault["partner"]:
            (name, number), (other_name, other) = place(fault["origin"]), place(fault["partner"])
            assert name == other_name
            assert other < number


def test_exact_duplicates_are_equal(faults, by_origin):
    for fault in of_kind(faults, "exact_duplicate"):
        assert by_origin[fault["origin"]].fields == by_origin[fault["partner"]].fields


def test_near_duplicates_differ_a_little_and_keep_their_response(faults, by_origin):
    for fault in of_kind(faults, "near_duplicate"):
        row, partner = by_origin[fault["origin"]], by_origin[fault["partner"]]
        assert row.prompt != partner.prompt
        assert fuzz.ratio(row.prompt.casefold(), partner.prompt.casefold()) > 90
        assert row.response == partner.response == fault["truth"]


def test_conflicts_ask_the_same_and_answer_otherwise(faults, by_origin):
    for fault in of_kind(faults, "conflict"):
        row, partner = by_origin[fault["origin"]], by_origin[fault["partner"]]
        assert row.prompt == partner.prompt
        assert row.response != partner.response == fault["truth"]


def test_wrong_answers_look_like_the_right_ones(faults, by_origin):
    for fault in of_kind(faults, "wrong_answer"):
        row = by_origin[fault["origin"]]
        assert row.response.strip()
        assert row.response != fault["truth"]
        assert len(row.response) < 2.5 * len(fault["truth"]) + 10


def test_two_wrong_answers_are_systematic(faults, by_origin):
    rented = re.compile(r"\b(ge)?miete[nt]\b", re.IGNORECASE)
    misfiled = [fault for fault in faults if "every warranty ticket about the Zephyr line" in fault["detail"]]
    bought = [fault for fault in faults if "every German phrase with 'mieten'" in fault["detail"]]
    assert len(misfiled) >= 10
    assert len(bought) >= 10
    assert all(by_origin[fault["origin"]].response == "damage" for fault in misfiled)
    for row in by_origin.values():
        if row.file == "phrases.tsv" and row.planted is None and row.fields["source_language"] == "German":
            assert not rented.search(row.prompt)
        if row.file == "tickets.jsonl" and row.planted is None and row.response == "warranty":
            assert "Zephyr" not in row.fields["text"]


def test_mojibake_can_be_undone(faults, by_origin):
    for fault in of_kind(faults, "mojibake"):
        row = by_origin[fault["origin"]]
        assert re.search("[ÃâÂÅ]", row.prompt + row.response)
        if not row.response.isascii() and row.response != fault["truth"]:
            assert row.response.encode("cp1252").decode("utf-8") == fault["truth"]


def test_empty_fields_are_required_ones(faults, by_origin):
    for fault in of_kind(faults, "empty_field"):
        row = by_origin[fault["origin"]]
        assert any(not text.strip() for text in [*row.texts, row.response])


def test_private_data_is_of_the_kind_told(faults, by_origin):
    for fault in of_kind(faults, "pii"):
        found = re.search(PRIVATE[fault["detail"]], by_origin[fault["origin"]].prompt)
        assert found, fault
        if fault["detail"] == "credit card":
            digits = [int(digit) for digit in re.sub(" ", "", found.group())][::-1]
            assert sum(sum(divmod(digit * (1 + at % 2), 10)) for at, digit in enumerate(digits)) % 10 == 0


def test_no_clean_row_holds_private_data(clean):
    patterns = [re.compile(pattern) for pattern in PRIVATE.values()]
    for found in clean.values():
        for row in found:
            assert not any(pattern.search(row.prompt + "\n" + row.response) for pattern in patterns), row


def test_malformed_rows_cannot_be_taken_as_they_are(faults, raw):
    for fault in of_kind(faults, "malformed"):
        name, number = place(fault["origin"])
        record = raw[name][number]
        if fault["detail"] in ("truncated line", "broken JSON"):
            assert isinstance(record, str)
        elif fault["detail"] == "ragged row":
            assert isinstance(record, list)
        elif fault["detail"] == "wrong type":
            assert isinstance(record.get("instruction"), list) or isinstance(record.get("conversations"), str)
        elif fault["detail"] == "lone surrogate":
            with pytest.raises(UnicodeEncodeError):
                json.dumps(record, ensure_ascii=False).encode("utf-8")
        else:
            assert fault["detail"] in ("duplicate key", "NaN number")


def test_leaks_repeat_a_benchmark_question(faults, by_origin, sample):
    lines = (sample / "benchmark.jsonl").read_text(encoding="utf-8").splitlines()
    items = {item["id"]: item for item in map(json.loads, lines)}
    for fault in of_kind(faults, "benchmark_leak"):
        item, row = items[fault["detail"].split(",")[0]], by_origin[fault["origin"]]
        asked, held_out = (re.sub(r"[\W_]+", "", text.casefold()) for text in (row.prompt, item["question"]))
        assert asked == held_out
        assert row.response == item["answer"]


def test_no_other_row_holds_a_benchmark_question(clean, sample):
    lines = (sample / "benchmark.jsonl").read_text(encoding="utf-8").splitlines()
    questions = {json.loads(line)["question"] for line in lines}
    assert not questions & {row.prompt.strip() for found in clean.values() for row in found}


def test_the_readme_counts_the_planted_faults(faults, sample):
    told = dict(
        re.findall(r"^\| `(\w+)` \| (\d+) \|", (sample / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {kind: int(told[kind]) for kind in AMOUNTS} == {kind: len(of_kind(faults, kind)) for kind in AMOUNTS}
