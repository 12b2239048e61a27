import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.holdout import HoldOut
from pipeline.ledger import Decision, decisions, newest_ledger, with_new
from pipeline.mixing import Mix
from pipeline.prompts import Prompts
from pipeline.split import Split
from pipeline.split_rows import MetaColumn, Rows
from pipeline.splitting import decide
from schemas import SPLITS, ConfigError, arrow_schema

NOTHING = arrow_schema(Decision).empty_table()
PLAIN = Split(shares={"train": 0.5, "validation": 0.25, "test": 0.25}, salt="s").policy
# Near and of one meaning, near and of another, far.
PROMPTS = (
    "Explain how a self-driving car works.",
    "explain how self-driving cars work",
    "Add 2 and 3 and 4.",
    "Add 2 and 3 and 5.",
    "Name a river in Africa.",
    "Name a river in Asia.",
)


def name(n: int) -> str:
    """Return an id as ingest makes them: 32 hex digits, here of a number spread over the range."""
    return f"{(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128:032x}"


def rows(*given: tuple[int, int, int, int, tuple[int, ...]]) -> Rows:
    """Return rows of (number, group, prompt, source, numbers of parents)."""
    numbers = [one[0] for one in given]
    pairs = [(at, name(parent)) for at, one in enumerate(given) for parent in one[4]]
    plain = pa.table(
        {
            "id": [name(n) for n in numbers],
            "origin": [f"a:{n}" for n in numbers],
            "group": [name(1000 + one[1]) for one in given],
            "source": [f"s{one[3]}" for one in given],
            "template": ["t"] * len(given),
        },
        schema=pa.schema([(column, pa.string()) for column in ("id", "origin", "group", "source", "template")]),
    )
    texts = [pa.chunked_array([[PROMPTS[one[2]] for one in given]], pa.string())]
    parents = MetaColumn(np.array([at for at, _ in pairs], np.int64), pa.array([p for _, p in pairs], pa.string()))
    notes = [json.dumps({"parents": [name(parent) for parent in one[4]]}) for one in given]
    note = MetaColumn(np.arange(len(given)), pa.array(notes, pa.string()))
    return Rows(plain, Prompts.of(texts), {"made_from": parents, "synthetic": note})


def outcome(given: Rows, known: pa.Table, policy) -> tuple[dict[str, str], dict[str, str], pa.Table]:
    """Return id to side of the rows that stay, id to reason of those that leave, and the ledger after."""
    decided = decide(given, known, policy)
    (batch,) = decided.leaving.batches(given.plain, decided.sides)
    stay, leave = {}, {}
    for one, row in zip(given.plain["id"].to_pylist(), batch.to_pylist(), strict=True):
        if row["reason"] is None:
            stay[one] = row["split"]
        else:
            assert row["detail"]
            leave[one] = row["reason"]
    return stay, leave, with_new(known, given.plain["id"], decided.sides)


one_row = st.tuples(
    st.integers(0, 12), st.integers(0, len(PROMPTS) - 1), st.integers(0, 2), st.lists(st.integers(0, 45), max_size=2)
)
policies = st.builds(
    lambda hold, cap, weight, parents, synthetic, most: replace(
        PLAIN,
        hold_out=HoldOut(sources=hold),
        mix=Mix(default_cap=cap, weights={"s0": weight}),
        parent_column="made_from" if parents else None,
        synthetic=synthetic,
        max_synthetic=most,
    ),
    st.sampled_from([[], ["s2"]]),
    st.sampled_from([None, 2, 5]),
    st.sampled_from([0.5, 1]),
    st.booleans(),
    st.sampled_from([(), ("s1",), ("s1", "s2")]),
    st.sampled_from([0.2, 1.0]),
)


def numbered(given: list) -> list:
    return [(n, group, prompt, source, tuple(parents)) for n, (group, prompt, source, parents) in enumerate(given)]


