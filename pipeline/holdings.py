"""What in a store holds removed rows, and its destruction.

    versions and dropped parts   destroyed whole: `tuneloop data` makes them again without the rows
    people's answers, drafts     rewritten without those about the rows: nobody can make the others again
    training runs                what quotes rows goes; weights stay, and are listed, unless they are to go too
    what is made again           indexes, caches, reports, pages and leftovers of stopped runs go whole
    tags and links               those to a destroyed version go
    the ledger                   stays: it holds ids and sides alone

Nothing here depends on what an earlier call got done, so that one that was killed is finished by the next.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from pydantic import JsonValue

from pipeline import refs
from pipeline.alike_rows import DRAFTS
from pipeline.ledger import STAGE as LEDGER
from pipeline.lock import locked
from pipeline.removed import FILE as REMOVED_FILE
from pipeline.removed import Removed
from pipeline.seal import sealed
from pipeline.snapshot import MANIFEST, Snapshot, sync, write_whole
from pipeline.stored_rows import among, names, names_of, present
from schemas import Annotation, RunRecord, SnapshotError

REMOVALS = "removals"
# A run that was trained on removed rows is no finished run any more; this says still what it came from.
RUN_STUB = "manifest.removed.json"
_ANNOTATE, _QUOTE = "annotate", ": "
# `hub` and `stdin` are copies of sources, which come again from where they came.
_MADE_AGAIN = ("cache", "hub", "pages", "reports", "stdin")
_LEFT_BY_STAGES = ("index", "tmp", "damaged")
_KNOWN = (
    *_MADE_AGAIN, "annotations", "backups", "bases", DRAFTS, "label-studio", "people", REMOVALS, REMOVED_FILE, "runs",
    "sample", "sweeps", "tags",
)  # fmt: skip
_ID = re.compile(r"\b[0-9a-f]{32}\b")
_WEIGHTS = (
    "*.safetensors", "config.json", "generation_config.json", "adapter_config.json", "chat_template.jinja",
    "tokenizer*", "special_tokens_map.json", "vocab*", "merges.txt", "added_tokens.json", "state.json", "tuned.json",
    "metrics.jsonl", RUN_STUB, ".lock", ".holder.json",
)  # fmt: skip


@dataclass
class Holdings:
    """Where removed rows are. Paths are relative to the store.

    Attributes:
        versions: stage/version to how many of the rows it holds.
        dropped: Dropped part to how many.
        answers: File of people's answers to how many are about the rows.
        drafts: File of drafts to how many lines are those rows or were written from them.
        runs: Training runs that saw them.
        unfinished: Training runs that were never finished and may have seen them.
        links: Links to those versions, and tags.
        made_again: Files and folders that may quote the rows and that commands make anew.
        records: Records of runs that quote the beginning of answers without an example; the quotes are cut off.
        unknown: What lies in the store and is none of ours.
    """

    versions: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    drafts: dict[str, int] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    made_again: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def rows(self) -> bool:
        """Whether any version, dropped part, answer or run holds them."""
        return bool(self.versions or self.dropped or self.answers or self.drafts or self.runs)


@contextmanager
def all_held(data_root: Path) -> Iterator[None]:
    """Hold every lock of the store while the block runs: no stage, training run or import may be at work.

    Raises:
        SnapshotError: One is.
    """
    with ExitStack() as stack:
        for stage in refs.stages_in(data_root):
            for recipe in refs.recipes_with(data_root, stage):
                stack.enter_context(
                    locked(refs.refs_folder(data_root, stage, recipe), f"stage {stage} of recipe {recipe}")
                )
        if (data_root / "annotations").is_dir():
            stack.enter_context(locked(data_root / "annotations", "the folder of people's answers"))
        for place in ("runs", "sweeps"):
            for folder in sorted((data_root / place).glob("*")):
                if folder.is_dir() and not folder.is_symlink():
                    stack.enter_context(locked(folder, f"{place[:-1]} {folder.name}"))
        yield


def find_holdings(data_root: Path, removed: Removed) -> Holdings:
    """Return all that holds removed rows, and all that is damaged, since nobody can say that it does not."""
    found = Holdings()
    for stage in refs.stages_in(data_root):
        folder = data_root / stage
        for version in sorted(path for path in folder.glob("*") if _is_version(path)):
            name = f"{stage}/{version.name}"
            if not (version / MANIFEST).exists():
                found.made_again.append(name)  # a destruction was stopped midway
            elif stage != LEDGER:
                n = sum(_held(part, removed) for part in sorted(version.glob("*.parquet")))
                if n or name in removed.versions:
                    found.versions[name] = n
        for part in sorted((folder / "dropped").glob("*.parquet")):
            if n := _held(part, removed):
                found.dropped[f"{stage}/dropped/{part.name}"] = n
        found.made_again += [f"{stage}/{left}" for left in _LEFT_BY_STAGES if any((folder / left).glob("*"))]
    found.answers = dict(_answers(data_root, removed))
    found.drafts = dict(_drafts(data_root, removed))
    _find_runs(data_root, removed.versions | set(found.versions), found)
    found.links = sorted(_links(data_root, removed.versions | set(found.versions), set(found.runs)))
    found.made_again += [name for name in _MADE_AGAIN if (data_root / name).exists()]
    pages = [*(data_root / "people").rglob("*.html"), *(data_root / "runs").glob("*/compare-*.html")]
    found.made_again += sorted({str(page.relative_to(data_root)) for page in pages if not page.parent.is_symlink()})
    found.records = [str(path.relative_to(data_root)) for path in _quoting_records(data_root)]
    ours = {*_KNOWN, *refs.stages_in(data_root)}
    found.unknown = sorted(path.name for path in data_root.glob("*") if path.name not in ours)
    return found


def destroy(data_root: Path, found: Holdings, removed: Removed, *, models: bool = False) -> None:
    """Destroy what was found, synced to the disk; every lock is held by the caller.

    Args:
        data_root: The store.
        found: From `find_holdings`.
        removed: All that was removed from the store.
        models: Whether the weights of models that were trained on the rows go too.
    """
    for name in found.links:
        (data_root / name).unlink(missing_ok=True)
    for name in found.versions:
        # The manifest first: a folder without one is not a version, should this be stopped midway.
        (data_root / name / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(data_root / name, ignore_errors=False)
    for name in found.dropped:
        (data_root / name).unlink(missing_ok=True)
    _rewrite_all(data_root, found, removed)
    for key in (*found.runs, *found.unfinished):
        _strip(data_root / "runs" / key, models=models)
    for name in found.records:
        _cut_quotes(data_root / name)
    for name in found.made_again:
        path = data_root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for folder in (path.parent for path in data_root.glob("*/refs")):
        sync(folder)


def _is_version(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and path.name not in (*_LEFT_BY_STAGES, "refs", "dropped")


def _held(path: Path, removed: Removed) -> int:
    """Return how many rows of a parquet file are removed ones, or were dropped beside one; of a damaged one all."""
    try:
        return _count_held(path, removed)
    except SnapshotError:
        return 1


def _count_held(path: Path, removed: Removed) -> int:
    there, ids = names_of(path), names(removed.ids)
    columns = [name for name in ("id", "partner_id", "raw", "reason", "source") if name in there]
    if "id" not in columns:
        return int(not there)
    if "raw" not in columns:
        columns = [name for name in columns if name != "source"]
    n = 0
    for batch in Snapshot.read_part(path, columns):
        held = among(batch["id"], ids)
        if "partner_id" in columns:
            held = pc.or_(held, among(batch["partner_id"], ids))
        if "raw" in columns:
            rows = zip(batch["source"].to_pylist(), batch["raw"].to_pylist(), strict=True)
            held = pc.or_(held, [bool(raw) and removed.refuses_raw(source, raw) for source, raw in rows])
        n += pc.sum(pc.and_(held, present(batch))).as_py() or 0
    return n


def _answers(data_root: Path, removed: Removed) -> Iterator[tuple[str, int]]:
    for path in sorted((data_root / "annotations").glob("*.jsonl")):
        n = sum(_is_about(line, removed) for line in path.read_text("utf-8").split("\n") if line)
        if n:
            yield path.name, n


def _is_about(line: str, removed: Removed) -> bool:
    return removed.refuses_answer(Annotation.model_validate_json(line))


def _rewrite_all(data_root: Path, found: Holdings, removed: Removed) -> None:
    for name in found.answers:
        _rewrite(data_root / "annotations" / name, removed)
    for name in found.drafts:
        _blank(data_root / DRAFTS / name, removed)


def _rewrite(path: Path, removed: Removed) -> None:
    lines = [line for line in path.read_text("utf-8").split("\n") if line and not _is_about(line, removed)]
    if lines:
        write_whole(path, "".join(line + "\n" for line in lines))
    else:
        path.unlink()


def _drafts(data_root: Path, removed: Removed) -> Iterator[tuple[str, int]]:
    for path in sorted((data_root / DRAFTS).glob("*/*.jsonl")):
        n = sum(_is_drafted(line, removed) for line in path.read_text("utf-8").split("\n"))
        if n:
            yield f"{path.parent.name}/{path.name}", n


def _is_drafted(line: str, removed: Removed) -> bool:
    """Whether a line of drafts was written from a removed row, or is one."""
    return bool(line) and (not removed.ids.isdisjoint(_ID.findall(line)) or removed.refuses_raw("", line))


def _blank(path: Path, removed: Removed) -> None:
    """Leave an empty line for each that goes: the places of the others, by which rows are told, stay as they are."""
    lines = path.read_text("utf-8").split("\n")
    write_whole(path, "\n".join("" if _is_drafted(line, removed) else line for line in lines))


def _quoting_records(data_root: Path) -> Iterator[Path]:
    """Yield the records of annotate that quote what people saw: its first words stand after the answer's key."""
    for recipe in refs.recipes_with(data_root, _ANNOTATE):
        for path in refs.record_paths(data_root, _ANNOTATE, recipe):
            if any(_QUOTE in line for line in _orphans(refs.read_record(path))):
                yield path


