"""What this project claims to do, and the command that measures it: `claims.toml`, read.

A claim of the README stands in its table of figures, in the row of its command; one of another page is quoted from it.

    claims = read_claims()
    claims.claim[0].command       # "python tests/bench/template_speed.py"
    claimed(claims.claim[0])      # "26 of 29 built-in templates by whole columns, ..."
    lacks("peer: trl")            # "" or what is missing here and how to have it
"""

import os
import re
import tomllib
from pathlib import Path

from peers.venv import folder_of
from pydantic import BaseModel, ConfigDict, Field

from annotation.server import program

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARED = Path(os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared" / "data"))
README = "README.md"


class Claim(BaseModel):
    """One command and what is said of what it measures.

    Attributes:
        id: A short name.
        says: What is measured, in words.
        command: As the page has it.
        run: What is run instead, where the page's command is a make target.
        peer: Beside what it is measured, in words.
        minutes: About how long it takes on two cores.
        page: The page that claims it; "" where none does, and the figure stands for itself.
        quote: The words of that page; of the README's table they are read from the row of the command.
        needs: What must be there: see `lacks`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    says: str
    command: str
    run: str = ""
    peer: str = ""
    minutes: float = Field(gt=0)
    page: str = README
    quote: str = ""
    needs: list[str] = []


class Claims(BaseModel):
    """All claims, and files of tests/bench that are parts of others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: dict[str, str]
    claim: list[Claim]


def read_claims(file: Path = HERE / "claims.toml") -> Claims:
    """Return the list."""
    return Claims.model_validate(tomllib.loads(file.read_text("utf-8")))


def readme_rows(text: str | None = None) -> dict[str, tuple[str, str]]:
    """Return the first code of the command's cell to what and how much, of the README's table of figures."""
    table = (text or (ROOT / README).read_text("utf-8")).partition("| what | measured | command |")[2]
    found = {}
    for line in table.partition("\n\n")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if len(cells) == 3 and (code := re.search(r"`([^`]+)`", cells[2])):
            found[code[1]] = (cells[0], cells[1])
    return found


def claimed(claim: Claim) -> str:
    """Return the words of the page, "" where it says nothing any more."""
    if claim.page == README and not claim.quote:
        return readme_rows().get(claim.command, ("", ""))[1]
    return claim.quote


def lacks(need: str) -> str:
    """Return what is missing here and how to have it, "" where nothing is."""
    kind, _, name = need.partition(": ")
    if kind == "shared":
        missing = not (SHARED / name).exists()
        return f"no public data {name} in the folder that $TUNELOOP_SHARED names" if missing else ""
    if kind == "peer":
        missing = not (folder_of(name) / "installed").exists()
        return f"{name} is not installed: `python tests/bench/peers/venv.py {name}`" if missing else ""
    if kind == "sample":
        path = ROOT / "data" / {"data": "split", "run": "runs"}[name] / "latest-sample"
        return "" if path.exists() else f"needs `make data{' train' if name == 'run' else ''}` before"
    if kind == "label-studio":
        missing = not (program().parent.parent / ".whole").exists()
        return "Label Studio is not installed: `tuneloop annotate start`" if missing else ""
    if kind == "hand":
        return name
    raise ValueError(f"no such need: {need!r}")
