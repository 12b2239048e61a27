"""Mixing: how much of each source and template is trained on; validation and test stay as they are.

    [split.mix]
    weights = { alpaca = 0.25 }            # a quarter of its train rows
    caps = { news = 500 }                  # at most 500 of its train rows
    default_cap = 2000                     # of every other source

Which rows stay is a matter of the row's own lot: with the same weight a row that is kept stays kept whatever is
added, and a cap keeps the rows with the smallest lots.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from pipeline.dealing import TRAIN
from pipeline.holdout import unknown_names
from pipeline.leaving import Leaving
from pipeline.lots import lots
from pipeline.stage import Place
from schemas import ConfigError, Strict

Cap = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(gt=0)]


class Mix(Strict):
    """How much of what is trained on."""

    weights: dict[str, Weight] = Field(
        default={}, title="source to the share of its train rows to keep, over 0 to 1; 1 for sources not named"
    )
    caps: dict[str, Cap] = Field(default={}, title="source to the most train rows to keep of it")
    default_cap: int | None = Field(default=None, ge=1, title="most train rows of a source without a cap of its own")
    template_caps: dict[str, Cap] = Field(default={}, title="template to the most train rows to keep of it")

    @field_validator("weights", "caps", "default_cap", "template_caps", mode="before")
    @classmethod
    def _no_switch(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the recipe says
        # True would be read as 1: a cap of one row, or a weight that changes nothing.
        if any(isinstance(one, bool) for one in (value.values() if isinstance(value, dict) else [value])):
            raise ValueError("give numbers here")
        return value

    @field_validator("weights")
    @classmethod
    def _copy_nothing(cls, weights: dict[str, float]) -> dict[str, float]:
        most = max(weights.values(), default=1.0)
        if most > 1:
            scaled = ", ".join(f"{name} = {weight / most:.4g}" for name, weight in weights.items())
            raise ValueError(
                "a weight over 1 asks for copies of rows, which are duplicates in the data: repeating rows belongs to "
                f"training. The same mix without copies is weights = {{ {scaled} }}, and {1 / most:.4g} for every "
                "source not named"
            )
        return weights

    def problems(self, place: Place) -> list[ConfigError]:
        """Return unknown names of sources and templates."""
        where = f"recipe {place.recipe}, split.mix"
        return [
            *unknown_names(self.weights, place.sources, "source", f"{where}.weights"),
            *unknown_names(self.caps, place.sources, "source", f"{where}.caps"),
            *unknown_names(self.template_caps, place.used_templates, "template", f"{where}.template_caps"),
        ]

    def thin_out(self, leaving: Leaving, plain: pa.Table, sides: npt.NDArray[np.int8], salt: str) -> None:
        """Let train rows go until weights, caps of sources and caps of templates hold, in this order.

        Args:
            leaving: Which rows go already; they count for no cap.
            plain: Columns id, origin, source and template.
            sides: 0 train, 1 validation, 2 test.
            salt: The salt of the split: lots for mixing are drawn with another one made from it.
        """
        if not (self.weights or self.caps or self.default_cap or self.template_caps):
            return
        lot = lots(plain.column("id"), f"{salt}\0mix")
        for source, rows in _train_rows(leaving, plain.column("source"), sides).items():
            weight = self.weights.get(source, 1.0)
            if weight < 1:
                sentence = f"the mix keeps {weight:.4g} of the train rows of source {source}"
                leaving.mark(rows[lot[rows] >= weight], "mixed_out", [sentence])
        for column, caps, default in (("source", self.caps, self.default_cap), ("template", self.template_caps, None)):
            for name, rows in _train_rows(leaving, plain.column(column), sides).items():
                cap = caps.get(name, default)
                if cap is not None and len(rows) > cap:
                    sentence = f"{column} {name} is capped at {cap:,} train rows"
                    leaving.mark(_by_lot(rows, lot, plain.column("origin"))[cap:], "capped", [sentence])


def _train_rows(
    leaving: Leaving, names: pa.ChunkedArray, sides: npt.NDArray[np.int8]
) -> Mapping[str, npt.NDArray[np.int64]]:
    """Return the train rows that are still there, by source or template."""
    here = np.flatnonzero((sides == TRAIN) & ~leaving.gone)
    encoded = names.combine_chunks().dictionary_encode()
    code = encoded.indices.to_numpy()[here]
    order = np.argsort(code, kind="stable")
    bounds = np.searchsorted(code[order], np.arange(len(encoded.dictionary) + 1))
    return {name: here[order[bounds[at] : bounds[at + 1]]] for at, name in enumerate(encoded.dictionary.to_pylist())}


def _by_lot(
    rows: npt.NDArray[np.int64], lot: npt.NDArray[np.float64], origins: pa.ChunkedArray
) -> npt.NDArray[np.int64]:
    """Return the rows in order of lot; equal ids, and so lots, in order of origin."""
    table = pa.table({"lot": lot[rows], "origin": origins.take(pa.array(rows))})
    order = pc.sort_indices(table, sort_keys=[("lot", "ascending"), ("origin", "ascending")])
    found: npt.NDArray[np.int64] = rows[order.to_numpy().astype(np.int64)]
    return found
