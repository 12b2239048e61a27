"""fsck of a store in a bucket: every object is read; rows that came whole take the place of the copy here.

So damage that is only here heals, and what is left after that is damage in the bucket.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline import refs
from pipeline.fsck import Damage, fsck
from pipeline.fsck import repair as set_aside
from pipeline.remote import File, OtherBytesError, Remote
from pipeline.remote_copy import remote_of
from pipeline.snapshot import MANIFEST
from pipeline.working_copy import SHARED, objects
from schemas import Manifest, RunRecord


def check(root: Path) -> tuple[int, list[Damage]]:
    """Return how many files were read whole, and everything that is damaged in the bucket.

    Raises:
        ServiceError: The bucket does not answer.
    """
    remote, known = remote_of(root), objects(root)
    damages: dict[Path, Damage] = {}
    for file in _files(root, set(known)):
        if file.name not in known:
            damages[_unit(file.path)] = Damage(_unit(file.path), f"missing in the bucket: {file.name}")
            continue
        try:
            remote.bring([file])
        except OtherBytesError:
            damages[_unit(file.path)] = Damage(_unit(file.path), f"bytes changed in the bucket: {file.name}")
    n_files, others = fsck(root)
    for one in others:
        damages.setdefault(one.path, one)
    return n_files, [damages[path] for path in sorted(damages)]


def repair(root: Path, damages: list[Damage]) -> list[Path]:
    """Move what is damaged to `<stage>/damaged/`, in the bucket and here; return where. The next run makes it again.

    Raises:
        ServiceError: The bucket does not answer, or the keys do not allow it.
    """
    remote = remote_of(root)
    for damage in damages:
        _move(remote, damage.path.relative_to(root).as_posix())
    return set_aside(root, damages)


def _files(root: Path, known: set[str]) -> Iterator[File]:
    """Yield all that manifests in the bucket name, and the dropped parts there."""
    for stage in SHARED:
        for path in sorted((root / stage).glob(f"*/{MANIFEST}")):
            # One that only lies here was never shared: nobody misses it there.
            if path.relative_to(root).as_posix() in known and (manifest := _read(path)):
                place = path.parent
                yield from (File(place / f.name, f"{stage}/{place.name}/{f.name}", f.digest) for f in manifest.files)
        dropped = {name for name in known if name.startswith(f"{stage}/dropped/")}
        for recipe in refs.recipes_with(root, stage):
            for path in refs.record_paths(root, stage, recipe)[:1]:
                dropped |= {f"{stage}/dropped/{name}" for name in _dropped_by(path)}
        yield from (File(root / name, name, Path(name).stem) for name in sorted(dropped))


def _read(path: Path) -> Manifest | None:
    """Return a manifest, or None if it is damaged, which the look at the copy here will tell."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _dropped_by(path: Path) -> list[str]:
    try:
        return [file.name for file in RunRecord.model_validate_json(path.read_bytes()).dropped]
    except (OSError, ValueError):
        return []


def _unit(path: Path) -> Path:
    """Return what is set aside as one: a version's folder, or a dropped part."""
    return path if path.parent.name == "dropped" else path.parent


def _move(remote: Remote, name: str) -> None:
    """Move an object, or all below a name, to `damaged/` of its stage; the manifest goes first."""
    stage, last = name.partition("/")[0], name.rpartition("/")[2]
    taken = {one.split("/")[2] for one in remote.listing(f"{stage}/damaged")}
    free = next(n for n in (last, *(f"{last}-{k}" for k in range(2, len(taken) + 3))) if n not in taken)
    for one in sorted(remote.listing(name), key=lambda one: not one.endswith(f"/{MANIFEST}")):
        remote.move(one, f"{stage}/damaged/{free}{one.removeprefix(name)}")
