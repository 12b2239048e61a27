"""What the runner says on stderr: one line a stage, a bar on a terminal, and the closing summary."""

import sys
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from pipeline.run import Outcome
from schemas import RunRecord


class Talk:
    """Tells people what the runner does; plain lines where stderr is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Bar | None = None

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop_bar()

    def begin(self, stage: str, parts: int, why: list[str]) -> None:
        """Say that a stage runs, and why."""
        reasons = "; ".join(why[:4]) + (f"; and {len(why) - 4} more" if len(why) > 4 else "")
        self.line(f"{stage:<9} runs: {reasons}")
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Bar(*columns, console=self._console, transient=True)
            self._bar.start()
            self._bar.add_task(f"{stage:<9}", total=parts)

    def part(self, stage: str, done: int, of: int, rows: int) -> None:
        """Move the bar."""
        del stage, of, rows
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done)

    def end(self, outcome: Outcome) -> None:
        """Say what became of a stage."""
        self._stop_bar()
        if not outcome.ran:
            self.line(f"{outcome.stage:<9} skipped: {outcome.why[0]}")
            return
        record = outcome.record
        reused = f", {outcome.reused} of {len(record.parts)} parts reused" if outcome.reused else ""
        self.line(f"{funnel_line(record)}   {record.seconds:.1f} s{reused}")
        for line in recognised_lines(record) + care_lines(record) + faults_lines(record):
            self.line(line)

    def line(self, text: str) -> None:
        """Write one line to stderr."""
        # Not through rich: file names may hold what it takes for markup.
        # Nobody may be listening any more, as with `2>&1 | head`; the work goes on all the same.
        with suppress(BrokenPipeError):
            sys.stderr.write(text + "\n")

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def funnel_line(record: RunRecord) -> str:
    """Return one stage's rows in, kept and dropped, with the reasons."""
    reasons = ", ".join(
        f"{reason} {n:,}" for reason, n in sorted(record.dropped_by_reason.items(), key=lambda item: -item[1])
    )
    return (
        f"{record.stage:<9} {record.rows_in:>9,} in {record.rows_kept:>9,} kept {record.rows_dropped:>8,} dropped"
        + (f"   {reasons}" if reasons else "")
    )


def recognised_lines(record: RunRecord) -> list[str]:
    """Return, for each source whose recipe names no shape, which it was taken for and which columns it reads."""
    found, settings = record.facts.get("sources"), record.settings.get("sources")
    if not isinstance(found, dict) or not isinstance(settings, list):
        return []
    named = {one["name"] for one in settings if isinstance(one, dict) and (one.get("shape") or one.get("fields"))}
    lines = []
    for source, told in found.items():
        if not isinstance(told, dict):
            continue
        if isinstance(sheets := told.get("sheets"), dict):
            lines += [f"          source {source}: sheet {sheet!r} of {name}" for name, sheet in sheets.items()]
        if source in named:
            continue
        shapes, columns = told["shapes"], told["columns"]
        assert isinstance(shapes, dict)
        assert isinstance(columns, dict)
        for template, shape in shapes.items():
            pairs = columns[template]
            taken = ", ".join(f"{name} = {column}" for name, column in pairs.items()) if isinstance(pairs, dict) else ""
            lines.append(f"          source {source}: recognised as {shape} for {template} ({taken})")
    return lines


def care_lines(record: RunRecord) -> list[str]:
    """Return what ingest changed in texts and noticed of them, and the languages it told."""
    if record.stage != "ingest":
        return []
    counts, lines = record.counts, []
    changed = [f"{counts[kind]:,} {kind}" for kind in ("normalized", "repaired") if counts.get(kind)]
    found = {name.removeprefix("pii:"): n for name, n in counts.items() if name.startswith("pii:")}
    told = ", ".join(f"{kind} {n:,}" for kind, n in sorted(found.items(), key=lambda item: -item[1]))
    if told:
        changed.append(f"personal data {'redacted' if record.settings.get('pii') == 'redact' else 'marked'}: {told}")
    if counts.get("mojibake"):
        changed.append(f"{counts['mojibake']:,} wrongly decoded texts marked")
    if changed:
        lines.append(f"          texts: {'; '.join(changed)} (`tuneloop source changes` shows them)")
    spoken = {name.removeprefix("language:"): n for name, n in counts.items() if name.startswith("language:")}
    if spoken:
        most = sorted(spoken.items(), key=lambda item: -item[1])
        more = f", {len(most) - 8} more" if len(most) > 8 else ""
        lines.append(f"          languages: {', '.join(f'{name} {n:,}' for name, n in most[:8])}{more}")
    return lines


def faults_lines(record: RunRecord) -> list[str]:
    """Return which parts of the index were built anew, and which benchmark items cannot be looked for, and why."""
    lines = []
    faults, items = record.facts.get("index_rebuilt"), record.facts.get("items_unasked")
    if isinstance(faults, list) and faults:
        more = f"; and {len(faults) - 1} more" if len(faults) > 1 else ""
        lines.append(f"          index: {len(faults)} of its files built anew: {faults[0]}{more}")
    return lines + [f"          benchmark {told}" for told in (items if isinstance(items, list) else [])]


def summary(outcomes: list[Outcome], place: str) -> list[str]:
    """Return the closing lines: the funnel, what waits for people, and the split with its sides."""
    records = {outcome.stage: outcome.record for outcome in outcomes}
    lines = ["", *(funnel_line(record) for record in records.values())]
    if "annotate" in records:
        lines.append(waiting_line(records["annotate"]))
        lines += orphan_lines(records["annotate"])
    if "split" in records:
        split = records["split"]
        sides: dict[str, int] = {}
        table = split.facts.get("table")
        for counts in table.values() if isinstance(table, dict) else ():
            for side, n in counts.items() if isinstance(counts, dict) else ():
                sides[side] = sides.get(side, 0) + (n if isinstance(n, int) else 0)
        told = ", ".join(f"{side} {n:,}" for side, n in sides.items())
        lines.append(f"split {split.version}: {told}; no look-alikes across sides (searched again, 0 found)")
        lines.append(f"it is at {place}, ready for datasets.load_dataset")
    return lines


def orphan_lines(record: RunRecord) -> list[str]:
    """Return the answers about this recipe's sources that have no live example, if there are any."""
    orphans = record.facts.get("orphans")
    if not isinstance(orphans, list):
        return []
    return [f"{record.counts['orphans']:,} answers have no live example:", *(f"  {line}" for line in orphans)]


def waiting_line(record: RunRecord) -> str:
    """Return what waits for people, in words."""
    waiting = record.facts.get("waiting")
    told = ", ".join(f"{n:,} {what}" for what, n in waiting.items() if n) if isinstance(waiting, dict) else ""
    return f"waits for people: {told or 'nothing'}"
