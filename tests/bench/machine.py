"""On what a benchmark ran: `machine()` is one line, "2 cores AMD EPYC, 24 GB, Linux 6.1, Python 3.11.2, torch 2.13.0"."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pyarrow", "numpy", "numba", "datasets", "torch", "transformers", "peft")


def machine() -> str:
    """Return processor, memory, system and the versions that weigh."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    told = [f"{cores} cores {_processor()}", f"{memory:.0f} GiB", f"{platform.system()} {platform.release()}"]
    told += [f"Python {platform.python_version()}", *(f"{name} {_version(name)}" for name in PACKAGES)]
    return ", ".join(told)


def load() -> float:
    """Return how many processes wanted a core, averaged over the last minute."""
    return round(os.getloadavg()[0], 1)


def commit() -> str:
    """Return the commit of the checkout, marked where files differ from it; "" without git."""
    told = []
    for words in (["rev-parse", "--short=10", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        told.append(done.stdout.strip())
    return told[0] + (" with changes" if told[0] and told[1] else "")


def now() -> str:
    """Return the time to the second, UTC, as it sorts."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