def decided_or_skipped(given: Rows, known: pa.Table, policy):
    try:
        return outcome(given, known, policy)
    except ConfigError:  # chance left nothing to train on
        assume(False)
        raise


@settings(max_examples=150)
@given(st.lists(one_row, min_size=1, max_size=40), st.integers(0, 40), policies, policies, st.randoms())
def test_new_rows_move_no_old_one_and_an_old_one_that_goes_is_listed(given, n_old, policy, later, random):
    every = numbered(given)
    old = every[: max(1, n_old)]
    stay, _, ledger = decided_or_skipped(rows(*old), NOTHING, policy)
    random.shuffle(every)
    after, gone, grown = decided_or_skipped(rows(*every), ledger, random.choice([policy, later]))
    assert all(after[one] == side for one, side in stay.items() if one in after)
    assert all(one in gone for one in stay if one not in after)
    assert grown.slice(0, ledger.num_rows).equals(ledger)
    assert set(grown["id"].to_pylist()) == {name(one[0]) for one in every}


@settings(max_examples=150)
@given(st.lists(one_row, min_size=1, max_size=40), policies, st.randoms())
def test_the_order_of_rows_changes_nothing_and_a_second_run_on_its_own_ledger_neither(given, policy, random):
    every = numbered(given)
    first = decided_or_skipped(rows(*every), NOTHING, policy)
    again = outcome(rows(*every), first[2], policy)
    assert again[:2] == first[:2]
    assert again[2].equals(first[2])
    random.shuffle(every)
    other = outcome(rows(*every), NOTHING, policy)
    assert other[:2] == first[:2]
    assert other[2].equals(first[2])


@settings(max_examples=100)
@given(st.lists(one_row, min_size=1, max_size=40), policies)
def test_mixing_never_touches_validation_and_test(given, policy):
    every = rows(*numbered(given))
    mixed = decided_or_skipped(every, NOTHING, policy)[0]
    whole = outcome(every, NOTHING, replace(policy, mix=Mix()))[0]
    assert {one: side for one, side in mixed.items() if side != "train"} == {
        one: side for one, side in whole.items() if side != "train"
    }
    assert mixed.items() <= whole.items()


@settings(max_examples=100)
@given(st.lists(one_row, min_size=1, max_size=40), policies)
def test_what_stays_is_as_promised(given, policy):
    every = numbered(given)
    stay = decided_or_skipped(rows(*every), NOTHING, policy)[0]
    sides: dict[object, set[str]] = {}
    for n, group, prompt, source, parents in every:
        if (side := stay.get(name(n))) is None:
            continue
        for key in (f"group {group}", f"prompt {prompt}", "cars" if prompt < 2 else n):
            sides.setdefault(key, set()).add(side)
        by_model = f"s{source}" in policy.synthetic
        if by_model:
            assert side == "train"
        elif f"s{source}" in policy.hold_out.sources:
            assert side == "test"
        known = [parent for parent in parents if parent < len(every) and parent != n]
        if (policy.parent_column or by_model) and known:
            # A parent may itself have left the train side, as a leak or by the mix, but never be on another.
            assert side == "train"
            assert all(stay.get(name(parent), "train") == "train" for parent in known)
    assert all(len(found) == 1 for found in sides.values())


def test_a_row_held_out_that_is_on_train_by_the_ledger_leaves_and_is_listed():
    given = rows((0, 0, 4, 0, ()), (1, 1, 2, 1, ()), (2, 2, 0, 1, ()))
    known = pa.table({"id": [name(0), name(1)], "split": ["train", "train"]}, schema=NOTHING.schema)
    policy = replace(PLAIN, hold_out=HoldOut(sources=["s1"]))
    decided = decide(given, known, policy)
    stay, leave, ledger = outcome(given, known, policy)
    assert leave == {name(1): "held_out"}
    assert stay == {name(0): "train", name(2): "test"}
    assert decided.counts["held_out_rows"] == 1
    why = "held out for test, but the ledger has it, or its group, on train"
    assert decided.notes["hold_out"] == {
        "absent": [],
        "left": [{"origin": "a:1", "partner": None, "score": None, "why": why}],
    }
    assert ledger["split"].to_pylist() == ["train", "train", "test"]


