"""What the commands of `tuneloop annotate` share: their options, and how they talk."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

DataRoot = Annotated[Path, Parameter(help="folder of the store")]
RecipeFile = Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")]


def say(line: str) -> None:
    """Tell the person at the terminal; what other programs read goes to stdout."""
    sys.stderr.write(line + "\n")