def _orphans(record: RunRecord) -> list[str]:
    told = record.facts.get("orphans", [])
    return [str(line) for line in told] if isinstance(told, list) else []


def _cut_quotes(path: Path) -> None:
    record = refs.read_record(path)
    cut: list[JsonValue] = [line.partition(_QUOTE)[0] for line in _orphans(record)]
    write_whole(path, sealed(record.model_copy(update={"facts": {**record.facts, "orphans": cut}})))


def _find_runs(data_root: Path, versions: frozenset[str] | set[str], found: Holdings) -> None:
    for folder in sorted((data_root / "runs").glob("*")):
        if not folder.is_dir() or folder.is_symlink():
            continue
        said = _said(folder / MANIFEST) or _said(folder / RUN_STUB)
        if said is None:
            if _quoting(folder):
                found.unfinished.append(folder.name)
        elif any(f"{stage}/{version}" in versions for stage, version in said.get("parents", {}).items()):
            found.runs.append(folder.name)


def _said(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _quoting(folder: Path) -> list[Path]:
    """Return the files of a run that may quote rows: all but weights and what loads them."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    return [path for path in files if not any(path.match(pattern) for pattern in _WEIGHTS)]


def _strip(folder: Path, *, models: bool) -> None:
    if models:
        shutil.rmtree(folder)
        return
    for path in _quoting(folder):
        path.unlink()
    # Last: until then the next call finds the run as this one did.
    if (folder / MANIFEST).exists():
        (folder / MANIFEST).replace(folder / RUN_STUB)
    sync(folder)


def _links(data_root: Path, versions: frozenset[str] | set[str], runs: set[str]) -> Iterator[str]:
    for link in data_root.glob("*/*"):
        if link.is_symlink():
            place = link.parent.name
            target = link.readlink().name
            if f"{place}/{target}" in versions or (place == "runs" and target in runs):
                yield f"{place}/{link.name}"
    for path in (data_root / "tags").glob("*.json"):
        named = (_said(path) or {}).get("versions", {})
        if any(f"{stage}/{version}" in versions for stage, version in named.items()):
            yield f"tags/{path.name}"
