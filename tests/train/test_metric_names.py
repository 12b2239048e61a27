"""The names that template files are checked against are those of the metrics there are."""

from schemas.metric import METRIC_NAMES
from train.metrics import METRICS


def test_every_metric_is_named_and_every_name_is_a_metric():
    assert sorted(METRICS) == sorted(METRIC_NAMES)
