import itertools

import pyarrow as pa
import pytest
from pydantic import BaseModel

from schemas import Annotated, Deduped, Example, Formatted, Ingested, arrow_schema, dropped_schema


def test_every_stage_adds_columns_and_renames_none():
    stages = [Ingested, Deduped, Formatted, Annotated, Example]
    names = [arrow_schema(stage).names for stage in stages]
    for before, after in itertools.pairwise(names):
        assert after[: len(before)] == before
        assert len(after) > len(before)


def test_only_fields_that_may_be_none_are_nullable():
    schema = arrow_schema(Example)
    assert not schema.field("id").nullable
    assert schema.field("license").nullable


def test_messages_become_structs_of_text():
    message = arrow_schema(Example).field("prompt").type.value_type
    assert [message.field(n).name for n in range(3)] == ["role", "content", "name"]
    assert message.field("weight").type == pa.float64()


def test_dropped_rows_carry_why():
    assert dropped_schema(Ingested).names[-5:] == ["reason", "detail", "partner_id", "partner_origin", "score"]


def test_a_type_without_arrow_form_is_refused():
    class Odd(BaseModel):
        x: dict[str, int]

    with pytest.raises(TypeError, match="no Arrow type for dict"):
        arrow_schema(Odd)
