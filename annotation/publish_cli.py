"""`tuneloop publish`: a split, what people said of it, and its papers, to a folder, a bucket or a hub."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from cyclopts import Parameter

from annotation.published_answers import people_of, standing_answers, with_agreement, write_public_answers
from pipeline.choosing import Chosen, choose
from pipeline.dataset_card import card_rows, licensed
from pipeline.datasheet import FILE, Datasheet, read_datasheet, write_empty
from pipeline.hub import repository, send_to_hub
from pipeline.licences import conflicts, forbidden, remarks
from pipeline.lock import locked
from pipeline.place import HUB, open_place
from pipeline.pseudonym import public_names, read_salt
from pipeline.public_card import ANSWERS, ROWS, Publication, write_papers
from pipeline.public_rows import Personal, absent, write_public_rows
from pipeline.publishing import MANIFEST, Sent, files_of, send
from pipeline.recipe import Recipe, load_recipe
from pipeline.snapshot import make_folder
from schemas import ConfigError, GateError, nearest
from schemas.publish import PublishManifest

KNOWN = ("pii", "licence")


def publish(
    version: Annotated[str | None, Parameter(help="tag or version of a split; the newest if left out")] = None,
    *,
    to: Annotated[str | None, Parameter(help="a folder, s3://bucket/prefix or hf://owner/name")] = None,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")] = Path("data"),
    acknowledge: Annotated[
        str | None, Parameter(help="let through knowingly: pii (personal data), licence, or both with a comma")
    ] = None,
    private: Annotated[bool, Parameter(help="make a new repository of a hub private")] = False,
    datasheet: Annotated[bool, Parameter(help="only write an empty datasheet to fill in")] = False,
) -> None:
    """Publish a split with its card, for others to load; what names a person, a file or a machine stays here.

    Example: tuneloop publish v1 --to published
    """
    read = load_recipe(recipe)
    sheet_file = _sheet_file(read, recipe)
    made = write_empty(sheet_file)
    if made or datasheet:
        _say(f"{sheet_file} asks what only people know: fill it in, it goes into the card")
    if datasheet:
        sys.stdout.write(f"{sheet_file}\n")
        return
    place = to or read.publish.to
    if place is None:
        raise ConfigError("no place is named", where="--to", fix="name a folder, s3://bucket/prefix or hf://owner/name")
    let_through = _let_through(acknowledge)
    if place.startswith(HUB):
        repository(place)
    sheet = read_datasheet(sheet_file)
    chosen = choose(data_root, read.name, version)
    with _staging(data_root) as folder:
        manifest = _stage(read, data_root, chosen, sheet, let_through, folder)
        sent = _send(folder, manifest, place, read, private=private)
    _say(f"{sent.n_sent} files sent ({sent.bytes / 1e6:,.1f} MB), {sent.n_kept} were there already")
    if sheet.blank:
        _say(f"not answered in {sheet_file}: {', '.join(sheet.blank)}")
    sys.stdout.write(f"{sent.place}\n")


def _stage(
    read: Recipe, data_root: Path, chosen: Chosen, sheet: Datasheet, let_through: Sequence[str], folder: Path
) -> PublishManifest:
    """Write the revision into a folder and return its manifest.

    Raises:
        GateError: Licences forbid it, or texts look personal, and nobody has acknowledged it.
    """
    split = chosen.split
    rows = card_rows(split)
    licence_problem = _told_licences(rows)
    for name in absent(split, read.publish.meta):
        _say(f"no row keeps a column {name!r}, which [publish] meta names")
    standing = standing_answers(data_root, chosen.recipe, split)
    by_pseudonym = {pseudonym: who for who, pseudonym in standing.people.items()}
    carried = people_of(split)
    salted = public_names(read_salt(data_root), (by_pseudonym.get(one, one) for one in carried))
    names = {one: salted[by_pseudonym.get(one, one)] for one in carried}
    personal = write_public_rows(split, folder / ROWS, read.publish.meta, names)
    problems = [
        problem
        for kind, problem in (("licence", licence_problem), ("pii", _told_personal(personal, chosen)))
        if problem and kind not in let_through
    ]
    if problem := GateError.of(problems):
        raise problem
    answers = write_public_answers(split, standing, names, folder / ANSWERS)
    answers = with_agreement(answers, data_root, chosen.recipe, standing, read.annotate.same_edit_chrf)
    publication = Publication(
        title=read.publish.title or read.name,
        revision=chosen.revision,
        licence=read.publish.license,
        split=split,
        rows=rows,
        personal=personal,
        answers=answers,
        datasheet=sheet,
        acknowledged=_needed(let_through, licence_problem, personal),
    )
    write_papers(publication, folder)
    return PublishManifest(
        revision=chosen.revision,
        version=split.manifest.version,
        rows=split.manifest.rows,
        acknowledged=list(publication.acknowledged),
        files=files_of(folder),
    )


def _send(folder: Path, manifest: PublishManifest, place: str, read: Recipe, *, private: bool) -> Sent:
    if not place.startswith(HUB):
        return send(folder, manifest, open_place(place, read.publish.endpoint))
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8", newline="\n")
    return send_to_hub(folder, manifest, place, private=private, endpoint=read.publish.endpoint)


def _told_licences(rows: pa.Table) -> GateError | None:
    """Say what licences ask, and return what one forbids."""
    everything = licensed(rows)
    for sentence in [*conflicts(everything), *remarks(everything)]:
        _say(f"licences: {sentence}")
    return GateError.of(
        GateError(
            sentence,
            where="licence",
            fix="leave that source out of the recipe, ask its owner, or pass `--acknowledge licence` if you may "
            "publish it all the same",
        )
        for sentence in forbidden(everything)
    )


def _told_personal(personal: Personal, chosen: Chosen) -> GateError | None:
    if not personal.n_rows:
        return None
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(personal.kinds.items()))
    rows = ", ".join([*personal.ids, *(["..."] if personal.n_rows > len(personal.ids) else [])])
    return GateError(
        f"{personal.n_rows:,} examples hold what looks like personal data: {kinds}",
        where=f"split {chosen.split.manifest.version}, rows {rows}",
        fix='look at them by `tuneloop explain ID`; set pii = "redact" under [ingest] and run `tuneloop data`, reject '
        "them in review, or pass `--acknowledge pii` if they may be public",
    )


def _needed(let_through: Sequence[str], licence: GateError | None, personal: Personal) -> list[str]:
    """Return what was let through and would have stopped us: to acknowledge more changes nothing."""
    found = {"licence": licence is not None, "pii": personal.n_rows > 0}
    return sorted(one for one in let_through if found[one])


def _let_through(given: str | None) -> list[str]:
    words = [word.strip().lower().replace("license", "licence") for word in (given or "").split(",") if word.strip()]
    if problem := ConfigError.of(
        ConfigError(f"nothing is called {word!r}", where="--acknowledge", fix=nearest(word, KNOWN))
        for word in words
        if word not in KNOWN
    ):
        raise problem
    return words


def _sheet_file(read: Recipe, recipe: Path | None) -> Path:
    folder = recipe.parent if recipe else Path()
    return folder / (read.publish.datasheet or FILE)


@contextmanager
def _staging(data_root: Path) -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards; one publishes at a time."""
    own = make_folder(data_root / "publish")
    with locked(own, "a published revision"):
        folder = own / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield make_folder(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
