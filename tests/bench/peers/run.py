"""Running a peer's deduplication from our side: its own Python, its own process, its clusters as numpy."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from peers.settings import DEFAULTS
from peers.venv import python_of

HERE = Path(__file__).resolve().parent
# How much of what a failed peer wrote is shown.
_TAIL_CHARS = 1500


class PeerError(RuntimeError):
    """A peer gave no result; the message names it and says why."""


@dataclass(frozen=True)
class PeerResult:
    """What a peer found and what that took.

    Attributes:
        clusters: A number a row in order; equal numbers are duplicates, -1 is a row deleted for another reason.
        seconds: Reading the file to writing the result, without the start of Python.
        peak_rss_bytes: Largest resident memory of its processes together; see `memory`.
        peak_anon_bytes: The same of anonymous memory.
        n_clusters: Distinct clusters.
        version: The peer's version.
        settings: All settings it ran with.
    """

    clusters: np.ndarray
    seconds: float
    peak_rss_bytes: int
    peak_anon_bytes: int
    n_clusters: int
    version: str
    settings: Mapping[str, object]


def run_peer(
    name: str, rows: Path, settings: Mapping[str, object], workers: int = 2, timeout_s: float = 3600
) -> PeerResult:
    """Return the clusters of the rows in a parquet with the string columns `prompt` and `response`.

    Args:
        name: A peer of `settings.DEFAULTS`; its environment is made first if it is not there.
        rows: The parquet.
        settings: Laid over the peer's defaults.
        workers: Processes or threads, for the peers that have a use for them.
        timeout_s: After this the peer and all its processes are ended.

    Raises:
        PeerError: The peer failed, lacks something, gave no row a row, or took too long.
    """
    whole = {**DEFAULTS[name], **settings}
    python = python_of(name)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as temporary:
        folder = Path(temporary)
        command = [str(python), str(HERE / f"run_{name.replace('-', '_')}.py"), "--rows", str(rows.resolve())]
        command += ["--to", str(folder / "out.parquet"), "--workers", str(workers), "--settings", json.dumps(whole)]
        measured = _measured(name, command, folder, timeout_s)
        clusters = pq.read_table(folder / "out.parquet").column("cluster").to_numpy()
    expected = pq.read_metadata(rows).num_rows
    if len(clusters) != expected:
        raise PeerError(f"{name} gave {len(clusters)} clusters for {expected} rows")
    return PeerResult(
        clusters=clusters,
        seconds=float(measured["seconds"]),
        peak_rss_bytes=int(measured["peak_rss_bytes"]),
        peak_anon_bytes=int(measured["peak_anon_bytes"]),
        n_clusters=int(measured["clusters"]),
        version=str(measured["version"]),
        settings=whole,
    )


def _measured(name: str, command: list[str], folder: Path, timeout_s: float) -> dict[str, float | str]:
    """Return the line a runner prints last."""
    # Nothing is fetched, and what is cached goes with the folder; a model that was fetched before is found.
    caches = {variable: str(folder / "cache") for variable in ("HF_DATASETS_CACHE", "HF_MODULES_CACHE")}
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    (folder / "tmp").mkdir()
    environment = {**os.environ, **caches, **offline, "TMPDIR": str(folder / "tmp"), "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONPATH", None)
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as to_out, err.open("wb") as to_err:
        # A session of its own, so that a late peer goes with all the processes it started.
        process = subprocess.Popen(
            command, stdout=to_out, stderr=to_err, cwd=folder, env=environment, start_new_session=True
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"{name} was not done after {timeout_s:.0f} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    last = (out.read_text("utf-8", "replace").strip().splitlines() or [""])[-1]
    said: dict[str, float | str] = json.loads(last) if last.startswith("{") else {}
    if "problem" in said:
        raise PeerError(f"{name} {said['problem']}")
    if code or "seconds" not in said:
        raise PeerError(f"{name} ended with code {code}: {err.read_text('utf-8', 'replace')[-_TAIL_CHARS:].strip()}")
    return said