def test_a_row_held_out_for_validation_may_stay_on_test():
    given = rows((0, 0, 4, 0, ()), (1, 1, 2, 1, ()))
    known = pa.table({"id": [name(0), name(1)], "split": ["train", "test"]}, schema=NOTHING.schema)
    policy = replace(PLAIN, hold_out=HoldOut(sources=["s1"], side="validation"))
    assert outcome(given, known, policy)[0] == {name(0): "train", name(1): "test"}


def test_holding_out_all_there_is_to_train_on_is_refused_before_anything_is_decided():
    given = rows((0, 0, 4, 0, ()), (1, 0, 2, 1, ()))
    with pytest.raises(ConfigError) as refused:
        decide(given, NOTHING, replace(PLAIN, hold_out=HoldOut(sources=["s1"])))
    assert str(refused.value) == (
        "no row is left to train on: of 2 rows 1 are held out, and their groups with them\n"
        "  where: split.hold_out\n"
        "  fix:   hold out fewer templates, sources or authors; nothing was decided"
    )


def test_weights_that_keep_nothing_are_refused():
    known = pa.table({"id": [name(0)], "split": ["train"]}, schema=NOTHING.schema)
    with pytest.raises(ConfigError, match="of 1 train rows the weights keep none"):
        decide(rows((0, 0, 4, 0, ())), known, replace(PLAIN, mix=Mix(weights={"s0": 1e-9})))


SIDES = {name(0): "train", name(1): "test"}
LEDGER = pa.table({"id": list(SIDES), "split": list(SIDES.values())}, schema=NOTHING.schema)


def test_a_synthetic_row_leaves_unless_all_its_parents_are_trained_on():
    policy = replace(PLAIN, parent_column="made_from")
    given = rows((0, 0, 0, 0, ()), (1, 1, 2, 0, ()), (2, 2, 4, 0, (0,)), (3, 3, 5, 0, (0, 1)), (4, 4, 3, 0, (99,)))
    stay, leave, _ = outcome(given, LEDGER, policy)
    assert leave == {name(3): "parent_held_out"}
    assert stay[name(2)] == stay[name(4)] == "train"
    decided = decide(given, LEDGER, policy)
    assert decided.counts["parent_unknown"] == 1
    why = f"made from {name(1)}, which leads to a row on test"
    assert decided.notes["parents"] == {
        "unknown": [{"origin": "a:4", "parent": name(99)}],
        "left": [{"origin": "a:3", "partner": "a:1", "score": None, "why": why}],
    }


def test_a_synthetic_row_put_on_test_before_its_parents_were_named_leaves():
    given = rows((0, 0, 0, 0, ()), (1, 1, 2, 0, (0,)))
    _, leave, _ = outcome(given, LEDGER, replace(PLAIN, parent_column="made_from"))
    assert leave == {name(1): "parent_apart"}


def test_a_synthetic_row_that_leaves_drives_no_train_row_out():
    given = rows((0, 0, 0, 0, ()), (1, 1, 2, 0, ()), (2, 0, 0, 0, (1,)))  # row 2 has the prompt and group of row 0
    stay, leave, _ = outcome(given, LEDGER, replace(PLAIN, parent_column="made_from"))
    assert leave == {name(2): "parent_held_out"}
    assert stay[name(0)] == "train"


