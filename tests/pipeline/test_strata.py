import numpy as np
import pyarrow as pa

from pipeline.dealing import Shares
from pipeline.split_rows import MetaColumn
from pipeline.split_table import split_lines
from pipeline.strata import strata, with_language

SIDES = ["train"] * 6 + ["validation", "test"] + ["train", "validation"]
PLAIN = pa.table(
    {
        "group": ["g0", "g0", *map(str, range(8))],
        "template": ["qa"] * 8 + ["chat"] * 2,
        "source": ["s"] * 10,
        "split": SIDES,
    }
)
SHARES = Shares(train=0.7, validation=0.2, test=0.1)


def test_every_stratum_has_its_counts_shares_groups_and_distance_from_what_was_asked():
    facts = strata(PLAIN, SHARES)
    assert list(facts["strata"]) == ["template", "source"]
    assert facts["strata"]["template"]["qa"] == {
        "rows": 8,
        "groups": 7,  # the first two rows share one
        "train": 6,
        "validation": 1,
        "test": 1,
        "shares": {"train": 0.75, "validation": 0.125, "test": 0.125},
        "off": 0.075,  # 0.2 of the rows were to be validation, 1 of 8 is
    }


def test_a_stratum_of_few_groups_without_a_test_row_is_thin():
    assert strata(PLAIN, SHARES)["thin_strata"] == ["template chat: 2 groups, no test row"]
    assert strata(PLAIN, Shares(train=0.8, validation=0.2, test=0))["thin_strata"] == []


def test_a_stratum_of_twenty_groups_is_not_thin():
    n = 20
    plain = pa.table(
        {"group": [*map(str, range(n))], "template": ["t"] * n, "source": ["s"] * n, "split": ["train"] * n}
    )
    assert strata(plain, SHARES)["thin_strata"] == []


def test_a_row_counts_for_the_first_language_it_names():
    column = MetaColumn(np.array([0, 0, 3]), pa.array(["de", "en", "fr"]))
    languages = with_language(PLAIN, column)["language"].to_pylist()
    assert languages == ["de", "not stated", "not stated", "fr"] + ["not stated"] * 6
    assert with_language(PLAIN, MetaColumn(np.array([], np.int64), pa.array([], pa.string()))) is PLAIN


def test_the_lines_hold_what_a_user_asks_for():
    proof = {"rows_searched": 10, "threshold": 0.85, "crossings": 0, "groups_crossing": 0, "ids_crossing": 0}
    facts = strata(PLAIN, SHARES) | {
        "proof": proof | {"pairs_near": 3, "pairs_judged": 1},
        "leaks": {"first": [], "by_source": {"a (train) resembles b (test)": 4}},
        "hold_out": {"absent": ["no row by anne: did you mean 'ann'?"], "left": [{"origin": "a:1", "why": "held out"}]},
        "parents": {"unknown": [{"origin": "a:2", "parent": "x"}], "left": []},
    }
    assert list(split_lines(facts)) == [
        "  template   groups            train       validation             test     off",
        "  chat            2        1   50.0%        1   50.0%        0    0.0%   30.0%",
        "  qa              7        6   75.0%        1   12.5%        1   12.5%    7.5%",
        "  source   groups            train       validation             test     off",
        "  s             9        7   70.0%        2   20.0%        1   10.0%    0.0%",
        "  thin: template chat: 2 groups, no test row",
        "  leaks between sources: a (train) resembles b (test): 4",
        "  held out, but on a lesser side by the ledger: a:1: held out",
        "  held out, but not there: no row by anne: did you mean 'ann'?",
        "  parents unknown: a:2: x",
        "  searched again: 10 rows at 0.85, 0 look-alikes, 0 groups and 0 ids on two sides; "
        "3 near pairs, none of one meaning (1 read closely)",
    ]


def test_a_stage_without_these_facts_has_no_lines():
    assert list(split_lines({"waiting": {"unreviewed": 3}})) == []
