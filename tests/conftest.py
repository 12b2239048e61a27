"""Settings all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Machines are shared and slow at times: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "shared")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real public data, or skip, saying so."""
    folder = Path(os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set TUNELOOP_SHARED")
    return folder
