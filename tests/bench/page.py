"""docs/benchmarks.md: every claim, what was measured of it last, when and on what.

A result is a JSON file `data/bench/<id>/<time>.json`. A claim without one says why it was not run; one that failed says so.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from claims import Claim, claimed
from figures import Figure, shown

HEAD = """# Benchmarks

Written by `make bench` (`python tests/bench --list` names all there is). Each figure is what the command printed when it
last ran on the machine below: a run elsewhere writes this page anew. What a page claims stands above what was measured.

- The peer runs in the same benchmark, on the same rows, at the same time. The ratio says how many times as good ours is,
  by time, memory or rate; shares and scores stand side by side without one.
- Of several runs, or several like things, you see the median, and the least and greatest in brackets.
- "Load" is how many processes wanted a core in the minute before the benchmark began, and in its last. Above 0.5 before
  it, others were at work and the times say less.
"""


@dataclass(frozen=True)
class Result:
    """One run of one benchmark; `problem` is "" where it went well."""

    id: str
    command: str
    began: str
    seconds: float
    load_before: float
    load_after: float
    machine: str
    commit: str
    problem: str
    figures: list[Figure]


def newest(claims: Sequence[Claim], folder: Path) -> dict[str, Result]:
    """Return the newest result of each claim that has one."""
    found = {}
    for claim in claims:
        files = sorted((folder / claim.id).glob("*.json"))
        if files:
            told = json.loads(files[-1].read_text("utf-8"))
            figures = [Figure(**figure) for figure in told.pop("figures")]
            found[claim.id] = Result(figures=figures, **told)
    return found


def write_page(claims: Sequence[Claim], results: Mapping[str, Result], why_not: Mapping[str, str], to: Path) -> None:
    """Write the page whole, or leave the old one."""
    text = page_of(claims, results, why_not)
    with tempfile.NamedTemporaryFile("w", dir=to.parent, delete=False, encoding="utf-8") as draft:
        draft.write(text)
    Path(draft.name).chmod(0o644)
    os.replace(draft.name, to)


def page_of(claims: Sequence[Claim], results: Mapping[str, Result], why_not: Mapping[str, str]) -> str:
    """Return the page: the machines, a table with a line a claim, then a section a claim."""
    machines = list(dict.fromkeys(one.machine for one in results.values()))
    went = sum(not one.problem for one in results.values())
    counts = f"{went} of {len(claims)} have been run here, {len(results) - went} failed.\n"
    lines = [HEAD, counts, "## Machine\n", *(f"{n}. {told}" for n, told in enumerate(machines, 1))]
    lines += ["" if machines else "None yet.\n", "## In short\n"]
    lines += ["| what | ours | peer | ratio | when |", "|---|---|---|---:|---|"]
    lines += [_in_short(claim, results.get(claim.id), why_not.get(claim.id, "")) for claim in claims]
    lines.append("")
    for claim in claims:
        lines += _section(claim, results.get(claim.id), why_not.get(claim.id, ""), machines)
    return "\n".join(lines).rstrip() + "\n"


def _in_short(claim: Claim, result: Result | None, why: str) -> str:
    """Return the line of a claim: its headline."""
    link = f"[{claim.says}](#{claim.id})"
    if result is None:
        return f"| {link} | not run here: {_cell(why or 'not asked for')} | | | |"
    if result.problem:
        return f"| {link} | **failed**: {_cell(result.problem)} | | | {_day(result)} |"
    cells = _cells(next((one for one in result.figures if one.headline), result.figures[0]))
    return f"| {link} | {cells[0]}: {cells[1]} | {cells[2]} | {cells[3]} | {_day(result)} |"


def _section(claim: Claim, result: Result | None, why: str, machines: Sequence[str]) -> list[str]:
    lines = [f"### {claim.id}\n", f"{claim.says[0].upper()}{claim.says[1:]}." + _beside(claim) + "\n"]
    said = " ".join(claimed(claim).split())
    if claim.page:
        lines.append(f"Claimed in {Path(claim.page).name}: {said or 'nothing any more'}\n")
    if result is None:
        return [*lines, f"`{claim.command}`: not run here: {why or 'not asked for'}.\n"]
    lines.append(
        f"`{result.command}`, begun {result.began}, {result.seconds:,.0f} s, load {result.load_before} before and"
        f" {result.load_after} in the end, commit {result.commit or 'unknown'}"
        + (f", machine {machines.index(result.machine) + 1}" if len(machines) > 1 else "")
        + ".\n"
    )
    if result.problem:
        lines.append(f"**Failed**: {result.problem}\n")
    if result.figures:
        lines += ["| | ours | peer | ratio |", "|---|---|---|---:|"]
        lines += [f"| {' | '.join(_cells(figure))} |" for figure in result.figures]
        lines.append("")
    return lines


def _beside(claim: Claim) -> str:
    return f" Beside it: {claim.peer}." if claim.peer else ""


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    theirs = "" if figure.theirs is None else f"{figure.peer} {shown(figure.theirs, figure.unit, figure.of)}".strip()
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2g}" if figure.ratio < 10 else f"{figure.ratio:.0f}"
    return _cell(figure.what), shown(figure.ours, figure.unit, figure.of), _cell(theirs), ratio


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _day(result: Result) -> str:
    return result.began[:10]
