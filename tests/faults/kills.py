"""R1, R2: killed at every call that changes a file, and at random times; R4: what a power loss would leave is in
`lost_writes`.

A child is forked from a process that has all loaded, counts its own calls and ends itself with SIGKILL at the n-th. Then
the store must be whole, hold the old or the new version, and the same command run again must give the new one.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import store
from calls import watch
from table import Line

from pipeline.gc import collect
from pipeline.snapshot import Snapshot
from pipeline.tags import tag

ANCHORS = ("R1", "R2")
STRACED = ("openat", "write", "fsync", "rename", "mkdir", "link", "unlink", "close", "chmod")
Work = Callable[[Path], object]


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for each stage and command."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        store.warm(place / "warm")
        bases = dict(_bases(place))
        for stage in store.STAGES:
            for kind in ("first", "again"):
                yield _every_call(f"{kind} {stage}", bases[f"{kind} {stage}"], _data(stage), stage, place, share, rng)
        done = bases["done"]
        yield _every_call("gc", done, _collect, None, place, share, rng)
        yield _every_call("tag", done, _tag, None, place, share, rng)
        yield _straced(bases["again split"], place, share, rng)
        yield _random_times(bases["first ingest"], place, share, rng)
        yield _commands(bases["first ingest"], place, share, rng)


def _data(stage: str | None) -> Work:
    return lambda root: store.run(root, to=stage)


def _collect(root: Path) -> object:
    return collect(root / "data", keep=1)


def _tag(root: Path) -> object:
    return tag(root / "data", store.NAME, "v1")


def _bases(place: Path) -> Iterator[tuple[str, Path]]:
    """Yield projects that stand just before a stage, for the first time and after a change of the sources."""
    first = store.make_project(place / "first")
    whole = store.copy(first, place / "whole")
    _must(store.in_child(lambda: store.run(whole)))
    again = store.copy(whole, place / "again")
    store.change(again)
    for kind, at in (("first", first), ("again", again)):
        for stage in store.STAGES:
            yield f"{kind} {stage}", store.copy(at, place / f"{kind}-{stage}")
            _must(store.in_child(lambda at=at, stage=stage: store.run(at, to=stage)))
    yield "done", store.copy(again, place / "done")


def _must(code: int) -> None:
    if code != 0:
        raise SystemExit(f"an undisturbed run failed with {code}: nothing can be shown")


def _every_call(
    what: str, base: Path, work: Work, stage: str | None, place: Path, share: float, rng: random.Random
) -> Line:
    """Kill at every call of some work, or at a share of them."""
    root = store.copy(base, place / "tried")
    before = store.versions(root)
    calls = count_calls(root, work)
    after, files = store.versions(root), _files(root)
    points = sorted(rng.sample(range(1, calls + 1), max(2, round(share * calls)))) if share < 1 else range(1, calls + 1)
    outcomes: Counter[str] = Counter()
    problems: list[str] = []
    for at in points:
        store.copy(base, root)

        def killed(at: int = at) -> None:
            watch(root / "data", at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            work(root)

        code = store.in_child(killed)
        wrong = [] if code == -signal.SIGKILL else [f"ended with {code}, not by the kill"]
        name, found = standing(root, before, after)
        wrong += found
        wrong += same_again(root, work, after, files)
        outcomes[name] += 1
        if wrong:
            problems.append(f"R1 {what}, call {at}: {'; '.join(wrong)}")
    old_and_new = ("old", "new") if stage and share >= 1 else ()
    return Line("R1", f"SIGKILL at every call of {what}", len(points), dict(outcomes), len(problems), old_and_new,
                problems=tuple(problems))  # fmt: skip


def count_calls(root: Path, work: Work) -> int:
    """Do some work undisturbed, in a child, and return how many calls changed files of the store."""
    told = root / "calls.txt"

    def count() -> None:
        watching = watch(root / "data")
        work(root)
        told.write_text(str(len(watching.names)))

    _must(store.in_child(count))
    return int(told.read_text())


def standing(root: Path, before: dict[str, str], after: dict[str, str]) -> tuple[str, list[str]]:
    """Return whether the old or the new version stands, and all that is wrong with the store.

    Args:
        root: The project.
        before: Version of each stage before the disturbed run.
        after: And after an undisturbed one.
    """
    try:
        wrong = store.damage(root)
        found = store.versions(root)
        # fsck has read every row of these; that they open is what a reader asks first.
        for stage, version in found.items():
            Snapshot.open(root / "data" / stage, version)
    except Exception as error:  # noqa: BLE001 - whatever it is, a reader should not meet it
        return "unreadable", [f"{type(error).__name__}: {error}"]
    wrong += [
        f"{stage} is neither old nor new"
        for stage in {**before, **found}
        if found.get(stage) not in (before.get(stage), after.get(stage))
    ]
    changed = [stage for stage in store.STAGES if before.get(stage) != after.get(stage)]
    if not changed:
        return "whole", wrong
    new = [stage for stage in changed if found.get(stage) == after[stage]]
    return ("new" if new == changed else "some new" if new else "old"), wrong


def same_again(root: Path, work: Work, after: dict[str, str], files: set[str]) -> list[str]:
    """Run the same again without any help, and return how what it leaves differs from an undisturbed run.

    Drafts of a run that was killed after its record stood are swept by the next run of the stage that works, or gc.
    """
    log = root / "again.txt"
    if code := store.in_child(lambda: work(root), log):
        return [f"run again it ends with {code}: {log.read_text() if log.exists() else ''}"]
    wrong = [] if store.versions(root) == after else ["run again it gives other versions"]
    wrong += store.damage(root)
    if store.leftovers(root) and (code := store.in_child(lambda: collect(root / "data", keep=99), log)):
        wrong.append(f"gc ends with {code}: {log.read_text() if log.exists() else ''}")
    wrong += [f"left behind: {path}" for path in store.leftovers(root)]
    found = _files(root)
    wrong += [f"missing afterwards: {path}" for path in sorted(files - found)]
    return wrong + [f"too much afterwards: {path}" for path in sorted(found - files)]


def _files(root: Path) -> set[str]:
    """Return the files of the store, without locks; the code and time in a record change none of the names."""
    return {
        str(path.relative_to(root))
        for path in (root / "data").rglob("*")
        if (path.is_file() or path.is_symlink()) and path.name not in (".lock", ".holder.json")
    }


def _straced(base: Path, place: Path, share: float, rng: random.Random) -> Line:
    """Kill by strace at system calls of the process itself, C++ included."""
    what = "SIGKILL by strace at system calls of again split"
    if shutil.which("strace") is None:
        return Line("R1", what, 0, {}, note="not run: no strace here")
    root = store.copy(base, place / "tried")
    before = store.versions(root)
    _must(store.in_child(lambda: store.run(root)))
    after, files = store.versions(root), _files(root)
    outcomes: Counter[str] = Counter()
    problems = []
    trace = place / "trace.txt"
    store.copy(base, root)
    _traced(root, ["-e", f"trace={','.join(STRACED)}", "-o", str(trace)])
    seen = trace.read_text(errors="replace")
    for call in STRACED:
        calls = seen.count(f" {call}(")
        for at in sorted(rng.sample(range(1, calls + 1), min(calls, max(1, round(8 * share))))):
            store.copy(base, root)
            code = _traced(
                root, ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={at}", "-o", os.devnull]
            )
            name, wrong = standing(root, before, after)
            # A call that a thread makes more or less often may not come at all.
            name = name if code == -signal.SIGKILL else "not hit"
            wrong += same_again(root, _data(None), after, files)
            outcomes[name] += 1
            if wrong:
                problems.append(f"R1 strace {call} {at}: {'; '.join(wrong)}")
    must_see = ("old", "new") if share >= 1 else ()
    return Line("R1", what, sum(outcomes.values()), dict(outcomes), len(problems), must_see, problems=tuple(problems))


def _traced(root: Path, options: list[str]) -> int:
    """Run `data` in a child that strace holds on to, and return how it ended."""
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        code = 1
        try:
            store.run(root)
            code = 0
        finally:
            os._exit(code)
    os.waitpid(pid, os.WUNTRACED)
    tracer = subprocess.Popen(["strace", "-qq", "-f", "-p", str(pid), *options], stderr=subprocess.DEVNULL)
    for _ in range(500):
        if "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text():
            break
        time.sleep(0.01)
    os.kill(pid, signal.SIGCONT)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    tracer.wait()
    return code


def _random_times(base: Path, place: Path, share: float, rng: random.Random) -> Line:
    """Stop the whole of `data` from outside, at any time."""
    root = store.copy(base, place / "tried")
    began = time.monotonic()
    _must(store.in_child(lambda: store.run(root)))
    takes = time.monotonic() - began
    after, files = store.versions(root), _files(root)
    outcomes: Counter[str] = Counter()
    problems = []
    for number in range(max(3, round(90 * share))):
        which = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3]
        store.copy(base, root)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                store.run(root)
                code = 0
            except KeyboardInterrupt:
                code = 130
            finally:
                os._exit(code)
        time.sleep(rng.uniform(0, takes))
        os.kill(pid, which)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        name, wrong = standing(root, {}, after)
        wrong += same_again(root, _data(None), after, files)
        outcomes["too late" if ended == 0 else {"old": "nothing yet", "new": "all"}.get(name, "some stages")] += 1
        if wrong:
            problems.append(f"R2 {which.name}: {'; '.join(wrong)}")
    seen = ("some stages",) if share >= 1 else ()
    return Line("R2", "SIGKILL, SIGTERM, SIGINT at a random time of data", sum(outcomes.values()), dict(outcomes),
                len(problems), seen, problems=tuple(problems))  # fmt: skip


def _commands(base: Path, place: Path, share: float, rng: random.Random) -> Line:
    """Stop the command itself, with its imports, and start it again."""
    root = store.copy(base, place / "tried")
    words = [sys.executable, "-m", "pipeline", "data", "--recipe", "recipe.toml"]
    settings = {**os.environ, "PYTHONPATH": str(store.CLONE)}
    began = time.monotonic()
    _must(subprocess.run(words, cwd=root, env=settings, capture_output=True, check=False).returncode)
    takes, after, files = time.monotonic() - began, store.versions(root), _files(root)
    outcomes: Counter[str] = Counter()
    problems = []
    for number in range(max(1, round(12 * share))):
        which = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3]
        store.copy(base, root)
        process = subprocess.Popen(words, cwd=root, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(0, takes))
        process.send_signal(which)
        said = process.communicate()[1].decode()
        name, wrong = standing(root, {}, after)
        if which == signal.SIGINT and process.returncode == 130 and "Traceback" in said:
            wrong.append("a traceback on Ctrl-C")
        wrong += same_again(root, _data(None), after, files)
        late = process.returncode == 0
        outcomes["too late" if late else {"old": "nothing yet", "new": "all"}.get(name, "some stages")] += 1
        if wrong:
            problems.append(f"R2 {which.name} of the command: {'; '.join(wrong)}")
    return Line("R2", "the same, of the command with its imports", sum(outcomes.values()), dict(outcomes),
                len(problems), problems=tuple(problems))  # fmt: skip
