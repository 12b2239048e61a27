"""Whether what is installed will do: packages, Python, dependencies, torch, Label Studio, git, telemetry.

    torch 2.13.0+cpu  ->  Finding(True, "torch 2.13.0+cpu, for training, built for CPUs")

Nothing heavy is imported to find it out.
"""

import importlib
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from packaging.requirements import Requirement

from pipeline.code import FIRST_PARTY, ROOT
from pipeline.finding import Finding
from pipeline.ray_address import cluster_finding
from pipeline.secret import is_given

# Set by the command line before any library is imported; see `pipeline.cli`.
TELEMETRY_OFF = ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DATAFOG_NO_TELEMETRY")
_ANSWERS_IN = 3.0  # seconds


def installation() -> Iterator[Finding]:
    """Yield what was found of everything that is installed."""
    yield from _packages()
    yield _python()
    yield from _dependencies()
    yield _torch()
    yield cluster_finding()
    yield _git()
    yield from _label_studio()
    yield _telemetry()


def _packages() -> Iterator[Finding]:
    for name in FIRST_PARTY:
        place = Path(str(importlib.import_module(name).__file__)).resolve()
        if place.is_relative_to(ROOT):
            yield Finding(True, f"package {name} comes from this checkout")
        else:
            yield Finding(
                False,
                f"package {name} comes from {place.parent}, not from {ROOT}",
                "another installed project has a package of that name: use this project's own .venv (`make setup`)",
            )


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding(ok, f"Python {platform.python_version()}", "" if ok else "install Python 3.11 or newer")


def _dependencies() -> Iterator[Finding]:
    try:
        wanted = [Requirement(line) for line in requires("tuneloop") or []]
    except PackageNotFoundError:
        yield Finding(False, "tuneloop itself is not installed", "run `make setup`")
        return
    wrong = []
    for need in wanted:
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            try:
                if not need.specifier.contains(version(need.name), prereleases=True):
                    wrong.append(f"{need.name} {version(need.name)} (need {need.specifier})")
            except PackageNotFoundError:
                wrong.append(f"{need.name} missing")
    yield Finding(not wrong, f"dependencies: {', '.join(wrong) or 'all there'}", "run `make setup`" if wrong else "")


def _torch() -> Finding:
    """Say which torch there is, by its version alone: importing it takes seconds."""
    try:
        told = version("torch")
    except PackageNotFoundError:
        return Finding(True, "torch is not here; only training needs it (`make setup` installs it)")
    if told.endswith("+cpu") and shutil.which("nvidia-smi"):
        return Finding(
            True,
            f"torch {told} is built for CPUs, and this machine has an NVIDIA GPU",
            "make clean-venv && make setup TORCH=... with a CUDA build",
        )
    return Finding(True, f"torch {told}, for training{', built for CPUs' if told.endswith('+cpu') else ''}")


def _git() -> Finding:
    """Say at which commit the code stands: records of runs name it, and it says little of a changed tree."""
    if not (ROOT / ".git").exists() or not (git := shutil.which("git")):
        return Finding(True, "no git checkout: records of runs name no commit")
    words = [git, "-C", str(ROOT)]
    # Neither locks nor a changed index: another git may be at work there.
    only_read = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    done = [
        subprocess.run([*words, *more], capture_output=True, text=True, check=False, env=only_read)  # noqa: S603
        for more in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    ]
    if any(one.returncode for one in done):
        return Finding(True, f"git does not tell the commit: {done[0].stderr.strip() or done[1].stderr.strip()}")
    changed = len(done[1].stdout.splitlines())
    if changed:
        return Finding(
            True,
            f"git commit {done[0].stdout.strip()} with {changed:,} changed files: records name the commit alone",
            "commit what others shall be able to run again",
        )
    return Finding(True, f"git commit {done[0].stdout.strip()}, nothing changed since")


def _label_studio() -> Iterator[Finding]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuneloop"
    there = sorted(path.parent.name for path in cache.glob("label-studio-*/.whole"))
    yield Finding(True, f"installed for review: {', '.join(there) or 'no Label Studio yet; `make annotate` does it'}")
    url, key = os.environ.get("LABEL_STUDIO_URL"), is_given("LABEL_STUDIO_API_KEY")
    if not url and not key:
        return
    if not url or not key:
        given, missing = ("URL", "API_KEY") if url else ("API_KEY", "URL")
        fix = f"set LABEL_STUDIO_{missing} too, or neither for a local server"
        yield Finding(False, f"LABEL_STUDIO_{given} is set alone", fix)
        return
    parts = urlsplit(url)
    if parts.scheme in getproxies() and not proxy_bypass(parts.hostname or ""):
        yield Finding(True, "LABEL_STUDIO_URL is reached through a proxy; `tuneloop annotate doctor` asks it")
        return
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=_ANSWERS_IN):
            yield Finding(True, "the Label Studio of LABEL_STUDIO_URL answers; `tuneloop annotate doctor` looks closer")
    except (OSError, ValueError) as error:
        fix = "mend LABEL_STUDIO_URL or start the server; `tuneloop annotate doctor` looks closer"
        yield Finding(False, f"nobody answers at {parts.hostname}: {error}", fix)


def _telemetry() -> Finding:
    talk = [name for name in TELEMETRY_OFF if os.environ.get(name) != "1"]
    if talk:
        return Finding(True, f"libraries may call home: {', '.join(talk)} not 1", "start by the command `tuneloop`")
    return Finding(True, f"libraries are told not to call home ({', '.join(TELEMETRY_OFF)})")
