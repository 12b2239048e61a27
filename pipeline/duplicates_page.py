"""Duplicates on a page: lines for people, none wider than the terminal where that can be.

2 rows went for data/sample/alpaca.json:12
  kept      data/sample/alpaca.json:12   9f3c21b07a4e
    prompt    Explain how self-driving cars work.
    response  They use sensors, maps and software.
  gone      data/sample/alpaca.json:77   5d01c3aa92b7   near_duplicate 0.9643
    why       the prompt differs in 'car' for 'cars'
    prompt    explain how a self-driving car works
    response  the same
"""

from collections.abc import Iterator, Mapping

from rich.cells import cell_len, set_cell_size

from pipeline.border import Border
from pipeline.clusters import Cluster
from pipeline.hashing import Ints
from pipeline.inspection import Gone, Inspection
from pipeline.other_threshold import OtherThreshold
from pipeline.shown_rows import Row

_ID_DIGITS = 12
_LEAD = 14  # columns before a text
_JOINERS = "\u200c\u200d"  # invisible, and content in some scripts
_KINDS = {
    "counts": "lowest score first: a higher threshold would no longer count these",
    "below": "highest score first: of the same meaning; a lower threshold would count these",
    "apart": "lowest score first: alike enough, but of another meaning; no threshold counts these",
}


def cluster_lines(run: Inspection, cluster: Cluster, width: int, most: int | None = None) -> Iterator[str]:
    """Yield a cluster: the row that stays, then those that went, at most so many."""
    n = len(cluster.places)
    if not n:
        yield f"nothing went for {cluster.beside}: it stays as it is"
    elif cluster.kept < 0:
        yield f"{_rows(n)} went for the benchmark's item {cluster.beside}"
    else:
        yield f"{_rows(n)} went for {cluster.beside}"
    shown = run.gone(cluster.places[:most])
    kept = run.texts([cluster.kept])[0] if cluster.kept >= 0 else None
    if kept:
        yield f"  kept    {_name(kept)}"
        yield from _texts(kept, None, width)
    elif item := _item(run, cluster.beside):
        yield f"  item    {item.origin}"
        yield from _texts(item, None, width)
    for one, row in zip(shown, run.texts([one.row for one in shown]), strict=True):
        yield from _gone_lines(one, row, kept, width)
    if n > len(shown):
        yield f"  and {n - len(shown):,} more: tuneloop duplicates --row {shown[0].partner_origin}"


def group_lines(run: Inspection, rows: Ints, mark: str, width: int, most: int | None = None) -> Iterator[str]:
    """Yield the rows of one marked group, at most so many."""
    yield f"{_rows(len(rows))} with the same {'prompt' if mark == 'conflict' else 'response'}, all kept"
    first: Row | None = None
    for row in run.texts(rows[:most].tolist()):
        yield f"  kept    {_name(row)}"
        yield from _texts(row, first, width)
        first = first or row
    if most is not None and len(rows) > most:
        yield f"  and {len(rows) - most:,} more"


