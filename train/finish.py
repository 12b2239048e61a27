"""The pages of a finished run. Knows no torch: a page can change without the model."""

from pathlib import Path

from pipeline.ledger import point
from pipeline.snapshot import sync
from schemas.report import Report
from train.card import card
from train.gates import judged
from train.page import page
from train.plan import MODEL, REPORT, RUNS, Plan

PAGE, CARD = "report.html", f"{MODEL}/README.md"


def finish(plan: Plan) -> tuple[Report, Path]:
    """Bring the pages of a finished run up to date and make it its recipe's newest; return report and page."""
    report = Report.model_validate_json((plan.folder / REPORT).read_bytes())
    # Gates may change while the scores stand: they are looked at anew each time.
    gates = judged(report, plan.evaluate.gates)
    if gates != report.gates:
        report = report.model_copy(update={"gates": gates})
        draft = plan.folder / f".{REPORT}.draft"
        draft.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        sync(draft)
        draft.replace(plan.folder / REPORT)
    for path, text in ((plan.folder / PAGE, page(report)), (plan.folder / CARD, card(report))):
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sync(path)
    point(plan.data_root / RUNS / f"latest-{plan.recipe}", plan.key)
    return report, plan.folder / PAGE
