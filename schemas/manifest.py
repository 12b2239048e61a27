"""What stands beside the parquet: the manifest of a version and the record of a run."""

from pydantic import Field, JsonValue

from schemas.base import Strict

FORMAT = 1


class PartFile(Strict):
    """One parquet file of a snapshot."""

    name: str
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    digest: str = Field(title="BLAKE2b-256 of the file's bytes: integrity, not identity")
    footer: str = Field(default="", title="BLAKE2b-128 of the parquet footer, which no page checksum covers")


class Manifest(Strict):
    """Contents of one version; written last, so a folder without it is not a version."""

    format: int = FORMAT
    stage: str
    version: str = Field(title="digest of the rows' content in order, whatever the parts and parquet bytes")
    rows: int = Field(ge=0)
    columns: dict[str, str] = Field(title="column name to Arrow type")
    files: list[PartFile]
    blocks: list[str] = Field(default=[], title="digest of each 65,536 rows, of which the version is the digest")
    documents: dict[str, str] = Field(default={}, title="texts beside the parquet: file name to BLAKE2b-256")
    checksum: str = Field(default="", title="of this file; see pipeline.seal")


class InputFile(Strict):
    """A file whose bytes can change the rows."""

    name: str = Field(title="the path as the recipe wrote it")
    bytes: int
    digest: str


class PartRecord(Strict):
    """How one part came about, so that an equal part can be reused."""

    key: str = Field(title="digest of all that can change this part")
    files: list[PartFile] = Field(title="kept rows, as written")
    dropped: list[PartFile] = Field(title="dropped rows, named by content")
    rows_in: int
    counts: dict[str, int] = Field(default={}, title="further things counted, such as repairs")
    by_value: dict[str, int] = Field(
        default={}, title="kept rows by the value that decides on their file, for a stage that deals rows by value"
    )


class RunRecord(Strict):
    """One run of one stage for one recipe: `data/<stage>/refs/<recipe>/000007.json`."""

    format: int = FORMAT
    number: int = Field(ge=1)
    recipe: str
    stage: str
    key: str = Field(title="digest of all that can change the rows")
    key_parts: dict[str, str] = Field(title="what the key is made of, so that a re-run can say what changed")
    version: str
    parents: dict[str, str] = Field(title="stage to version")
    settings: dict[str, JsonValue]
    inputs: list[InputFile]
    code: str = Field(title="digest of the stage's code and all it imports, without comments and docstrings")
    distributions: dict[str, str] = Field(title="third-party packages the code imports, with versions")
    git_commit: str | None
    started_at: str
    seconds: float
    peak_memory_bytes: int
    rows_in: int
    rows_kept: int
    rows_dropped: int
    dropped_by_reason: dict[str, int]
    counts: dict[str, int]
    facts: dict[str, JsonValue] = Field(title="what check proved, and anything else a reader should see")
    parts: list[PartRecord]
    checksum: str = Field(default="", title="of this file; see pipeline.seal")

    @property
    def dropped(self) -> list[PartFile]:
        """The dropped parts of this run, in order."""
        return [file for part in self.parts for file in part.dropped]
