"""semhash: neighbours by cosine of static word vectors.

Its default model comes from a hub and no package on PyPI ships it, so without a network this needs a model download.
The setting `model` names the folder of a model2vec model that was fetched before. Figures made with any model but
minishlab/potion-base-8M are not those of semhash's defaults.
"""

from pathlib import Path

import numpy as np
from harness import CannotRunError, Settings, main, read_texts
from model2vec import StaticModel
from semhash import SemHash


def dedupe(texts: Path, folder: Path, settings: Settings, workers: int) -> np.ndarray:
    """Return for every row the selected row that it repeats, or itself; semhash sets its number of threads itself.

    Raises:
        CannotRunError: The model is neither in the cache nor to be had.
    """
    del folder, workers
    try:
        model = StaticModel.from_pretrained(settings["model"])
    except Exception as error:
        raise CannotRunError(
            f"needs a model download: {settings['model']} was not found here ({type(error).__name__}); "
            "fetch it where there is a network and name its folder as the setting `model`"
        ) from error
    records = [{"text": text, "row": row} for row, text in enumerate(read_texts(texts))]
    found = SemHash.from_records(records, columns=["text"], model=model).self_deduplicate(settings["threshold"])
    clusters = np.arange(len(records))
    for duplicate in found.filtered:
        clusters[duplicate.record["row"]] = duplicate.duplicate_of["row"]
    return clusters


if __name__ == "__main__":
    main("semhash", dedupe)
