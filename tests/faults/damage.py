"""R5: bits flipped, files cut, emptied, swapped, edited and lost: fsck finds every one, and no reader gives other rows.

A reader may give the same rows, where a byte was hit that means nothing to it, or raise SnapshotError; any other error
is a fault as much as another row.
"""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import store
from table import Line

from pipeline import refs
from pipeline.fsck import fsck, repair
from pipeline.snapshot import Snapshot
from pipeline.tags import read_tag, tag, tag_paths
from schemas import SnapshotError

ANCHORS = ("R5",)
KINDS = {
    "part": "*/????????????????????????????????/*.parquet",
    "manifest": "*/????????????????????????????????/manifest.json",
    "paper": "split/????????????????????????????????/[Rc]*",
    "dropped part": "*/dropped/*.parquet",
    "record": "*/refs/*/[0-9]*.json",
    "tag": "tags/*.json",
}
CUTS = 200
Damages = dict[str, Callable[[Path], None]]


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for each kind of damage."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        store.warm(place / "warm")
        root = store.make_project(place / "small", 60)
        store.run(root)
        tag(root / "data", store.NAME, "v1")
        store.change(root)
        store.run(root)
        rows = read_everything(root)
        files = {kind: sorted((root / "data").glob(pattern)) for kind, pattern in KINDS.items()}
        for kind, paths in files.items():
            paths = [path for path in paths if not path.parent.is_symlink()]
            flips = [(rng.choice(paths), rng.random()) for _ in range(max(4, round(175 * share)))]
            yield _line(f"a bit flipped in a {kind}", root, rows, [(path, _flip(at)) for path, at in flips])
        for kind, paths in files.items():
            path = rng.choice([path for path in paths if not path.parent.is_symlink()])
            # Of JSON and text a few cuts show as much as all.
            most = CUTS if kind in ("part", "manifest") else CUTS // 5
            numbers = sorted(rng.sample(range(CUTS), max(2, round(most * share))))
            yield _line(f"a {kind} cut short", root, rows, [(path, _cut(one / CUTS)) for one in numbers])
        yield _line("a file emptied", root, rows, [(path, _cut(0)) for path in _all(files, rng, share)])
        yield _line("a file lost", root, rows, [(path, Path.unlink) for path in _needed(root, _all(files, rng, share))])
        yield _line("two files swapped", root, rows, list(_swaps(files, rng, share)))
        yield _line("a number or word edited by hand", root, rows, list(_edits(files, rng, share)))
        for stage in ("dedupe", "split"):
            yield _index(root, place, stage, rng, share)
        yield _repaired(root, place, files, rng, share)


def read_everything(root: Path, stages: tuple[str, ...] = (*store.STAGES, store.LEDGER, "tags")) -> dict[str, pa.Table]:
    """Return all that readers can get of a store: the rows of every version there is, by its records, and tags.

    Raises:
        SnapshotError: Something cannot be read.
    """
    data, found = root / "data", dict[str, pa.Table]()
    for stage in stages:
        for path in refs.record_paths(data, stage, store.NAME):
            record = refs.read_record(path)
            found[f"{stage} {path.name}"] = Snapshot.open(data / stage, record.version).table()
            for file in record.dropped:
                batches = list(Snapshot.read_part(data / stage / "dropped" / file.name))
                found[f"{stage} {file.name}"] = pa.Table.from_batches(batches)
    for path in tag_paths(data) if "tags" in stages else []:
        found[f"tags {path.name}"] = pa.table({"versions": [str(read_tag(path))]})
    return found


def _line(
    what: str, root: Path, rows: dict[str, pa.Table], damages: list[tuple[Path, Callable[[Path], object]]]
) -> Line:
    outcomes: Counter[str] = Counter()
    problems = []
    for path, damage in damages:
        kept = path.read_bytes()
        damage(path)
        shown = path.relative_to(root)
        try:
            if path.is_file() and path.read_bytes() == kept:
                outcomes["changed nothing"] += 1
                continue
            view = _view(root, shown.parts[1])
            found = [root / "data" / one.path.relative_to(view) for one in fsck(view)[1]]
            # Of dropped rows that are gone the record that names them is told.
            if not (found if not path.exists() else set(found).intersection((path, *path.parents))):
                problems.append(f"R5 {what}: fsck does not find {shown}")
            came = _read(root, rows, shown.parts[1])
            outcomes[came] += 1
            if came == "OTHER ROWS":
                problems.append(f"R5 {what}: a reader gave other rows: {shown}")
        except SnapshotError:
            outcomes["found and refused"] += 1
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            outcomes["crashed"] += 1
            problems.append(f"R5 {what}: {shown}: {type(error).__name__}: {error}")
        finally:
            path.write_bytes(kept)
    return Line("R5", what, sum(outcomes.values()), dict(outcomes), len(problems), problems=tuple(problems[:5]))


def _view(root: Path, stage: str) -> Path:
    """Return a store that has one stage of another, or its tags: fsck goes stage by stage, and so takes a fifth as long."""
    view = root / "views" / stage
    if not view.is_dir():
        view.mkdir(parents=True)
        (view / stage).symlink_to(root / "data" / stage)
    return view