def test_what_a_model_wrote_is_trained_on_or_leaves_wherever_its_group_and_hold_outs_would_put_it():
    policy = replace(PLAIN, synthetic=("s1",), hold_out=HoldOut(sources=["s1"]))
    given = rows((0, 0, 0, 0, ()), (2, 2, 4, 1, ()), (3, 3, 2, 1, (1,)))
    stay, leave, _ = outcome(given, LEDGER, policy)
    assert (stay, leave) == ({name(0): "train"}, {name(2): "synthetic", name(3): "parent_held_out"})
    # Thirty rows by lot would stand on every side; by a model they all are trained on.
    many = rows((0, 0, 0, 0, ()), *((n, n, 4, 1, ()) for n in range(2, 32)))
    texts = [pa.chunked_array([[f"Say the word {n:b} aloud {n * 7919} times." for n in range(many.n)]])]
    decided = decide(replace(many, prompts=Prompts.of(texts)), NOTHING, replace(PLAIN, synthetic=("s1",)))
    assert {*decided.sides[1:].tolist()} == {0}
    assert len({*decide(replace(many, prompts=Prompts.of(texts)), NOTHING, PLAIN).sides[1:].tolist()}) == 3


def test_synthetic_rows_are_at_most_their_share_of_the_train_side():
    prompts = [f"Say the word {n * 7919:b} aloud." for n in range(24)]
    given = rows(*((n, n, 0, int(n >= 8), ()) for n in range(24)))
    given = replace(given, prompts=Prompts.of([pa.array(prompts)]))
    known = pa.table({"id": [name(n) for n in range(8)], "split": ["train"] * 8}, schema=NOTHING.schema)
    policy = replace(PLAIN, synthetic=("s1",), max_synthetic=0.2, leak=1.0)
    stay, leave, ledger = outcome(given, known, policy)
    assert [*leave.values()] == ["capped"] * 14  # 8 others leave room for 2: 2 of 10 is a fifth
    # A larger share lets more in and drives none out.
    assert stay.items() <= outcome(given, ledger, replace(policy, max_synthetic=0.5))[0].items()
    alone = rows((0, 0, 0, 1, ()))
    with pytest.raises(ConfigError, match=r"all 1 train rows are synthetic, and draft.max_share = 0\.2"):
        decide(alone, NOTHING, policy)


def test_leaks_are_listed_with_partner_and_source():
    given = rows((0, 0, 0, 0, ()), (1, 1, 1, 1, ()))
    assert decide(given, LEDGER, PLAIN).notes["leaks"] == {
        "first": [
            {
                "origin": "a:0",
                "partner": "a:1",
                "score": 0.9296,  # 1 - 5 / (37 + 34): "a ", "s", "s" and "." come or go
                "why": "resembles a row in test: differs in 'car' / 'cars', 'work' / 'works'",
            }
        ],
        "by_source": {"s0 (train) resembles s1 (test)": 1},
    }


MADE = """
[[ingest.sources]]
name = "made"
path = "made.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
keep = ["made_from", "author", "language"]
[format]"""


def write_made(project, *made: dict) -> None:
    (project.root / "made.jsonl").write_text("".join(json.dumps(one) + "\n" for one in made))


MADE_ROWS = [
    {"q": f"Describe the {colour} flag of the harbour.", "a": f"It is {colour}."}
    | {"author": who, "language": "en", "made_from": []}
    for colour, who in (("red", "ann"), ("green", "bob"), ("blue", "ann"), ("white", "cy"))
]


@pytest.fixture
def made(project):
    project.replace("recipe.toml", "[format]", MADE)
    write_made(project, *MADE_ROWS)
    return project


def test_authors_are_held_out_by_a_kept_column(made):
    made.replace("recipe.toml", "[split]", '[split.hold_out]\nauthors = ["ann", "anne"]\n[split]')
    made.run()
    authors = {row["origin"]: row["split"] for row in made.rows("split") if row["source"] == "made"}
    assert authors["made.jsonl:1"] == authors["made.jsonl:3"] == "test"
    facts = made.outcomes["split"].record.facts
    assert facts["hold_out"]["absent"] == ["no row by anne: did you mean 'ann'?"]


