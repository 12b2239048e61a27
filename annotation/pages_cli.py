"""The command `annotate pages`: a page for each annotator and one for the lead, in a private folder."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.checked_share import checked_share
from annotation.cli_options import DataRoot, RecipeFile
from annotation.desk import Pay, desk
from annotation.desk_cli import STATUS_COLUMNS, Since, rates, rules_of, status_lines, status_rows
from annotation.feedback_page import feedback_page, write_feedback_page
from annotation.gold import PASS_MARK, read_gold
from annotation.people import read_people
from annotation.people_names import shown_names
from annotation.people_pages import OPEN_DISPUTES, disputes, person_pages, write_pages
from annotation.period import since_moment
from annotation.practice import Practised, practice_result
from annotation.project_list import ProjectList, read_projects
from annotation.training_run import find_run
from annotation.voting import voting
from pipeline.annotations import annotation_files, pseudonyms, read_annotations
from pipeline.consensus import Rules
from pipeline.recipe import Recipe, load_recipe
from pipeline.template import load_templates
from schemas import Annotation, ConfigError, SnapshotError, Template

FOLDER = "people"


def pages(
    *,
    since: Since = "7d",
    gold: Annotated[
        list[Path] | None, Parameter(help="gold items of a practice round, to show results; may repeat")
    ] = None,
    pass_mark: Annotated[float, Parameter(help="share of the gold items that must be right")] = PASS_MARK,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
) -> None:
    """Write a page for each annotator and one for the lead to data/people, which only you can read.

    After a training run a page for all annotators joins them: what the model learned, and where to look next.

    Example: tuneloop annotate pages --gold data/sample/gold.jsonl
    """
    now = datetime.now(UTC)
    files = list(annotation_files(data_root).values())
    answers, projects = read_annotations(files), read_projects(data_root)
    known = {**pseudonyms(files), **shown_names(data_root, (answer.annotator for answer in answers))}
    read = load_recipe(recipe)
    templates = load_templates([Path(folder).expanduser() for folder in read.template_dirs])
    practised: dict[str, Practised] = {}
    for path in gold or []:
        for who, result in practice_result(answers, read_gold(path, templates, pass_mark), pass_mark).items():
            # Of several rounds the one that was passed is shown, else the latest.
            if who not in practised or not practised[who].passed_at:
                practised[who] = result
    votes, rules = voting(answers, files), rules_of(recipe)
    pay: Pay = rates(recipe, None, None)
    found = desk(answers, projects, since_moment(since, now), now, pay, votes, rules)
    open_ones = disputes(votes, projects, rules)
    lead = {
        "desk": found,
        "columns": STATUS_COLUMNS,
        "rows": list(status_rows(found.people)),
        "lines": list(status_lines(found)),
        "disputes": open_ones[:OPEN_DISPUTES],
        "n_disputes": len(open_ones),
    }
    reads = {who: person.languages for who, person in read_people(data_root).items()}
    told = write_feedback(data_root, read, templates, votes, projects, rules, now)
    written = write_pages(
        data_root / FOLDER,
        person_pages(answers, projects, found, known, practised, votes, reads, rules),
        lead,
        projects,
        now,
        checked_share(data_root, read.name),
        told.name if told else "",
    )
    sys.stderr.write(f"{len(written) - 1:,} people's pages and the lead's are in {data_root / FOLDER}\n")
    if told:
        sys.stderr.write(f"for all annotators, what the newest model learned and where to look next: {told}\n")
    sys.stdout.write(f"{written[0]}\n")


def write_feedback(
    data_root: Path,
    recipe: Recipe,
    templates: Mapping[str, tuple[Template, Path]],
    votes: Sequence[Annotation],
    projects: ProjectList,
    rules: Rules,
    now: datetime,
) -> Path | None:
    """Write the page about the newest training run; without a whole one say why, and return None.

    What is wrong with a run keeps nobody from their work.
    """
    try:
        run = find_run(data_root, recipe.name)
        page = feedback_page(data_root, recipe, templates, run, votes, projects, rules)
    except (ConfigError, SnapshotError) as error:
        sys.stderr.write(f"no page about what a model learned: {error.what}\n")
        return None
    return write_feedback_page(data_root / FOLDER, page, now)
