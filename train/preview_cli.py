"""`tuneloop preview`: one row as the model will see it."""

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from pipeline.recipe import load_recipe

# Where no colour can say it, these stand around each token that carries loss.
OPEN, CLOSE = "⟦", "⟧"


def preview(
    row: Annotated[str | None, Parameter(help="id or origin of a row; the first train row if left out")] = None,
    *,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")] = Path("data"),
    ids: Annotated[bool, Parameter(help="list every token with its number and weight")] = False,
) -> None:
    """Show a row's tokens, which of them carry loss, and the exact prompt that inference sends.

    Example: tuneloop preview data/sample/news.csv:7 --ids
    """
    # transformers takes seconds to load, so it is loaded once the recipe has been read.
    found = importlib.import_module("train.preview").preview(load_recipe(recipe), data_root, row)
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for line in lines(found, ids=ids, coloured=console.is_terminal):
        console.print(line)


def lines(found: Any, *, ids: bool, coloured: bool) -> list[Text]:  # noqa: ANN401 - its module loads transformers
    """Return what is shown of a `train.preview.Preview`."""
    row = found.row
    told = [
        Text(f"{row['origin']}  {row['id']}  {found.side}, template {row['template']}, {row['status']}"),
        Text(f"ids by {found.engine}"),
        Text("\nprompt, as inference sends it"),
        Text(_safe(found.prompt)),
    ]
    for place, pieces in enumerate(found.examples, start=1):
        n = sum(len(piece.ids) for piece in pieces)
        learnt = [piece for piece in pieces if piece.weight > 0]
        n_learnt = sum(len(piece.ids) for piece in learnt)
        which = f"example {place} of {len(found.examples)}: " if len(found.examples) > 1 else ""
        told.append(Text(f"\n{which}{n_learnt:,} of {n:,} tokens carry loss{_weights(learnt)}"))
        if not learnt:
            told.append(Text("its weight is 0: it is left out of training"))
        told.append(Text.assemble(*(_shown(piece, coloured=coloured) for piece in pieces)))
        if ids:
            told += [_listed(at, piece) for at, piece in enumerate(pieces)]
    return told


def _weights(learnt: list[Any]) -> str:
    weights = sorted({piece.weight for piece in learnt})
    return "" if weights in ([], [1.0]) else f", each times {' or '.join(f'{weight:g}' for weight in weights)}"


def _shown(piece: Any, *, coloured: bool) -> tuple[str, str]:  # noqa: ANN401
    text = _safe(piece.text)
    if piece.weight <= 0:
        return text, "dim" if coloured else ""
    if not coloured:
        return f"{OPEN}{text}{CLOSE}", ""
    return text, "black on green" if piece.weight == 1 else "black on yellow"


def _safe(text: str) -> str:
    """Return a text that cannot give orders to a terminal."""
    return text.replace("\x1b", "␛")


def _listed(at: int, piece: Any) -> Text:  # noqa: ANN401
    numbers = " ".join(map(str, piece.ids))
    return Text(f"{at:>5}  {numbers:<12} {piece.weight:>5g}  {piece.text!r}", style="" if piece.weight else "dim")
