"""Commands that run stages and look after the store."""

import importlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from pipeline.certificate import finish
from pipeline.doctor import findings
from pipeline.engine import Engine
from pipeline.fsck import fsck as find_damage
from pipeline.fsck import repair as set_aside
from pipeline.gc import collect, find_garbage
from pipeline.holdings import find_holdings
from pipeline.ray_address import cluster_finding
from pipeline.recipe import load_recipe
from pipeline.reference import recipe_markdown, recipe_reference
from pipeline.removal import destroy_listed
from pipeline.removed import removed_in
from pipeline.run import Outcome, plan_data, run_data
from pipeline.tags import tag as tag_split
from pipeline.talk import Talk, summary
from pipeline.working_copy import is_working_copy
from schemas import GateError, SnapshotError

LOCK_FILE = Path("tuneloop.lock")
RecipePath = Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")]
DataRoot = Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")]


def data(
    *,
    recipe: RecipePath = None,
    data_root: DataRoot = Path("data"),
    to: Annotated[str | None, Parameter(help="last stage to run")] = None,
    frozen: Annotated[bool, Parameter(help="fail if a version is not the one in tuneloop.lock")] = False,
    lock: Annotated[bool, Parameter(help="write the versions to tuneloop.lock, to be kept in git")] = False,
    workers: Annotated[int | None, Parameter(help="processes; all cores if left out and the work is large")] = None,
    engine: Annotated[Engine | None, Parameter(help="where parts run, whatever the recipe says")] = None,
) -> None:
    """Bring the data of a recipe up to date, stage by stage.

    Example: tuneloop data --recipe my.toml --to format
    """
    read = load_recipe(recipe)
    if engine is not None:
        read = read.model_copy(update={"engine": engine})
    expected = _locked_versions(read.name) if frozen else None
    with Talk() as talk:
        if read.engine == "ray" and (found := cluster_finding()).ok and found.fix:
            talk.line(f"{found.what}\n    fix: {found.fix}")
        outcomes = run_data(read, data_root, talk, to=to, workers=workers)
    latest = data_root / "split" / f"latest-{read.name}"
    for line in summary(outcomes, str(latest)):
        talk.line(line)
    unstated = [source.name for source in read.ingest.sources if not source.license]
    if unstated and outcomes[0].ran:
        talk.line(f"no licence is stated for {', '.join(unstated)}: write `license` under each before you publish")
    if expected is not None:
        _compare(outcomes, expected)
    if lock:
        _write_lock(read.name, outcomes)
    last = outcomes[-1]
    sys.stdout.write(f"{latest if last.stage == 'split' else data_root / last.stage / last.record.version}\n")


def check(*, recipe: RecipePath = None, data_root: DataRoot = Path("data")) -> None:
    """Say what `data` would run and why; writes nothing.

    Example: tuneloop check --recipe my.toml
    """
    for stage, why in plan_data(load_recipe(recipe), data_root):
        sys.stdout.write(f"{stage:<9} {'would run: ' + '; '.join(why) if why else 'is up to date'}\n")


def recipe(
    *, markdown: Annotated[bool, Parameter(help="as the page docs/recipe.md, with types and bounds")] = False
) -> None:
    """Print every setting of a recipe with its meaning and default.

    Example: tuneloop recipe --markdown
    """
    sys.stdout.write(recipe_markdown() if markdown else recipe_reference())


def fsck(
    *,
    data_root: DataRoot = Path("data"),
    repair: Annotated[bool, Parameter(help="move what is damaged to <stage>/damaged/")] = False,
) -> None:
    """Read the whole store and check every byte against its manifests and records.

    Example: tuneloop fsck --repair
    """
    # What speaks to a bucket is loaded only where there is one.
    bucket: Any = importlib.import_module("pipeline.remote_check") if is_working_copy(data_root) else None
    n_files, damages = bucket.check(data_root) if bucket else find_damage(data_root)
    for damage in damages:
        sys.stdout.write(f"{damage.path}: {damage.what}\n")
    sys.stderr.write(f"{n_files:,} files read, {len(damages)} damaged\n")
    if damages and repair:
        for place in bucket.repair(data_root, damages) if bucket else set_aside(data_root, damages):
            sys.stderr.write(f"set aside: {place}\n")
        sys.stderr.write("run `tuneloop data` to make the missing versions again\n")
    elif damages:
        raise SnapshotError(
            f"{len(damages)} parts of the store are damaged",
            where=str(data_root),
            fix="`tuneloop fsck --repair` sets them aside, then `tuneloop data` makes them again",
        )


