"""A removal: which rows, then the line in the list, then the destruction, then the certificate.

The line comes first and on the disk: from then on the rows cannot come back, and what a kill leaves undone is found
again by `tuneloop remove --again` or `tuneloop gc --removed`, also in a store that was restored from a backup.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.alike_rows import Selection
from pipeline.certificate import Certificate, begin
from pipeline.digest import value_digest
from pipeline.holdings import Holdings, all_held, destroy, find_holdings
from pipeline.removed import FILE, Removed, Request, add_request, new_salt, read_requests, removed_in, together
from pipeline.selection import Wanted, not_found, select
from schemas import ConfigError


@dataclass(frozen=True)
class Sketch:
    """What a removal would do."""

    selection: Selection
    holdings: Holdings
    removed: Removed


def sketch(data_root: Path, wanted: Wanted) -> Sketch:
    """Return what a removal would do; nothing is written.

    Raises:
        ConfigError: No row fits.
    """
    request, selection = _request(data_root, wanted, "")
    if not selection:
        raise not_found(data_root, wanted)
    removed = together([*read_requests(data_root / FILE), request])
    return Sketch(selection, find_holdings(data_root, removed), removed)


def list_rows(data_root: Path, wanted: Wanted, reason: str) -> set[str]:
    """Put the rows on the list of the removed, for ever; return where they stand in their sources.

    A request that is on the list already, and finds nothing new, adds nothing.

    Raises:
        ConfigError: No row fits, and none was removed by such a request before.
        SnapshotError: A stage, a training run or an import is at work.
    """
    with all_held(data_root):
        before = removed_in(data_root)
        request, selection = _request(data_root, wanted, reason)
        new = selection.ids - before.ids or selection.raws - before.raws
        if not new:
            if _is_listed(wanted, request, before):
                return selection.origins
            raise not_found(data_root, wanted)
        versions = find_holdings(data_root, together([request])).versions
        add_request(data_root, request.model_copy(update={"versions": sorted(versions)}))
    return selection.origins


def destroy_listed(data_root: Path, origins: Iterable[str] = (), *, models: bool = False) -> tuple[Path, Certificate]:
    """Destroy all in the store that holds a row on the list; return the certificate, which is begun.

    Raises:
        ConfigError: Nothing was ever removed here.
        SnapshotError: A stage, a training run or an import is at work.
    """
    requests = read_requests(data_root / FILE)
    if not requests:
        raise ConfigError(
            "nothing was ever removed here", where=str(data_root / FILE), fix="name rows: tuneloop remove --where ..."
        )
    with all_held(data_root):
        removed = removed_in(data_root)
        found = find_holdings(data_root, removed)
        path, certificate = begin(data_root, requests, found, origins, models=models)
        destroy(data_root, found, removed, models=models)
    return path, certificate


def _request(data_root: Path, wanted: Wanted, reason: str) -> tuple[Request, Selection]:
    """Return the line for the list, and what it was made from."""
    salt = removed_in(data_root).salt or new_salt()
    selection = select(data_root, wanted, salt)
    now = datetime.now(UTC)
    return Request(
        request=value_digest([salt, *sorted(selection.ids), *sorted(selection.raws), now.isoformat()])[:12],
        date=now.date().isoformat(),
        reason=reason,
        salt=salt,
        ids=sorted(selection.ids),
        raws=sorted(selection.raws),
        seen=sorted(selection.seen),
        values=sorted(selection.values),
        versions=[],
    ), selection


def _is_listed(wanted: Wanted, request: Request, before: Removed) -> bool:
    ids = all(any(known.startswith(one.lower()) for known in before.ids) for one in wanted.ids)
    return bool(before) and ids and set(request.values) <= before.values and bool(request.values or wanted.ids)
