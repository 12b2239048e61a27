"""`tuneloop remove`: the one exception to "never lost". Rows go for good, from the store and from Label Studio.

It lives here because it speaks to Label Studio; what it does to the store is `pipeline.removal`.
"""

import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.cli_options import DataRoot, say
from annotation.task_removal import find_tasks, remove_tasks
from pipeline.certificate import dry_told, finish, told
from pipeline.removal import destroy_listed, list_rows, sketch
from pipeline.removed import removed_in
from pipeline.selection import Wanted
from schemas import ConfigError


def remove(
    *,
    where: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            help="rows with a value in a kept column (meta.customer_id=4711) or field (fields.question=Who?)",
        ),
    ] = None,
    ids: Annotated[
        list[str] | None,
        Parameter(name="--id", negative="", help="rows by id, its first digits, or origin (tickets.jsonl:812)"),
    ] = None,
    source: Annotated[
        list[str] | None, Parameter(negative="", help="all rows of a source, by its name in the recipe")
    ] = None,
    reason: Annotated[str, Parameter(help="why, such as the number of the request; kept for ever: name nobody")] = "",
    yes: Annotated[bool, Parameter(help="do it; without this all it would do is listed")] = False,
    tombstone_only: Annotated[
        bool, Parameter(help="only put the rows on the list of the removed; --again destroys them later")
    ] = False,
    models: Annotated[bool, Parameter(help="destroy the models that were trained on the rows, too")] = False,
    again: Annotated[
        bool, Parameter(help="name no rows: destroy what is on the list already, as after bringing a backup back")
    ] = False,
    data_root: DataRoot = Path("data"),
) -> None:
    """Remove rows for good, with all that holds them: versions, answers, tasks, caches, reports; ingest refuses them.

    Example: tuneloop remove --where meta.customer_id=4711 --reason "erasure request 17"
    """
    wanted = Wanted.of(where or [], ids or [], source or [])
    if again == bool(where or ids or source):
        raise ConfigError(
            "--again names its rows by the list" if again else "no rows are named",
            where="tuneloop remove",
            fix="give --again alone, or --where, --id or --source without it",
        )
    if not (yes or again):
        _tell(data_root, wanted)
        return
    origins = set() if again else list_rows(data_root, wanted, reason)
    if tombstone_only and not again:
        say("they are on the list: ingest, pull and import refuse them. To destroy them: tuneloop remove --again")
        return
    path, certificate = destroy_listed(data_root, origins, models=models)
    gone = remove_tasks(data_root, removed_in(data_root), say)
    both = {name: {**getattr(certificate, name), **getattr(gone, name)} for name in ("tasks", "backups")}
    lists = {name: [*getattr(certificate, name), *getattr(gone, name)] for name in ("files", "out_of_reach")}
    whole = {**both, **{name: list(dict.fromkeys(items)) for name, items in lists.items()}}
    for line in told(finish(path, certificate.model_copy(update=whole))):
        say(line)
    say("")
    say("make the data again without them: tuneloop data")
    sys.stdout.write(f"{path}\n")


def _tell(data_root: Path, wanted: Wanted) -> None:
    found = sketch(data_root, wanted)
    rows = found.selection
    lines = dry_told(found.holdings, len(rows.ids), rows.named, len(rows.raws), rows.origins)
    tasks = find_tasks(data_root, found.removed)
    lines += [f"{n:,} tasks on {name}" for name, n in tasks.tasks.items()]
    lines += [f"{name}  {n:,} tasks" if n else f"{name}  is no backup of ours" for name, n in tasks.backups.items()]
    sys.stdout.write("".join(line + "\n" for line in lines))
    say("nothing was changed. To do it:")
    say(f"  {shlex.join(['tuneloop', *sys.argv[1:], '--yes'])}")
