"""What follows the scores of a run: judge, gates and pages. Knows no torch: they can change without the model."""

import importlib
from collections.abc import Callable
from pathlib import Path

from pipeline.ledger import point
from pipeline.snapshot import sync
from schemas.report import Judged, Report
from train.card import card
from train.gates import judged
from train.page import page
from train.plan import MODEL, REPORT, RUNS, Plan

PAGE, CARD = "report.html", f"{MODEL}/README.md"


def finish(
    plan: Plan, say: Callable[[str], None], asked: Callable[[str, int, int], None], *, latest: bool = True
) -> tuple[Report, Path]:
    """Bring report and pages of a finished run up to date, its judge and gates with them; return report and page.

    Args:
        plan: Of the run.
        say: Told of the judge.
        asked: Called with who is asked, how many questions are answered, and of how many.
        latest: Whether it becomes its recipe's newest run.
    """
    was = Report.model_validate_json((plan.folder / REPORT).read_bytes())
    # Judge and gates may change while the scores stand. What a judge has said before it is not asked again.
    report = was.model_copy(update={"judge": _judge(plan, say, asked), "gates": judged(was, plan.evaluate.gates)})
    if report != was:
        draft = plan.folder / f".{REPORT}.draft"
        draft.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        sync(draft)
        draft.replace(plan.folder / REPORT)
    pages = {plan.folder / PAGE: page(report)}
    if (plan.folder / MODEL).is_dir():  # a model that was trained elsewhere is not here
        pages[plan.folder / CARD] = card(report)
    for path, text in pages.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sync(path)
    if latest:
        point(plan.data_root / RUNS / f"latest-{plan.recipe}", plan.key)
    return report, plan.folder / PAGE


def _judge(plan: Plan, say: Callable[[str], None], asked: Callable[[str, int, int], None]) -> Judged | None:
    """Return what the judge says, if the recipe names one; one that does not answer is a warning and no error."""
    settings = plan.evaluate.judge
    if settings is None:
        return None
    say(f"evaluate  the judge {settings.model} compares tuned with base on the validation side")
    # Loads torch and scikit-learn, which takes seconds.
    cache = importlib.import_module("train.answer_cache").AnswerCache.of(plan.data_root, say)
    found: Judged | None = importlib.import_module("train.judge").judge_run(
        settings, plan.split, plan.folder, cache, lambda done, of: asked("judge", done, of)
    )
    if found and found.failed:
        say(f"evaluate  warning: the report is made without the judge: {found.failed}")
    return found
