import pyarrow as pa
import pytest

from pipeline.strict_json import canonical
from pipeline.written_by import models_of


@pytest.mark.parametrize(
    ("meta", "model", "licence"),
    [
        ({"synthetic": {"model": "Qwen/Qwen3-0.6B", "license": "Apache-2.0"}}, "Qwen/Qwen3-0.6B", "Apache-2.0"),
        ({"synthetic": {"model": "/home/ann/models/mine/"}}, "mine", None),
        ({"synthetic": {"model": "C:\\Users\\ann\\mine"}}, "mine", None),
        ({"synthetic": {"model": "./ann/mine", "license": ""}}, "mine", None),
        ({"synthetic": {"seed": 3}}, "a model that is not named", None),
        ({"synthetic": "gpt"}, "gpt", None),
        ({"synthetic": None}, None, None),
        ({"language": "de"}, None, None),
        ({}, None, None),
    ],
)
def test_who_drafted_a_row_is_read_from_meta(meta, model, licence):
    models, licences = models_of(pa.array(["{}", canonical(meta)]))
    assert models.to_pylist() == [None, model]
    assert licences.to_pylist() == [None, licence]


def test_no_rows_give_no_models():
    assert [one.to_pylist() for one in models_of(pa.array([], pa.string()))] == [[], []]
