"""What a model is to draft: rows that nobody has answered, and responses that want an instruction.

    row 07af..., template instruct, prompt [user "Add 2 and 3."], completion []
    ->  ToAsk(kind="draft", messages=[user "Add 2 and 3."], fields={"instruction": "Add 2 and 3."}, fills="response")

Knows no torch, so that `--dry-run` says fast what would be asked.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import refs
from pipeline.annotations import annotation_files, read_annotations
from pipeline.digest import value_digest
from pipeline.drafts import OWN, REFUSED, drafts_folder, read_drafts
from pipeline.recipe import Recipe
from pipeline.snapshot import Snapshot
from pipeline.synthetic import SYNTHETIC
from schemas import ConfigError, Template, nearest
from schemas.draft import RESPONSE, DraftSettings

Message = Mapping[str, str]
Templates = Mapping[str, tuple[Template, Path]]
INVERTED = "instruct"
_COLUMNS = ("id", "source", "template", "fields", "turns", "meta", "marks", "prompt", "completion", "tools")
_COUNTS = ("n_prompt_tokens", "n_completion_tokens")


@dataclass(frozen=True)
class ToAsk:
    """One thing to ask a model.

    Attributes:
        kind: draft: the response is wanted; inversion: the instruction to a response.
        source: Of the parent.
        template: Of the example to be.
        parent: Id of the row it is made from.
        messages: What the model is asked.
        fields: Of the example to be, without what the model writes.
        fills: The field that the model writes; empty for a conversation's next turn.
        turns: The conversation so far; none for single-turn templates.
        kept: The parent's kept columns.
        n_tokens: About how many tokens it is asked with, as format counts.
    """

    kind: Literal["draft", "inversion"]
    source: str
    template: str
    parent: str
    messages: list[Message]
    fields: dict[str, str]
    fills: str
    turns: list[dict[str, Any]]
    kept: dict[str, Any]
    n_tokens: int

    @property
    def digest(self) -> str:
        """Digest of the messages."""
        return value_digest([dict(message) for message in self.messages])


@dataclass
class Wanted:
    """What is to be asked now, in order.

    Attributes:
        asks: At most as many as there is room for.
        skipped: Why further rows are not asked, to how many they are.
        n_drafts: Drafts that are there already.
    """

    asks: list[ToAsk]
    skipped: Counter[str] = field(default_factory=Counter)
    n_drafts: int = 0


def wanted(recipe: Recipe, data_root: Path, templates: Templates, limit: int | None = None) -> Wanted:
    """Return what a model is to be asked, in order of the rows: answers first, then instructions.

    A row is left out that people have answered, that has a draft, that this model was asked in these words, or that
    is held out of training.

    Args:
        recipe: With a section `[draft]`.
        data_root: The store.
        templates: All templates, by name.
        limit: Most things to ask now; `max_rows` bounds them all the same.

    Raises:
        ConfigError: There is no section `[draft]` or no data yet, or it names what the recipe has not.
        SnapshotError: A file of the data or of drafts is damaged.
    """
    settings = recipe.draft
    if settings is None:
        fix = 'add [draft] with model = "folder", or with endpoint = "http://..." and the model\'s name there'
        raise ConfigError("the recipe does not say which model drafts", where=f"recipe {recipe.name}", fix=fix)
    _check_names(recipe, settings)
    known = _Known.of(data_root, recipe, settings.model)
    found = Wanted([], n_drafts=known.n_drafts)
    room = max(0, settings.max_rows - known.n_drafts)
    room = room if limit is None else min(room, limit)
    for one in _every(recipe, settings, data_root, templates, known, found.skipped):
        if len(found.asks) < room:
            found.asks.append(one)
        else:
            found.skipped["no_room"] += 1
    return found


@dataclass(frozen=True)
class _Known:
    """Parents that have a draft, what was asked, and rows that people have answered."""

    parents: Collection[str]
    asked: Collection[tuple[str, str]]
    answered: Collection[str]
    n_drafts: int

    @staticmethod
    def of(data_root: Path, recipe: Recipe, model: str) -> "_Known":
        folder = drafts_folder(data_root, recipe.name)
        made = [line for path in sorted(folder.glob("[a-z0-9]*.jsonl")) for line in read_drafts(path)]
        refused = read_drafts(folder / REFUSED) if (folder / REFUSED).exists() else []
        parents = {parent for line in made for parent in line[SYNTHETIC]["parents"]}
        notes = [line[SYNTHETIC] for line in (*made, *refused)]
        asked = {(parent, one["prompt"]) for one in notes if one["model"] == model for parent in one["parents"]}
        answers = read_annotations(annotation_files(data_root).values())
        return _Known(parents, asked, {answer.example for answer in answers if answer.example}, len(made))


def _check_names(recipe: Recipe, settings: DraftSettings) -> None:
    sources = {source.name for source in recipe.ingest.sources}
    used = {name for source in recipe.ingest.sources for name in source.template_names}
    problem = ConfigError.of(
        ConfigError(f"no {one} {name!r} in this recipe", where=f"draft.{key}", fix=nearest(name, known))
        for key, one, names, known in (
            ("sources", "source", settings.sources, sources),
            ("templates", "template", settings.templates, used),
            ("invert", "source", settings.invert, sources),
        )
        for name in names
        if name not in known
    )
    if problem:
        raise problem


def _every(
    recipe: Recipe,
    settings: DraftSettings,
    data_root: Path,
    templates: Templates,
    known: _Known,
    skipped: Counter[str],
) -> Iterator[ToAsk]:
    """Yield all that may be asked; why rows are not is counted."""
    for row in _unanswered(data_root, recipe.name):
        why = _not_drafted(row, recipe, settings, templates, known)
        one = None if why else _draft_of(row, settings, templates)
        if one is not None and (one.parent, one.digest) in known.asked:
            why = "asked_before"
        if why or one is None:
            skipped[why or "no_single_response"] += 1
        else:
            yield one
    if not settings.invert:
        return
    for row in _trained(data_root, recipe.name, settings.invert):
        one = _inversion_of(row, settings)
        if row["id"] in known.parents:
            skipped["has_draft"] += 1
        elif one is None:
            skipped["no_single_response"] += 1
        elif (one.parent, one.digest) in known.asked:
            skipped["asked_before"] += 1
        else:
            yield one


def _unanswered(data_root: Path, recipe: str) -> Iterator[dict[str, Any]]:
    record = refs.newest(data_root, "format", recipe)
    if record is None:
        raise ConfigError(
            f"recipe {recipe!r} has no rows yet", where=str(data_root), fix="run `tuneloop data` with it first"
        )
    snapshot = Snapshot.open(data_root / "format", record.version)
    for batch in snapshot.batches([*_COLUMNS, *_COUNTS]):
        yield from batch.filter(pc.equal(pc.list_value_length(batch.column("completion")), 0)).to_pylist()


def _trained(data_root: Path, recipe: str, sources: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the train rows of some sources that no model wrote: what is made from others could not be trained on."""
    record = refs.newest(data_root, "split", recipe)
    if record is None:
        raise ConfigError(
            f"recipe {recipe!r} has no split yet, so nobody knows which responses are trained on",
            where="draft.invert",
            fix="run `tuneloop data` with it first",
        )
    snapshot = Snapshot.open(data_root / "split", record.version)
    for file in snapshot.manifest.files:
        if not file.name.startswith("train-"):
            continue
        for batch in Snapshot.read_part(snapshot.folder / file.name, [*_COLUMNS, *_COUNTS]):
            some = batch.filter(pc.is_in(batch.column("source"), value_set=pa.array(sources, pa.string())))
            yield from (row for row in some.to_pylist() if SYNTHETIC not in row["marks"])