def border_lines(run: Inspection, found: Border, width: int) -> Iterator[str]:
    """Yield the pairs of prompts about a threshold."""
    yield (
        f"near {found.near:g}: {found.n_counting:,} pairs of prompts count, {found.n_same_words:,} of them at any "
        f"threshold (same words); {found.n_below:,} just below"
    )
    yield "A row goes only if its response counts as the same too."
    for kind, heading in _KINDS.items():
        some = [pair for pair in found.pairs if pair.kind == kind]
        yield ""
        yield f"{kind} ({len(some)} shown, {heading})" if some else f"{kind}: none"
        for pair in some:
            yield ""
            few = " (only beside one equal, long response)" if pair.needs_response else ""
            yield from _wrapped(f"  {pair.score:.4f}  {pair.why}{few}", width, 10)
            asked = (pair.left, pair.right)
            rows = run.texts([one.row for one in asked])
            names = [
                f"{row.origin} +{one.n_rows - 1:,}" if one.n_rows > 1 else row.origin
                for row, one in zip(rows, asked, strict=True)
            ]
            texts = [row.prompt.get(one.field, one.text) for row, one in zip(rows, asked, strict=True)]
            column = min(max(cell_len(name) for name in names), width // 3)
            for name, text, other in zip(names, texts, texts[::-1], strict=True):
                lead = f"    {set_cell_size(_tail(name, column), column)}  "
                yield lead + snippet(text, width - cell_len(lead), other)


def threshold_lines(run: Inspection, found: OtherThreshold, n: int, width: int) -> Iterator[str]:
    """Yield what another threshold would change: counts, then the first n rows each way."""
    yield f"near {found.near:g} instead of {run.stage.near:g}; nothing is written"
    yield ""
    yield f"  {'':<24}{'now':>10}  {f'at {found.near:g}':>10}"
    total = tuple(sum(pair[side] for pair in found.reasons.values()) for side in (0, 1))
    marked = {f"marked {mark}, kept": pair for mark, pair in found.marks.items()}
    for name, (now, then) in {**found.reasons, "dropped in all": total, **marked}.items():
        yield f"  {name:<24}{now:>10,}  {then:>10,}"
    told = found.gone(found.goes[:n])
    yield from _changes(run, "would go", len(found.goes), told, width)
    gone = run.gone(found.stays[:n])
    kept = run.staying({one.partner_id for one in gone if one.partner_id})
    told = [(one, kept.get(one.partner_id or "", -1)) for one in gone]
    yield from _changes(run, "would stay", len(found.stays), told, width)


def snippet(text: str, width: int, beside: str = "") -> str:
    """Return a text on one line of at most `width` columns, so that its first difference from another is in sight."""
    line, other = one_line(text), one_line(beside)
    if cell_len(line) <= width:
        return line
    pairs = enumerate(zip(line, other, strict=False))
    common = next((at for at, (one, its) in pairs if one != its), min(len(line), len(other)))
    if other and common > width // 2:
        cut = min(common - width // 3, len(line) - width + 1)
        line = f"…{line[cut:]}"
    return line if cell_len(line) <= width else f"{set_cell_size(line, width - 1).rstrip()}…"


def one_line(text: str) -> str:
    """Return a text without line ends, and without characters that a terminal would act on."""
    line = " ⏎ ".join(part for part in text.splitlines() if part.strip()).replace("\t", " ")
    return "".join(one if one.isprintable() or one in _JOINERS else "\N{REPLACEMENT CHARACTER}" for one in line)


def _changes(run: Inspection, verb: str, n: int, told: list[tuple[Gone, int]], width: int) -> Iterator[str]:
    yield ""
    yield f"{_rows(n)} {verb}" + (f", {len(told)} shown" if n > len(told) else "")
    for one, partner in told:
        kept = run.texts([partner])[0] if partner >= 0 else None
        yield ""
        if kept:
            yield f"  beside  {_name(kept)}"
            yield from _texts(kept, None, width)
        elif item := _item(run, one.partner_origin):
            yield f"  beside  the benchmark's item {one.partner_origin}"
            yield from _texts(item, None, width)
        yield from _gone_lines(one, run.texts([one.row])[0], kept, width, verb.removeprefix("would "))


def _gone_lines(one: Gone, row: Row, kept: Row | None, width: int, verb: str = "gone") -> Iterator[str]:
    yield f"  {verb:<6}  {_name(row)}  {one.reason} {one.score:.4f}"
    yield from _wrapped(f"    {'why':<10}{one.detail}", width, _LEAD)
    yield from _texts(row, kept, width)


def _texts(row: Row, kept: Row | None, width: int) -> Iterator[str]:
    """Yield both sides of a row; a side that the kept row has too is not said again."""
    for name in ("prompt", "response"):
        own = getattr(row, name)
        other: Mapping[str, str] = getattr(kept, name) if kept else {}
        if not own:
            shown = "(none)"
        elif own == other:
            shown = "the same"
        else:
            shown = snippet(_joined(own), width - _LEAD, _joined(other))
        yield f"    {name:<10}{shown}"
        if other and shown.startswith("…"):
            yield f"    {'above':<10}{snippet(_joined(other), width - _LEAD, _joined(own))}"


def _joined(side: Mapping[str, str]) -> str:
    return " | ".join(side.values())


def _item(run: Inspection, origin: str) -> Row | None:
    """Return a benchmark's item as a row, if its file is still there."""
    item = run.items.get(origin)
    return (
        Row("", origin, {"question": item.question}, {"answer": item.answer} if item.answer else {}) if item else None
    )


def _name(row: Row) -> str:
    return f"{row.origin}  {row.id[:_ID_DIGITS]}"


def _tail(name: str, width: int) -> str:
    """Return the end of a name that is too wide: the line number matters more than the folder."""
    return name if cell_len(name) <= width else f"…{name[len(name) - width + 1 :]}"


def _wrapped(line: str, width: int, indent: int) -> Iterator[str]:
    """Yield a line broken at blanks, the later pieces indented."""
    line = one_line(line)
    while cell_len(line) > width and (cut := line.rfind(" ", indent + 1, width)) > indent:
        yield line[:cut]
        line = " " * indent + line[cut + 1 :]
    yield line


def _rows(n: int) -> str:
    return "1 row" if n == 1 else f"{n:,} rows"
