"""What the split knows of its rows besides template and source: length, language, and who checked them and how.

{"id": "9f3c...", "n_prompt_tokens": 41, "meta": '{"language":"de"}', "annotators": ["a1", "a3"], "status": "edited"}
    ->  example 9f3c..., n_prompt_tokens 41, language de, annotators [a1, a3], guideline missing, status edited
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.meta import meta_values
from pipeline.snapshot import Snapshot
from pipeline.strata import LANGUAGE

_COLUMNS = ["id", "n_prompt_tokens", "annotators", "guideline", "status"]


def slice_facts(split: Snapshot, side: str) -> pd.DataFrame:
    """Return one row an example of a side, indexed by id; `language` and `guideline` are missing where nothing says it.

    The language is the first that the kept column `language` names.

    Args:
        split: A snapshot of the stage split.
        side: train, validation or test.
    """
    tables, languages = [], []
    for file in split.manifest.files:
        if not file.name.startswith(f"{side}-"):
            continue
        for batch in Snapshot.read_part(split.folder / file.name, [*_COLUMNS, "meta"]):
            rows, values = meta_values(batch.column("meta"), LANGUAGE)
            places, first = np.unique(rows, return_index=True)
            named = np.full(batch.num_rows, None, object)
            named[places] = np.array(values.to_pylist(), object)[first]
            languages.append(named)
            tables.append(pa.table({name: batch.column(name) for name in _COLUMNS}))
    if not tables:
        return pd.DataFrame(columns=[*_COLUMNS[1:], LANGUAGE], index=pd.Index([], name="example"))
    found: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return found.assign(**{LANGUAGE: np.concatenate(languages)}).rename(columns={"id": "example"}).set_index("example")