def _not_drafted(
    row: Mapping[str, Any], recipe: Recipe, settings: DraftSettings, templates: Templates, known: _Known
) -> str:
    """Return why a row is not asked, or an empty text."""
    held = recipe.split.hold_out
    reasons = {
        "not_wanted": (settings.sources and row["source"] not in settings.sources)
        or (settings.templates and row["template"] not in settings.templates),
        "held_out": row["source"] in held.sources or row["template"] in held.templates,
        "answered": row["id"] in known.answered,
        "has_draft": row["id"] in known.parents,
        "tools": bool(row["tools"]),
        "template_gone": row["template"] not in templates,
    }
    return next((why for why, holds in reasons.items() if holds), "")


def _draft_of(row: Mapping[str, Any], settings: DraftSettings, templates: Templates) -> ToAsk | None:
    """Return what to ask for a row's response; None where its template makes a response of several fields."""
    template = templates[row["template"]][0]
    fills = ""
    if not template.chat:
        responses = [name for name, one in template.fields.items() if one.side == "response"]
        needed = [name for name in responses if not template.fields[name].optional] or responses
        if len(needed) != 1:
            return None
        fills = needed[0]
    return ToAsk(
        kind="draft", source=row["source"], template=row["template"], parent=row["id"],
        messages=_with_system(_said(row["prompt"]), settings.system),
        fields={one["name"]: one["value"] for one in row["fields"]}, fills=fills,
        turns=[{key: value for key, value in turn.items() if value is not None} for turn in row["turns"]],
        kept=_kept(row), n_tokens=row["n_prompt_tokens"],
    )  # fmt: skip


def _inversion_of(row: Mapping[str, Any], settings: DraftSettings) -> ToAsk | None:
    """Return what to ask for the instruction to a row's response; None where there is no text to ask about."""
    said = [turn["content"] for turn in row["completion"] if not turn["tool_calls"]]
    if len(said) != 1 or not said[0].strip():
        return None
    question = {"role": "user", "content": settings.invert_prompt.replace(RESPONSE, said[0])}
    return ToAsk(
        kind="inversion", source=row["source"], template=INVERTED, parent=row["id"],
        messages=_with_system([question], settings.system), fields={"response": said[0]}, fills="instruction",
        turns=[], kept=_kept(row), n_tokens=row["n_completion_tokens"] + len(settings.invert_prompt) // 4,
    )  # fmt: skip


def _said(messages: list[dict[str, Any]]) -> list[Message]:
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _with_system(messages: list[Message], system: str | None) -> list[Message]:
    if not system or any(message["role"] == "system" for message in messages):
        return messages
    return [{"role": "system", "content": system}, *messages]


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    # `key` names the parent for ever, and would make the draft a revision of it.
    return {name: value for name, value in json.loads(row["meta"]).items() if name not in OWN and name != "key"}
