"""A virtual environment a peer: `python tests/bench/peers/venv.py [peer ...]` makes those named, or all.

They lie in `$TUNELOOP_BENCH_VENVS`, or in `~/.cache/tuneloop/bench`, under the peer's name and a digest of its
requirements: other requirements give another environment, and none is ever changed.
"""

import os
import shutil
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"


def peers() -> list[str]:
    """Return the names of the peers that have requirements, sorted."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def folder_of(peer: str) -> Path:
    """Return where the environment of a peer belongs; it need not exist.

    Raises:
        ValueError: No peer of that name.
    """
    if peer not in peers():
        raise ValueError(f"no peer {peer!r}; there are {', '.join(peers())}")
    base = Path(os.environ.get("TUNELOOP_BENCH_VENVS") or "~/.cache/tuneloop/bench").expanduser()
    digest = blake2b((REQUIREMENTS / f"{peer}.txt").read_bytes(), digest_size=6).hexdigest()
    return base / f"{peer}-{digest}"


def python_of(peer: str) -> Path:
    """Return the Python of a peer's environment, which is made first if it is not there.

    Raises:
        RuntimeError: pip could not install the requirements; the message ends with what it said.
    """
    folder = folder_of(peer)
    python = folder / "bin" / "python"
    done = folder / "installed"
    if done.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run(peer, [sys.executable, "-m", "venv", str(folder)])
    # The lists are whole; what a peer names and its deduplication never imports (spark, unisim) is left out of them.
    # promptsource says that it needs an older Python, for the sake of its app; its templates run on this one.
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps"]
    install += ["--ignore-requires-python"]
    _run(peer, [*install, "-r", str(REQUIREMENTS / f"{peer}.txt")])
    done.touch()
    return python


def _run(peer: str, command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"environment of {peer} could not be made: {' '.join(command)}\n{ran.stderr[-2000:]}")


if __name__ == "__main__":
    for name in sys.argv[1:] or peers():
        print(f"{name:12} {python_of(name)}")
