"""The papers of what is published: card, citation and metadata, for somebody who has the folder alone.

README.md       what it is, by whom, under which licences, how far people agreed, what nobody has answered
croissant.json  files, columns and records for other tools
CITATION.cff    how to cite it
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipeline.croissant import About, Config, croissant, sha256
from pipeline.dataset_card import (
    MESSAGES,
    METADATA,
    config_head,
    front,
    licences_told,
    rows_told,
    shared_licence,
)
from pipeline.datasheet import Datasheet
from pipeline.licences import spdx
from pipeline.markdown_text import inline
from pipeline.public_rows import Personal
from pipeline.snapshot import Snapshot
from pipeline.strata import LANGUAGE
from schemas import Strict, arrow_schema
from schemas.publish import PublicAnswer, PublicExample

ROWS, ANSWERS = "data", "annotations"


@dataclass(frozen=True)
class Answers:
    """What the card says of people's answers.

    Attributes:
        n: Answers that go out.
        people: Who gave them, as pseudonyms.
        agreement: Lines of a table in Markdown: how far people agreed, by template and question.
        n_compared: Answers behind the agreement.
    """

    n: int = 0
    people: frozenset[str] = frozenset()
    agreement: tuple[str, ...] = ()
    n_compared: int = 0


@dataclass(frozen=True)
class Publication:
    """What is to be said.

    Attributes:
        title: Of the card.
        revision: A tag, or the version.
        licence: Of the whole; None where there is no single one.
        split: The rows.
        rows: What the card counts of them, as `card_rows` gives it.
        personal: What looks personal in them.
        answers: What people said.
        datasheet: What only people know.
        acknowledged: What was let through knowingly.
    """

    title: str
    revision: str
    licence: str | None
    split: Snapshot
    rows: pa.Table
    personal: Personal
    answers: Answers
    datasheet: Datasheet
    acknowledged: Sequence[str]


def write_papers(publication: Publication, folder: Path) -> None:
    """Write card, citation and metadata beside the files of rows and answers, which must be there."""
    rows = publication.rows
    licence = publication.licence or shared_licence(rows)
    names = {part: sorted(path.name for path in (folder / part).glob("*.parquet")) for part in (ROWS, ANSWERS)}
    papers = {
        "README.md": "\n".join([*_head(publication, rows, licence, names), *_body(publication, rows, names)]),
        "CITATION.cff": _citation(publication, licence),
        METADATA: _metadata(publication, licence, folder, names),
    }
    for name, text in papers.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _head(publication: Publication, rows: pa.Table, licence: str | None, names: dict[str, list[str]]) -> list[str]:
    configs = [config_head("default", names[ROWS], f"{ROWS}/", is_default=True)]
    if names[ANSWERS]:
        configs.append(config_head(ANSWERS, names[ANSWERS], f"{ANSWERS}/"))
    languages = pc.unique(rows.column(LANGUAGE)).to_pylist() if LANGUAGE in rows.column_names else []
    codes = sorted(one for one in languages if re.fullmatch(r"[a-z]{2,3}", one))
    if spdx(licence):
        terms: dict[str, object] = {"license": spdx(licence)}
    else:
        terms = {"license": "other", "license_name": licence or "see-the-table-of-sources"}
    drafted = rows.column("model").null_count < rows.num_rows
    tags = ["instruction-tuning", "tuneloop", *(["synthetic"] if drafted else [])]
    head = {
        "pretty_name": publication.title,
        **terms,
        **({"language": codes} if codes else {}),
        "tags": tags,
        "configs": configs,
    }
    return front(head)


def _body(publication: Publication, rows: pa.Table, names: dict[str, list[str]]) -> Iterator[str]:
    split, answers = publication.split.manifest, publication.answers
    yield f"# {inline(publication.title)}"
    yield ""
    yield f"{split.rows:,} examples for instruction tuning, revision `{publication.revision}`. {MESSAGES}"
    yield ""
    yield from ("```python", "from datasets import load_dataset", "", 'rows = load_dataset("FOLDER")')
    if names[ANSWERS]:
        yield f'answers = load_dataset("FOLDER", "{ANSWERS}")'
    yield from ("```", "", "## What is in it", "")
    yield from rows_told(rows)
    yield "No example of one side shares a group with, or resembles, an example of another side."
    yield ""
    yield from ("## Licences", "")
    yield from licences_told(rows)
    yield from ("## People's answers", "")
    yield from _answers_told(answers)
    yield from ("## Personal data", "")
    yield _personal_told(publication.personal)
    yield ""
    yield from ("## Datasheet", "")
    yield from publication.datasheet.told()
    yield from ("## Columns", "")
    yield from _columns_told(PublicExample)
    if names[ANSWERS]:
        yield from (f"### {ANSWERS}", "")
        yield from _columns_told(PublicAnswer)
    yield (
        "Made with tuneloop. Left out on purpose: who the annotators are, their comments, file names and folders, "
        "kept columns that were not named for publishing, texts as they were before a person mended them, and rows "
        "that were dropped."
    )
    if publication.acknowledged:
        yield ""
        yield f"Published although it was told of: {', '.join(publication.acknowledged)}."
    yield ""


def _answers_told(answers: Answers) -> Iterator[str]:
    if not answers.n:
        yield "No example has been checked by people."
        yield ""
        return
    yield (
        f"{answers.n:,} answers of {len(answers.people):,} people stand behind these examples; `annotators` are "
        "pseudonyms that stay the same across versions."
    )
    yield ""
    if answers.agreement:
        yield (
            f"How far people agreed, over {answers.n_compared:,} answers, those to rows included that were dropped: "
            "without them disagreement would look smaller than it was. Alpha is Krippendorff's: 1 is full agreement, "
            "0 is as good as chance; in brackets the 95 % interval."
        )
        yield ""
        yield from answers.agreement
        yield ""


def _personal_told(personal: Personal) -> str:
    if not personal.n_rows:
        return "A search for e-mail addresses, phone, card and account numbers, and IP addresses found none."
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(personal.kinds.items()))
    return f"A search found {kinds} in {personal.n_rows:,} examples. They were published knowingly."


def _columns_told(model: type[Strict]) -> Iterator[str]:
    yield "| column | meaning |"
    yield "|---|---|"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {field.title} |"
    yield ""


def _citation(publication: Publication, licence: str | None) -> str:
    authors = publication.datasheet.authors or [f"The authors of {publication.title}"]
    known = {"license": licence} if spdx(licence) else {}
    whole = {
        "cff-version": "1.2.0",
        "message": "If you use this data set, please cite it as below.",
        "type": "dataset",
        "title": publication.title,
        "version": publication.revision,
        "authors": [{"name": name} for name in authors],
        **known,
    }
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def _metadata(publication: Publication, licence: str | None, folder: Path, names: dict[str, list[str]]) -> str:
    n = publication.split.manifest.rows
    authors = ", ".join(publication.datasheet.authors)
    cite = f"{authors}: {publication.title}, {publication.revision}" if authors else None
    about = About(
        publication.title, f"{n:,} examples for instruction tuning.", publication.revision, licence, cite
    )  # fmt: skip
    configs = [Config("default", f"{ROWS}/*.parquet", arrow_schema(PublicExample), "One row an example.")]
    if names[ANSWERS]:
        words = "One row an answer that stands."
        configs.append(Config(ANSWERS, f"{ANSWERS}/*.parquet", arrow_schema(PublicAnswer), words))
    digests = {f"{part}/{name}": sha256(folder / part / name) for part in (ROWS, ANSWERS) for name in names[part]}
    return croissant(about, configs, digests)
