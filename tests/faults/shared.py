"""Where the real public data lies that fault tests feed in.

shared("blns")  ->  Path("../shared/data/blns")
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def shared(name: str) -> Path:
    """Return a folder of the real data, or stop, saying which is missing."""
    folder = Path(os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data")) / name
    if not folder.is_dir():
        raise SystemExit(f"no real data at {folder}; set TUNELOOP_SHARED")
    return folder
