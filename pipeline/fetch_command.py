"""`tuneloop fetch`: a published revision into a folder, checked."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.fetching import fetch as bring
from pipeline.fetching import find_revision


def fetch(
    source: Annotated[str, Parameter(help="a folder, s3://bucket/prefix or hf://owner/name")],
    *,
    to: Annotated[Path, Parameter(help="folder to bring it into; made if it is missing")],
    revision: Annotated[str | None, Parameter(help="tag or version; the newest if left out")] = None,
    endpoint: Annotated[str | None, Parameter(help="address of the S3 service or hub, if not the usual one")] = None,
) -> None:
    """Bring a published revision into a folder, every file checked; stopped and started again it goes on.

    Example: tuneloop fetch s3://team/tickets --to tickets --revision v1
    """
    place, manifest = find_revision(source, revision, endpoint)
    done = bring(place, manifest, to)
    here = len(manifest.files) - done.n_new
    sys.stderr.write(
        f"revision {manifest.revision}: {manifest.rows:,} examples; {done.n_new} files brought "
        f"({done.bytes / 1e6:,.1f} MB), {here} were here already; all as published\n"
    )
    sys.stderr.write(f"load it by: datasets.load_dataset({str(to)!r})\n")
    sys.stdout.write(f"{to}\n")
