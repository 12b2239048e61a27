"""Where the real public data lies that fault tests feed in.

shared("blns")  ->  Path("../shared/data/blns")
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class NoDataError(Exception):
    """Real data is not on this machine, so that a fault cannot be put in."""


def shared(name: str) -> Path:
    """Return a folder of the real data.

    Raises:
        NoDataError: It is not there; the message says which.
    """
    folder = Path(os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data")) / name
    if not folder.is_dir():
        raise NoDataError(f"no real data at {folder}; set TUNELOOP_SHARED")
    return folder
