"""A source drafted from what a file holds: which templates fit, which column fills which field, the TOML to paste.

    columns article, highlights; template summarize (document, summary)
    ->  [[ingest.sources]]
        name = "articles"
        path = "articles.csv"
        template = "summarize"
        fields = { document = "article", summary = "highlights" }  # guessed by name: look whether it is right

What a shape recognises is certain; what is only alike by name is a guess, and the block says so.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from pipeline.language_id import language_of
from pipeline.profile import Column
from pipeline.reading import Reading, declare
from pipeline.shapes import reading_of
from pipeline.source import Source
from schemas import DataError, Template

# Names that say the same of a column; the first template field or column that stands in one row fits another of it.
_ALIKE = (
    ("document", "article", "text", "content", "body", "story", "passage", "context", "page", "transcript"),
    ("summary", "highlights", "abstract", "tldr", "gist", "short", "description", "synopsis"),
    ("headline", "title", "heading", "subject"),
    ("instruction", "question", "prompt", "query", "problem", "ask"),
    ("response", "answer", "output", "completion", "reply", "target", "solution"),
    ("label", "category", "class", "topic", "intent", "sentiment", "rating"),
    ("source", "source_text", "src", "original"),
    ("target", "translation", "mt", "pe", "translated"),
    ("note", "description", "text"),
    ("record", "json", "facts"),
)
_MOST_LABELS, _TOLD_ROWS = 30, 50
_LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "en": "English", "es": "Spanish", "et": "Estonian",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "ne": "Nepali", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Fit:
    """How a template reads the columns.

    Attributes:
        template: Its name.
        shape: What was recognised, or "guessed".
        columns: Field to column.
        constants: Field to one text for all rows.
        lacking: Required fields that nothing fills.
        is_prompts: Whether only the answers are lacking: people can write them.
    """

    template: str
    shape: str
    columns: dict[str, str]
    constants: dict[str, str] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)
    is_prompts: bool = False

    @property
    def is_guess(self) -> bool:
        """Whether a person must look whether it is right."""
        return self.shape == "guessed"


def fit_of(template: Template, columns: Sequence[Column], rows: Rows, *, has_all_rows: bool) -> Fit:
    """Return how a template reads the columns: by a shape if one is recognised, else by names that are alike.

    Args:
        template: The template.
        columns: Of the source.
        rows: The first ones.
        has_all_rows: Whether these are all: then the labels of a classification can be told.
    """
    declaration, names = declare(template), [column.name for column in columns]
    constants = {}
    if has_all_rows and "labels" in template.fields and "labels" not in names and (labels := _labels(columns, rows)):
        constants = {"labels": ", ".join(labels)}
    try:
        found: Reading = reading_of(
            template.name, declaration, names, shape=None, fields={}, constants={}, spare=(), where=""
        )
    except DataError:
        pass
    else:
        if not found.is_draft:
            mapped = {name: column for name, column in found.columns.items() if column in names}
            return Fit(template.name, found.shape, mapped, constants)
    if template.chat:
        return Fit(template.name, "guessed", {}, lacking=["turns"])
    return _guess(template, columns, rows, constants)


def _guess(template: Template, columns: Sequence[Column], rows: Rows, constants: dict[str, str]) -> Fit:
    left = [column.name for column in columns if column.kind != "empty"]
    mapped: dict[str, str] = {}
    wanted = [name for name in template.fields if name not in constants]
    for alike in (_same, _synonym, _close):
        for name in wanted:
            if name not in mapped and (column := alike(name, left)):
                mapped[name] = column
                left.remove(column)
    mapped = {name: mapped[name] for name in template.fields if name in mapped}
    constants = constants | {
        name: spoken
        for name in template.fields
        if name not in mapped and (spoken := _language_name(mapped.get(name.removesuffix("_language")), rows))
    }
    lacking = [
        name
        for name, declared in template.fields.items()
        if not declared.optional and name not in mapped and name not in constants
    ]
    prompts = {name for name, declared in template.fields.items() if declared.side == "prompt"}
    is_prompts = bool(mapped and lacking) and not prompts & set(lacking) and not template.chat
    return Fit(template.name, "guessed", mapped, constants if mapped else {}, lacking, is_prompts)


def _labels(columns: Sequence[Column], rows: Rows) -> list[str]:
    """Return the values of the column that is named as labels are, if they are few; else none."""
    name = _synonym("label", [column.name for column in columns]) or _same("label", [c.name for c in columns])
    values = sorted({str(row[name]) for row in rows if name and row.get(name) not in (None, "")})
    return values if len(values) <= _MOST_LABELS else []


def _language_name(column: str | None, rows: Rows) -> str | None:
    """Return the English name of the language that most of the first texts of a column are in."""
    if column is None:
        return None
    told = Counter(language_of([str(row[column])]) for row in rows[:_TOLD_ROWS] if row.get(column))
    code = told.most_common(1)[0][0] if told else None
    return _LANGUAGES.get(code or "")


def name_of(path: str) -> str:
    """Return a name for the source of a path, such as articles for raw/articles.csv.gz."""
    stem = PurePath(path.rstrip("/*")).name.split(".")[0]
    return re.sub(r"[^a-z0-9_-]+", "-", stem.lower()).strip("-_") or "source"


def toml_of(source: Source, *, remarks: Mapping[str, str]) -> str:
    """Return the [[ingest.sources]] block of a source; a remark stands behind the setting it is about."""
    given = source.model_dump(mode="json", exclude_defaults=True)
    lines = ["[[ingest.sources]]"]
    for name, value in given.items():
        remark = f"  # {remarks[name]}" if name in remarks else ""
        lines.append(f"{name} = {_toml(value)}{remark}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _same(name: str, columns: Sequence[str]) -> str | None:
    return next((column for column in columns if _plain(column) == _plain(name)), None)


def _synonym(name: str, columns: Sequence[str]) -> str | None:
    """Return the column that stands nearest to the front of a row of names that say the same."""
    for alike in _ALIKE:
        if _plain(name) in alike:
            known = {_plain(column): column for column in columns}
            if found := next((known[one] for one in alike if one in known), None):
                return found
    return None


def _close(name: str, columns: Sequence[str]) -> str | None:
    known = {_plain(column): column for column in columns}
    found = get_close_matches(_plain(name), known, n=1, cutoff=0.6)
    inside = [column for plain, column in known.items() if _plain(name) in plain.split("_")]
    return known[found[0]] if found else inside[0] if len(inside) == 1 else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