def gc(
    *,
    keep: Annotated[
        int, Parameter(help="runs of every stage and recipe to keep, at least 1", validator=validators.Number(gte=1))
    ] = 3,
    dry_run: Annotated[bool, Parameter(help="only list what would go")] = False,
    removed: Annotated[
        bool, Parameter(help="instead, destroy all in the store that holds rows which `tuneloop remove` has listed")
    ] = False,
    data_root: DataRoot = Path("data"),
) -> None:
    """Remove old versions; tagged, linked and trained-on ones always stay, people's answers too.

    Example: tuneloop gc --keep 2 --dry-run
    """
    if removed:
        _destroy_removed(data_root, dry_run=dry_run)
        return
    garbage = find_garbage(data_root, keep) if dry_run else collect(data_root, keep)
    for path in garbage.paths:
        sys.stdout.write(f"{path}\n")
    done = "would go" if dry_run else "removed"
    sys.stderr.write(f"{len(garbage.paths)} {done}, {garbage.bytes / 1e6:,.1f} MB\n")


def tag(
    name: Annotated[str, Parameter(help="letters, digits, dots, dashes; never moves again")],
    *,
    recipe: RecipePath = None,
    data_root: DataRoot = Path("data"),
) -> None:
    """Give the newest split of a recipe a name that stays, such as v1.

    Example: tuneloop tag v1
    """
    sys.stdout.write(f"{tag_split(data_root, load_recipe(recipe).name, name)}\n")


def doctor(
    *,
    recipe: Annotated[Path | None, Parameter(help="also check this recipe, its templates and sources")] = None,
    data_root: DataRoot = Path("data"),
) -> int:
    """Check the installation and the store; every problem comes with its cure.

    Lines begin with ok, with see for something to think of, or with BAD; exits with 2 if there is one of these.

    Example: tuneloop doctor --recipe my.toml
    """
    found = findings(data_root, recipe)
    for finding in found:
        sys.stdout.write(f"{finding.mark} {finding.what}\n")
        if finding.fix:
            sys.stdout.write(f"    fix: {finding.fix}\n")
    return 0 if all(finding.ok for finding in found) else 2


def _destroy_removed(data_root: Path, *, dry_run: bool) -> None:
    if dry_run:
        found = find_holdings(data_root, removed_in(data_root))
        for name in (*found.versions, *found.dropped, *(f"annotations/{file}" for file in found.answers), *found.links):
            sys.stdout.write(f"{data_root / name}\n")
        return
    path, certificate = destroy_listed(data_root)
    if (data_root / "label-studio").exists() or (data_root / "backups").exists():
        # Only that command knows Label Studio; the certificate stays begun until it is done there.
        sys.stderr.write("the store is done; for Label Studio and its backups: tuneloop remove --again\n")
    else:
        finish(path, certificate)
    sys.stdout.write(f"{path}\n")


def _locked_versions(name: str) -> dict[str, str]:
    try:
        versions: dict[str, str] = json.loads(LOCK_FILE.read_text("utf-8"))[name]
    except (OSError, ValueError, KeyError) as error:
        raise GateError(
            f"{LOCK_FILE} does not say which versions recipe {name} should have",
            where=str(LOCK_FILE.resolve()),
            fix="run `tuneloop data --lock` once and keep the file in git",
        ) from error
    return versions


def _compare(outcomes: list[Outcome], expected: dict[str, str]) -> None:
    """Raise GateError for every stage whose version is not the expected one."""
    problem = GateError.of(
        GateError(
            f"{outcome.stage} is {outcome.record.version}, tuneloop.lock says {expected.get(outcome.stage)}",
            where=str(LOCK_FILE.resolve()),
            fix=f"`tuneloop diff {expected.get(outcome.stage)} {outcome.record.version}` shows what changed; "
            "if it is meant, run `tuneloop data --lock`",
        )
        for outcome in outcomes
        if expected.get(outcome.stage) != outcome.record.version
    )
    if problem:
        raise problem


def _write_lock(name: str, outcomes: list[Outcome]) -> None:
    known = json.loads(LOCK_FILE.read_text("utf-8")) if LOCK_FILE.exists() else {}
    known[name] = {outcome.stage: outcome.record.version for outcome in outcomes}
    LOCK_FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stderr.write(f"versions written to {LOCK_FILE}\n")
