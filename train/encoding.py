"""The encode snapshot: a split as token ids and weights, made once for a split, a tokenizer, a template and settings.

    data/encode/9f3c.../train-00000-of-00002.parquet   part by part like the split, one example a row
    data/encode/refs/<recipe>/000003.json              what it was made from; the same key is not encoded again

On the train side an example may be one of several of its row, and its tokens may weigh less than 1. On the others there
is one example a row, its completion with weight 1: what is compared must be the same whatever is learnt.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from pipeline import refs
from pipeline.array_file import ArrayFile
from pipeline.code import Code, code_of
from pipeline.content import content_version
from pipeline.digest import value_digest
from pipeline.execute import git_commit, peak_memory_bytes, work_folder
from pipeline.key import what_changed
from pipeline.lock import locked
from pipeline.snapshot import Snapshot, commit, make_folder
from schemas import SPLITS, ConfigError, PartRecord, RunRecord, SourceError
from schemas.training import Encode
from train.encode import RowEncoder, TurnEncoder
from train.encode_parts import SCHEMA, encode_parts, files_of
from train.encoded import Encoded
from train.flat import completions, examples, read_flat
from train.text_ids import tokenizer_digest

STAGE = "encode"
_RECORDS = 5
_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Encoding:
    """A split in the tokens of a base.

    Attributes:
        snapshot: Its rows.
        record: How it came about.
    """

    snapshot: Snapshot
    record: RunRecord

    @property
    def version(self) -> str:
        """Names its rows."""
        return self.snapshot.manifest.version

    def lessons(self) -> Encoded:
        """Return the train examples that carry loss, in mapped memory.

        Raises:
            SourceError: There are none.
        """
        if self.record.counts["examples without loss"] == self.record.counts["train examples"]:
            raise SourceError(
                "no train row carries any loss: all have weight 0",
                where=f"{self.snapshot.folder}",
                fix="give some rows a weight over 0: [encode] status_weights, row_weight, or the weights of messages",
            )
        return examples(self._learnt)

    def lesson_templates(self) -> list[str]:
        """Return the name of the template of each of `lessons`."""
        names = [str(name) for name in cast("list[JsonValue]", self._learnt.facts["templates"])]
        return [names[number] for number in self._learnt.arrays["template"].tolist()]

    def completions(self, side: str) -> Encoded:
        """Return one example for each row of a side: its completion, each token with weight 1."""
        return completions(self._flat(side, with_loss=False))

    @cached_property
    def _learnt(self) -> ArrayFile:
        """The arrays of `lessons`: opening them reads and checks every byte, so it is done once."""
        return self._flat("train", with_loss=int(self.record.counts["examples without loss"]) > 0)

    def _flat(self, side: str, *, with_loss: bool) -> ArrayFile:
        parts = [self.snapshot.folder / file.name for file in files_of(self.snapshot, side)]
        stem = self.snapshot.folder / (f"{side}-with-loss" if with_loss else side)
        return read_flat(parts, stem, self.version, with_loss=with_loss)


def encode_split(
    split: Snapshot, encoder: RowEncoder, settings: Encode, data_root: Path, recipe: str, tell: Callable[[str], None]
) -> Encoding:
    """Return the split in the encoder's tokens, made if it is not there.

    Args:
        split: What `tuneloop data` made.
        encoder: Of the base and family.
        settings: What carries loss, and how much.
        data_root: The store.
        recipe: Names the record.
        tell: Called with a sentence.

    Raises:
        SourceError: Rows break what must hold of every row; all at once, up to a thousand.
        ConfigError: The settings do not fit the encoder or the rows.
        SnapshotError: It cannot be written, or another process has been writing it for an hour.
    """
    if settings.learn == "all-turns" and not isinstance(encoder, TurnEncoder):
        raise ConfigError(
            "learn = 'all-turns' is for chat models: other families answer once",
            where="[encode] learn",
            fix="learn = 'completion'",
        )
    code = _code(encoder)
    parts = key_parts(split, encoder, settings, code)
    key = value_digest(dict(parts))
    # Processes that train together come here together: one makes it, and the others wait for it.
    with locked(refs.refs_folder(data_root, STAGE, recipe), f"the encoding of recipe {recipe}", _WAIT_SECONDS):
        last = refs.newest(data_root, STAGE, recipe)
        found = _found(data_root, recipe, key)
        if found is None:
            why = what_changed(parts, last.key_parts if last else None)
            tell(f"encode    runs: {'; '.join(why[:4]) or 'its version is gone'}; {encoder.engine}")
            with work_folder(data_root / STAGE, recipe, "the encoding") as work:
                found = _make(split, encoder, settings, data_root, work, _Origin(recipe, key, parts, code, last))
            refs.add(data_root, found.record)
        elif last is not None and found.record.number != last.number:
            # An earlier version is wanted again: as the newest record it is safe from `tuneloop gc`.
            refs.add(data_root, found.record.model_copy(update={"number": last.number + 1}))
    tell(_told(found.record))
    return found


def key_parts(split: Snapshot, encoder: RowEncoder, settings: Encode, code: Code) -> dict[str, str]:
    """Return all that can change the ids and weights, by name."""
    # What these two name is in what the encoder depends on.
    values = settings.model_dump(mode="json", exclude={"chat_template", "max_length"})
    return {
        **{f"setting {name}": value_digest(value) for name, value in values.items()},
        **{f"value {name}": value for name, value in encoder.depends_on.items()},
        "value tokenizer": tokenizer_digest(encoder.tokenizer),
        "parent split": split.manifest.version,
        **{f"package {name}": version for name, version in code.distributions.items()},
        "code encode": code.digest,
    }


@dataclass(frozen=True)
class _Origin:
    """What a new record says of where it comes from."""

    recipe: str
    key: str
    key_parts: dict[str, str]
    code: Code
    last: RunRecord | None


def _make(
    split: Snapshot, encoder: RowEncoder, settings: Encode, data_root: Path, work: Path, origin: _Origin
) -> Encoding:
    """Encode part by part, commit the version, and return it with its record, which is not written yet."""
    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    final = make_folder(work / "version")
    files, counts = encode_parts(split, encoder, settings, final)
    version = content_version([final / file.name for file in files], SCHEMA)
    draft = Snapshot(final, Snapshot.draft(STAGE, version, SCHEMA, files))
    for side in SPLITS:
        read_flat([final / file.name for file in files_of(draft, side)], final / side, version)
    snapshot = commit(data_root / STAGE, draft)
    record = RunRecord(
        number=1 + (origin.last.number if origin.last else 0),
        recipe=origin.recipe,
        stage=STAGE,
        key=origin.key,
        key_parts=origin.key_parts,
        version=version,
        parents={"split": split.manifest.version},
        settings=settings.model_dump(mode="json"),
        inputs=[],
        code=origin.code.digest,
        distributions=origin.code.distributions,
        git_commit=git_commit(),
        started_at=started_at,
        seconds=round(time.monotonic() - began, 3),
        peak_memory_bytes=peak_memory_bytes(),
        rows_in=split.manifest.rows,
        rows_kept=snapshot.manifest.rows,
        rows_dropped=0,
        dropped_by_reason={},
        counts=counts,
        facts={"engine": encoder.engine, "stop_id": encoder.stop_id},
        parts=[PartRecord(key=origin.key, files=files, dropped=[], rows_in=split.manifest.rows)],
    )
    return Encoding(snapshot, record)


def _told(record: RunRecord) -> str:
    """Return a sentence about an encoding."""
    counts = record.counts
    line = (
        f"encode    {record.version[:8]}: {counts['train examples']:,} train examples of {counts['train rows']:,} rows,"
        f" {counts['train tokens']:,} tokens, {counts['train tokens with loss']:,} with loss"
    )
    left_out = counts["train rows without loss"]
    return line + (f"; {left_out:,} rows have weight 0 and are left out" if left_out else "")


def _found(data_root: Path, recipe: str, key: str) -> Encoding | None:
    """Return what a recent run made of the same key, if it is still there."""
    for path in refs.record_paths(data_root, STAGE, recipe)[:_RECORDS]:
        record = refs.read_record(path)
        if record.key == key and (data_root / STAGE / record.version).is_dir():
            return Encoding(Snapshot.open(data_root / STAGE, record.version), record)
    return None


def _code(encoder: RowEncoder) -> Code:
    """Return the code of this module and of the encoder's."""
    ours, its = code_of(__name__), code_of(type(encoder).__module__)
    return Code(value_digest([ours.digest, its.digest]), {**ours.distributions, **its.distributions})
