"""The certificate of a removal: what was destroyed, which models saw the rows, and what could not be reached.

    data/removals/2026-11-28-41c7....json   for programs
    data/removals/2026-11-28-41c7....txt    for people

It holds ids and digests and no text of the rows. It is begun before anything is destroyed, so that a removal that was
killed is known, and what it had found is told by the one that finishes it.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue

from pipeline.digest import value_digest
from pipeline.holdings import REMOVALS, Holdings
from pipeline.removed import Request
from pipeline.snapshot import make_folder, write_whole
from schemas import Strict

ALWAYS_OUT_OF_REACH = (
    "copies of the store: backups, snapshots of the disk, what others have copied, cloned or downloaded",
    "published data and exported tasks and models: whatever was written outside the store",
    "the weights of models that were trained on the rows: only training again without them makes a model that never "
    "saw them",
    "other runs of the recipe elsewhere, and versions named in tuneloop.lock: run `tuneloop data --lock` again",
    "blocks of the disk that a file system has freed and not yet overwritten",
)
_SHOWN = 20


class Certificate(Strict):
    """What a removal did."""

    format: int = 1
    state: Literal["begun", "done"] = Field(title="begun: it was stopped midway; `tuneloop remove --again` finishes it")
    requests: list[str] = Field(title="of data/removed.jsonl")
    begun_at: str = Field(title="ISO 8601, UTC")
    done_at: str | None = None
    ids: list[str] = Field(title="of the removed examples")
    source_lines: list[str] = Field(title="where they stand in their sources, which are left as they are")
    versions: dict[str, int] = Field(title="destroyed versions, and how many of the rows each held")
    dropped: dict[str, int] = Field(title="destroyed dropped parts, likewise")
    answers: dict[str, int] = Field(title="files of people's answers, and how many were taken out of each")
    drafts: dict[str, int] = Field(default={}, title="files of drafts, and how many lines were taken out of each")
    models: list[str] = Field(title="training runs that saw the rows; their reports are destroyed")
    models_destroyed: bool = Field(title="whether the weights of these went too")
    unfinished_runs: list[str] = Field(title="stopped training runs that may have seen them; only weights are left")
    links: list[str] = Field(title="links and tags that named destroyed versions")
    made_again: list[str] = Field(title="indexes, caches, reports and pages that were destroyed whole")
    records: list[str] = Field(title="records of runs in which quotes of what people saw were cut off")
    tasks: dict[str, int] = Field(default={}, title="Label Studio, and how many tasks were deleted there")
    backups: dict[str, int] = Field(default={}, title="backups of Label Studio, and how many tasks were taken out")
    files: list[str] = Field(default=[], title="files of the local Label Studio that were destroyed or rewritten")
    out_of_reach: list[str] = Field(title="what this could not reach")


def begin(
    data_root: Path, requests: Iterable[Request], found: Holdings, origins: Iterable[str], *, models: bool
) -> tuple[Path, Certificate]:
    """Write the certificate of a removal about to begin, with all that an unfinished one had found; return it."""
    named: list[JsonValue] = [*sorted({one.request for one in requests})]
    now = datetime.now(UTC)
    unknown = [f"{name} in the store: no part of tuneloop; look into it yourself" for name in found.unknown]
    mine = Certificate(
        state="begun",
        requests=[str(name) for name in named],
        begun_at=now.isoformat(timespec="seconds"),
        ids=sorted({name for one in requests for name in one.ids}),
        source_lines=sorted(origins),
        versions=found.versions,
        dropped=found.dropped,
        answers=found.answers,
        drafts=found.drafts,
        models=found.runs,
        models_destroyed=models,
        unfinished_runs=found.unfinished,
        links=found.links,
        made_again=found.made_again,
        records=found.records,
        out_of_reach=[*unknown, *ALWAYS_OUT_OF_REACH],
    )
    folder = make_folder(data_root / REMOVALS)
    path = folder / f"{now.date().isoformat()}-{value_digest([named, mine.begun_at])[:12]}.json"
    for other, earlier in read_certificates(data_root):
        if earlier.state == "begun":
            path, mine = other, _merged(earlier, mine)
    write_whole(path, mine.model_dump_json(indent=1) + "\n")
    return path, mine


def finish(path: Path, certificate: Certificate) -> Certificate:
    """Write the finished certificate, for programs and for people; return it."""
    done = certificate.model_copy(update={"state": "done", "done_at": datetime.now(UTC).isoformat(timespec="seconds")})
    write_whole(path.with_suffix(".txt"), "\n".join(told(done)) + "\n")
    write_whole(path, done.model_dump_json(indent=1) + "\n")
    return done


def read_certificates(data_root: Path) -> list[tuple[Path, Certificate]]:
    """Return the certificates of a store that can be read, the oldest first."""
    found = []
    for path in sorted((data_root / REMOVALS).glob("*.json")):
        try:
            found.append((path, Certificate.model_validate_json(path.read_bytes())))
        except (OSError, ValueError):
            continue
    return found


def told(one: Certificate) -> list[str]:
    """Return the certificate in lines for people."""
    lines = [
        f"Removal {', '.join(one.requests)}: {one.state}",
        f"begun {one.begun_at}" + (f", done {one.done_at}" if one.done_at else ""),
        "",
        f"{len(one.ids):,} examples removed; ingest, pull and import refuse them from now on.",
    ]
    weights = "weights and reports destroyed" if one.models_destroyed else "reports destroyed, weights left"
    for title, items in (
        ("versions destroyed", [f"{name}  {n:,} rows" for name, n in one.versions.items()]),
        ("dropped parts destroyed", [f"{name}  {n:,} rows" for name, n in one.dropped.items()]),
        ("people's answers taken out", [f"annotations/{name}  {n:,}" for name, n in one.answers.items()]),
        ("drafts taken out", [f"drafts/{name}  {n:,}" for name, n in one.drafts.items()]),
        ("tasks deleted in Label Studio", [f"{name}  {n:,}" for name, n in one.tasks.items()]),
        ("tasks taken out of backups", [f"{name}  {n:,}" for name, n in one.backups.items()]),
        ("files of the local Label Studio rewritten or destroyed", one.files),
        (f"models that were trained on the rows ({weights})", [f"runs/{key}" for key in one.models]),
        ("stopped training runs that may have seen them", [f"runs/{key}" for key in one.unfinished_runs]),
        ("links and tags taken away", one.links),
        ("indexes, caches, reports and pages destroyed", one.made_again),
        ("records of runs in which quotes were cut off", one.records),
        ("still in your source files, at these lines: take them out there", one.source_lines),
        ("out of reach", one.out_of_reach),
    ):
        if items:
            lines += ["", f"{title}:", *(f"  {item}" for item in items)]
    return lines


def dry_told(found: Holdings, ids: int, named: int, quarantined: int, origins: set[str]) -> list[str]:
    """Return in lines what a removal would do."""
    alike = f"; {ids - named:,} of them have the same text or line as one that is named" if ids > named else ""
    lines = [f"{ids:,} examples and {quarantined:,} quarantined rows would go{alike}"]
    lines += [f"{name}  {n:,} rows" for name, n in {**found.versions, **found.dropped}.items()]
    lines += [f"annotations/{name}  {n:,} answers" for name, n in found.answers.items()]
    lines += [f"drafts/{name}  {n:,} drafts" for name, n in found.drafts.items()]
    lines += [f"runs/{key}  was trained on them" for key in found.runs]
    lines += [f"runs/{key}  was never finished, may have seen them" for key in found.unfinished]
    lines += [f"{name}  names one of these versions" for name in found.links]
    lines += [f"{name}  goes whole, is made again" for name in found.made_again]
    lines += [f"{name}  loses what it quotes of people's answers" for name in found.records]
    lines += [f"{name}  is none of ours: look yourself" for name in found.unknown]
    shown = sorted(origins)[:_SHOWN]
    lines += [f"{origin}  in your source: take it out there" for origin in shown]
    return lines + ([f"and {len(origins) - _SHOWN:,} more lines of sources"] if len(origins) > _SHOWN else [])


def destroyed(data_root: Path) -> set[str]:
    """Return stage/version and paths of dropped parts that removals have destroyed."""
    found: set[str] = set()
    for path in sorted((data_root / REMOVALS).glob("*.json")):
        try:
            said = json.loads(path.read_bytes())
            found |= {*said["versions"], *said["dropped"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _merged(earlier: Certificate, now: Certificate) -> Certificate:
    """Return both as one: what was found first counts, what only the second found is added."""
    both = now.model_dump()
    for name, value in earlier.model_dump().items():
        if isinstance(value, dict):
            both[name] = {**both[name], **value}
        elif isinstance(value, list):
            both[name] = list(dict.fromkeys([*value, *both[name]]))
    both.update(begun_at=earlier.begun_at, models_destroyed=earlier.models_destroyed or now.models_destroyed)
    return Certificate.model_validate(both)
