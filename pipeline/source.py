"""A source as the recipe says it.

[[ingest.sources]]                    ->   Source(name="alpaca", path="raw/*.json", template="instruct")
name = "alpaca"
path = "raw/*.json"
template = "instruct"
"""

import codecs
import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.shapes import Shape
from schemas import Strict

Plain = str | int | float | bool
STDIN, HUB = "-", "hf://"
_HUB_PATH = re.compile(r"hf://[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
# They write other things than files: names of hosts, and literals of Python, where a backslash is no backslash.
_NO_ENCODINGS_OF_FILES = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Source(Strict):
    """One source of rows."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", title="names the source in every row; order is priority")
    path: str = Field(
        min_length=1,
        title="a file, a glob or a folder, relative to where the command is run; - for standard input; hf://owner/name",
    )
    template: str | None = Field(None, title="the template its rows are for")
    templates: list[str] = Field(default=[], title="several templates instead: one example of each row for each")
    shape: Shape | None = Field(None, title="layout of its rows; left out, it is recognised and said")
    fields: dict[str, str] = Field(default={}, title="template field to column; a path such as instances.0.input too")
    constants: dict[str, str] = Field(default={}, title="template field to one text for all rows")
    where: dict[str, Plain | list[Plain]] = Field(default={}, title="column to the value or values of rows to take")
    keep: list[str] = Field(default=[], title="columns that travel along in meta")
    limit: int | None = Field(None, ge=1, title="take the first so many rows only")
    key: str | None = Field(None, title="column that names a row for ever; new text under it is a revision")
    to_write: bool = Field(default=False, title="keep rows with an empty response: people write it")
    encoding: str = Field("utf-8", title="as Python names it, such as cp1252; for text files")
    delimiter: str | None = Field(None, min_length=1, max_length=1, title="between columns of .csv and .tsv files")
    skip: int = Field(0, ge=0, title="lines (.xlsx: rows) before the header of .csv, .tsv and .xlsx files")
    sheet: str | None = Field(None, title="sheet of .xlsx files; the first if left out")
    format: Literal["jsonl", "json", "csv", "tsv"] | None = Field(None, title="of standard input")
    config: str | None = Field(None, title="hf://: configuration of the dataset")
    split: str = Field("train", min_length=1, title="hf://: split of the dataset")
    revision: str | None = Field(None, title="hf://: full commit hash, so that every run reads the same rows")
    clean: str | None = Field(None, title="my.py:function that takes each row and returns it mended, or drops it")
    license: str | None = Field(None, title="licence of its rows, such as CC-BY-4.0")
    synthetic: bool = Field(default=False, title="a model wrote its rows: trained on once a person has accepted them")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            name = codecs.lookup(encoding).name
            # Python also calls base64, bz2 and the like encodings: of bytes, which say so here.
            "".encode(name)
        except (LookupError, UnicodeError):
            name = None
        if name is None or name in _NO_ENCODINGS_OF_FILES:
            raise ValueError("encoding is not one of text files that Python knows; try utf-8, cp1252 or utf-16")
        return name

    @field_validator("clean")
    @classmethod
    def _names_a_function(cls, clean: str | None) -> str | None:
        if clean is not None and not re.fullmatch(r".+\.py:[A-Za-z_]\w*", clean):
            raise ValueError(f'clean = {clean!r} names no function of a file; write clean = "my.py:function"')
        return clean

    @field_validator("revision")
    @classmethod
    def _is_a_commit(cls, revision: str | None) -> str | None:
        if revision is not None and not _COMMIT.fullmatch(revision):
            raise ValueError(
                f"revision {revision!r} can move; leave it out once, and the error names the commit to paste"
            )
        return revision

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.template) == bool(self.templates):
            raise ValueError(f"source {self.name!r} must give either `template` or `templates`")
        if len(set(self.templates)) < len(self.templates):
            raise ValueError(f"source {self.name!r} names a template twice")
        if both := sorted(set(self.fields) & set(self.constants)):
            raise ValueError(f"source {self.name!r} fills {', '.join(both)} by `fields` and by `constants`")
        if self.key and self.key != "key" and "key" in self.keep:
            raise ValueError(f"source {self.name!r} keeps a column 'key', the name under which meta holds its key")
        if (self.path == STDIN) != (self.format is not None):
            raise ValueError(f'source {self.name!r}: `format` goes with path = "-" and with no other')
        if self.is_hub and not _HUB_PATH.fullmatch(self.path):
            raise ValueError(f"source {self.name!r}: {self.path!r} is no dataset; write hf://owner/name")
        if self.revision and not self.is_hub:
            raise ValueError(f"source {self.name!r}: `revision` goes with hf:// paths only")
        return self

    @property
    def is_hub(self) -> bool:
        """Whether its rows come from the Hugging Face hub."""
        return self.path.startswith(HUB)

    @property
    def clean_file(self) -> str | None:
        """The file of the function that cleans its rows."""
        return self.clean.rpartition(":")[0] if self.clean else None

    @property
    def template_names(self) -> tuple[str, ...]:
        """The templates its rows are for."""
        return (self.template,) if self.template else tuple(self.templates)

    @property
    def columns_named(self) -> list[str]:
        """Every column the recipe names, as it is written there."""
        return list(dict.fromkeys([*self.fields.values(), *self.where, *self.keep, *([self.key] if self.key else [])]))
