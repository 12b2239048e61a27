"""What changed between two versions by digests of columns is what changed value by value."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.version_changes import _hashes

MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "a"]), "content": st.text(max_size=3) | st.none()}),
    max_size=3,
)
KINDS = {
    "text": (pa.string(), st.text(max_size=3) | st.none()),
    "number": (pa.int64(), st.integers(0, 3)),
    "marks": (pa.list_(pa.string()), st.lists(st.sampled_from(["", "a", "ab", "b"]), max_size=3)),
    "messages": (pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])), MESSAGES),
}


@given(
    st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), st.lists(KINDS[kind][1], max_size=8)))
)
def test_two_values_have_one_digest_if_and_only_if_they_are_equal(drawn):
    kind, values = drawn
    column = pa.array(values, KINDS[kind][0])
    found = _hashes(column).tolist()
    assert len(found) == len(values)
    for value, digest in zip(values, found, strict=True):
        assert [one for one, other in zip(values, found, strict=True) if other == digest] == [
            value for one in values if one == value
        ]
    # A batch that is cut out of another has the same digests.
    assert _hashes(column.slice(1)).tolist() == found[1:]


def test_the_order_of_marks_and_messages_counts():
    one, other = _hashes(pa.array([["a", "b"], ["b", "a"]])).tolist()
    assert one != other
