"""Settings of the peers: what each does when nothing is set, and what else to try on short prompts.

Every peer also takes `text`: "prompt", "response" or "both", which is the default. The defaults are those of the
peer's command line or configuration class; where a library leaves the choice to its user, those of the first example
in its documentation: whitespace words, as they stand.
"""

from collections.abc import Mapping

Settings = Mapping[str, object]

DEFAULTS: dict[str, Settings] = {
    "datatrove": {"n_grams": 5, "num_buckets": 14, "hashes_per_bucket": 8},
    "text-dedup": {
        "ngram": 5,
        "min_length": 5,
        "num_perm": 250,
        "threshold": 0.7,
        "hash_func": "sha1",
        "hash_bits": 64,
    },
    "rensa": {"sketch": "r", "threshold": 0.8, "num_perm": 128, "num_bands": None, "words": 1, "lower": False},
    "datasketch": {"threshold": 0.9, "num_perm": 128, "params": None, "words": 1, "lower": False},
    "semhash": {"model": "minishlab/potion-base-8M", "threshold": 0.9},
}

# Each is laid over the defaults. The comment is the similarity at which half of the pairs are found, (1/bands)^(1/rows)
# roughly, where bands are set by hand.
OTHERS: dict[str, list[Settings]] = {
    "datatrove": [
        {"n_grams": 3},
        {"n_grams": 2},
        {"n_grams": 1},
        {"n_grams": 2, "num_buckets": 28, "hashes_per_bucket": 4},  # 0.43
        {"n_grams": 1, "num_buckets": 20, "hashes_per_bucket": 8},  # 0.69
        {"n_grams": 3, "num_buckets": 28, "hashes_per_bucket": 4},  # 0.43
    ],
    "text-dedup": [
        {"ngram": 3, "min_length": 1},
        {"ngram": 2, "min_length": 1},
        {"ngram": 1, "min_length": 1},
        {"ngram": 2, "min_length": 1, "threshold": 0.5},
        {"ngram": 1, "min_length": 1, "threshold": 0.8},
        {"ngram": 2, "min_length": 1, "num_perm": 200, "b": 50, "r": 4},  # 0.38
    ],
    "rensa": [
        {"lower": True},
        {"lower": True, "threshold": 0.7, "num_bands": 32},
        {"lower": True, "words": 2, "threshold": 0.7, "num_bands": 32},
        {"lower": True, "words": 3, "threshold": 0.5, "num_bands": 32},
        {"lower": True, "words": 2, "threshold": 0.5, "num_perm": 256, "num_bands": 64},
        {"sketch": "c", "lower": True, "threshold": 0.7},
    ],
    "datasketch": [
        {"lower": True, "threshold": 0.8},
        {"lower": True, "threshold": 0.7},
        {"lower": True, "words": 2, "threshold": 0.7},
        {"lower": True, "words": 3, "threshold": 0.5},
        {"lower": True, "words": 2, "threshold": 0.5},
        {"lower": True, "words": 2, "num_perm": 200, "params": [50, 4]},  # 0.38
    ],
    "semhash": [{"threshold": 0.95}, {"threshold": 0.85}, {"threshold": 0.8}],
}
