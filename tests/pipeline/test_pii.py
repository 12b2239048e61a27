import os
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pii import KINDS, find, find_one, hinted, redact


def _found(text):
    return [(finding.kind, text[finding.start : finding.end]) for finding in find([text]).get(0, [])]


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("Write to ann@example.org.", "email", "ann@example.org"),
        ("mail `ann.b+c@mail.example.co.uk`", "email", "ann.b+c@mail.example.co.uk"),  # the quote is no part of it
        ("Call 555-123-4567 now", "phone", "555-123-4567"),
        ("Phone: (415) 555-2671", "phone", "(415) 555-2671"),
        ("Call +44 20 7946 0958", "phone", "+44 20 7946 0958"),
        ("card 4111 1111 1111 1111", "credit_card", "4111 1111 1111 1111"),  # the test number of card issuers
        ("host 192.168.10.1 is up", "ipv4", "192.168.10.1"),
        ("ping 8.8.8.8", "ipv4", "8.8.8.8"),
        ("http://203.0.113.7/x", "ipv4", "203.0.113.7"),
        ("to DE89 3704 0044 0532 0130 00, please", "iban", "DE89 3704 0044 0532 0130 00"),  # ISO 13616's example
        ("to GB82WEST12345698765432", "iban", "GB82WEST12345698765432"),
        ("SSN 123-45-6789", "ssn", "123-45-6789"),
    ],
)
def test_personal_data_is_found_where_it_stands(text, kind, part):
    assert _found(text) == [(kind, part)]


@pytest.mark.parametrize(
    "text",
    [
        "needs version 1.2.3.4 or v10.20.30.40",
        "Version: 10.20.30.40",
        "Chrome/91.0.4472.124 is out",
        "see section 3.1.4.2",
        "listens on 127.0.0.1 and 0.0.0.0, mask 255.255.255.0",
        "on 01.02.03.04",
        "1.2.3.4.5.6",
        "pi is 3.1415926535",
        "round(0.3571428571, 10)",
        "a profit of 450,000-2000 dollars",
        "2920000000 dollars a year",
        "assert candidate(10) == 433494437",
        "/2019/07/08/739361030/what",
        "order 4111 1111 1111 1112",  # a digit off: no card
        "to DE89 3704 0044 0532 0130 01",  # a digit off: no account
        "in 2010-2012, 3 + 5 = 8, 12:30:45",
        "@dataclass and x @ y",
        "900-12-3456",  # area numbers from 900 are not given out
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert _found(text) == []


def test_what_is_found_is_replaced_by_its_kind():
    text = "ann@example.org, 555-123-4567 and bob@example.org"
    assert redact(text, find([text])[0]) == "[EMAIL], [PHONE] and [EMAIL]"


def test_all_groups_of_a_number_with_a_country_code_are_replaced_and_nothing_behind_it():
    text = "Call +33 1 99 00 16 60 or +44 20 7946 0958, 2024 was late."
    assert redact(text, find_one(text)) == "Call [PHONE] or [PHONE], 2024 was late."


def test_texts_without_findings_are_left_out():
    assert list(find(["nothing", "ann@example.org", "12 apples"])) == [1]


def test_numbers_in_other_digits_are_not_looked_for():
    # datafog's patterns take them; whether they are an address or a card number nothing here could check.
    assert [finding.kind for finding in find_one("١٩٢.١٦٨.١.١, ١٢٣-٤٥-٦٧٨٩, ann@example.org")] == ["email"]


def test_a_long_text_is_searched_to_its_end():
    text = "word " * 400 + "call 555-123-4567" + " word" * 400 + " ann@example.org"
    assert [kind for kind, _ in _found(text)] == ["phone", "email"]


PIECES = st.sampled_from(
    [" ", "\n", "-", ".", "+", "(", ")", "@", "a", "7", "42", "555", "DE89", "ann@example.org", "123-45-6789", "\u00a0"]
)


@given(st.lists(PIECES | st.characters(codec="utf-8"), max_size=30).map("".join))
def test_the_fast_look_over_a_batch_misses_nothing(text):
    assert hinted([text]) == [0] or find_one(text) == []


@given(st.lists(PIECES, max_size=25).map("".join))
def test_findings_lie_in_order_without_overlap(text):
    findings = find_one(text)
    assert all(finding.kind in KINDS and finding.start < finding.end for finding in findings)
    assert all(one.end <= other.start for one, other in pairwise(findings))


def test_nothing_is_sent_even_where_telemetry_was_asked_for():
    script = (
        "import socket\n"
        "def refuse(*a, **k): print('CONNECTED'); raise OSError\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "import threading\n"
        "from pipeline.pii import find\n"
        "assert find(['ann@example.org'])\n"
        "[t.join(5) for t in threading.enumerate() if t is not threading.main_thread()]\n"
    )
    environment = {**os.environ, "DATAFOG_TELEMETRY": "1", "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