def test_a_column_nobody_keeps_stops_the_run(made):
    made.replace("recipe.toml", "[split]", '[split]\nparent_column = "parents"')
    with pytest.raises(ConfigError, match="no source keeps a column 'parents'"):
        made.run()


def test_all_that_is_wrong_with_names_is_said_at_once(made):
    made.replace(
        "recipe.toml",
        "[split]",
        '[split.hold_out]\nsources = ["maid"]\ntemplates = ["instruckt"]\n[split.mix]\nweights = { note = 0.5 }\n[split]',
    )
    with pytest.raises(ConfigError) as refused:
        made.run()
    told = str(refused.value)
    assert "did you mean 'made'?" in told
    assert "did you mean 'instruct'?" in told
    assert "did you mean 'notes'?" in told


def test_a_refused_hold_out_decides_nothing(made):
    everyone = '["questions", "notes"]'
    made.replace(
        "recipe.toml", "[split]", f'[split.hold_out]\nsources = {everyone}\nauthors = ["ann", "bob", "cy"]\n[split]'
    )
    with pytest.raises(ConfigError, match="no row is left to train on"):
        made.run()
    assert newest_ledger(made.data, "tiny") is None


def test_a_child_follows_a_parent_that_dedupe_dropped_as_a_duplicate(made):
    """questions.jsonl:2 is a duplicate of line 1; the child of either stays or goes alike."""
    made.run()
    (kept,) = [row for row in made.rows("split") if row["origin"] in ("questions.jsonl:1", "questions.jsonl:2")]
    child = {"q": "Which city do the French govern from?", "a": "Paris", "made_from": ["questions.jsonl:2"]}
    write_made(made, *MADE_ROWS, MADE_ROWS[0] | child)
    made.replace("recipe.toml", "[split]", '[split]\nparent_column = "made_from"')
    made.run()
    (found,) = [row for row in [*made.rows("split"), *made.dropped("split")] if row["origin"] == "made.jsonl:5"]
    assert found.get("reason") == (None if kept["split"] == "train" else "parent_held_out")
    assert made.outcomes["split"].record.counts["parent_unknown"] == 0


def test_the_proof_and_the_tables_stand_in_the_record(made):
    made.run()
    facts = made.outcomes["split"].record.facts
    n = len(made.rows("split"))
    assert facts["proof"] == {
        "rows_searched": n,
        "threshold": 0.85,
        "crossings": 0,
        "groups_crossing": 0,
        "ids_crossing": 0,
        "pairs_near": facts["proof"]["pairs_near"],
        "pairs_judged": facts["proof"]["pairs_judged"],
    }
    assert set(facts["strata"]) == {"template", "source", "language"}
    assert sum(one["rows"] for one in facts["strata"]["source"].values()) == n
    assert facts["strata"]["language"]["en"]["rows"] == 4
    card = (made.data / "split" / made.outcomes["split"].record.version / "README.md").read_text()
    assert "| language | train | validation | test |" in card


def test_capped_rows_are_in_the_ledger_and_come_back_when_the_cap_goes(made):
    made.replace("recipe.toml", "[split]", "[split.mix]\ndefault_cap = 1\n[split]")
    made.run()
    capped = {row["id"] for row in made.dropped("split") if row["reason"] == "capped"}
    ledger = decisions(newest_ledger(made.data, "tiny"))
    known = dict(zip(ledger["id"].to_pylist(), ledger["split"].to_pylist(), strict=True))
    assert capped
    assert {known[one] for one in capped} == {"train"}
    made.replace("recipe.toml", "[split.mix]\ndefault_cap = 1\n", "")
    made.run()
    back = {row["id"]: row["split"] for row in made.rows("split")}
    assert {back[one] for one in capped} == {"train"}


def test_sides_are_named_from_the_lesser_to_the_greater():
    assert SPLITS == ("train", "validation", "test")
