"""The index of a store: one segment for each part that dedupe has met, kept between runs.

    data/dedupe/index/segments/7f3a...-91bc.arrays, .head   the segment of the part with digest 7f3a...

It holds nothing that cannot be made again: what is missing, damaged or foreign is built anew, and said.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipeline.array_file import open_arrays, write_arrays
from pipeline.code import code_of
from pipeline.corpus import Segment
from pipeline.digest import file_digest, value_digest
from pipeline.segment import build
from pipeline.sides import COLUMNS, CellMaker, Sides
from pipeline.snapshot import Snapshot, make_folder
from pipeline.vocabulary import word_files
from schemas import Manifest, SnapshotError

# Threads that build at a time: kernels and Arrow leave the interpreter free.
WORKERS = 2
INDEX = "dedupe/index/segments"
_NOT_THERE = "it is not there"


@dataclass(frozen=True)
class Cutting:
    """How rows are taken apart into cells.

    Attributes:
        into: Gives the cells of a batch that holds `COLUMNS`.
        meaning: Template to what the cells of its rows depend on beside the rows.
        made_by: Digest of all code and word lists that can change a segment.
    """

    into: CellMaker
    meaning: Mapping[str, JsonValue]
    made_by: str

    @staticmethod
    def by_field(sides: Mapping[str, Sequence[tuple[str, str]]], documents: Mapping[str, Sequence[str]]) -> "Cutting":
        """Return the cutting into one cell a field.

        Args:
            sides: Template to its fields in order, each with "prompt" or "response".
            documents: Template to its document fields.
        """
        meaning: dict[str, JsonValue] = {
            name: [[[*one] for one in fields], [*documents.get(name, [])]] for name, fields in sides.items()
        }
        return Cutting(Sides.of(sides, documents), meaning, maker())


@dataclass(frozen=True)
class Opened:
    """Segments in the order of the parts.

    Attributes:
        names: What each is called: the part's digest and what made it.
        built: How many had to be made.
        faults: Why segments that were there could not be used.
    """

    segments: list[Segment]
    names: list[str]
    built: int
    faults: list[str]


def open_segments(parent: Snapshot, cutting: Cutting, folder: Path) -> Opened:
    """Return the segments of a snapshot's parts, those that are missing made and kept.

    Args:
        parent: The snapshot.
        cutting: How its rows are taken apart.
        folder: Where segments are kept.
    """
    make_folder(folder)
    made_by, meaning = cutting.made_by, cutting.meaning
    stems = [folder / _stem(file.digest, made_by) for file in parent.manifest.files]

    def one(number: int) -> tuple[Segment, str | None]:
        stem, digest = stems[number], parent.manifest.files[number].digest
        kept = _kept(stem, made_by, digest, meaning)
        if isinstance(kept, Segment):
            return kept, None
        path = parent.folder / parent.manifest.files[number].name
        arrays, facts = build(Snapshot.read_part(path, COLUMNS), cutting.into, WORKERS)
        used = facts["template"]
        assert isinstance(used, list)
        facts["part"] = digest
        facts["meaning"] = {str(name): meaning[str(name)] for name in used if name in meaning}
        write_arrays(stem, arrays, made_by, facts)
        del arrays
        made = _kept(stem, made_by, digest, meaning)
        if isinstance(made, str):
            raise SnapshotError(
                f"a segment cannot be read back: {made}", where=str(stem), fix="check the disk, then run again"
            )
        return made, kept

    # Each part has its own threads, so that the last one is not left to one of them.
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(one, range(len(stems))))
    faults = [
        f"{stem.name}: {why}" for stem, (_, why) in zip(stems, found, strict=True) if why not in (None, _NOT_THERE)
    ]
    built = sum(why is not None for _, why in found)
    return Opened([segment for segment, _ in found], [stem.name for stem in stems], built, faults)


def stale_segments(folder: Path, manifests: Sequence[Path], made_by: str) -> list[Path]:
    """Return the files of segments whose part is in none of the snapshots, or which other code has made."""
    there = [Manifest.model_validate_json(path.read_bytes()) for path in manifests if path.is_file()]
    wanted = {_stem(file.digest, made_by) for manifest in there for file in manifest.files}
    return sorted(path for path in folder.glob("*") if path.stem not in wanted)


def _stem(digest: str, made_by: str) -> str:
    return f"{digest[:24]}-{made_by[:8]}"


def maker(module: str = "pipeline.segment") -> str:
    """Return the digest of all code of a module and word lists that can change a segment."""
    code = code_of(module)
    lists: dict[str, JsonValue] = {name: file_digest(path) for name, path in word_files().items()}
    versions: dict[str, JsonValue] = {**code.distributions}
    return value_digest([code.digest, versions, lists])


def _kept(stem: Path, made_by: str, digest: str, meaning: Mapping[str, JsonValue]) -> Segment | str:
    opened = open_arrays(stem, made_by)
    if isinstance(opened, str):
        return opened
    if opened.facts.get("part") != digest:
        return "it was made from another part"
    told = opened.facts.get("meaning")
    used = opened.facts.get("template")
    if not isinstance(told, dict) or not isinstance(used, list):
        return "its header is not whole"
    if told != {name: meaning[str(name)] for name in used if name in meaning}:
        return "the fields of its templates stand on other sides now"
    return Segment(opened.arrays, opened.facts)
