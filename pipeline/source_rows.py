"""The first rows of a source as examples, read just as `tuneloop data` would read them; nothing is written.

recipe source "news", 2 rows  ->  [Row("news.csv:1", "summarize", {"document": "...", "summary": "..."}, []), ...]
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.ingest import Ingest
from pipeline.plan import place_of
from pipeline.recipe import Recipe
from pipeline.source import Source
from pipeline.stage import Place, Slice
from schemas import ConfigError, Template, nearest


@dataclass(frozen=True)
class Row:
    """One example as ingest makes it; `turns` for conversations only."""

    id: str
    origin: str
    template: str
    fields: dict[str, str]
    turns: list[dict[str, Any]]


@dataclass(frozen=True)
class Rows:
    """Rows that became examples, and the others with reason and first detail."""

    good: list[Row]
    bad: Counter[str]
    first: dict[str, str]


def sources_of(recipe: Recipe, name: str | None) -> list[Source]:
    """Return the source of a name, or all; raises ConfigError for a name that is none."""
    found = [source for source in recipe.ingest.sources if name in (None, source.name)]
    if not found:
        known = [source.name for source in recipe.ingest.sources]
        raise ConfigError(f"there is no source {name!r}", where=f"recipe {recipe.name}", fix=nearest(str(name), known))
    return found


def place_for(recipe: Recipe, root: Path) -> Place:
    """Return what a stage may look at; raises ConfigError for templates that do not load."""
    return place_of(recipe, root / "data", root, {})


def file_place(templates: dict[str, tuple[Template, Path]], root: Path) -> Place:
    """Return the same for a file that no recipe names."""
    return Place("none", root, root / "data", templates, (), (), root, {})


def first_rows(source: Source, place: Place, n: int) -> Rows:
    """Return the first rows of a source, at most `n` of its file, each for every template of the source.

    Raises:
        ConfigError: Templates, fields or columns that the source does not have.
        SourceError: No file, or none of its first rows can be read.
    """
    limit = min(n, source.limit or n)
    stage = Ingest(sources=[source.model_copy(update={"limit": limit})], max_bad_share=1, pii="off")
    inputs = stage.inputs(place)
    rows = Rows([], Counter(), {})
    for part in stage.parts({}, inputs):
        for batch in stage.read(part, inputs):
            mapped = stage.map(batch, Slice(None, {}, inputs))
            for one in mapped.kept.to_pylist():
                fields = {field["name"]: field["value"] for field in one["fields"]}
                rows.good.append(Row(one["id"], one["origin"], one["template"], fields, one["turns"]))
            for one in mapped.dropped.to_pylist():
                rows.bad[one["reason"]] += 1
                rows.first.setdefault(one["reason"], f"{one['origin']}: {one['detail']}")
    return rows
