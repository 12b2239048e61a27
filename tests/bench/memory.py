"""Peak memory of a process and all its descendants, sampled from /proc.

The sampler is a process of its own, so that a library that holds the interpreter for seconds is sampled too. A lone
process is measured by VmRSS and RssAnon. Of several each counts its share of the pages they share (Pss), or what a
process forks would count again in every child. Standard library alone: any Python from 3.10 on runs this file, ours
and the peers'.
"""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

EVERY_S = 0.05
# Finding children means reading the stat of every process, so it is not done at every sample.
_SAMPLES_A_SEARCH = 4
# Between two samples at least this many times as long as the first one took.
_REST = 9
_PROC = Path("/proc")


class PeakMemory:
    """Measures this process and its descendants from `with` to its end.

    Attributes:
        rss_bytes: Largest resident size of all together; known after the block.
        anon_bytes: Largest resident anonymous memory, which no file stands behind; known after the block.
    """

    def __init__(self) -> None:
        self.rss_bytes = self.anon_bytes = 0

    def __enter__(self) -> "PeakMemory":
        self._sampler = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._sampler.stdout is not None
        self._sampler.stdout.readline()  # it has begun
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        assert self._sampler.stdin is not None
        # A forked child may hold the pipe's other end too, so closing it would not be heard.
        self._sampler.stdin.write("end\n")
        said, _ = self._sampler.communicate()
        peaks = json.loads(said)
        self.rss_bytes, self.anon_bytes = peaks["rss"], peaks["anon"]


def sample(root: int) -> dict[str, int]:
    """Return the peaks of `root` and its descendants, this process left out, once a line comes in."""
    rss = anon = count = 0
    family, wait = [root], EVERY_S
    while not select.select([sys.stdin], [], [], wait)[0]:
        start = time.perf_counter()
        if count % _SAMPLES_A_SEARCH == 0:
            family = descendants(root)
        count += 1
        sizes = [sizes_of(one, shared=len(family) > 1) for one in family]
        rss, anon = max(rss, sum(size[0] for size in sizes)), max(anon, sum(size[1] for size in sizes))
        # Shares of large processes take long to add up; the measured must not be slowed by it.
        wait = max(EVERY_S, _REST * (time.perf_counter() - start))
    return {"rss": rss, "anon": anon}


def descendants(root: int) -> list[int]:
    """Return `root` and every living process below it, this process left out."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                # The name of the program stands in brackets and may hold spaces; the parent is the second word after.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        one = waiting.pop()
        if one != os.getpid():
            found.append(one)
            waiting.extend(children.get(one, []))
    return found


def sizes_of(process: int, *, shared: bool) -> tuple[int, int]:
    """Return resident and anonymous resident bytes of a process, or its share of them; zeros when it is gone."""
    file, *names = ("smaps_rollup", "Pss", "Pss_Anon") if shared else ("status", "VmRSS", "RssAnon")
    sizes = dict.fromkeys(names, 0)
    try:
        lines = (_PROC / str(process) / file).read_text().splitlines()
    except OSError:
        return 0, 0
    for line in lines:
        name, _, value = line.partition(":")
        if name in sizes:
            sizes[name] = int(value.split()[0]) * 1024
    return sizes[names[0]], sizes[names[1]]


if __name__ == "__main__":
    sys.stdout.write("\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(sample(os.getppid())))
