"""What lies beside the parquet of a split: `README.md`, read by people and by `datasets`, and `croissant.json`."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipeline.croissant import About, Config, croissant, sha256
from pipeline.licences import NOT_STATED, Licensed, conflicts, forbidden, remarks, shared
from pipeline.markdown_text import inline
from pipeline.meta import meta_values
from pipeline.snapshot import Snapshot
from pipeline.split_rows import joined_meta
from pipeline.strata import LANGUAGE, count, strata_of, with_language
from pipeline.written_by import models_of
from schemas import SPLITS, Example, arrow_schema

MESSAGES = "`prompt` and `completion` are lists of messages: trainers that know this form learn the completion only."
_COUNTED = ("template", "source", "split", "status", "license", "meta")
METADATA = "croissant.json"


def split_documents(snapshot: Snapshot) -> dict[str, str]:
    """Return the card and the metadata of a split by file name.

    They depend on the rows and files alone, so a version has one card.
    """
    rows = card_rows(snapshot)
    return {"README.md": _card(snapshot, rows), METADATA: _metadata(snapshot, rows)}


def _card(snapshot: Snapshot, rows: pa.Table) -> str:
    """Return YAML that names the files of each side, then tables for a reader."""
    names = [file.name for file in snapshot.manifest.files]
    head = {"configs": [config_head("default", names)], "tags": ["instruction-tuning", "tuneloop"]}
    lines = [
        *front(head),
        f"# Split {snapshot.manifest.version}",
        "",
        f"{snapshot.manifest.rows:,} examples. {MESSAGES}",
        "",
        *rows_told(rows),
        *licences_told(rows),
        "No example of one side shares a group with, or resembles, an example of another side; the record of "
        "the run in `data/split/refs/` holds the proof.",
        "",
    ]
    return "\n".join(lines)


def _metadata(snapshot: Snapshot, rows: pa.Table) -> str:
    version = snapshot.manifest.version
    description = f"{snapshot.manifest.rows:,} examples for instruction tuning."
    about = About(f"Split {version}", description, version, shared_licence(rows))
    config = Config("default", "*.parquet", arrow_schema(Example), "One row an example.")
    digests = {file.name: sha256(snapshot.folder / file.name) for file in snapshot.manifest.files}
    return croissant(about, [config], digests)


def front(head: dict[str, object]) -> list[str]:
    """Return the lines of the YAML that a card begins with."""
    return ["---", yaml.safe_dump(head, sort_keys=False, allow_unicode=True).rstrip(), "---"]


def config_head(config: str, names: list[str], folder: str = "", *, is_default: bool = False) -> dict[str, object]:
    """Return what a card's YAML says of one table: where the files of each side are.

    Args:
        config: Its name.
        names: Its files, such as train-00000-of-00001.parquet.
        folder: Where they lie, such as `data/`.
        is_default: Whether it is loaded where no name is given.
    """
    sides = [side for side in SPLITS if any(name.startswith(f"{side}-") for name in names)]
    files = [{"split": side, "path": f"{folder}{side}-*.parquet"} for side in sides]
    return {"config_name": config, "data_files": files, **({"default": True} if is_default else {})}


def card_rows(snapshot: Snapshot) -> pa.Table:
    """Return what a card counts: template, source, split, status, license, model, model_license, language."""
    plain, languages, start = [], [], 0
    for batch in snapshot.batches(list(_COUNTED)):
        meta = batch.column("meta")
        row, value = meta_values(meta, LANGUAGE)
        languages.append((row + start, value))
        model, licence = models_of(meta)
        batch = batch.drop_columns(["meta"]).append_column("model", model).append_column("model_license", licence)
        plain.append(batch)
        start += batch.num_rows
    return with_language(pa.Table.from_batches(plain), joined_meta(languages))


def licensed(rows: pa.Table) -> list[Licensed]:
    """Return the sources and the models that wrote drafts, with their licences, in order."""
    sources = rows.group_by(["source", "license"]).aggregate([]).to_pylist()
    drafts = rows.filter(pc.is_valid(rows.column("model"))).group_by(["model", "model_license"]).aggregate([])
    return [
        *sorted((Licensed(f"source {one['source']}", one["license"]) for one in sources), key=_in_order),
        *sorted(
            (Licensed(f"drafts by {one['model']}", one["model_license"]) for one in drafts.to_pylist()), key=_in_order
        ),
    ]


def shared_licence(rows: pa.Table) -> str | None:
    """Return the one licence that all rows are under; None if there are several, or one is not stated."""
    return shared([one.licence for one in licensed(rows)])


def rows_told(rows: pa.Table) -> Iterator[str]:
    """Yield tables of the rows by template, source, language and status."""
    for by in strata_of(rows):
        yield from _sides(rows, by)
    yield "| status | examples |"
    yield "|---|---|"
    for line in rows.group_by("status").aggregate([([], "count_all")]).sort_by("status").to_pylist():
        yield f"| {inline(line['status'])} | {line['count_all']:,} |"
    yield ""


def licences_told(rows: pa.Table) -> Iterator[str]:
    """Yield tables of sources and models with their licences, then what does not go together or forbids."""
    yield "| source | licence | examples |"
    yield "|---|---|---|"
    yield from _counted(rows, "source", "license")
    yield ""
    drafts = rows.filter(pc.is_valid(rows.column("model")))
    if drafts.num_rows:
        yield "| drafts written by | its licence | examples |"
        yield "|---|---|---|"
        yield from _counted(drafts, "model", "model_license")
        yield ""
    everything = licensed(rows)
    told = [*forbidden(everything), *conflicts(everything), *remarks(everything)]
    if told:
        yield "Licences, as far as tuneloop knows them; this is no legal advice:"
        yield ""
        yield from (f"- {inline(sentence)}." for sentence in told)
        yield ""


def _counted(rows: pa.Table, name: str, licence: str) -> list[str]:
    lines = rows.group_by([name, licence]).aggregate([([], "count_all")]).to_pylist()
    return sorted(
        f"| {inline(one[name])} | {inline(one[licence] or NOT_STATED)} | {one['count_all']:,} |" for one in lines
    )


def _sides(rows: pa.Table, by: str) -> Iterator[str]:
    """Yield a table of the rows on each side, and which share of the line's rows that is."""
    yield f"| {by} | {' | '.join(SPLITS)} |"
    yield f"|---|{'---|' * len(SPLITS)}"
    for name, sides in count(rows, by).items():
        n = sum(sides.values())
        yield f"| {inline(name)} | {' | '.join(f'{sides[side]:,} ({sides[side] / n:.1%})' for side in SPLITS)} |"
    yield ""


def _in_order(one: Licensed) -> tuple[str, str]:
    return one.what, one.stated