def _read(root: Path, rows: dict[str, pa.Table], stage: str) -> str:
    """Read the stage that was hit as others do."""
    try:
        read = read_everything(root, (stage,))
    except SnapshotError:
        return "found and refused"
    wanted = {name for name in rows if name.partition(" ")[0] == stage}
    same = wanted == read.keys() and all(read[name].equals(rows[name]) for name in wanted)
    return "found, rows as they were" if same else "OTHER ROWS"


def _flip(at: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        raw = bytearray(path.read_bytes())
        bit = int(at * 8 * len(raw))
        raw[bit // 8] ^= 1 << bit % 8
        path.write_bytes(raw)

    return damage


def _cut(part: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        raw = path.read_bytes()
        path.write_bytes(raw[: int(part * len(raw))])

    return damage


def _put(raw: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(raw)


def _all(files: dict[str, list[Path]], rng: random.Random, share: float) -> list[Path]:
    found = [path for paths in files.values() for path in paths if not path.parent.is_symlink()]
    return found if share >= 1 else rng.sample(found, max(2, round(share * len(found))))


def _needed(root: Path, paths: list[Path]) -> list[Path]:
    """Leave out what may be gone: dropped parts of older runs, which gc takes, and records and tags, which none names."""
    named = {
        root / "data" / stage / "dropped" / file.name
        for stage in store.STAGES
        if (record := refs.newest(root / "data", stage, store.NAME))
        for file in record.dropped
    }
    return [path for path in paths if path in named or path.parent.name not in ("dropped", "tags", store.NAME)]


def _swaps(
    files: dict[str, list[Path]], rng: random.Random, share: float
) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    for kind in ("part", "manifest", "dropped part", "record", "paper"):
        pairs = [
            (one, two)
            for one in files[kind]
            for two in files[kind]
            if one != two and one.read_bytes() != two.read_bytes() and not one.parent.is_symlink()
        ]
        for one, two in rng.sample(pairs, min(len(pairs), max(1, round(30 * share)))):
            yield one, _put(two.read_bytes())


def _edits(
    files: dict[str, list[Path]], rng: random.Random, share: float
) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    for kind in ("manifest", "record", "tag", "paper"):
        for path in files[kind]:
            if path.parent.is_symlink() or rng.random() > share:
                continue
            raw = path.read_bytes()
            for old, new in ((b"1", b"2"), (b"string", b"int64"), (b"small", b"other"), (b"\n", b"\r\n")):
                if old in raw:
                    yield path, lambda path, raw=raw, old=old, new=new: path.write_bytes(raw.replace(old, new, 1))


def _index(root: Path, place: Path, stage: str, rng: random.Random, share: float) -> Line:
    """Damage the index of a stage: a run must give what it gives without one."""
    tried = store.copy(root, place / "index")
    store.change(tried, 2)
    base = store.copy(tried, place / "index-base")
    expected = store.run(tried)
    outcomes: Counter[str] = Counter()
    problems = []
    for number in range(max(2, round(40 * share))):
        store.copy(base, tried)
        path = rng.choice(sorted(path for path in (tried / "data" / stage / "index").rglob("*") if path.is_file()))
        (_flip(rng.random()) if number % 4 else _cut(rng.random()))(path)
        same = store.run(tried, to=stage)[stage] == expected[stage]
        outcomes["same version" if same else "OTHER VERSION"] += 1
        if not same:
            problems.append(f"R5 index of {stage}: {path.name}")
    return Line("R5", f"the index of {stage} damaged, then new rows", sum(outcomes.values()), dict(outcomes),
                len(problems), problems=tuple(problems))  # fmt: skip


def _repaired(root: Path, place: Path, files: dict[str, list[Path]], rng: random.Random, share: float) -> Line:
    """Damage, `fsck --repair`, run again: all is as it was, unless the ledger was hit, which nothing can make again."""
    tried = place / "repaired"
    newest = [path for kind in ("part", "manifest", "dropped part", "record") for path in files[kind]]
    newest = [path for path in newest if not path.parent.is_symlink() and "/ledger/" not in str(path)]
    expected = store.versions(root)
    outcomes: Counter[str] = Counter()
    problems = []
    for path in rng.sample(newest, min(len(newest), max(2, round(60 * share)))):
        store.copy(root, tried)
        rng.choice((_flip(rng.random()), _cut(rng.random()), Path.unlink))(tried / path.relative_to(root))
        repair(tried / "data", fsck(tried / "data")[1])
        same = store.run(tried) == {stage: expected[stage] for stage in store.STAGES}
        wrong = [] if same else ["other versions"]
        wrong += [one for one in store.damage(tried)]
        outcomes["as before" if not wrong else "OTHER"] += 1
        if wrong:
            problems.append(f"R5 repair of {path.relative_to(root)}: {'; '.join(wrong)}")
        shutil.rmtree(tried)
    return Line("R5", "damage, fsck --repair, data", sum(outcomes.values()), dict(outcomes), len(problems),
                problems=tuple(problems[:5]))  # fmt: skip
