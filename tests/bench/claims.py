"""What this project claims to do, and the command that measures it: `claims.toml`, read.

A claim of the README stands in its table of figures, in the row of its command; one of another page is quoted from it.

    claims = read_claims()
    claims.claim[0].command       # "python tests/bench/template_speed.py"
    claimed(claims.claim[0])      # "26 of 29 built-in templates by whole columns, ..."
    lacks(claims.claim[0])        # "" or what is missing here and how to have it
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
LIST = HERE / "claims.toml"


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


def read_claims(file: Path = LIST) -> Claims:
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


def lacks(claim: Claim) -> str:
    """Return what a claim needs and is missing here, with how to have it; "" where nothing is."""
    missing: dict[str, list[str]] = {}
    for need in claim.needs:
        kind, _, name = need.partition(": ")
        if not _is_there(kind, name):
            missing.setdefault(kind, []).append(name)
    return "; ".join(_CURES[kind].format(" ".join(names)) for kind, names in missing.items())


_CURES = {
    "shared": "no public data {} in the folder that $TUNELOOP_SHARED names",
    "peer": "a peer is not installed: `python tests/bench/peers/venv.py {}`",
    "sample": "needs `make {}` before",
    "label-studio": "Label Studio is not installed: `make annotate`{}",
    "export": "needs `tuneloop export --to {} --lm-eval` before",
}


def _is_there(kind: str, name: str) -> bool:
    if kind == "shared":
        return (SHARED / name).exists()
    if kind == "peer":
        return (folder_of(name) / "installed").exists()
    if kind == "sample":
        link = {"data": "split", "data train": "runs"}[name]
        return (ROOT / "data" / link / "latest-sample").exists()
    if kind == "label-studio":
        return (program().parent.parent / ".whole").exists()
    if kind == "export":
        return (ROOT / name).exists()
    raise ValueError(f"no such need: {kind!r}")
