"""The names of the metrics a template may ask for; `train.metrics` measures them, and a test holds the two together.

metrics: [rouge_l, token_f1]
"""

METRIC_NAMES = (
    "accuracy",
    "bleu",
    "chrf",
    "exact_match",
    "json_field_f1",
    "json_match",
    "list_f1",
    "macro_f1",
    "number_match",
    "rouge_1",
    "rouge_2",
    "rouge_l",
    "token_f1",
)
