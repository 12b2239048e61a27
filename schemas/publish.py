"""Handing data over: the settings, and what lies beside the published files."""

from pydantic import Field

from schemas.base import Strict

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
