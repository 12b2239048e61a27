"""The command `annotate practice`: the gold items as tasks, and who has passed."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.cli_options import DataRoot, RecipeFile
from annotation.desk_cli import RealNames
from annotation.gold import FAULTY, PASS_MARK, practice_tasks, read_gold
from annotation.people_names import by_number, shown_names
from annotation.practice import practice_result
from annotation.task_file import write_tasks_file
from pipeline.annotations import annotation_files, read_annotations
from pipeline.practice import counting, passed, record_passed
from pipeline.recipe import load_recipe
from pipeline.template import load_templates


def practice(
    *,
    gold: Annotated[Path, Parameter(help="gold items, one JSON object a line")],
    pass_mark: Annotated[float, Parameter(help="share of the items that must be right, over 0.5")] = PASS_MARK,
    tasks_to: Annotated[Path | None, Parameter(help="also write the items as Label Studio tasks")] = None,
    yes: Annotated[bool, Parameter(help="from now on let only who has passed vote")] = False,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
    names: RealNames = False,
) -> None:
    """Check gold items and say how each person did on them; with --yes only who has passed votes from now on.

    Once that is so, every further run of the command adds who has passed meanwhile.

    Example: tuneloop annotate practice --gold data/sample/gold.jsonl --tasks-to practice.json
    """
    templates = load_templates([Path(folder).expanduser() for folder in load_recipe(recipe).template_dirs])
    items = read_gold(gold, templates, pass_mark)
    faulty = sum(item.verdict in FAULTY for item in items)
    sys.stderr.write(f"{len(items):,} gold items, {faulty:,} of them faulty; {pass_mark:.0%} must be right\n")
    if tasks_to:
        write_tasks_file(tasks_to, practice_tasks(items, templates))
        sys.stderr.write(f"tasks written to {tasks_to}\n")
    files = list(annotation_files(data_root).values())
    answers, known = read_annotations(files), passed(files)
    results = practice_result(answers, items, pass_mark)
    newly = {who: one.passed_at for who, one in results.items() if one.passed_at}
    if yes or known is not None:
        new = record_passed(data_root, newly)
        sys.stderr.write(f"{len(new):,} people have newly passed; `tuneloop data` counts their answers from then on\n")
    else:
        out = len(counting(answers, None)) - len(counting(answers, newly))
        sys.stderr.write(
            f"practice is not required yet: with --yes only who has passed votes, and {out:,} answers of today would "
            "not count\n"
        )
    shown = shown_names(data_root, results, real=names)
    for who in sorted(results, key=lambda who: by_number(shown[who])):
        one = results[who]
        sys.stdout.write(f"{shown[who]}\t{one.state}\t{one.right} of {one.total} right\t{one.answered} answered\n")
