"""Sending a revision to a repository of the Hugging Face hub: one commit with everything, then a tag.

hf://team/tickets, revision v1   ->   a commit "v1" in the data set team/tickets, and the tag v1 on it

The hub keeps what it has: large files with the same digest are not sent again. The key comes from HF_TOKEN alone.
"""

import re
from pathlib import Path

from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from pipeline.place import HUB, HTTPError, Place
from pipeline.publishing import Sent, read_manifest
from pipeline.secret import read_secret
from schemas import ConfigError, ServiceError
from schemas.publish import PublishManifest

_KEY = "set HF_TOKEN to a key that may write there"


def repository(to: str) -> str:
    """Return owner/name of hf://owner/name.

    Raises:
        ConfigError: It is no such address.
    """
    name = to.removeprefix(HUB).strip("/").removeprefix("datasets/")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name):
        raise ConfigError(f"{to!r} names no repository", where="--to", fix="write hf://owner/name")
    return name


def hub_place(to: str, revision: str | None = None, endpoint: str | None = None) -> Place:
    """Return a revision of a repository as a place to read from; the newest commit if none is named."""
    name = repository(to)
    fs = HfFileSystem(endpoint=endpoint, token=_token(), skip_instance_cache=True)
    at = f"@{revision}" if revision else ""
    return Place(fs, f"datasets/{name}{at}", f"{HUB}{name}{at}")


def send_to_hub(
    folder: Path, manifest: PublishManifest, to: str, *, private: bool = False, endpoint: str | None = None
) -> Sent:
    """Commit a folder to a repository, made if it is missing, and tag the commit.

    Raises:
        ConfigError: The address is wrong, or the tag is there with other content.
        ServiceError: The hub does not answer, or refuses.
    """
    name, tag = repository(to), manifest.revision
    api = HfApi(endpoint=endpoint, token=_token(), library_name="tuneloop")
    shown = f"{HUB}{name}@{tag}"
    try:
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        if tag in {one.name for one in api.list_repo_refs(name, repo_type="dataset").tags}:
            return _already(manifest, hub_place(to, tag, endpoint))
        api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=folder,
            commit_message=tag,
            # Parts of an older revision would be read along with the new ones.
            delete_patterns=["data/*", "annotations/*"],
        )
        api.create_tag(name, tag=tag, repo_type="dataset")
    except (HTTPError, OSError) as error:
        raise _refused(error, shown) from None
    return Sent(shown, len(manifest.files) + 1, 0, sum(file.bytes for file in manifest.files))


def _already(manifest: PublishManifest, place: Place) -> Sent:
    there = read_manifest(place)
    if there is None or there.files != manifest.files:
        raise ConfigError(
            f"tag {manifest.revision} is published with other content",
            where=place.shown,
            fix="a published revision never changes: `tuneloop tag NAME` gives the split another name",
        )
    return Sent(place.shown, 0, len(manifest.files), 0)


def _token() -> str | bool:
    """Return the key of the environment; False keeps the library from looking for one elsewhere."""
    return read_secret("HF_TOKEN") or False


def _refused(error: Exception, shown: str) -> ServiceError:
    """Return the error with a cure; the library's own text is left out, since it quotes what was sent."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status in (401, 403):
        return ServiceError(f"the hub refuses us ({status})", where=shown, fix=_KEY)
    if isinstance(error, RepositoryNotFoundError | RevisionNotFoundError) or status == 404:
        return ServiceError("there is no such repository or revision", where=shown, fix=f"mend the name, or {_KEY}")
    told = f"answers {status}" if status else f"does not answer: {type(error).__name__}"
    return ServiceError(f"the hub {told}", where=shown, fix="look at the network and HF_ENDPOINT, then start again")
