"""Handing data over: the settings, and what lies beside the published files."""

from pydantic import Field

from schemas.annotation import Verdict
from schemas.base import Strict
from schemas.example import Message, Split, Status

FORMAT = 1


class PublishSettings(Strict):
    """The table [publish] of a recipe. Changing it makes no data anew."""

    to: str | None = Field(
        default=None, title="where to publish: a folder, s3://bucket/prefix or hf://owner/name; `--to` wins"
    )
    endpoint: str | None = Field(
        default=None, title="address of an S3 service or hub other than the usual one; for S3 AWS_ENDPOINT_URL too"
    )
    title: str | None = Field(default=None, title="title of the card; the recipe's name if left out")
    license: str | None = Field(
        default=None, title="licence of the whole, such as CC-BY-4.0; left out, the one all rows share, if they do"
    )
    meta: list[str] = Field(default=[], title="kept columns that may leave the house; all others stay")
    datasheet: str | None = Field(
        default=None, title="file with what only people know; datasheet.toml beside the recipe if left out"
    )


class PublishedFile(Strict):
    """One file of a revision."""

    name: str = Field(min_length=1, title="path within the revision, with slashes")
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class PublishManifest(Strict):
    """The files of a revision; written last, so a revision without it is not whole."""

    format: int = FORMAT
    revision: str = Field(title="a tag, or the version where it has none")
    version: str = Field(title="digest of the rows of the split it came from")
    rows: int = Field(ge=0)
    acknowledged: list[str] = Field(default=[], title="what was let through knowingly: pii, licence")
    files: list[PublishedFile]


class RevisionIndex(Strict):
    """`index.json` beside the revisions of one place."""

    format: int = FORMAT
    latest: str
    revisions: dict[str, str] = Field(title="revision to version, oldest first")


class PublicExample(Strict):
    """A row as it leaves the house: the columns that are named here and no others."""

    id: str = Field(title="32 hex digits that outlive edits of anything but the text itself")
    source: str = Field(title="name of the source")
    origin: str = Field(title="source:n; n is the line or record number in the source's file, which is not named")
    task: str = Field(title="task type, such as summarize")
    template: str = Field(title="name of the template that rendered it")
    license: str | None = Field(title="licence of the source")
    generator: str | None = Field(title="the model that drafted the row; empty where none did")
    meta: str = Field(title="JSON object of the kept columns that are published")
    marks: list[str] = Field(title="what was noticed and did not drop the row: mojibake, conflict, ...")
    group: str = Field(title="examples of one group stand on one side")
    prompt: list[Message] = Field(title="what the model is given")
    completion: list[Message] = Field(title="what it should answer")
    tools: str | None = Field(title="JSON list of tool definitions the prompt may call")
    paraphrase: str = Field(title="which wording of the template was used; empty for conversations")
    n_prompt_tokens: int = Field(title="tokens of the prompt's texts")
    n_completion_tokens: int = Field(title="tokens of the completion's texts")
    status: Status = Field(title="what people's answers come to; unreviewed where nobody has answered")
    votes: list[str] = Field(title="verdict of each annotator in `annotators`, in the same order")
    annotators: list[str] = Field(title="pseudonyms of those who answered")
    guideline: str | None = Field(title="digest of the guideline the newest answer followed")
    split: Split = Field(title="train, validation or test")


class PublicAnswer(Strict):
    """What one person said of one example, as it leaves the house."""

    example: str = Field(title="id of the example")
    annotator: str = Field(title="pseudonym, the same in all examples and later versions")
    verdict: Verdict = Field(title="accept, edit, reject, unsure or write")
    edited: bool = Field(title="whether the person gave a text of their own; the example holds what came of it")
    error_types: list[str] = Field(title="labels of what was wrong")
    rating: int | None = Field(title="1 to 5, where it was asked for")
    adjudicated: bool = Field(title="whether this word settled a dispute")
    guideline: str | None = Field(title="digest of the guideline in force")
    day: str | None = Field(title="day of the answer, UTC; empty where the answer is no longer on record")
    split: Split = Field(title="side of the example")
