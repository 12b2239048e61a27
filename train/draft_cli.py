"""`tuneloop draft`: a model writes what nobody has written yet, for people to check."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from pipeline.recipe import load_recipe
from pipeline.template import load_templates
from train.draft_rows import Wanted, wanted
from train.talk import Talk

_WHY = {
    "no_room": "over --limit or [draft] max_rows",
    "not_wanted": "of sources or templates that [draft] does not name",
    "held_out": "of what [split] hold_out keeps out of training",
    "answered": "answered by people since",
    "has_draft": "with a draft already",
    "asked_before": "asked before in the same words, without a usable answer",
    "tools": "that may call tools",
    "template_gone": "of templates that are gone",
    "no_single_response": "whose response is not one text",
}


def draft(
    *,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store")] = Path("data"),
    dry_run: Annotated[bool, Parameter(help="only say what would be asked; no model is loaded or called")] = False,
    limit: Annotated[int | None, Parameter(help="most things to ask now", validator=validators.Number(gte=1))] = None,
) -> None:
    """Let the model of [draft] write responses that are missing, and instructions to responses if it says so.

    What it writes is marked synthetic, comes first in the review queue, and is trained on once a person accepts it.
    Run `tuneloop data` afterwards. A run that was stopped goes on where it was; nothing is asked twice.

    Example: tuneloop draft --recipe my.toml --dry-run
    """
    read = load_recipe(recipe)
    templates = load_templates([Path(folder).expanduser() for folder in read.template_dirs])
    todo = wanted(read, data_root, templates, limit)
    with Talk() as talk:
        for line in _skipped(todo):
            talk.line(line)
        if dry_run:
            assert read.draft is not None
            sys.stdout.write("".join(f"{line}\n" for line in _planned(todo, read.draft.max_new_tokens)))
            return
        if not todo.asks:
            talk.line("draft     nothing to ask")
            return
        # torch takes seconds to load: what is wrong with the recipe is said before.
        done = importlib.import_module("train.draft").draft(
            read, data_root, templates, todo, talk.line, lambda n, of: talk.asked("draft", n, of)
        )
        refused = ", ".join(f"{why} {n:,}" for why, n in done.refused.items())
        left_out = f"; not kept: {refused}" if refused else ""
        talk.line(f"draft     {len(todo.asks):,} asked, {done.kept:,} drafts kept{left_out}")
        talk.line("next: `tuneloop data` takes them in, then people review them (`tuneloop annotate push`)")
    sys.stdout.write(f"{done.folder}\n")


def _skipped(todo: Wanted) -> list[str]:
    return [f"draft     not asked: {n:,} rows {_WHY[why]}" for why, n in todo.skipped.most_common()]


def _planned(todo: Wanted, longest: int) -> list[str]:
    """Return what would be asked, in words, with the tokens that it costs."""
    n, tokens = len(todo.asks), sum(one.n_tokens for one in todo.asks)
    n_drafts = sum(one.kind == "draft" for one in todo.asks)
    return [
        f"{n:,} calls: {n_drafts:,} missing responses, {n - n_drafts:,} instructions to responses",
        f"about {tokens:,} tokens of prompts by the recipe's tokenizer, at most {n * longest:,} tokens of answers",
        f"{todo.n_drafts:,} drafts are there already",
    ]
