"""R6: runs beside runs, beside gc and beside readers: nothing is lost, and a reader sees one whole version.

Who finds a lock held is told so and ends with 6; everything else is a fault.
"""

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import store
from table import Line

from pipeline.gc import collect
from pipeline.ledger import decisions, newest_ledger
from pipeline.refs import newest
from pipeline.snapshot import Snapshot
from schemas import SnapshotError

ANCHORS = ("R6",)
Work = Callable[[], object]


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for each kind of race."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        store.warm(place / "warm")
        base = store.make_project(place / "base")
        store.run(base)
        store.change(base)
        rounds = max(1, round(15 * share))
        for what, others in (
            ("data, 2 to 8 at once", _runs),
            ("data beside gc", _gc),
            ("data beside readers", _readers),
        ):
            yield _race(what, base, place, rounds, others, rng)
        yield _two_sources(base, place, rounds)


def _runs(root: Path, rng: random.Random) -> list[Work]:
    return [lambda: store.run(root)] * rng.randint(1, 7)


def _gc(root: Path, rng: random.Random) -> list[Work]:
    return [lambda: collect(root / "data", keep=1)] * rng.randint(1, 2)


def _readers(root: Path, rng: random.Random) -> list[Work]:
    def read() -> None:
        seen = []
        for _ in range(20):
            record = newest(root / "data", "split", store.NAME)
            assert record is not None
            table = Snapshot.open(root / "data" / "split", record.version).table()
            assert table.num_rows == record.rows_kept
            seen.append(record.number)
            time.sleep(0.01)
        assert seen == sorted(seen)

    return [read] * rng.randint(1, 3)


def _race(
    what: str,
    base: Path,
    place: Path,
    rounds: int,
    others: Callable[[Path, random.Random], list[Work]],
    rng: random.Random,
) -> Line:
    root = store.copy(base, place / "tried")
    store.run(root)
    after = store.versions(root)
    outcomes: Counter[str] = Counter()
    problems = []
    for number in range(rounds):
        store.copy(base, root)
        codes = _at_once([lambda: store.run(root), *others(root, rng)], root)
        outcomes.update(_told(code) for code in codes)
        wrong = [f"ended with {code}: {said[-200:]}" for code, said in codes if _told((code, said)) == "OTHER"]
        if code := store.in_child(lambda: store.run(root)):
            wrong.append(f"afterwards data ends with {code}")
        wrong += [] if store.versions(root) == after else ["other versions"]
        wrong += store.damage(root)
        if wrong:
            problems.append(f"R6 {what}, round {number}: {'; '.join(wrong)}")
    return Line("R6", what, sum(outcomes.values()), dict(outcomes), len(problems), problems=tuple(problems[:5]))


def _two_sources(base: Path, place: Path, rounds: int) -> Line:
    """Two people run one recipe with different rows on one store: every decision of both stays."""
    what = "one recipe with two people's rows at once"
    outcomes: Counter[str] = Counter()
    problems = []
    for number in range(rounds):
        mine, yours = store.copy(base, place / "mine"), store.copy(base, place / "yours")
        store.change(yours, 40 + number)
        (yours / "data").rename(place / f"unused-{number}")
        (yours / "data").symlink_to(mine / "data")
        before = _decided(mine)
        codes = _at_once([lambda mine=mine: store.run(mine), lambda yours=yours: store.run(yours)], mine)
        outcomes.update(_told(code) for code in codes)
        wrong = [f"ended with {code}: {said[-200:]}" for code, said in codes if _told((code, said)) == "OTHER"]
        for root in (mine, yours):
            if code := store.in_child(lambda root=root: store.run(root)):
                wrong.append(f"afterwards data ends with {code}")
        known = _decided(mine)
        wrong += [f"moved: {one}" for one, side in before.items() if known.get(one) != side]
        wrong += store.damage(mine)
        if wrong:
            problems.append(f"R6 {what}, round {number}: {'; '.join(wrong[:3])}")
    return Line("R6", what, sum(outcomes.values()), dict(outcomes), len(problems), problems=tuple(problems[:5]))


def _decided(root: Path) -> dict[str, str]:
    table = decisions(newest_ledger(root / "data", store.NAME))
    return dict(zip(table.column("id").to_pylist(), table.column("split").to_pylist(), strict=True))


def _at_once(works: list[Work], root: Path) -> list[tuple[int, str]]:
    """Start all together; return how each ended and what it said."""
    children = []
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for number, work in enumerate(works):
        log = root / f"said-{number}.txt"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                signal.sigwait({signal.SIGUSR1})
                work()
                code = 0
            except SnapshotError as error:
                code = error.exit_code
                log.write_text(str(error))
            except BaseException as error:  # noqa: BLE001 - told by the parent
                log.write_text(repr(error))
            finally:
                os._exit(code)
        children.append((pid, log))
    for pid, _ in children:
        os.kill(pid, signal.SIGUSR1)
    return [
        (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), log.read_text() if log.exists() else "")
        for pid, log in children
    ]


def _told(ended: tuple[int, str]) -> str:
    code, said = ended
    if code == 0:
        return "done"
    # A run whose parent gc has just taken says so and gives it again when it is started again.
    return "told to wait or start again" if code == 6 and "fix:" in said else "OTHER"
