"""A real Label Studio for the tests of this folder, begun once a run from a database that was made once."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from filelock import FileLock

from annotation.connection import Connection
from annotation.server import Running, program, start, stop

_NUMBERS = count(1)


@dataclass(frozen=True)
class LabelStudio:
    """A server that runs, and the folder it runs on."""

    data_root: Path
    running: Running

    @property
    def connection(self) -> Connection:
        return Connection(self.running.url, self.running.token)


def _data_root_with_server(base: Path, own: Path) -> Path:
    """Return a folder whose server's database is there already: making one takes 40 s, copying it none."""
    made = base / "label-studio-made-once"
    with FileLock(base / "label-studio.lock"):
        if not (made / "whole").exists():
            shutil.rmtree(made, ignore_errors=True)
            start(made, 0)
            stop(made)
            (made / "whole").touch()
    shutil.copytree(made, own)
    return own


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """Yield a server of this worker's own; skip, saying so, where none is installed and this is no CI."""
    if not (program().parent.parent / ".whole").exists() and not os.environ.get("CI"):
        pytest.skip("Label Studio is not installed: run `make annotate` once, it does so")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    root = _data_root_with_server(shared, base / "label-studio-data")
    try:
        yield LabelStudio(root, start(root, 0))
    finally:
        stop(root)


@pytest.fixture
def recipe_name() -> str:
    """Return a name that no other test's projects have."""
    return f"tiny-{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}-{next(_NUMBERS)}"
